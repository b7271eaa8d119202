"""The reference solution's modules and the published figures, for the grader's process only."""

import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).resolve().parents[1]
FIGURES = Path(__file__).resolve().parent / "figures"


@cache
def module(name: str) -> ModuleType:
    """Return a module of the reference, wherever the grader was started.

    It is loaded under a name of its own, so that no file of the same name in the working
    directory can take its place.
    """
    private = f"_hw4_reference_{name}"
    spec = importlib.util.spec_from_file_location(private, PROJECT / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[private] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def source(name: str) -> bytes:
    """Return a reference file's content."""
    return (PROJECT / name).read_bytes()


@cache
def figures(name: str) -> dict:
    """Return published figures."""
    return json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
