"""The notebook as PDF and as a page: nothing lost, nothing cut off, nothing from the network."""

import base64
import html
import io
import json
import os
import re
import subprocess

import nbformat
import numpy as np
import pytest
from browser import code, failed, needs_chromium, needs_poppler, press, printed, save, shown, text
from PIL import Image
from pypdf import PdfReader

from utilities import export, page, page_map, run_notebook, sources
from utilities.chromium import Chromium
from utilities.errors import ExportError

PAPER = {(612.0, 792.0)}  # points: US Letter


def png(width, height, colour="navy", dpi=96):
    """Return a plain picture as a notebook keeps it."""
    Image.new("RGB", (width, height), colour).save(buffer := io.BytesIO(), "PNG", dpi=(dpi, dpi))
    return base64.b64encode(buffer.getvalue()).decode()


def pages_of(pdf):
    return [sheet.extract_text() for sheet in PdfReader(pdf).pages]


def squeezed(words):
    """Return a text without its spaces: where lines end is the paper's business."""
    return re.sub(r"\s+", "", words)


def bookmarks(pdf):
    """Return title and page of every bookmark, in order."""
    reader = PdfReader(pdf)

    def walk(outline):
        for entry in outline:
            if isinstance(entry, list):
                yield from walk(entry)
            else:
                yield entry.title, reader.get_destination_page_number(entry) + 1

    return list(walk(reader.outline))


def pictures(pdf):
    """Return how many pictures the pages draw; one that is split counts on both its pages."""
    return sum(
        drawn.get_object()["/Subtype"] == "/Image"
        for sheet in PdfReader(pdf).pages
        for drawn in sheet["/Resources"].get("/XObject", {}).values()
    )


def ink_in_margins(pdf, folder):
    """Return the pages on which something is drawn nearer than half an inch to the side edges."""
    subprocess.run(["pdftoppm", "-r", "40", "-gray", pdf, folder / "sheet"], check=True)
    edge = 20  # pixels: half an inch at 40 to the inch; the text ends at three quarters
    dirty = []
    for number, file in enumerate(sorted(folder.glob("sheet*.pgm")), start=1):
        grey = np.asarray(Image.open(file))
        if min(grey[:, :edge].min(), grey[:, -edge:].min()) < 250:
            dirty.append(number)
    assert number == len(PdfReader(pdf).pages)
    return dirty


# The homework's own notebook.


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(export.NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The PDF of hw4.ipynb, with what its pages asked for outside themselves."""
    folder, asked = tmp_path_factory.mktemp("submission"), []

    class Listening(Chromium):
        def __exit__(self, *exception):
            asked.extend(self.requests)
            super().__exit__(*exception)

    with pytest.MonkeyPatch.context() as patch:
        for module in (export, page, page_map):
            patch.setattr(module, "Chromium", Listening)
        export.export_report(export.NOTEBOOK, folder / "hw4.pdf")
    return folder / "hw4.pdf", asked


@pytest.fixture(scope="module")
def pdf(report):
    return report[0]


@pytest.fixture(scope="module")
def sheets(pdf):
    """The text of every page; its foot comes first. Read once: it takes seconds."""
    return pages_of(pdf)


def headings(notebook):
    """Return the headings of a notebook as they read on paper."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in re.findall(r"^#+ (.+)$", cell.source, re.M):
                yield re.sub(r"[*`]", "", line)


@needs_chromium
def test_every_page_is_us_letter(pdf):
    assert {
        (float(s.mediabox.width), float(s.mediabox.height)) for s in PdfReader(pdf).pages
    } == PAPER


@needs_chromium
def test_all_fonts_are_embedded(pdf):
    fonts = [
        font.get_object()
        for sheet in PdfReader(pdf).pages
        for font in sheet["/Resources"].get("/Font", {}).values()
    ]
    assert fonts
    for font in fonts:
        if font["/Subtype"] != "/Type3":  # its letters are drawings in the file
            descendant = font.get("/DescendantFonts", [font])[0].get_object()
            descriptor = descendant["/FontDescriptor"].get_object()
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor), font["/BaseFont"]


@needs_chromium
def test_headings_become_bookmarks_in_their_order(pdf, notebook):
    assert [title for title, _ in bookmarks(pdf)] == list(headings(notebook))


def foot(number, sheets, question):
    """Return what a page's foot says, as it is read from the PDF."""
    return squeezed(f"page {number} of {len(sheets)}{page.without_points(question)}")


@needs_chromium
def test_each_question_begins_a_page(pdf, sheets):
    questions = [(title, n) for title, n in bookmarks(pdf) if title.startswith("Question")]
    assert len(questions) == 5
    for title, n in questions:
        assert squeezed(sheets[n - 1]).startswith(foot(n, sheets, title) + squeezed(title))


@needs_chromium
def test_the_foot_of_a_page_has_its_number_and_its_question(pdf, sheets):
    chapters = {
        n: title for title, n in bookmarks(pdf) if re.match("Question|Time|Homework", title)
    }
    title = ""
    for n, sheet in enumerate(sheets, start=1):
        title = chapters.get(n) or title
        assert squeezed(sheet).startswith(foot(n, sheets, title))


@needs_chromium
def test_the_foot_is_at_the_foot(pdf):
    heights = {}

    def note(words, page_matrix, text_matrix, *font):
        heights.setdefault(words.strip(), page_matrix[3] * text_matrix[5] + page_matrix[5])

    PdfReader(pdf).pages[0].extract_text(visitor_text=note)
    assert 18 < heights["page"] < 61  # points: below the text, which ends at 0.85 inches


@needs_chromium
def test_all_code_and_all_that_was_printed_is_on_paper(sheets, notebook):
    on_paper = squeezed("".join(sheets))
    for number, cell in page.code_cells(notebook):
        assert squeezed(cell.source) in on_paper, number
        for output in cell.outputs:
            if output.output_type == "stream":
                for line in output.text.splitlines():
                    assert squeezed(line) in on_paper, (number, line)


@needs_chromium
def test_every_figure_is_on_one_page_whole(pdf, notebook):
    n_figures = sum(
        "image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])
    )
    assert pictures(pdf) == n_figures


@needs_chromium
def test_formulas_are_typeset(sheets):
    prose = "".join(sheets)
    assert not re.search(r"\\(frac|theta|Theta|mathrm|sum|hat|quad|partial)|\$\w?\$|\$\\", prose)


@needs_chromium
@needs_poppler
def test_nothing_runs_into_the_margins(pdf, tmp_path):
    assert ink_in_margins(pdf, tmp_path) == []


@needs_chromium
def test_the_pages_ask_for_nothing_outside_themselves(report):
    assert report[1] == []


@needs_chromium
def test_the_map_is_complete_and_in_order_and_leads_to_the_headings(pdf, sheets):
    rows = json.loads((pdf.parent / "pages.json").read_text("utf-8"))
    assert [row["question"] for row in rows] == list(page_map.ALL_QUESTIONS)
    for row in rows:
        assert row["pages"] == list(range(row["first_page"], row["last_page"] + 1))
        heading = squeezed(f"{row['question']} {row['title']}")[1:]  # (Question 1: two-hidden...)
        heading = heading if "." in row["question"] else squeezed(row["title"][1:])
        assert heading in squeezed(sheets[row["first_page"] - 1])
    firsts = [row["first_page"] for row in rows]
    assert firsts == sorted(firsts)
    assert rows[-1]["last_page"] <= len(sheets)


@needs_chromium
def test_the_map_is_one_page_of_paper_with_every_question(pdf):
    reader = PdfReader(pdf.parent / "pages.pdf")
    assert len(reader.pages) == 1
    assert {(float(s.mediabox.width), float(s.mediabox.height)) for s in reader.pages} == PAPER
    words = reader.pages[0].extract_text()
    for row in json.loads((pdf.parent / "pages.json").read_text("utf-8")):
        assert squeezed(f"{row['question']} {row['title']}") in squeezed(words)


# The page for the browser.


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return export.export_html(export.NOTEBOOK, tmp_path_factory.mktemp("html") / "hw4.html")


@pytest.fixture(scope="module", params=[(1280, 800), (390, 844)], ids=["desktop", "telephone"])
def window(request, site):
    """A browser that shows the page, in a wide and in a narrow window."""
    with Chromium() as browser:
        browser.resize(*request.param)
        browser.open(site)
        browser.width = request.param[0]
        browser.is_wide = browser.width > 1000
        yield browser


@needs_chromium
def test_the_page_is_one_small_file_that_asks_for_nothing(site, window):
    assert site.stat().st_size < 10_000_000
    assert [file.name for file in site.parent.iterdir()] == ["hw4.html"]
    assert window.requests == []
    assert window.console == []


@needs_chromium
def test_nothing_but_its_own_parts_scrolls_sideways(window):
    # not innerWidth: a telephone's window grows with its page
    assert window.run("document.documentElement.scrollWidth") <= window.width
    # what is wider than its place lies in a box that scrolls by itself
    outside = window.run(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('svg') &&"
        " !e.closest('.scroller, .math.display, pre') && !e.closest('.glyphs') &&"
        " e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []


@needs_chromium
def test_every_image_is_loaded_and_described(window, notebook):
    images = window.run("[...document.images].map(i => [i.naturalWidth, i.alt])")
    n_figures = sum(
        "image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])
    )
    assert len(images) == n_figures
    assert all(width > 0 and len(alt) > 10 for width, alt in images)


@needs_chromium
def test_formulas_are_drawn_and_no_tex_is_left(window, notebook):
    drawn = window.run(
        "[...document.querySelectorAll('.math > svg')].map(s => s.getBoundingClientRect())"
        ".filter(box => box.width > 3 && box.height > 3).length"
    )
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert drawn == len(re.findall(r"\$\$.+?\$\$|\$.+?\$", prose, re.S))
    left = window.run(
        "(() => { const copy = document.querySelector('main').cloneNode(true);"
        " copy.querySelectorAll('pre, code, table.dataframe').forEach(e => e.remove());"
        " return copy.textContent; })()"
    )
    assert not re.search(r"\$|\\[a-zA-Z]+", left)


@needs_chromium
def test_the_contents_follow_the_scroll(window):
    anchors = window.run("[...document.querySelectorAll('#contents a')].map(a => a.hash.slice(1))")
    assert len(anchors) > 40
    for anchor in (anchors[5], anchors[-8], anchors[12], anchors[-1]):
        window.run(f"document.getElementById({anchor!r}).scrollIntoView()")
        window.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        marked = window.run("[...document.querySelectorAll('[aria-current]')].map(a => a.hash)")
        assert marked == [f"#{anchor}"]


@needs_chromium
def test_the_contents_are_beside_the_text_or_folded_above_it(site, window):
    window.open(site)
    is_open = window.run("document.querySelector('#contents details').open")
    assert is_open == window.is_wide
    window.run("document.querySelector('#contents summary').click()")
    assert window.run("document.querySelector('#contents details').open") != is_open


@needs_chromium
def test_a_heading_chosen_from_the_contents_is_in_view(window):
    window.run("document.querySelector('#contents details').open = true")
    window.run("document.querySelector('a[href=\"#3.2-dry-beans\"]').click()")
    window.run("new Promise(done => setTimeout(done, 100))")
    box = window.run(
        "(() => { const b = document.getElementById('3.2-dry-beans')"
        ".getBoundingClientRect(); return [b.top, b.bottom]; })()"
    )
    lid = (
        0
        if window.is_wide
        else window.run("document.getElementById('contents').getBoundingClientRect().bottom")
    )
    assert lid <= box[0] < box[1] < 800


@needs_chromium
def test_the_contents_are_reached_by_keyboard(site, window):
    window.open(site)

    names = []
    for _ in range(3):
        press(window, "Tab")
        names.append(window.run("document.activeElement.textContent.trim()"))
    first = "Homework 4: neural nets, a forest, an SVM and Macbeth" if window.is_wide else names[2]
    assert names == ["Skip to the text", "Contents", first]


@needs_chromium
def test_the_page_names_its_language_and_title(window):
    assert window.run("[document.documentElement.lang, document.title]") == [
        "en",
        "Homework 4: neural nets, a forest, an SVM and Macbeth",
    ]


# Notebooks that are hard to print.


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """The PDF of a notebook full of wide, long and tall things, and its source."""
    folder = tmp_path_factory.mktemp("hard")
    head = "".join(f"<th>column {n}</th>" for n in range(30))
    body = "".join(f"<td>{n * 1111.5}</td>" for n in range(30))
    wide = f"<table><thead><tr>{head}</tr></thead><tbody><tr>{body}</tr></tbody></table>"
    more = "<br>more" * 8  # enough lines to be split, were it allowed
    cells = (f"<th>row{n}</th><td>value{n}{more}<br>last line of {n}</td>" for n in range(25))
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    long = f"<table><thead><tr><th>name</th><th>amount</th></tr></thead>{rows}</table>"
    long_line = "total = " + " + ".join(f"number_{n}" for n in range(60))
    unbroken = "x" * 400
    cells = [
        text(
            "# Hard things\n\n"
            + r"$$"
            + " + ".join(rf"\frac{{a_{{{n}}}}}{{b}}" for n in range(40))
            + "$$"
        ),
        code(long_line, printed(unbroken + "\n" + "│" * 200)),
        code("wide", shown(text_html=wide)),
        code("long", shown(text_html=long)),
        code("large", shown(image_png=png(3000, 200))),
        code("tall", shown(image_png=png(300, 4000))),
        *(code(f"filler_{n} = 0", shown(image_png=png(400, 350, (n, 0, 90)))) for n in range(5)),
    ]
    return export.export_pdf(save(folder / "hard.ipynb", *cells), folder / "hard.pdf"), long_line


@needs_chromium
@needs_poppler
def test_wide_things_are_wrapped_or_scaled(hard, tmp_path):
    pdf, long_line = hard
    assert ink_in_margins(pdf, tmp_path) == []
    on_paper = squeezed("".join(pages_of(pdf)))
    assert squeezed(long_line) in on_paper
    assert "x" * 400 in on_paper
    assert "column29" in on_paper and "32233.5" in on_paper


@needs_chromium
def test_rows_of_a_long_table_stay_whole_and_its_head_is_repeated(hard):
    sheets = [s for s in pages_of(hard[0]) if re.search(r"row\d", s)]
    assert len(sheets) > 1
    for sheet in sheets:
        assert squeezed("name amount") in squeezed(sheet)
        for n in re.findall(r"row(\d+)", sheet):
            assert f"value{n}" in sheet and f"last line of {n}" in sheet


@needs_chromium
def test_figures_stay_whole_even_if_taller_than_the_paper(hard):
    assert pictures(hard[0]) == 7


@needs_chromium
def test_scripts_of_outputs_do_not_get_into_the_page(tmp_path):
    output = "<p onclick='alert(1)'>kept</p><script>alert(2)</script><iframe src='x'></iframe>"
    source = save(tmp_path / "a.ipynb", text("# A"), code("1", shown(text_html=output)))
    written = export.export_html(source, tmp_path / "a.html").read_text("utf-8")
    assert ">kept</p>" in written
    assert "alert(" not in written and "iframe" not in written


@needs_chromium
def test_formulas_of_the_text_and_of_outputs_become_drawings_that_can_be_read_aloud(tmp_path):
    source = save(
        tmp_path / "a.ipynb",
        text("# A\n\nInline $a < b$ and\n\n\\begin{align} x &= 1 \\\\ y &= 2 \\end{align}"),
        code("sympy", shown(text_latex="$\\displaystyle \\frac{1}{2}$")),
    )
    written = export.export_html(source, tmp_path / "a.html").read_text("utf-8")
    labels = [html.unescape(label) for label in re.findall(r'<svg aria-label="([^"]*)"', written)]
    assert labels == [
        "a < b",
        "\\begin{align} x &= 1 \\\\ y &= 2 \\end{align}",
        "\\displaystyle \\frac{1}{2}",
    ]


def test_a_figure_is_described_by_its_title_and_section_and_shown_at_its_size():
    notebook = nbformat.v4.new_notebook(
        cells=[
            text("## 1.2 Training *(5 points)*"),
            code(
                "%matplotlib inline\nplot(x, title='Loss')", shown(image_png=png(600, 300, dpi=192))
            ),
            code("imshow(x)", shown(image_png=png(600, 300))),
        ]
    )
    page.describe_figures(notebook)
    about = [cell.outputs[0].metadata["image/png"] for cell in notebook.cells[1:]]
    assert about[0] == {"alt": "Figure: Loss (1.2 Training)", "width": 300}
    assert about[1] == {"alt": "Figure in section 1.2 Training", "width": 600}


@pytest.mark.parametrize(
    ("heading", "bare"),
    [
        ("4.1.2 Plot (3 points)", "4.1.2 Plot"),
        ("1.1.2 Local test (g) 10 points, 1.3%", "1.1.2 Local test"),
        ("3.3 Importances (bonus for all, 1.1%)", "3.3 Importances"),
        ("1.2: Training [5pts]", "1.2: Training"),
        ("Kernel (x·z)² of (two) points", "Kernel (x·z)² of (two) points"),
    ],
)
def test_points_are_no_part_of_a_title(heading, bare):
    assert page.without_points(heading) == bare


# What cannot be exported.


GOOD = (text("# Question 1: beans"), code("1 + 1", printed("2")))

LEFT_OUT = nbformat.v4.new_code_cell("2 + 2")
FAILED = code("1 / 0", failed("ZeroDivisionError", "division by zero"))
NO_PICTURE = code("2", shown(image_png="bm90IGEgcG5n"))

BAD = {  # a cell after the good ones, and the message
    "failed": (FAILED, r"cell 3 \('1 / 0'\) failed with ZeroDivisionError: division by zero"),
    "left out": (LEFT_OUT, r"cell 3 \('2 \+ 2'\) was not executed"),
    "lost image": (text("![beans](beans.png)"), r"beans\.png"),
    "far image": (text("![b](https://b.example/b.png)"), r"b\.example.*is not in the notebook"),
    "lost attachment": (text("![beans](attachment:b.png)"), r"missing attachment: b\.png"),
    "broken image": (NO_PICTURE, "output image .* is damaged"),
}


def test_a_notebook_without_outputs_is_refused(tmp_path):
    source = save(tmp_path / "nb.ipynb", GOOD[0], LEFT_OUT)
    with pytest.raises(ExportError, match=r"nb\.ipynb has no outputs\. Execute it"):
        export.export_pdf(source, tmp_path / "nb.pdf")
    assert [file.name for file in tmp_path.iterdir()] == ["nb.ipynb"]


@pytest.mark.parametrize("function", [export.export_pdf, export.export_html])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_notebook_is_refused_and_the_old_file_kept(kind, function, tmp_path):
    cell, message = BAD[kind]
    source, out = save(tmp_path / "bad.ipynb", *GOOD, cell), tmp_path / "out" / "file"
    out.parent.mkdir()
    out.write_text("old")
    with pytest.raises(ExportError, match=message):
        function(source, out)
    assert out.read_text() == "old"
    assert [file.name for file in out.parent.iterdir()] == ["file"]


@needs_chromium
def test_a_formula_that_is_not_tex_is_named(tmp_path):
    source = save(tmp_path / "bad.ipynb", text(r"$\frac{a}{b$"))
    with pytest.raises(ExportError, match=r"frac\{a\}\{b' cannot be typeset: Missing close brace"):
        export.export_html(source, tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "nb.ipynb does not exist; expected a notebook"),
        (b"not JSON", "nb.ipynb is not a notebook"),
        (b'{"cells": 3}', "nb.ipynb is not a notebook"),
        (b"[]", "nb.ipynb is not a notebook"),
        (b"\xff\xfe\x00", "nb.ipynb cannot be read"),
    ],
)
def test_what_is_no_notebook_is_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "nb.ipynb").write_bytes(content)
    with pytest.raises(ExportError, match=message):
        export.export_html(tmp_path / "nb.ipynb", tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize("function", [export.export_pdf, export.export_html])
def test_a_place_that_cannot_be_written_is_named_before_any_work(function, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match=r"file/hw4\.out cannot be written: .*(exists|directory)"):
        function(tmp_path / "not even there.ipynb", tmp_path / "file" / "hw4.out")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def read_only(tmp_path):
    """A folder that may not be written to; root, who may, is another user meanwhile."""
    tmp_path.chmod(0o500)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield tmp_path
    if is_root:
        os.seteuid(0)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
@pytest.mark.parametrize("function", [export.export_pdf, export.export_html, export.export_report])
def test_a_read_only_folder_is_named(function, read_only):
    with pytest.raises(ExportError, match=r"a\.out cannot be written: Permission denied"):
        function(export.NOTEBOOK, read_only / "a.out")


def test_a_folder_that_becomes_read_only_meanwhile_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(page, "typeset", lambda words: words)
    with pytest.raises(ExportError, match=r"a\.html cannot be written: Permission denied"):
        export.export_html(save(tmp_path / "nb.ipynb", *GOOD), tmp_path / "out" / "a.html")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "No Chromium on PATH.*install"),
        ("sleep 1000", "did not finish"),
        ("exit 7", "status 7"),
    ],
    ids=["absent", "hangs", "crashes"],
)
def test_without_a_working_chromium_nothing_is_written(script, message, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    if script:
        (folder / "chromium").write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n")
        (folder / "chromium").chmod(0o755)
    for shell in ("sh", "bash"):
        (folder / shell).symlink_to(f"/bin/{shell}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(Chromium.__init__, "__defaults__", (1.0,))
    source = save(tmp_path / "nb.ipynb", *GOOD, text("$x$"))
    with pytest.raises(ExportError, match=message):
        export.export_report(source, tmp_path / "out" / "hw4.pdf")
    assert list((tmp_path / "out").iterdir()) == []


@needs_chromium
def test_a_page_above_ten_megabytes_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1700, 1700, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer := io.BytesIO(), "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    source = save(tmp_path / "nb.ipynb", *GOOD, code("2", shown(image_png=data)))
    with pytest.raises(ExportError, match=r"would have 1\d\.\d MB, expected at most 10"):
        export.export_html(source, tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


@needs_chromium
def test_an_unknown_question_leaves_neither_pdf_nor_map(tmp_path):
    source = save(tmp_path / "nb.ipynb", *GOOD, text("# Question 9: more beans"))
    with pytest.raises(ExportError, match=r"hw4\.pdf: page 2 has the heading 9 'More beans'"):
        export.export_report(source, tmp_path / "out" / "hw4.pdf")
    assert list((tmp_path / "out").iterdir()) == []


# Outputs as new as the code.


@pytest.fixture
def said():
    """Lines that were said."""
    return []


def executed(path, *cells):
    """Write a notebook that tells which code its outputs are from."""
    node = nbformat.v4.new_notebook(cells=list(cells))
    sources.record(node, sources.fingerprint(node))
    nbformat.write(node, path)
    return path


def test_a_notebook_that_is_up_to_date_is_not_executed(tmp_path, said):
    source = executed(tmp_path / "nb.ipynb", *GOOD)
    assert export.up_to_date(source, tmp_path / "copy.ipynb", said.append) == source
    assert said == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda node: node.metadata.pop("hw4"), "does not tell from which code its outputs are"),
        (
            lambda node: node.cells[1].update(source="1 + 2"),
            "changed since it was executed: code cells",
        ),
        (lambda node: node.cells[1].update(outputs=[]), "it has no outputs"),
    ],
)
def test_old_outputs_are_executed_into_a_copy(change, reason, tmp_path, said, monkeypatch):
    source, copy = executed(tmp_path / "nb.ipynb", *GOOD), tmp_path / "build" / "copy.ipynb"
    node = nbformat.read(source, as_version=4)
    change(node)
    nbformat.write(node, source)
    before = source.read_bytes()
    monkeypatch.setattr(run_notebook, "execute", pretend_to_execute)

    assert export.up_to_date(source, copy, said.append) == copy
    assert reason in said[0] and "Executing it" in said[0]
    assert source.read_bytes() == before

    monkeypatch.setattr(run_notebook, "execute", lambda *given: pytest.fail("executed again"))
    said.clear()
    assert export.up_to_date(source, copy, said.append) == copy
    assert "which is up to date" in said[0]


def pretend_to_execute(source, say):
    """Return what the runner would, without a kernel."""
    node = nbformat.read(source, as_version=4)
    node.cells[1].outputs = [printed("3")]
    sources.record(node, sources.fingerprint(node))
    return node


def test_a_copy_of_other_texts_is_not_taken_for_the_notebook(tmp_path, said, monkeypatch):
    monkeypatch.setattr(run_notebook, "execute", pretend_to_execute)
    copy = executed(tmp_path / "copy.ipynb", text("# Another text"), *GOOD[1:])
    source = save(tmp_path / "nb.ipynb", *GOOD)
    assert export.up_to_date(source, copy, said.append) == copy
    assert nbformat.read(copy, as_version=4).cells[0].source == "# Question 1: beans"


def test_a_cell_that_fails_while_executing_is_reported(tmp_path, said):
    source = save(tmp_path / "nb.ipynb", nbformat.v4.new_code_cell("raise ValueError('beans')"))
    with pytest.raises(ExportError, match=r"(?s)nb\.ipynb stopped: .*beans"):
        export.up_to_date(source, tmp_path / "copy.ipynb", said.append)
    assert not (tmp_path / "copy.ipynb").exists()


# Commands.


@needs_chromium
def test_the_commands_write_where_they_are_told(tmp_path, capsys):
    source = save(tmp_path / "nb.ipynb", *GOOD)
    assert (
        export.main(["html", "--notebook", str(source), "--output", str(tmp_path / "a.html")]) == 0
    )
    assert "a.html (0.0 MB)" in capsys.readouterr().out
    assert (tmp_path / "a.html").exists()


def test_a_command_that_fails_says_why_and_no_more(tmp_path, capsys):
    missing = tmp_path / "no.ipynb"
    assert (
        export.main(["pdf", "--notebook", str(missing), "--output", str(tmp_path / "a.pdf")]) == 1
    )
    streams = capsys.readouterr()
    assert streams.err == f"{missing} does not exist; expected a notebook (.ipynb).\n"
    assert streams.out == ""


def test_the_figures_of_the_readme_are_made_small_and_the_same_each_time(tmp_path):
    for folder in ("one", "two"):
        written = export.export_figures(export.NOTEBOOK, tmp_path / folder)
    assert [file.name for file in written] == list(export.README_FIGURES)
    for file in written:
        assert file.stat().st_size < 100_000
        assert file.read_bytes() == (tmp_path / "one" / file.name).read_bytes()


@pytest.mark.parametrize("name", export.README_FIGURES)
def test_the_committed_figures_of_the_readme_are_those_of_the_notebook(name, tmp_path):
    export.export_figures(export.NOTEBOOK, tmp_path)
    fresh, committed = (Image.open(folder / name) for folder in (tmp_path, export.IMAGES))
    assert fresh.size == committed.size, "make them anew with: make figures"
    difference = np.asarray(fresh.convert("RGB"), float) - np.asarray(committed.convert("RGB"))
    assert np.abs(difference).mean() < 2  # of 255: another Pillow may choose other colours


def test_a_missing_figure_of_the_readme_is_named(tmp_path):
    with pytest.raises(ExportError, match="no figure with the title 'Gradient descent with and"):
        export.export_figures(save(tmp_path / "nb.ipynb", *GOOD), tmp_path)
