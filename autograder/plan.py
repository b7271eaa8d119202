"""The plan of calls a check wants made on the student's module."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.channel import Ref


@dataclass
class Plan:
    """Cases of steps, numbered in the order in which they are made."""

    cases: list[list[dict]] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)  # what a student is told was called

    def case(self, module: str) -> "Case":
        """Start a case, which imports the student's module afresh or finds it imported."""
        case = Case(self, [])
        self.cases.append(case.steps)
        case.add({"op": "import", "module": module}, f"import {module}")
        return case


@dataclass
class Case:
    """Steps that share names; the first that raises ends them.

    Every method returns the number of its step, under which its value is found in a run.
    """

    plan: Plan
    steps: list[dict]

    def add(self, step: dict, label: str) -> int:
        """Append a step as the runner knows it."""
        step["id"] = len(self.plan.labels)
        self.plan.labels[step["id"]] = label
        self.steps.append(step)
        return step["id"]

    def call(self, target: str, *args: Any, send: bool = True, label: str = "", **kwargs: Any):
        """Call a function; keywords that end in an underscore are the step's own."""
        own = {key[:-1]: kwargs.pop(key) for key in ("as_", "append_to_") if key in kwargs}
        step = {"op": "call", "target": target, "args": list(args), "kwargs": kwargs, "send": send}
        return self.add(step | own, label or _call_in_words(target, args, kwargs))

    def new(self, name: str, target: str, label: str = "", **kwargs: Any) -> int:
        """Make an object of a class and give it a name."""
        return self.call(target, send=False, label=label, as_=name, **kwargs)

    def bare(self, name: str, target: str, **kwargs: Any) -> int:
        """Make an object; where its constructor raises, one without attributes."""
        step = {"op": "bare", "target": target, "kwargs": kwargs, "as": name, "send": False}
        return self.add(step, _call_in_words(target, (), kwargs))

    def get(self, target: str) -> int:
        """Report an attribute or a named value."""
        return self.add({"op": "get", "target": target}, _without_module(target))

    def set(self, target: str, value: Any) -> int:
        """Set an attribute."""
        step = {"op": "set", "target": target, "value": value, "send": False}
        return self.add(step, f"setting {_without_module(target)}")

    def name(self, name: str, value: Any) -> Ref:
        """Give a value a name, and return the reference to it."""
        step = {"op": "value", "value": value, "as": name, "send": False}
        self.add(step, f"preparing {name}")
        return Ref(name)

    def seed(self, value: int) -> int:
        """Seed NumPy's global stream, the standard library's and torch's if it is loaded."""
        return self.add({"op": "seed", "value": value, "send": False}, f"np.random.seed({value})")

    def replace(self, target: str, standin: str, log: str = "log") -> int:
        """Put a stand-in in place of a method; its calls are logged under the name log."""
        step = {"op": "replace", "target": target, "standin": standin, "log": log, "send": False}
        return self.add(step, f"putting a stand-in in place of {_without_module(target)}")

    def stream(self) -> int:
        """Report the next number of NumPy's global stream, which tells where it stands."""
        return self.call("numpy.random.random_sample", label="reading NumPy's global stream")

    def describe(self, target: str, attributes: tuple[str, ...], children: str, label: str) -> int:
        """Report an object's class, some attributes, and the same of its children."""
        step = {
            "op": "describe",
            "target": target,
            "attributes": list(attributes),
            "children": children,
        }
        return self.add(step, label)


def _call_in_words(target: str, args: tuple, kwargs: dict) -> str:
    """Return a call as a student would write it, with shapes in place of arrays."""
    words = [_in_words(value) for value in args]
    words += [f"{key}={_in_words(value)}" for key, value in kwargs.items()]
    return f"{_without_module(target)}({', '.join(words)})"


def _without_module(target: str) -> str:
    """Return a path without the names that only the plan knows."""
    return target.split(".", 1)[-1] if "." in target else target


def _in_words(value: Any) -> str:
    if isinstance(value, Ref):
        return value.name
    if isinstance(value, np.ndarray):
        return f"<array {value.shape}>"
    if isinstance(value, dict):
        return "{" + ", ".join(str(key) for key in value) + "}"
    return repr(value)
