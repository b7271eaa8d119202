"""A graded class as one page: the report.html of ``python -m autograder grade-all``.

Read in this order: a submission as the page knows it, the figures of the scores, the histogram,
what was lost on each item and what the grader said there, a student's detail, then `write_report`.

The page is one file that asks for nothing outside itself, and needs no script: that only sorts
and filters the table of submissions. templates/ has its frame, its style and its script. Whatever
a student may have written goes through Jinja2's autoescape; nothing here builds HTML by hand.
"""

import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.gradebook import not_graded
from autograder.results import write_atomically
from autograder.rubric import ASSIGNMENTS, Item, items_of

TEMPLATES = Path(__file__).resolve().parent / "templates"
STATES = ("graded", "refused", "failed")
N_SLOWEST = 10
FIRST_MESSAGES, MOST_MESSAGES = 3, 12  # of one item: shown at once, shown at all
MESSAGE_LIMIT = 280  # characters of a message in the overview
# Characters of one output; the first with which all outputs together fit the room is taken, so
# that a thousand talkative submissions still make a page that a browser opens at once.
OUTPUT_LIMITS = (6000, 3000, 1500, 800, 400, 200, 100)
OUTPUT_ROOM = 2_500_000
SHORTENED = "\n[... shortened; the whole text is in the JSON file of the submission]"


# A submission as the page knows it.


@dataclass(frozen=True, eq=False)
class Row:
    """One record with its number on the page."""

    number: int
    record: dict

    @cached_property
    def name(self) -> str:
        """Return what it is called."""
        return _name(self.record)

    @cached_property
    def in_figures(self) -> bool:
        """Return whether the figures of the class count it."""
        return self.record["state"] == "graded" and self.record["counts"] and self.has_score

    @cached_property
    def has_score(self) -> bool:
        """Return whether its score says anything: where the grader failed, it is no zero."""
        return self.record["results"] is not None

    @cached_property
    def all_tests(self) -> list[dict]:
        """Return the items of its results."""
        return self.record["results"]["tests"] if self.has_score else []

    @cached_property
    def not_graded(self) -> frozenset[str]:
        """Return the numbers of the items that could not be graded and count for nobody."""
        return frozenset(not_graded(self.record))

    @cached_property
    def tests(self) -> list[dict]:
        """Return the items that count."""
        return [test for test in self.all_tests if test["number"] not in self.not_graded]

    @cached_property
    def n_right(self) -> int:
        """Return how many items kept all their points."""
        return sum(not _lost(test) for test in self.tests)

    @cached_property
    def slowest_test(self) -> dict | None:
        """Return the item that took longest."""
        return max(self.tests, key=_seconds, default=None)

    @cached_property
    def handed_in(self) -> datetime | None:
        """Return when it was handed in, in UTC, if that is known and a date."""
        try:
            moment = datetime.fromisoformat(self.record["created_at"] or "")
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


def _name(record: dict) -> str:
    """Return what a submission is called: by its students, or else by its file."""
    names = ((student["name"] or student["email"]).strip() for student in record["students"])
    return ", ".join(filter(None, names)) or record["submission"]


def _rows(records: Iterable[dict]) -> list[Row]:
    """Return the records by name and date; those without any student last, in the given order."""

    def place(record: dict) -> tuple[bool, str, str]:
        if not record["students"]:
            return True, "", ""
        return False, _name(record).casefold(), record["created_at"] or ""

    return [Row(n, record) for n, record in enumerate(sorted(records, key=place), start=1)]


def _lost(test: dict) -> bool:
    """Return whether an item lost any points."""
    return test["score"] < test["max_score"]


def _seconds(test: dict) -> float:
    """Return how long an item took; one that was not tried does not say."""
    return test.get("extra_data", {}).get("seconds", 0.0)


# The figures of the scores.


@dataclass(frozen=True)
class Figures:
    """What the page says about all scores; quartiles are interpolated linearly."""

    n: int
    lowest: float
    first_quartile: float
    median: float
    third_quartile: float
    highest: float
    mean: float


def figures_of(scores: list[float]) -> Figures | None:
    """Return the figures of some scores.

    Parameters
    ----------
    scores : list of float

    Returns
    -------
    Figures or None
        None if there is no score.
    """
    if not scores:
        return None
    five = map(float, np.percentile(scores, (0, 25, 50, 75, 100)))
    return Figures(len(scores), *five, mean=math.fsum(scores) / len(scores))


# The histogram, in per cent from left to right and in pixels from top to bottom.

MOST_BINS, MOST_TICKS, MOST_LINES = 24, 7, 5
PLOT_TOP, PLOT_BOTTOM = 54, 224


@dataclass(frozen=True)
class Bin:
    """The scores from low up to but without high; the last bin of all has its end as well."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Histogram:
    """The bins and the lines of the axes."""

    bins: list[Bin]
    ticks: list[float]
    lines: list[int]

    def across(self, score: float) -> float:
        """Return where a score lies, in per cent of the width."""
        return 100 * score / self.bins[-1].high

    def height(self, count: float) -> float:
        """Return how high so many submissions are, in pixels."""
        return (PLOT_BOTTOM - PLOT_TOP) * count / self.lines[-1]


def histogram_of(scores: list[float], best: float) -> Histogram | None:
    """Return the histogram of some scores.

    Parameters
    ----------
    scores : list of float
    best : float
        The best possible score.

    Returns
    -------
    Histogram or None
        None if there is nothing to draw.
    """
    if not scores or best <= 0:
        return None
    width = _round_step(best / MOST_BINS)
    hair = 1e-9  # so that 0.3 / 0.1 falls where it belongs
    n_bins = math.ceil(best / width - hair)
    counts = Counter(min(int(score / width + hair), n_bins - 1) for score in scores)
    bins = [Bin(width * n, width * (n + 1), counts[n]) for n in range(n_bins)]
    between = max(1, round(_round_step(max(counts.values()) / MOST_LINES)))
    top = math.ceil(max(counts.values()) / between)
    tick = _round_step(best / MOST_TICKS)
    ticks = [tick * n for n in range(int(bins[-1].high / tick + hair) + 1)]
    return Histogram(bins, ticks, [between * n for n in range(top + 1)])


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below a number."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= least * (1 - 1e-9))


# What was lost on each item, and what the grader said there.

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")  # not the 1 of theta1
PART = re.compile(r"^.+? \(\d+%\): (?=.)")  # how grading.py begins what one part got wrong
PRINTED = "\nYour code printed:\n"  # and what comes after the messages


@dataclass(frozen=True)
class Message:
    """What the grader said to several submissions; # stands for numbers in which they differ."""

    text: str
    rows: list[Row]


@dataclass(frozen=True)
class ItemLosses:
    """How one item went for the class.

    Parameters
    ----------
    number, title : str
    max_score : float
    n : int
        Submissions that count and for which it was graded.
    n_lost, n_all : int
        Those that lost something, and those that lost everything.
    n_not_graded : int
    messages : list of Message
        The commonest first.
    """

    number: str
    title: str
    max_score: float
    n: int
    n_lost: int
    n_all: int
    n_not_graded: int
    messages: list[Message]

    @property
    def rate(self) -> float:
        """Return the share that lost something, in per cent."""
        return 100 * self.n_lost / self.n if self.n else 0.0

    @property
    def rate_all(self) -> float:
        """Return the share that lost everything, in per cent."""
        return 100 * self.n_all / self.n if self.n else 0.0


def problems_in(output: str) -> list[str]:
    """Return what an item's output says is wrong, each once, without names of parts and hints.

    Parameters
    ----------
    output : str
        As grading.py makes it: a line for each wrong part, each perhaps followed by indented
        ones; at the end what was right, notes, and what the student's code printed.
    """
    lines = output.split(PRINTED, 1)[0].splitlines() or [""]
    parts = [PART.sub("", line) for line in lines if PART.match(line)]
    return list(dict.fromkeys(parts or lines[:1]))


def group_messages(said: Iterable[tuple[str, Row]]) -> list[Message]:
    """Put together what differs in numbers only.

    Parameters
    ----------
    said : iterable of (str, Row)

    Returns
    -------
    list of Message
        The commonest first; each submission once in a message.
    """
    groups: dict[tuple[str, ...], list[tuple[str, Row]]] = {}
    for text, row in said:
        groups.setdefault(tuple(NUMBER.split(text)), []).append((text, row))
    messages = [
        Message(_in_common(words, [text for text, _ in group]), _once(row for _, row in group))
        for words, group in groups.items()
    ]
    return sorted(messages, key=lambda message: (-len(message.rows), message.text))


def _in_common(words: tuple[str, ...], texts: list[str]) -> str:
    """Return texts of the same words as one, with # for the numbers in which they differ."""
    places = zip(*(NUMBER.findall(text) for text in texts), strict=True)
    numbers = [place[0] if len(set(place)) == 1 else "#" for place in places]
    text = "".join(w + n for w, n in zip_longest(words, numbers, fillvalue=""))
    return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT].rstrip() + " ..."


def _once(rows: Iterable[Row]) -> list[Row]:
    """Return rows without repeats, in their order."""
    return list(dict.fromkeys(rows))


def item_losses(rows: list[Row], assignment: str) -> list[ItemLosses]:
    """Return how each item went, in the rubric's order.

    Parameters
    ----------
    rows : list of Row
        All; those that do not count are left out here.
    assignment : str
    """
    counted = [row for row in rows if row.in_figures]
    excluded = Counter(number for row in counted for number in row.not_graded)
    graded: dict[str, list[tuple[dict, Row]]] = {}
    for row in counted:
        for test in row.tests:
            graded.setdefault(test["number"], []).append((test, row))
    return [
        _losses_of(item, item.max_score(assignment), graded.get(item.number, []), excluded)
        for item in items_of(assignment)
        if item.number in graded or item.number in excluded
    ]


def _losses_of(
    item: Item, max_score: float, graded: list[tuple[dict, Row]], excluded: Counter[str]
) -> ItemLosses:
    """Return how one item went, given each result of it with its row."""
    lost = [(test, row) for test, row in graded if _lost(test)]
    said = [(text, row) for test, row in lost for text in problems_in(test["output"])]
    return ItemLosses(
        number=item.number,
        title=item.title,
        max_score=max_score,
        n=len(graded),
        n_lost=len(lost),
        n_all=sum(test["score"] <= 0 for test, _ in lost),
        n_not_graded=excluded[item.number],
        messages=group_messages(said),
    )


# A student's detail.


@dataclass(frozen=True)
class Detail:
    """Items of one submission with the same output, which is therefore there only once."""

    tests: list[dict]
    is_right: bool
    output: str


def details_of(row: Row, limit: int) -> list[Detail]:
    """Return the items of one submission, those with the same output together.

    Parameters
    ----------
    row : Row
    limit : int
        Characters after which an output is cut.

    Returns
    -------
    list of Detail
        Those that lost something first.
    """
    groups: dict[tuple[bool, str], list[dict]] = {}
    for test in row.all_tests:
        is_right = test["number"] not in row.not_graded and not _lost(test)
        groups.setdefault((is_right, test["output"]), []).append(test)
    details = [
        Detail(tests, is_right, _cut(output, limit)) for (is_right, output), tests in groups.items()
    ]
    return sorted(details, key=lambda detail: detail.is_right)


def _cut(output: str, limit: int) -> str:
    """Return the beginning of an output that is longer than allowed, and say so."""
    return output if len(output) <= limit else output[:limit].rstrip() + SHORTENED


def output_limit(rows: list[Row]) -> int:
    """Return after how many characters outputs are cut for all of them to fit the page."""
    outputs = [len(output) for row in rows for output in {test["output"] for test in row.all_tests}]
    fitting = (
        limit
        for limit in OUTPUT_LIMITS
        if sum(min(length, limit) for length in outputs) <= OUTPUT_ROOM
    )
    return next(fitting, OUTPUT_LIMITS[-1])


# The page.


def write_report(records: list[dict], assignment: str, path: Path) -> None:
    """Write the report of a graded class.

    Parameters
    ----------
    records : list of dict
        What grade-all keeps of each submission.
    assignment : str
        A key of ``rubric.ASSIGNMENTS``.
    path : Path
        The page; replaced as a whole.

    Raises
    ------
    ValueError
        If the assignment is unknown, or a record has an unknown state.
    """
    items_of(assignment)  # refuses an unknown one before any work
    unknown = {record["state"] for record in records} - set(STATES)
    if unknown:
        raise ValueError(f"state must be one of {', '.join(STATES)}, got {sorted(unknown)}")
    write_atomically(Path(path), _fit_for_html(_page(_rows(records), assignment)))


def _page(rows: list[Row], assignment: str) -> str:
    """Return the page's HTML."""
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js")
    )
    counted = [row for row in rows if row.in_figures]
    scores = [row.record["score"] for row in counted]
    best = max((row.record["max_score"] for row in counted), default=0.0)
    limit = output_limit(rows)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            assignment=ASSIGNMENTS[assignment],
            made=datetime.now(UTC),
            rows=rows,
            states=Counter(row.record["state"] for row in rows if row.record["counts"]),
            n_older=sum(not row.record["counts"] for row in rows),
            unit=_unit(rows),
            best=best,
            figures=figures_of(scores),
            histogram=histogram_of(scores, best),
            plot={"top": PLOT_TOP, "bottom": PLOT_BOTTOM},
            ungraded=_ungraded(rows),
            items=item_losses(rows, assignment),
            first_messages=FIRST_MESSAGES,
            most_messages=MOST_MESSAGES,
            slowest=sorted(rows, key=lambda row: -row.record["seconds"])[:N_SLOWEST],
            minutes=math.fsum(row.record["seconds"] for row in rows) / 60,
            details=lambda row: details_of(row, limit),
            style=Markup(style),
            script=Markup(script),
            style_hash=_policy_hash(style),
            script_hash=_policy_hash(script),
        )
    )


def _environment() -> Environment:
    """Return Jinja2, which escapes everything that is not marked as HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "seconds": _seconds}
    return environment


def _unit(rows: list[Row]) -> str:
    """Return what scores are counted in, as the results say."""
    results = (row.record["results"] for row in rows if row.has_score)
    return next((one["extra_data"]["unit"] for one in results), "points")


def _ungraded(rows: list[Row]) -> dict[str, list[Message]]:
    """Return why submissions were refused or failed, by state."""
    reasons = {
        state: group_messages(
            (_first_line(row.record["message"]), row)
            for row in rows
            if row.record["state"] == state and row.record["counts"]
        )
        for state in ("failed", "refused")
    }
    return {state: messages for state, messages in reasons.items() if messages}


def _first_line(text: str) -> str:
    """Return the first line that says anything."""
    return next((line for line in text.splitlines() if line.strip()), "No reason was given.")


def _number(value: float) -> str:
    """Return a number with at most two decimals, as few as it needs."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _policy_hash(source: str) -> str:
    """Return how a Content Security Policy names an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _fit_for_html(page: str) -> str:
    """Return a page without the characters that no HTML file, or no UTF-8, may have."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", page)
