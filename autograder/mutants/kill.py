"""Grades mutants and writes down which items each one lost: the kill matrix."""

import multiprocessing
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import autograder
from autograder.mutants.submission import ROOT, RUNS, Mutant
from autograder.rubric import ITEMS, items_of

MATRIX = ROOT / "autograder" / "KILL_MATRIX.md"

# Three trainings of 60,000 iterations, and forests of the bean data: 10 s each, or more. A mutant
# is graded on a bean item if it must lose it. These are graded on all slow items of their file:
# one or two for every way in which a mistake reaches them, or must not.
SLOW = (*RUNS, "3.2", "3.4")
ON_SLOW_ITEMS = frozenset(
    {
        "silu-of-minus-u",
        "silu-overflows",
        "derivative-loses-a-factor",
        "loss-without-epsilon",
        "loss-with-a-large-epsilon",
        "dropout-not-scaled",
        "forward-fixed-dropout-probability",
        "gradients-without-mask",
        "update-plain-step-scaled-twice",
        "momentum-as-moving-average",
        "momentum-with-learning-rate-inside",
        "descent-loss-after-the-update",
        "descent-ignores-dropout",
        "batches-not-wrapping",
        "batches-iteration-not-counted",
        "right-second-net",
        "trees-by-gini",
        "rows-without-replacement",
        "fit-labels-not-resampled",
        "oob-by-majority",
        "predict-hard-votes",
        "settings-too-small",
        "boosting-alphas-not-kept",
        "right-second-forest",
    }
)


@dataclass(frozen=True)
class Outcome:
    """Points a submission kept and could keep, and what it was told, by item."""

    kept: dict[str, float]
    full: dict[str, float]
    told: dict[str, str] = field(default_factory=dict)

    @property
    def lost(self) -> frozenset[str]:
        """Return the items that lost points."""
        return frozenset(item for item in self.full if self.kept[item] < self.full[item])


def items_for(file: str, slow: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Return the items that depend on a file, by assignment, each in one assignment only.

    Parameters
    ----------
    file : str
    slow : collection of str
        Those of the slow items to take as well.
    """
    found: dict[str, tuple[str, ...]] = {}
    for item in ITEMS:
        if file in item.files and (item.number not in SLOW or item.number in slow):
            assignment = item.assignments[0]
            found[assignment] = (*found.get(assignment, ()), item.number)
    return found


def slow_items_of(mutant: Mutant) -> Collection[str]:
    """Return the slow items a mutant is graded on."""
    return SLOW if mutant.name in ON_SLOW_ITEMS else mutant.loses & {"3.2", "3.4"}


def grade_folder(folder: Path, items: dict[str, Collection[str]]) -> Outcome:
    """Grade a submission on some items of some assignments.

    Raises
    ------
    RuntimeError
        If the grader could not grade one of them, for instance because data are missing.
    """
    kept, full, told = {}, {}, {}
    for assignment, numbers in items.items():
        tests = autograder.grade(folder, assignment, items=numbers)["tests"]
        kept |= {test["number"]: test["score"] for test in tests}
        told |= {test["number"]: test["output"] for test in tests}
        full |= {item.number: item.max_score(assignment) for item in items_of(assignment, numbers)}
        for test in tests:
            if test["max_score"] != full[test["number"]]:
                raise RuntimeError(f"{test['number']} was not graded: {test['output']}")
    return Outcome(kept, full, told)


def kill(mutant: Mutant, slow: bool = False) -> Outcome:
    """Grade a mutant on every item of its file, if wanted on its slow ones too."""
    items = items_for(mutant.file, slow_items_of(mutant) if slow else ())
    with tempfile.TemporaryDirectory(prefix="hw4-mutant-") as folder:
        mutant.write(Path(folder) / "submission")
        return grade_folder(Path(folder) / "submission", items)


def kill_all(
    mutants: Iterable[Mutant], slow: bool = False, jobs: int | None = None
) -> Iterator[tuple[Mutant, Outcome]]:
    """Grade mutants side by side."""
    mutants = list(mutants)
    # processes, because checks use NumPy's global stream; spawned, because callers have threads
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs or os.cpu_count(), context) as pool:
        outcomes = pool.map(kill, mutants, [slow] * len(mutants))
        yield from zip(mutants, outcomes, strict=True)


def mistakes(mutant: Mutant, outcome: Outcome) -> str:
    """Say where the grader and the catalogue disagree; empty if nowhere."""
    expected = mutant.loses & set(outcome.full)
    spared, punished = sorted(expected - outcome.lost), sorted(outcome.lost - expected)
    words = [f"{mutant.name} should have lost {', '.join(spared)}"] if spared else []
    words += [f"{mutant.name} should have kept {', '.join(punished)}"] if punished else []
    words += [f"{item} was told: {outcome.told.get(item, '')[:300]}" for item in punished]
    return "; ".join(words)
