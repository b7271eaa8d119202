"""A grader of Homework 4 for Gradescope and for one's own machine."""

from collections.abc import Collection
from pathlib import Path


def grade(
    submission: Path,
    assignment: str,
    results: Path | None = None,
    items: Collection[str] | None = None,
    **limits,
) -> dict:
    """Grade one submission and return Gradescope's results; see ``autograder.grading``."""
    from autograder.grading import grade_submission  # keeps `import autograder` light

    return grade_submission(submission, assignment, results, items, **limits)
