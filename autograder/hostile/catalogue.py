"""All hostile submissions by name, and how each is built."""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autograder.hostile import attacks, counterfeits, prelude
from autograder.hostile.attacks import ATTACKS
from autograder.hostile.uploads import UPLOADS
from autograder.rubric import ITEMS


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
    items : tuple of str
        Items it is graded on.
    assignment : str
    limits : dict
        Limits of its checks, as ``autograder.grade`` takes them; short for what never ends.
    """

    name: str
    tries: str
    build: Callable[[Path, dict], Path]
    items: tuple[str, ...] = ("1.1a", "1.1c")
    assignment: str = "programming"
    limits: dict = field(default_factory=dict)


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


def _named(function: Callable, build: Callable[[Path, dict], Path], **target: object) -> Hostile:
    name, tries = function.__name__.replace("_", "-"), inspect.getdoc(function)
    if name in ENDLESS:
        target |= {"limits": {"wall": 3}, "items": ("1.1a",)}
    return Hostile(name, tries, build, **target)


# What goes on until the clock stops it is not worth waiting for as long as for an honest check.
ENDLESS = {"sleeps", "loops-deaf-to-signals", "stops-itself", "loosens-its-limits"}
ENDLESS |= {"drips-an-answer", "fills-the-memory"}
PIECES = tuple(item.number for item in ITEMS if item.number.startswith("1.1"))
COUNTERFEITS = {
    counterfeits.describes_transformations: {"items": ("2.1.1",)},
    counterfeits.describes_layers: {"items": ("5.1.1",), "assignment": "bonus-all"},
    counterfeits.recites_the_losses: {"items": ("1.1k", "1.1l", "1.2", "1.3", "1.4")},
}
TARGETS = {attacks.answers_with_oddities: {"items": PIECES}}
HOSTILE: dict[str, Hostile] = {
    hostile.name: hostile
    for hostile in (
        *(_named(function, _writer(function), **TARGETS.get(function, {})) for function in ATTACKS),
        *(_named(function, function) for function in UPLOADS),
        *(_named(function, function, **target) for function, target in COUNTERFEITS.items()),
    )
}
