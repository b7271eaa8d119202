"""Grading one submission: item by item, each in a process of its own."""

import hashlib
import sys
import time
import traceback
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograder import checks
from autograder.channel import without_paths
from autograder.checks.task import Task
from autograder.data import MissingError
from autograder.results import Results
from autograder.rubric import Item, items_of
from autograder.sandbox import Limits, protection
from autograder.submission import RefusedError, Submission, read_submission

MAX_OUTPUT = 6000  # characters of one item's message
RESERVE = 15  # seconds kept for writing the results when the budget ends
SMALLEST_RUN = 5  # seconds below which it makes no sense to start a check


@dataclass
class _Session:
    """What the items of one submission share."""

    submission: Submission
    seed: int
    limits: Limits
    skip: tuple[str, ...]
    deadline: float
    hangs: dict[str, int]  # by file: how often importing it did not come to an end


def grade_submission(
    submission: Path,
    assignment: str,
    results: Path | None = None,
    items: Collection[str] | None = None,
    *,
    budget: float | None = None,
    seed: int | None = None,
    skip: Collection[str] = (),
    **limits: float,
) -> dict:
    """Grade one submission.

    Parameters
    ----------
    submission : Path
        A folder or a zip.
    assignment : str
        "programming", "bonus-all" or "bonus-undergrad".
    results : Path, optional
        Where results.json is written, at once with zeros and again after every item.
    items : collection of str, optional
        Numbers of the items to grade; by default all.
    budget : float, optional
        Seconds for everything. What is left over is shared by the items to come, so that slow
        submissions are cut short item by item instead of all at once.
    seed : int, optional
        Seed of the inputs; by default it follows from the submitted files, so that grading the
        same files again gives the same result.
    skip : collection of str
        Measures of isolation to leave out (see ``confine.MEASURES``), for tests.
    **limits : float
        Limits of every check in place of its own; see ``sandbox.Limits``.

    Returns
    -------
    dict
        Gradescope's results.

    Raises
    ------
    ValueError
        If the assignment or an item is unknown.
    """
    chosen = items_of(assignment, items)
    start = time.monotonic()
    sheet = Results(assignment, chosen, None if results is None else Path(results))
    wanted = tuple(dict.fromkeys(name for item in chosen for name in item.files))
    try:
        found = read_submission(Path(submission), wanted)
    except (RefusedError, OSError) as error:
        return _refuse(sheet, chosen, error)
    leave_out, remarks = protection(tuple(sorted(skip)))
    session = _Session(
        submission=found,
        seed=_seed_of(found) if seed is None else seed,
        limits=Limits(**limits),
        skip=leave_out,
        deadline=np.inf if budget is None else start + budget - RESERVE,
        hangs={},
    )
    for item in sorted(chosen, key=_cost):
        _grade_item(session, sheet, item)
    return sheet.finish(
        _summary(sheet, remarks),
        seconds=round(time.monotonic() - start, 2),
        isolation=list(remarks) or ["all measures on"],
        seed=session.seed,
    )


def _refuse(sheet: Results, items: tuple[Item, ...], error: Exception) -> dict:
    """Enter that nothing could be graded, and why."""
    if isinstance(error, RefusedError):
        text = f"The submission was refused: {error}."
    else:
        text = f"The submission cannot be read ({error.strerror})."
    for item in items:
        sheet.record(item.number, 0.0, text, 0.0)
    return sheet.finish(text)


def _seed_of(submission: Submission) -> int:
    """Return a seed that follows from the files, so that grading can be repeated."""
    digest = hashlib.sha256()
    for name, content in sorted(submission.files.items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    return int.from_bytes(digest.digest()[:6], "big")


def _cost(item: Item) -> int:
    """Return the place of an item in the order of grading: the slow ones come last."""
    return {"housing": 2, "boosting": 1, "images": 1}.get(item.check.split(".")[0], 0)


def _grade_item(session: _Session, sheet: Results, item: Item) -> None:
    """Grade one item, whatever happens, and enter it."""
    problem = _no_need_to_run(session, item)
    if problem:
        sheet.record(item.number, 0.0, problem, 0.0)
        return
    seconds_left = session.deadline - time.monotonic()
    if seconds_left < SMALLEST_RUN:
        text = "Not graded: the time of the whole submission was used up by the items before."
        sheet.record(item.number, 0.0, text, 0.0)
        return
    task = Task(
        files={name: session.submission.files[name] for name in item.files},
        rng=np.random.default_rng([session.seed, *item.number.encode()]),
        limits=session.limits,
        skip=session.skip,
        wall_left=seconds_left,
    )
    begin = time.monotonic()
    try:
        checks.find(item.check)(task)
    except MissingError as error:
        sheet.exclude(item.number, str(error))
        return
    except Exception:
        # A fault of the grader must neither end the grading nor be mistaken for the student's.
        traceback.print_exc(file=sys.stderr)
        sheet.exclude(item.number, "the grader itself failed here; course staff, see its log")
        return
    _note_hang(session, item, task)
    score = sheet.tests[item.number]["max_score"] * sum(
        p.share for p in task.parts if not p.problem
    )
    sheet.record(item.number, score, _output(task), time.monotonic() - begin, _usage(task))


def _no_need_to_run(session: _Session, item: Item) -> str:
    """Say what keeps an item from being graded at all, if anything does."""
    for name in item.files:
        if name in session.submission.problems:
            return f"{session.submission.problems[name]}."
        if session.hangs.get(name, 0) >= 2:
            return (
                f"Importing {name} did not come to an end in earlier items, so it was not tried "
                "again: is there a loop or a training outside of functions?"
            )
    return ""


def _note_hang(session: _Session, item: Item, task: Task) -> None:
    """Remember files whose import does not end: waiting for it once more costs everybody time."""
    run = task.outcome
    if run and run.cause == "time" and run.running is not None:
        label = run.plan.labels[run.running]
        name = f"{label.removeprefix('import ')}.py"
        if label.startswith("import ") and name in item.files:
            session.hangs[name] = session.hangs.get(name, 0) + 1


def _output(task: Task) -> str:
    """Return the message of one item."""
    wrong = [part for part in task.parts if part.problem]
    lines = []
    for part in wrong:
        whole = len(task.parts) == 1
        lines.append(part.problem if whole else f"{part.name} ({part.share:.0%}): {part.problem}")
    if not wrong:
        lines.append("Passed.")
    elif len(wrong) < len(task.parts):
        right = ", ".join(part.name for part in task.parts if not part.problem)
        lines.append(f"Right: {right}.")
    lines += [f"Note: {note}." for note in dict.fromkeys(task.notes)]
    if wrong and task.outcome and task.outcome.printed.strip():
        lines.append("Your code printed:\n" + _shortened(task.outcome.printed.strip(), 600))
    return _shortened(without_paths("\n".join(lines)), MAX_OUTPUT)


def _shortened(text: str, limit: int) -> str:
    text = "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    return text if len(text) <= limit else text[: limit - 20] + "\n[... shortened]"


def _usage(task: Task) -> dict:
    """Return what a check used, for the staff."""
    run = task.outcome
    if run is None:
        return {}
    usage = {"cpu_seconds": round(run.cpu_seconds, 2), "peak_mb": round(run.peak_mb, 1)}
    return {**usage, **({"ended_by": run.cause} if run.cause else {})}


def _summary(sheet: Results, remarks: tuple[str, ...]) -> str:
    """Return the message above all items."""
    right = sum(test["status"] == "passed" for test in sheet.tests.values())
    lines = [f"{right} of {len(sheet.tests)} items are fully right."]
    excluded = sheet.content["extra_data"].get("not_graded", [])
    if excluded:
        lines.append(f"Not graded, and not counted: {', '.join(excluded)}. Please tell the staff.")
    lines += [f"Isolation: {remark}." for remark in remarks]
    return "\n".join(lines)
