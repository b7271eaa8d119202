"""An executed notebook as one HTML page that needs nothing outside itself.

Read in this order: reading and checking the notebook, what is said about its figures, the
mathematics, the cells, the fonts, then `build`, which puts the page together.

nbconvert turns cells into HTML. Mathematics is typeset once, by the MathJax 3 that Bokeh ships
(`bokeh-mathjax.min.js`), inside headless Chromium, and stays in the page as drawings: no script,
no font and no server is needed to see it. templates/ has the page's frame, its style for screen and
paper, and the script of its table of contents.
"""

from __future__ import annotations

import ast
import base64
import copy
import functools
import hashlib
import html
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, Tag
from fontTools import subset
from fontTools.ttLib import TTFont
from IPython.core.inputtransformer2 import TransformerManager
from jinja2 import Environment, pass_context
from matplotlib import get_data_path
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import (
    InvalidNotebook,
    IPythonRenderer,
    MarkdownWithMath,
)
from nbformat import NotebookNode
from PIL import Image
from pygments.formatters import HtmlFormatter

from utilities.chromium import Chromium
from utilities.errors import ExportError

TEMPLATES = Path(__file__).resolve().parent / "templates"
CSS_DPI = 96  # CSS pixels an inch
TALL = 45  # lines of code; what is longer may be split between pages
MANY_LINES, SHORT_LINE = 20, 36  # lines and characters: printed lists that are set in columns
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
QUESTION = re.compile(r"(?:Question|Q)\s*\d+\b")
BOX_CHARACTER = re.compile("[\N{BOX DRAWINGS LIGHT HORIZONTAL}-\N{BOX DRAWINGS HEAVY UP}]")
UNWANTED = ("script", "style", "link", "iframe", "object", "embed", "base", "meta", "form")
IMAGE_TYPES = ("image/png", "image/jpeg")


# Reading and checking.


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook.

    Parameters
    ----------
    path : Path

    Returns
    -------
    NotebookNode

    Raises
    ------
    ExportError
        If the file is missing, unreadable or no notebook.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ExportError(f"{path} does not exist; expected a notebook (.ipynb).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError(f"{path} is not a notebook: {reason:.200}") from error
    return notebook


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """Return the code cells that hold any code, each with its number from 1."""
    numbered = enumerate(notebook.cells, start=1)
    return [(n, cell) for n, cell in numbered if cell.cell_type == "code" and cell.source.strip()]


def check_executed(notebook: NotebookNode, name: str) -> None:
    """Refuse a notebook that was not executed from top to bottom without an error.

    Parameters
    ----------
    notebook : NotebookNode
    name : str
        What messages call it.

    Raises
    ------
    ExportError
        Naming the first cell that failed or was not executed.
    """
    cells = code_cells(notebook)
    for number, cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                raise ExportError(
                    f"{name}: cell {number} ({_first_line(cell)}) failed with "
                    f"{output.ename}: {output.evalue:.200}. Mend it and execute the notebook again."
                )
    if cells and not any(cell.outputs for _, cell in cells):
        raise ExportError(f"{name} has no outputs. Execute it from top to bottom and save it.")
    for number, cell in cells:
        if cell.execution_count is None and not cell.outputs:
            raise ExportError(
                f"{name}: cell {number} ({_first_line(cell)}) was not executed. "
                f"Execute the notebook from top to bottom and save it."
            )


def _first_line(cell: NotebookNode) -> str:
    """Return the beginning of a cell, to find it by."""
    return repr(cell.source.strip().splitlines()[0][:60])


# Figures: how wide they are and what they show.


def describe_figures(notebook: NotebookNode) -> None:
    """Give every figure of the outputs its size on paper and an alternative text.

    Parameters
    ----------
    notebook : NotebookNode
        Changed in place. What a figure says of itself is kept.
    """
    section = "the beginning"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = _last_heading(cell.source) or section
        for output in cell.get("outputs", []):
            for kind in IMAGE_TYPES:
                if kind in output.get("data", {}):
                    about = output.setdefault("metadata", {}).setdefault(kind, {})
                    about.setdefault("alt", _what_it_shows(cell.source, section))
                    if "width" not in about:
                        about["width"] = _css_width(output.data[kind])


def _last_heading(markdown: str) -> str | None:
    """Return the last heading of a cell without its marks, or None."""
    found = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", markdown, re.M)
    return without_points(re.sub(r"[*_`$]", "", found[-1])) if found else None


def without_points(heading: str) -> str:
    """Return a heading without the points and bonuses at its end.

    Parameters
    ----------
    heading : str
        For instance "4.1.2 Plot (3 points)".

    Returns
    -------
    str
        "4.1.2 Plot"
    """
    return re.split(r"\s*[(\[](?:g\)|\d+(?:\.\d+)?\s*(?:points?|pts?)\b|bonus\b)", heading)[0]


def _what_it_shows(source: str, section: str) -> str:
    """Return an alternative text: the figure's title, if the cell has it, and the section."""
    titles = []
    with_magics_gone = TransformerManager().transform_cell(source)
    try:
        calls = [n for n in ast.walk(ast.parse(with_magics_gone)) if isinstance(n, ast.Call)]
    except SyntaxError:
        calls = []
    for call in calls:
        given = [keyword.value for keyword in call.keywords if keyword.arg == "title"]
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if re.match(r"(plot|report|draw|set_title|title)", name):
            given += call.args
        titles += [g.value for g in given if isinstance(g, ast.Constant) and type(g.value) is str]
    return f"Figure: {titles[0]} ({section})" if titles else f"Figure in section {section}"


def _css_width(data: str) -> int:
    """Return the width in CSS pixels at which an image has the size it was drawn in."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            dpi = image.info.get("dpi", (CSS_DPI, CSS_DPI))[0] or CSS_DPI
            return round(image.width * CSS_DPI / dpi)
    except (OSError, ValueError) as error:
        raise ExportError(f"An output image of the notebook is damaged: {error}") from error


# Mathematics.


class _Renderer(IPythonRenderer):
    """nbconvert's Markdown with every formula in an element of its own."""

    def block_math(self, body: str) -> str:
        return _formula(body, display=True)

    def inline_math(self, body: str) -> str:
        return _formula(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        return _formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)


def _formula(tex: str, display: bool) -> str:
    """Return the element that stands for a formula until it is typeset."""
    coded = base64.b64encode(tex.strip().encode()).decode()
    kind = "math display" if display else "math"
    return f'<span class="{kind}" data-tex="{coded}"></span>'


PLACEHOLDER = re.compile(r'<span class="math( display)?" data-tex="([\w+/=]*)"></span>')


@functools.cache
def _mathjax() -> tuple[str, str]:
    """Return BokehJS and the part of it that holds MathJax."""
    from bokeh.settings import settings  # a second to import, and only needed here

    folder = Path(settings.bokehjs_path()) / "js"
    return tuple((folder / f"{n}.min.js").read_text("utf-8") for n in ("bokeh", "bokeh-mathjax"))


def typeset(page: str) -> str:
    """Typeset all formulas of a page.

    Parameters
    ----------
    page : str
        With the elements that `_formula` writes.

    Returns
    -------
    str
        With an SVG drawing in each of them.

    Raises
    ------
    ExportError
        If there is no Chromium or a formula is not TeX.
    """
    formulas = list(dict.fromkeys(PLACEHOLDER.findall(page)))
    if not formulas:
        return page
    texts = [(base64.b64decode(code).decode(), bool(display)) for display, code in formulas]
    with Chromium() as browser:
        for script in _mathjax():
            browser.run(f"{script}\n;null")
        drawings = browser.run(
            "(() => { const {tex2svg} = Bokeh.require('models/text/mathjax/index');"
            f"return {json.dumps(texts)}.map(([tex, display]) =>"
            " tex2svg(tex, {display, em: 16, ex: 8}).innerHTML); })()"
        )
    glyphs: dict[str, str] = {}
    shared = [_share_glyphs(drawing, glyphs) for drawing in drawings]
    drawn = dict(zip(formulas, map(_labelled, texts, shared), strict=True))
    page = PLACEHOLDER.sub(lambda found: drawn[found.groups(default="")], page)
    defs = f'<svg class="glyphs" aria-hidden="true"><defs>{"".join(glyphs.values())}</defs></svg>'
    # within the first element: before it, it would get a page of its own
    return re.sub(r"^(\s*<[^>]*>)?", lambda found: found[0] + defs, page, count=1)


def _share_glyphs(drawing: str, glyphs: dict[str, str]) -> str:
    """Move the glyphs of a formula into those of the page; the names of glyphs lose its number."""
    drawing = re.sub(r"\bMJX-\d+-", "MJX-", drawing)
    for path, name in re.findall(r'(<path id="([^"]+)"[^>]*></path>)', drawing):
        glyphs[name] = path
    return re.sub(r"<defs>.*?</defs>", "", drawing, flags=re.S)


def _labelled(text: tuple[str, bool], drawing: str) -> str:
    """Return the element of a typeset formula, which a screen reader reads as TeX."""
    tex, display = text
    wrong = re.search(r'data-mjx-error="([^"]*)"', drawing)
    if wrong:
        raise ExportError(f"The formula {tex!r:.200} cannot be typeset: {wrong[1]}.")
    drawing = drawing.replace("<svg ", f'<svg aria-label="{html.escape(tex)}" ', 1)
    return f'<span class="math{" display" if display else ""}">{drawing}</span>'


# Cells.


class _Exporter(HTMLExporter):
    """nbconvert's plain HTML of the cells, with our formulas."""

    @pass_context
    def markdown2html(self, context, source):
        """Turn the text of a cell or output into HTML."""
        renderer = _Renderer(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            exclude_anchor_links=True,
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def _convert(notebook: NotebookNode, folder: Path) -> BeautifulSoup:
    """Return the cells as nbconvert writes them, without prompts."""
    exporter = _Exporter(
        template_name="basic",
        embed_images=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    try:
        text, _ = exporter.from_notebook_node(
            notebook, resources={"metadata": {"path": str(folder)}}
        )
    except (InvalidNotebook, OSError) as error:
        raise ExportError(f"An image of the notebook is missing: {error}") from error
    return BeautifulSoup(text, "html.parser")


def _flatten(converted: BeautifulSoup) -> BeautifulSoup:
    """Return texts and cells of code as one sequence, without nbconvert's many boxes."""
    flat = BeautifulSoup("", "html.parser")
    for cell in converted.find_all("div", class_="cell"):
        for text in cell.select(".text_cell_render"):
            flat.extend(list(text.contents))
        code = cell.select_one(".input_area > .highlight")
        parts = cell.select(".output_subarea")
        if code is not None:
            flat.append(_code_cell(code, parts))
    return flat


def _code_cell(code: Tag, parts: Sequence[Tag]) -> Tag:
    """Return a box with a cell's code and, if there are any, its outputs."""
    box = Tag(name="div", attrs={"class": "cell"})
    code["class"] = ["code", "highlight"]
    if code.get_text().count("\n") > TALL:
        code["class"].append("tall")
    box.append(code.extract())
    if parts:
        output = Tag(name="div", attrs={"class": "output"})
        output.extend([part.extract() for part in parts])
        box.append(output)
    return box


def _clean(soup: BeautifulSoup) -> None:
    """Take out what would run or load something; refuse images that are not in the page."""
    for element in soup(UNWANTED):
        element.decompose()
    for element in soup(True):
        for name in [n for n in element.attrs if n.startswith("on")]:
            del element[name]
    for image in soup("img"):
        source = image.get("src", "")
        if not source.startswith("data:"):
            raise ExportError(
                f"The image {source!r:.120} is not in the notebook or beside it; "
                f"a page that works offline cannot show it. Save it beside the notebook."
            )
        image["alt"] = image.get("alt") or "Image"


def _arrange(soup: BeautifulSoup) -> None:
    """Mark up outputs for the style sheet: figures, tables, printed lists, warnings."""
    for part in soup.select(".output_png, .output_jpeg, .output_svg"):
        part.name = "figure"
    for part in soup.select(".output_stderr"):
        part["class"].append("warning")
    for part in soup.select(".output_stream"):
        lines = part.get_text().strip().splitlines()
        if len(lines) >= MANY_LINES and max(map(len, lines)) <= SHORT_LINE:
            part["class"].append("columns")
    for part in soup("pre"):
        if BOX_CHARACTER.search(part.get_text()):
            part["class"] = [*part.get("class", []), "drawn"]
    for part in soup.select(".output_latex"):
        tex = part.get_text().strip().strip("$")
        part.replace_with(BeautifulSoup(_formula(tex, display=True), "html.parser"))
    for table in soup("table"):
        _arrange_table(table)


def _arrange_table(table: Tag) -> None:
    """Say what heads rows and columns, align words left, let a wide table scroll on its own."""
    table.attrs.pop("border", None)
    rows = [row(["th", "td"]) for row in table("tr")]
    for head in table("th"):
        head["scope"] = "col" if head.find_parent("thead") else "row"
    numbered = [(n, cell) for row in rows for n, cell in enumerate(row) if cell.name == "td"]
    wordy = {n for n, cell in numbered if _is_words(cell)}  # columns
    for row in rows:
        for cell in (row[n] for n in wordy if n < len(row)):
            cell["class"] = "words"
    attributes = {"class": "scroller", "tabindex": "0", "role": "region", "aria-label": "Table"}
    table.wrap(Tag(name="div", attrs=attributes))


def _is_words(cell: Tag) -> bool:
    """Return whether a cell of a table holds something other than a number."""
    text = re.sub(r"[\s,%$\N{MINUS SIGN}]", "", cell.get_text())
    try:
        float(text or 0)
    except ValueError:
        return True
    return False


@dataclass(frozen=True)
class Entry:
    """A line of the table of contents: its heading's level, anchor and text."""

    level: int
    id: str
    title: str


def _number_headings(soup: BeautifulSoup) -> list[Entry]:
    """Give each heading an anchor of its own; return the contents, three levels deep."""
    entries: list[Entry] = []
    taken: set[str] = {"text", "contents"}
    for heading in soup(HEADINGS):
        title = " ".join(heading.get_text(" ", strip=True).split())
        slug = re.sub(r"[^\w.]+", "-", without_points(title).lower()).strip("-")
        anchor = slug = slug or "section"
        repeat = 2
        while anchor in taken:
            anchor, repeat = f"{slug}-{repeat}", repeat + 1
        taken.add(anchor)
        heading["id"] = anchor
        if int(heading.name[1]) <= 3:
            entries.append(Entry(int(heading.name[1]), anchor, without_points(title)))
    return entries


def _sections(soup: BeautifulSoup) -> list[tuple[str, Tag]]:
    """Split the page where a question or other chapter begins; return titles and sections."""
    sections: list[tuple[str, Tag]] = []
    for element in list(soup.contents):
        if not isinstance(element, Tag) and not element.strip():
            continue
        is_heading = isinstance(element, Tag) and element.name in HEADINGS
        title = without_points(" ".join(element.get_text(" ").split())) if is_heading else ""
        begins = is_heading and (element.name == "h1" or QUESTION.match(title))
        if begins or not sections:
            sections.append((title, Tag(name="section", attrs={"class": f"part{len(sections)}"})))
        sections[-1][1].append(element.extract())
    return sections


# Style and fonts.


def _quoted(text: str) -> str:
    """Return a CSS string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _footers(sections: list[tuple[str, Tag]]) -> str:
    """Return the rules that put each section on its own pages, its title at their foot."""
    return "\n".join(
        f".part{n} {{ page: part{n}; }}\n"
        f"@page part{n} {{ @bottom-left {{ content: {_quoted(title)}; }} }}"
        for n, (title, _) in enumerate(sections)
    )


FACES = {  # family and style of the page: file in matplotlib's fonts
    ("Page Sans", "normal", "normal"): "DejaVuSans",
    ("Page Sans", "bold", "normal"): "DejaVuSans-Bold",
    ("Page Sans", "normal", "italic"): "DejaVuSans-Oblique",
    ("Page Sans", "bold", "italic"): "DejaVuSans-BoldOblique",
    ("Page Mono", "normal", "normal"): "DejaVuSansMono",
    ("Page Mono", "bold", "normal"): "DejaVuSansMono-Bold",
    ("Page Mono", "normal", "italic"): "DejaVuSansMono-Oblique",
}


def fonts(text: str) -> str:
    """Return the fonts of paper, cut down to the letters of a text, as CSS.

    They are matplotlib's, so paper looks the same wherever it is printed, and as the figures do.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        One ``@font-face`` rule for each face.
    """
    letters = frozenset(text) | frozenset("0123456789 of page")
    rules = []
    for (family, weight, style), file in FACES.items():
        source = f"url(data:font/woff;base64,{_cut_font(file, letters)}) format('woff')"
        about = f"font-family: {_quoted(family)}; font-weight: {weight}; font-style: {style};"
        rules.append(f"@font-face {{ {about} src: {source}; }}")
    return "\n".join(rules)


def _cut_font(file: str, letters: frozenset[str]) -> str:
    """Return a font with the given letters only, in base64."""
    options = subset.Options(
        flavor="woff",
        layout_features=["kern", "mark"],
        drop_tables=["FFTM", *subset.Options().drop_tables],  # FontForge's dates
    )
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(sorted(letters)))
    with TTFont(Path(get_data_path()) / "fonts" / "ttf" / f"{file}.ttf") as font:
        cutter.subset(font)
        font.flavor = "woff"
        font.save(cut := io.BytesIO())
    return base64.b64encode(cut.getvalue()).decode()


# The page.


def build(notebook: NotebookNode, folder: Path, for_paper: bool = False) -> str:
    """Put the page together.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; left as it is.
    folder : Path
        Where images that its texts name are looked for.
    for_paper : bool
        Whether to put the fonts of paper in.

    Returns
    -------
    str
        The page.

    Raises
    ------
    ExportError
        If an image is missing or a formula cannot be typeset.
    """
    notebook = copy.deepcopy(notebook)
    describe_figures(notebook)
    soup = _flatten(_convert(notebook, folder))
    _clean(soup)
    _arrange(soup)
    contents = _number_headings(soup)
    sections = _sections(soup)
    text = soup.get_text() + "".join(section.get_text() for _, section in sections)
    css = [
        HtmlFormatter(style="default").get_style_defs(".highlight"),
        (TEMPLATES / "page.css").read_text("utf-8"),
        _footers(sections),
    ]
    script = (TEMPLATES / "contents.js").read_text("utf-8")
    return (
        Environment(autoescape=False)
        .from_string((TEMPLATES / "page.html.j2").read_text("utf-8"))
        .render(
            title=contents[0].title if contents else "Notebook",
            css="\n".join([fonts(text)] * for_paper + css),
            contents=contents,
            body=typeset("\n".join(str(section) for _, section in sections)),
            script=script,
            script_hash=_script_hash(script),
        )
    )


def _script_hash(script: str) -> str:
    """Return the source expression that lets a browser run this script and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
