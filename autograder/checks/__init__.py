"""The checks, one function for each item of the rubric, named ``module.function`` there.

A check writes a plan of calls, has it run, and compares what came out with the reference. It
sees plain data only, and the student's process sees neither the check nor the reference.
"""

from collections.abc import Callable
from importlib import import_module


def find(name: str) -> Callable:
    """Return the check that the rubric calls ``name``."""
    module, function = name.split(".")
    return getattr(import_module(f"autograder.checks.{module}"), function)
