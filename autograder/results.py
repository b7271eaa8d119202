"""Gradescope's results.json: valid from the first moment, whatever happens to the grader.

The file is written before anything is graded, with zeros, and replaced as a whole after every
check. A reader therefore finds either the old or the new state, never half of one.
"""

import json
import os
import tempfile
from functools import cache
from pathlib import Path

import jsonschema

from autograder.rubric import ASSIGNMENTS, Item

SCHEMA = Path(__file__).resolve().parent / "results.schema.json"
PENDING = "Not graded: the grader was stopped before it came to this item. Please submit again."
STOPPED = (
    "The grader was stopped before it had graded everything; the items without a grade say so."
)


class Results:
    """The results of one submission.

    Parameters
    ----------
    assignment : str
    items : tuple of Item
    path : Path, optional
        Where results.json is kept up to date; None to keep it in memory only.
    """

    def __init__(self, assignment: str, items: tuple[Item, ...], path: Path | None) -> None:
        self.path = path
        self.tests = {
            item.number: {
                "number": item.number,
                "name": item.title,
                "score": 0.0,
                "max_score": float(item.max_score(assignment)),
                "status": "failed",
                "output": PENDING,
                "visibility": "visible",
                "tags": [item.group],
                "extra_data": {},
            }
            for item in items
        }
        unit = "points" if assignment == "programming" else "per cent"
        self.content = {
            "output": STOPPED,
            "output_format": "text",
            "test_output_format": "text",
            "visibility": "visible",
            "stdout_visibility": "hidden",
            "execution_time": 0.0,
            "extra_data": {"assignment": ASSIGNMENTS[assignment], "unit": unit, "complete": False},
            "tests": list(self.tests.values()),
        }
        self.write()

    def record(
        self, number: str, score: float, output: str, seconds: float, extra: dict | None = None
    ) -> None:
        """Enter one item and write the file."""
        test = self.tests[number]
        test["score"] = round(min(max(score, 0.0), test["max_score"]), 4)
        test["status"] = "passed" if test["score"] >= test["max_score"] else "failed"
        test["output"] = output
        test["extra_data"] = {"seconds": round(seconds, 2), **(extra or {})}
        self.content["execution_time"] = round(self.content["execution_time"] + seconds, 2)
        self.write()

    def exclude(self, number: str, reason: str) -> None:
        """Enter that an item could not be graded, for which nobody loses points."""
        test = self.tests[number]
        test["max_score"] = 0.0
        self.record(number, 0.0, f"NOT GRADED, and not counted: {reason}", 0.0)
        test["status"] = "failed"
        self.content["extra_data"].setdefault("not_graded", []).append(number)
        self.write()

    def finish(self, output: str, **extra: object) -> dict:
        """Mark the results as complete and return them."""
        self.content["output"] = output
        self.content["extra_data"] |= {"complete": True, **extra}
        self.write()
        return self.content

    def write(self) -> None:
        """Replace the file by the present state, which must be as Gradescope wants it."""
        validate(self.content)
        if self.path is not None:
            write_atomically(self.path, json.dumps(self.content, indent=1) + "\n")


def validate(content: dict) -> None:
    """Raise unless results are as Gradescope wants them.

    Raises
    ------
    jsonschema.ValidationError
        Where they are not.
    """
    _validator().validate(content)
    for test in content["tests"]:
        if test["score"] > test["max_score"]:
            raise jsonschema.ValidationError(f"{test['number']}: more than the maximum")


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def write_atomically(path: Path, text: str) -> None:
    """Write a file such that a reader, at any moment, finds a whole one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
