"""Which pages of the notebook's PDF each question covers, for Gradescope's mapping screen.

Read in this order: the questions, marks (where a heading stands in the PDF), the map, its two
files: pages.json and pages.pdf, one page to have beside the screen.

The PDF's bookmarks are read; a PDF without any is searched for lines that look like headings.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import Destination

from autograder.rubric import ITEMS
from utilities.chromium import Chromium
from utilities.contract import QUESTIONS
from utilities.errors import ExportError
from utilities.files import replacing
from utilities.page import TEMPLATES, fonts, without_points

PAGES_JSON, PAGES_PDF = "pages.json", "pages.pdf"
# points: a heading this near the upper edge begins its page (the margin is 50, a line 13)
TOP_OF_PAGE = 60

HEADING = re.compile(r"(?:Question\s*|Q)?(\d(?:\.\d+){0,3})[.:)]?\s+(\S.*)")
TOP_HEADING = re.compile(r"(?:Question|Q)\s*(\d+)\s*[.:)]?\s*(.*)")


def _parents(question: str) -> list[str]:
    """Return the numbers that a question's number begins with: of 2.1.3, 2 and 2.1."""
    parts = question.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


# Every question and sub-question, each after the one it belongs to.
ALL_QUESTIONS = tuple(dict.fromkeys(n for q in QUESTIONS for n in (*_parents(q), q)))
# Marked by a person in this PDF: the questions of the assignment "Non-programming".
MARKED_BY_HAND = frozenset(
    n
    for item in ITEMS
    if item.kind == "report" and item.number in ALL_QUESTIONS
    for n in (*_parents(item.number), item.number)
)


# Marks.


@dataclass(frozen=True)
class Mark:
    """A heading in the PDF; its number is empty if it is no question's."""

    number: str
    title: str
    depth: int
    page: int
    begins_page: bool


def _number_and_title(heading: str) -> tuple[str, str]:
    """Return a heading's number, if it has one, and its text without the points."""
    heading = " ".join(heading.split())
    found = TOP_HEADING.fullmatch(heading) or HEADING.fullmatch(heading)
    if found is None or found[1].startswith("0"):  # chapter 0 is nobody's question
        return "", without_points(heading)
    title = without_points(found[2]) or f"question {found[1]}"
    return found[1], title[0].upper() + title[1:]


def _bookmarks(reader: PdfReader, outline: Sequence, depth: int = 1) -> Iterator[Mark]:
    """Yield a mark for each bookmark, in order."""
    for entry in outline:
        if isinstance(entry, Destination):
            index = reader.get_destination_page_number(entry)
            if index is None or index < 0:
                continue
            height = float(reader.pages[index].mediabox.height)
            at_top = entry.top is not None and height - float(entry.top) <= TOP_OF_PAGE
            yield Mark(*_number_and_title(entry.title or ""), depth, index + 1, at_top)
        else:
            yield from _bookmarks(reader, entry, depth + 1)


def _headings_in_text(reader: PdfReader, questions: Sequence[str]) -> Iterator[Mark]:
    """Yield a mark for each line that reads like the heading of a question still to come."""
    waiting = list(questions)
    for page, content in enumerate(reader.pages, start=1):
        lines = [line.strip() for line in content.extract_text().splitlines() if line.strip()]
        for index, line in enumerate(lines):
            number, title = _number_and_title(line)
            # A sentence may begin with a number as well: a heading is short, comes in its turn,
            # and a number without a dot has the word before it.
            is_heading = len(line) < 100 and ("." in number or TOP_HEADING.fullmatch(line))
            if is_heading and number in waiting:
                waiting = waiting[waiting.index(number) + 1 :]
                yield Mark(number, title, number.count(".") + 1, page, index == 0)


# The map.


def page_map(
    pdf: Path, questions: Sequence[str] = ALL_QUESTIONS, name: str | None = None
) -> list[dict[str, Any]]:
    """Find the pages of each question.

    Parameters
    ----------
    pdf : Path
        The notebook's PDF.
    questions : sequence of str
        Numbers that have to be there, in this order; a heading with any other is refused.
    name : str, optional
        What messages call the file, if not by its own name.

    Returns
    -------
    list of dict
        For each question: "question", "title", "first_page", "last_page", "pages" (all from first
        to last, counted from 1) and "marked", "by hand" for what is to be mapped in the
        assignment "Non-programming", else "by the autograder".

    Raises
    ------
    ExportError
        If the file is no PDF, or a question is missing, unknown, there twice or out of order.
    """
    try:
        reader = PdfReader(pdf)
        marks = list(_bookmarks(reader, reader.outline)) or list(
            _headings_in_text(reader, questions)
        )
        n_pages = len(reader.pages)
    except FileNotFoundError:
        raise ExportError(f"{pdf} does not exist; make it with: make pdf") from None
    except (OSError, PyPdfError, ValueError) as error:
        raise ExportError(f"{pdf} cannot be read as a PDF: {error}") from error
    _check(marks, questions, name or Path(pdf).name)
    return [
        _row(mark, _last_page(marks, n, n_pages)) for n, mark in enumerate(marks) if mark.number
    ]


def _check(marks: Sequence[Mark], questions: Sequence[str], name: str) -> None:
    """Refuse marks that are not the given questions in their order."""
    found = [mark for mark in marks if mark.number]
    numbers = [mark.number for mark in found]
    for mark in found:
        if mark.number not in questions:
            raise ExportError(
                f"{name}: page {mark.page} has the heading {mark.number} {mark.title!r}, which is "
                f"no question of this homework; expected {', '.join(questions)}"
            )
        if numbers.count(mark.number) > 1:
            pages = ", ".join(str(other.page) for other in found if other.number == mark.number)
            raise ExportError(f"{name}: question {mark.number} begins twice, on pages {pages}")
    for question in questions:
        if question not in numbers:
            raise ExportError(
                f"{name}: question {question} was not found; "
                f"its heading in the notebook has to begin with the number {question}"
            )
    for number, expected in zip(numbers, questions, strict=True):
        if number != expected:
            raise ExportError(f"{name}: expected question {expected} next, got question {number}")


def _last_page(marks: Sequence[Mark], start: int, n_pages: int) -> int:
    """Return the last page of a question: where the next heading that is not part of it begins."""
    mark = marks[start]
    for other in marks[start + 1 :]:
        if other.depth <= mark.depth and not other.number.startswith(f"{mark.number}."):
            return max(mark.page, other.page - other.begins_page)
    return n_pages


def _row(mark: Mark, last_page: int) -> dict[str, Any]:
    """Return a question's entry of the map."""
    by_hand = mark.number in MARKED_BY_HAND
    return {
        "question": mark.number,
        "title": mark.title,
        "first_page": mark.page,
        "last_page": last_page,
        "pages": list(range(mark.page, last_page + 1)),
        "marked": "by hand" if by_hand else "by the autograder",
    }


# Its files.


def _pages(row: dict[str, Any]) -> str:
    """Return a question's pages in words."""
    first, last = row["first_page"], row["last_page"]
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the map as plain text.

    Parameters
    ----------
    rows : sequence of dict
        From `page_map`.

    Returns
    -------
    str
        One line for each question, those marked by hand with a star.
    """
    lines = [f"{'question':10}{'pages':>9}     title"]
    for row in rows:
        star = "*" if row["marked"] == "by hand" else " "
        lines.append(f"{row['question']:10}{_pages(row):>9}  {star}  {row['title']}")
    return "\n".join([*lines, "* marked by hand: map these pages in Gradescope's Non-programming"])


def write_page_map(pdf: Path, folder: Path, name: str | None = None) -> list[dict[str, Any]]:
    """Write the map of a PDF into a folder, as pages.json and as the one-page pages.pdf.

    Parameters
    ----------
    pdf : Path
        The notebook's PDF.
    folder : Path
    name : str, optional
        What messages and pages.pdf call the PDF, if not by its own name.

    Returns
    -------
    list of dict
        The map.

    Raises
    ------
    ExportError
        As `page_map` does, or if there is no Chromium or the folder cannot be written to.
    """
    name = name or Path(pdf).name
    rows = page_map(pdf, name=name)
    folder = Path(folder)
    with replacing(folder / PAGES_JSON) as listed, replacing(folder / PAGES_PDF) as drawn:
        listed.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with Chromium() as browser:
            browser.load(_summary(rows, name))
            drawn.write_bytes(browser.pdf())
    return rows


def _summary(rows: Sequence[dict[str, Any]], name: str) -> str:
    """Return the page to have beside Gradescope's mapping screen."""
    body = "\n".join(
        f'<tr class="level{row["question"].count(".") + 1} {row["marked"].replace(" ", "-")}">'
        f"<td>{row['question']}</td><td>{html.escape(row['title'])}</td>"
        f"<td>{_pages(row)}</td><td>{row['marked']}</td></tr>"
        for row in rows
    )
    css = (TEMPLATES / "pages.css").read_text("utf-8")
    text = (
        f"<h1>Pages of {html.escape(name)}</h1><p>For Gradescope's mapping screen. The questions "
        f"in bold are marked by hand: they belong to the assignment Non-programming.</p>"
        f"<table><thead><tr><th>Question</th><th>Title</th><th>Pages</th><th>Marked</th></tr>"
        f"</thead><tbody>{body}</tbody></table>"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Pages of {html.escape(name)}</title>"
        f"<style>{fonts(text)}\n{css}</style></head><body>{text}</body></html>"
    )
