"""What a mutant is, and how it becomes a folder that can be graded.

A mutant is a right solution with one described mistake in it. The base is either the reference
modules at the root of the repository or the plainly written second solution in ``student/``,
whose methods call one another as students' do. Every change is a pair of texts, the old one
found exactly once; a base that has moved on makes the mutant fail loudly instead of vanishing.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASES = {"reference": ROOT, "student": Path(__file__).resolve().parent / "student"}
FILES = (
    "NN.py",
    "random_forest.py",
    "cnn_image_transformations.py",
    "base_sequential_model.py",
    "rnn.py",
    "lstm.py",
)

# The three trainings of 60,000 iterations: whatever is wrong in them shows in their losses.
GD_RUNS = ("1.2", "1.4")
BATCH_RUN = ("1.3",)
MOMENTUM_RUN = ("1.4",)
RUNS = ("1.2", "1.3", "1.4")


@dataclass(frozen=True)
class Mutant:
    """One wrong submission.

    Attributes
    ----------
    name : str
        Says the mistake in a few words, with hyphens.
    base : str
        "reference" or "student".
    file : str
        The file with the mistake.
    change : tuple of (str, str)
        Old and new texts.
    why : str
        What a student got wrong.
    loses : frozenset of str
        Numbers of the items that must lose points, no others; empty for a submission that is
        right in an unusual way.
    """

    name: str
    base: str
    file: str
    change: tuple[tuple[str, str], ...]
    why: str
    loses: frozenset[str]

    def source(self) -> str:
        """Return the text of the mutant's file.

        Raises
        ------
        ValueError
            If an old text is not found exactly once.
        """
        text = (BASES[self.base] / self.file).read_text(encoding="utf-8")
        for old, new in self.change:
            if text.count(old) != 1:
                raise ValueError(
                    f"mutant {self.name}: expected its old text once in the {self.base}'s "
                    f"{self.file}, found it {text.count(old)} times: {old!r}"
                )
            text = text.replace(old, new)
        return text

    def write(self, folder: Path) -> None:
        """Write the whole submission, the wrong file among right ones, into a new folder."""
        write_base(self.base, folder)
        (folder / self.file).write_text(self.source(), encoding="utf-8")


def write_base(base: str, folder: Path) -> None:
    """Write a right submission into a new folder."""
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(BASES[base] / name, folder / name)


def _mutant(
    base: str,
    file: str,
    name: str,
    why: str,
    loses: Iterable[str],
    *change: tuple[str, str],
) -> Mutant:
    return Mutant(name, base, file, change, why, frozenset(loses))


def mutants_of(file: str) -> tuple[partial[Mutant], partial[Mutant]]:
    """Return makers of mutants of a file: from the student's solution, and from the reference."""
    return partial(_mutant, "student", file), partial(_mutant, "reference", file)
