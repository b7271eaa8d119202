"""What the uploaded grader does on Gradescope: check itself once, then grade each submission."""

import json
import sys
import traceback
from pathlib import Path

from autograder.grading import grade_submission
from autograder.results import write_atomically
from autograder.rubric import items_of

SETTINGS = Path(__file__).resolve().parents[1] / "assignment.json"
FAULT = (
    "The grader failed. Nothing is wrong with your submission: please tell the course staff, who "
    "find the reason in the grader's output."
)


def settings() -> dict:
    """Return what the package was made for: its assignment and the seconds it may take."""
    return json.loads(SETTINGS.read_text(encoding="utf-8"))


def run(root: Path) -> int:
    """Grade the submission below Gradescope's folder.

    Parameters
    ----------
    root : Path
        The folder that holds submission, results and submission_metadata.json.
    """
    results = root / "results" / "results.json"
    try:
        assignment, budget = settings()["assignment"], settings()["budget"]
        graded = grade_submission(root / "submission", assignment, results, budget=budget)
        _compare_totals(root / "submission_metadata.json", assignment)
    except Exception:
        traceback.print_exc()
        _write_fault(results)
        return 1
    score = sum(test["score"] for test in graded["tests"])
    print(f"graded: {score:g}, isolation: {graded['extra_data'].get('isolation')}")
    return 0


def _compare_totals(path: Path, assignment: str) -> None:
    """Tell the staff if Gradescope's total is not the rubric's."""
    try:
        total = float(json.loads(path.read_text(encoding="utf-8"))["assignment"]["total_points"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"submission_metadata.json gives no total: {type(error).__name__}")
        return
    expected = sum(item.max_score(assignment) for item in items_of(assignment))
    if abs(total - expected) > 0.01:
        print(f"The assignment has {total:g} points on Gradescope, its items {expected:g}.")


def _write_fault(results: Path) -> None:
    """Keep the grades there are, and say that the grader failed."""
    try:
        content = json.loads(results.read_text(encoding="utf-8"))
        content["output"] = FAULT
    except (OSError, ValueError, TypeError):
        content = {"score": 0, "output": FAULT, "tests": []}
    write_atomically(results, json.dumps(content, indent=1) + "\n")


def check() -> int:
    """Check, when the image is built, that submissions can be run and what protects them."""
    from autograder.sandbox import protection

    leave_out, remarks = protection()
    print(f"assignment: {settings()['assignment']}; isolation left out: {list(leave_out)}")
    for remark in remarks:
        print(f"isolation: {remark}")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    sys.exit(run(Path(sys.argv[2])))
