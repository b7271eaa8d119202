"""The files that go to Gradescope: their libraries and graded signatures.

That each imports alone and quietly is checked by the project's own preflight, in
test_preflight.py.
"""

import ast
import importlib
import inspect

import pytest
from helpers import ROOT

from utilities.contract import (
    LIBRARIES,
    SIGNATURES,
    STATIC_METHODS,
    Parameter,
    assignment_of,
    parameters_of,
)
from utilities.preflight_source import foreign_imports, imported_modules

PATHS = [(module, path) for module, paths in SIGNATURES.items() for path in paths]
# What is not uploaded but called by the course's notebook.
HELPERS = {"get_housing_dataset": "", "preprocess_text_data": "text"}
PLAIN = {inspect.Parameter.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_file_imports_its_own_course_libraries_and_never_utilities(name):
    tree = ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8"))
    assert foreign_imports(name, imported_modules(tree)) == []


def found_parameters(function):
    """Return what ``inspect`` sees in the contract's form."""
    parameters = list(inspect.signature(function).parameters.values())
    assert {p.kind for p in parameters} <= PLAIN
    return [
        Parameter(p.name, None if p.default is p.empty else repr(p.default)) for p in parameters
    ]


@pytest.mark.parametrize(("module", "path"), PATHS, ids=[f"{m}:{p}" for m, p in PATHS])
def test_a_function_has_the_graded_parameters_and_defaults(module, path):
    owner, _, name = path.rpartition(".")
    holder = importlib.import_module(module)
    holder = getattr(holder, owner) if owner else holder
    parameters = found_parameters(getattr(holder, name))
    is_static = isinstance(inspect.getattr_static(holder, name), staticmethod)
    assert is_static == (path in STATIC_METHODS)
    if owner and not is_static:
        assert parameters.pop(0) == Parameter("self")
    assert parameters == parameters_of(SIGNATURES[module][path])


@pytest.mark.parametrize("name", HELPERS)
def test_a_helper_of_the_course_has_its_parameters(name):
    function = getattr(importlib.import_module("utilities.utils"), name)
    assert found_parameters(function) == parameters_of(HELPERS[name])


@pytest.mark.parametrize("signature", ["*args", "x, /", "*, x", "**options"])
def test_a_table_of_signatures_takes_plain_parameters_only(signature):
    with pytest.raises(ValueError, match="plain parameters only"):
        parameters_of(signature)


def test_an_unknown_assignment_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"programming, bonus-all, .*got 'homework'"):
        assignment_of("homework")
