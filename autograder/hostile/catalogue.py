"""All hostile submissions by name, and how each is built."""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.hostile import prelude
from autograder.hostile.attacks import ATTACKS
from autograder.hostile.uploads import UPLOADS


@dataclass(frozen=True)
class Hostile:
    """One hostile submission.

    Attributes
    ----------
    name : str
        With hyphens.
    tries : str
        What it tries.
    build : callable
        Takes an empty folder and the world of ``prelude``; returns the folder or zip to grade.
    """

    name: str
    tries: str
    build: Callable[[Path, dict], Path]


def attack_source(function: Callable[[], None], world: dict) -> str:
    """Return an NN.py: the prelude with its world filled in, the attack, and a call of it."""
    beginning = inspect.getsource(prelude)
    line = next(line for line in beginning.splitlines() if line.startswith("WORLD = "))
    beginning = beginning.replace(line, f"WORLD = {json.dumps(world)}")
    attack = inspect.getsource(function).removeprefix("@attack\n")
    return f"{beginning}\n\n{attack}\n\n{function.__name__}()\n"


def _writer(function: Callable[[], None]) -> Callable[[Path, dict], Path]:
    """Return a builder of the folder that holds only the attack's NN.py."""

    def build(folder: Path, world: dict) -> Path:
        submission = folder / "submission"
        submission.mkdir()
        (submission / "NN.py").write_text(attack_source(function, world), encoding="utf-8")
        return submission

    return build


def _named(function: Callable, build: Callable[[Path, dict], Path]) -> Hostile:
    return Hostile(function.__name__.replace("_", "-"), inspect.getdoc(function), build)


HOSTILE: dict[str, Hostile] = {
    hostile.name: hostile
    for hostile in (
        *(_named(function, _writer(function)) for function in ATTACKS),
        *(_named(function, function) for function in UPLOADS),
    )
}
