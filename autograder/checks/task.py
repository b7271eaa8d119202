"""What a check is given: seeded inputs, a plan to fill, a run of it, and a sheet for the marks."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.compare import Mismatch
from autograder.plan import Case, Plan
from autograder.sandbox import Limits, Run, execute


@dataclass
class Part:
    """One part of an item: its share of the points, and what is wrong if anything is."""

    share: float
    name: str
    problem: str


@dataclass
class Task:
    """One item of one submission.

    Parameters
    ----------
    files : dict of str to bytes
        The student's files that the item needs.
    rng : numpy.random.Generator
        Draws the inputs; its seed follows from the submission.
    limits : Limits
    skip : tuple of str
        Measures of isolation that this machine does not offer.
    wall_left : float
        Seconds left for the whole submission.
    """

    files: dict[str, bytes]
    rng: np.random.Generator
    limits: Limits
    skip: tuple[str, ...] = ()
    wall_left: float = float("inf")
    plan: Plan = field(default_factory=Plan)
    outcome: Run | None = None
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def case(self, module: str = "NN") -> Case:
        """Start a case of the plan."""
        return self.plan.case(module)

    def run(self, **limits: float) -> None:
        """Run the plan on the student's files, with some limits raised to what the item needs."""
        chosen = vars(self.limits) | {k: v for k, v in limits.items() if not self._is_given(k)}
        chosen["hard"] = self.wall_left
        self.outcome = execute(self.plan, self.files, Limits(**chosen), self.skip)

    def _is_given(self, name: str) -> bool:
        """Tell whether the grader's user has set a limit, which then holds for every item."""
        return getattr(self.limits, name) != getattr(Limits(), name)

    def __getitem__(self, step: int) -> Any:
        """Return what a step gave.

        Raises
        ------
        Mismatch
            If it raised, or the run never came so far.
        """
        run = self.outcome
        if step in run.values:
            return run.values[step]
        for number in self._steps_of_case(step):
            if number in run.errors:
                raise Mismatch(explain(run.plan.labels[number], run.errors[number], run))
        label = run.plan.labels[run.running if run.running is not None else step]
        raise Mismatch(f"{label}: the submission {run.fatal or 'did not come so far'}")

    def _steps_of_case(self, step: int) -> list[int]:
        return next(
            [s["id"] for s in case]
            for case in self.plan.cases
            if any(s["id"] == step for s in case)
        )

    def get(self, step: int) -> Any:
        """Return what a step gave, or None if it gave nothing."""
        try:
            return self[step]
        except Mismatch:
            return None

    def part(self, share: float, name: str, *ways: Callable[[], None]) -> bool:
        """Judge one part: it is right if one of the ways finds nothing wrong."""
        problems = []
        for way in ways:
            try:
                way()
            except Mismatch as mismatch:
                problems.append(str(mismatch))
            except Exception:  # whatever a student returns must not end the grading
                traceback.print_exc(file=sys.stderr)  # the staff's log
                problems.append(f"{name}: what came back cannot be compared with numbers or arrays")
            else:
                self.parts.append(Part(share, name, ""))
                return True
        self.parts.append(Part(share, name, problems[0]))
        return False

    def no_warnings(self, called: str, step: int) -> None:
        """Raise if a step warned: the contract wants none, even where the values are right."""
        warned = self.outcome.warnings.get(step, [])
        if warned:
            category, text = warned[0]
            raise Mismatch(f"{called}: the values are right, but it warns ({category}: {text})")


def explain(label: str, error: dict, run: Run) -> str:
    """Return an exception in words, with the student's own lines and nobody else's."""
    kind, text, kinds = error["type"], error["text"], error["kinds"]
    where = [
        f"  {name}, line {line}{f', in {function}' if function else ''}: {code}"
        for name, line, function, code in error["frames"]
    ]
    imported = label.startswith("import ")
    file = label.removeprefix("import ") + ".py"
    if "SyntaxError" in kinds and imported:
        lead = f"{file} has a syntax error and cannot be imported: {text}"
    elif "SystemExit" in kinds:
        lead = f"{label} called sys.exit({text}), which ends the program"
    elif "MemoryError" in kinds:
        lead = f"{label} needed more memory than the grader allows"
    elif "NotImplementedError" in kinds:
        lead = f"{label} raised NotImplementedError: this part is not written yet. {text}".strip()
    elif "ModuleNotFoundError" in kinds and imported:
        lead = (
            f"{file} imports {error['name'] or text}, which the grader does not have; "
            "only the libraries of the homework are there"
        )
    elif "AttributeError" in kinds and not where:
        lead = f"{label} is not possible: {text}"
    else:
        lead = f"{label} raised {kind}: {text}"
    if "PermissionError" in kinds:
        where.append("  (network, other processes and other folders are closed to submissions)")
    if "BlockingIOError" in kinds:
        where.append("  (a submission may not start so many processes)")
    return "\n".join([lead, *where])
