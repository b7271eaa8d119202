"""The map from questions to pages: read from bookmarks or text, complete, in order, or refused."""

import json

import pytest
from browser import needs_chromium
from pypdf import PdfReader, PdfWriter
from pypdf.generic import Fit

from autograder.rubric import ITEMS
from utilities import page_map
from utilities.chromium import Chromium
from utilities.contract import QUESTIONS
from utilities.errors import ExportError

LETTER = {"width": 612, "height": 792}
SMALL = ("1", "1.1", "1.2", "2", "2.1")


def write_pdf(path, marks, n_pages=9):
    """Write empty pages with bookmarks (title, page, height above the lower edge, parent)."""
    writer = PdfWriter()
    for _ in range(n_pages):
        writer.add_blank_page(**LETTER)
    items = {}
    for title, page, top, parent in marks:
        fit = Fit.xyz(0, top, 0)
        items[title] = writer.add_outline_item(
            title=title, page_number=page - 1, parent=items.get(parent), fit=fit
        )
    writer.write(path)
    return path


GOOD = [
    ("Homework", 1, 740, None),
    ("0 Set-up", 1, 600, "Homework"),
    ("Question 1: beans", 2, 740, None),
    ("1.1 Soak (5 points)", 2, 500, "Question 1: beans"),
    ("Overnight", 3, 740, "1.1 Soak (5 points)"),
    ("1.2 Boil (g) (2 points, 1%)", 4, 400, "Question 1: beans"),
    ("Question 2: rice", 6, 740, None),
    ("2.1 Rinse", 6, 640, "Question 2: rice"),
    ("Time and energy", 8, 739, None),
]


def test_a_question_reaches_to_the_next_of_its_level(tmp_path):
    rows = page_map.page_map(write_pdf(tmp_path / "a.pdf", GOOD), SMALL)
    assert [(r["question"], r["title"], r["first_page"], r["last_page"]) for r in rows] == [
        ("1", "Beans", 2, 5),  # the next question begins its page, so this one ends before it
        ("1.1", "Soak", 2, 4),  # the next begins in the middle of page 4
        ("1.2", "Boil", 4, 5),
        ("2", "Rice", 6, 7),
        ("2.1", "Rinse", 6, 7),
    ]
    assert [row["pages"] for row in rows][:2] == [[2, 3, 4, 5], [2, 3, 4]]


def test_a_question_within_one_page_has_that_page(tmp_path):
    marks = [("1 Beans", 3, 700, None), ("2 Rice", 3, 400, None)]
    rows = page_map.page_map(write_pdf(tmp_path / "a.pdf", marks), ("1", "2"))
    assert [row["pages"] for row in rows] == [[3], list(range(3, 10))]


def test_sub_questions_may_have_headings_of_the_same_level(tmp_path):
    marks = [("Q1 Beans", 1, 700, None), ("1.1 Soak", 2, 700, None), ("Q2. Rice", 5, 700, None)]
    rows = page_map.page_map(write_pdf(tmp_path / "a.pdf", marks), ("1", "1.1", "2"))
    assert [(row["question"], row["last_page"]) for row in rows] == [("1", 5), ("1.1", 5), ("2", 9)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda marks: marks.pop(3), r"a\.pdf: question 1\.1 was not found; its heading"),
        (lambda marks: marks.append(("3 Peas", 9, 700, None)), "page 9 has the heading 3 'Peas'"),
        (
            lambda marks: marks.append(("2.1 Rinse", 9, 700, None)),
            "2.1 begins twice, on pages 6, 9",
        ),
        (
            lambda marks: marks.insert(3, marks.pop(5)),
            "expected question 1.1 next, got question 1.2",
        ),
        (lambda marks: marks.clear(), "question 1 was not found"),
    ],
)
def test_what_is_missing_unknown_doubled_or_out_of_order_is_refused(change, message, tmp_path):
    marks = list(GOOD)
    change(marks)
    with pytest.raises(ExportError, match=message):
        page_map.page_map(write_pdf(tmp_path / "a.pdf", marks), SMALL)


@pytest.mark.parametrize("content", [None, b"", b"not a PDF", b"%PDF-1.7\n1 0 obj\n<<"])
def test_what_is_no_pdf_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(ExportError, match=r"a\.pdf (does not exist|cannot be read as a PDF)"):
        page_map.page_map(tmp_path / "a.pdf")


def test_every_question_of_the_contract_is_asked_for_after_those_it_is_part_of():
    asked = page_map.ALL_QUESTIONS
    assert [question for question in asked if question in QUESTIONS] == list(QUESTIONS)
    for question in asked:
        for parent in page_map._parents(question):
            assert asked.index(parent) < asked.index(question)


def test_what_a_person_marks_is_marked_so_in_the_map():
    by_hand = {item.number for item in ITEMS if item.kind == "report"}
    assert by_hand <= page_map.MARKED_BY_HAND
    assert {"2", "2.1", "4.1", "5"} <= page_map.MARKED_BY_HAND
    assert not {"1", "1.2", "3.2", "5.1.1"} & page_map.MARKED_BY_HAND


def test_the_table_has_a_line_for_each_question(tmp_path):
    rows = page_map.page_map(write_pdf(tmp_path / "a.pdf", GOOD), SMALL)
    lines = page_map.table(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert lines[1].split() == ["1", "2\N{EN DASH}5", "Beans"]
    assert lines[4].split() == ["2", "6\N{EN DASH}7", "*", "Rice"]


@needs_chromium
def test_a_pdf_without_bookmarks_is_searched_for_headings(tmp_path):
    body = (
        "<h1>Question 1: beans</h1><p>1.1 is soaking, says this long sentence, which is not the "
        "heading of that question although it begins with the very same number as it does</p>"
        "<h2>1.1 Soak</h2><p style='break-before:page'>3 beans</p><h2>1.2 Boil</h2>"
        "<h1 style='break-before:page'>Question 2</h1><h2>2.1 Rinse</h2>"
    )
    with Chromium() as browser:
        browser.load(f"<style>@page {{ size: 8.5in 11in }}</style>{body}")
        (tmp_path / "marked.pdf").write_bytes(browser.pdf())
    writer = PdfWriter()
    for sheet in PdfReader(tmp_path / "marked.pdf").pages:
        writer.add_page(sheet)
    writer.write(tmp_path / "a.pdf")
    assert PdfReader(tmp_path / "a.pdf").outline == []
    rows = page_map.page_map(tmp_path / "a.pdf", SMALL)
    assert [(row["question"], row["pages"]) for row in rows] == [
        ("1", [1, 2]),
        ("1.1", [1, 2]),
        ("1.2", [2]),
        ("2", [3]),
        ("2.1", [3]),
    ]


def test_a_map_that_cannot_be_made_leaves_the_old_one(tmp_path):
    pdf = write_pdf(tmp_path / "a.pdf", GOOD)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pages.json").write_text("old")
    with pytest.raises(ExportError, match="was not found"):
        page_map.write_page_map(pdf, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["pages.json"]
    assert (tmp_path / "out" / "pages.json").read_text() == "old"


def test_without_chromium_neither_file_of_the_map_is_written(tmp_path, monkeypatch):
    marks = [(f"{question} Title", 1, 700, None) for question in page_map.ALL_QUESTIONS]
    pdf = write_pdf(tmp_path / "a.pdf", marks)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match="No Chromium on PATH"):
        page_map.write_page_map(pdf, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@needs_chromium
def test_both_files_of_the_map_say_the_same(tmp_path):
    marks = [(f"{question} A < B & C", 1, 700, None) for question in page_map.ALL_QUESTIONS]
    rows = page_map.write_page_map(write_pdf(tmp_path / "a.pdf", marks), tmp_path)
    assert json.loads((tmp_path / "pages.json").read_text("utf-8")) == rows
    sheets = PdfReader(tmp_path / "pages.pdf").pages
    assert len(sheets) == 1
    assert sheets[0].extract_text().count("A < B & C") == len(rows)
