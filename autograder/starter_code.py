"""Taking the bodies of functions out of a module, and whatever only they needed.

`without_bodies` is what the student edition uses. What is kept keeps its formatting: the syntax
tree only tells which lines go.
"""

import ast
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from utilities.preflight_source import Function, functions

LINE_LENGTH = 100
INDENT = 4
Edit = tuple[int, int, list[str]]  # first and last line that go, and what takes their place


def without_bodies(source: str, messages: Mapping[str, str]) -> str:
    """Return a module in which some functions only raise NotImplementedError.

    Private helpers, constants and imports that nothing else used go as well. Unused imports of
    libraries stay: whoever writes the functions will want them.

    Parameters
    ----------
    source : str
        The module.
    messages : mapping of str to str
        The error's message by function, methods as ``Class.method``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a function does not exist, or has no body besides its docstring.
    """
    blanked = _blanked(source, messages)
    lean = _without_orphans(source, blanked, kept=messages)
    return _without_unused_imports(source, lean)


# Bodies.


def _blanked(source: str, messages: Mapping[str, str]) -> str:
    """Replace the bodies of functions, up to their docstrings, by an error."""
    found = functions(ast.parse(source))
    missing = sorted(set(messages) - set(found))
    if missing:
        raise ValueError(f"the module must define {', '.join(missing)}, but it does not")
    lines = source.splitlines()
    return _edited(source, [_blank(lines, found[name], messages[name]) for name in messages])


def _blank(lines: list[str], function: Function, message: str) -> Edit:
    """Return the edit that leaves signature, decorators and docstring of a function."""
    has_docstring = ast.get_docstring(function) is not None
    if has_docstring and len(function.body) == 1:
        raise ValueError(f"{function.name} must have a body that students can write")
    if has_docstring:
        first = function.body[0].end_lineno + 1
    else:
        first, _ = _span(lines, function.body[0])
    return first, function.end_lineno, _raise(message, function.body[0].col_offset)


def _raise(message: str, column: int) -> list[str]:
    """Return the lines that raise NotImplementedError, folded as the formatter would."""
    margin, deeper = " " * column, " " * (column + INDENT)
    line = f'{margin}raise NotImplementedError("{message}")'
    if len(line) <= LINE_LENGTH:
        return [line]
    room = LINE_LENGTH - len(deeper) - len('""')
    parts = [message] if len(message) <= room else textwrap.wrap(message, room - len(" "))
    folded = [f'{deeper}"{part} "' for part in parts[:-1]] + [f'{deeper}"{parts[-1]}"']
    return [f"{margin}raise NotImplementedError(", *folded, f"{margin})"]


# Helpers and constants that nothing uses any more.


@dataclass(frozen=True)
class _Unit:
    """A definition that may go: its names, its syntax and the names that it uses."""

    names: frozenset[str]
    node: ast.stmt
    uses: frozenset[str]


def _without_orphans(source: str, blanked: str, kept: Iterable[str]) -> str:
    """Remove the definitions that were used in the source and no longer are once it is blanked."""
    units = _units(ast.parse(blanked), set(kept))
    used_before = _used_by_others(_units(ast.parse(source), set(kept)))
    reached = [unit for unit in units if not unit.names & used_before]
    for unit in reached:  # grows while it is walked through
        reached += [u for u in units if u.names & unit.uses and u not in reached]
    spans = [_span(blanked.splitlines(), u.node) for u in units if u not in reached]
    outermost = [(a, z) for a, z in spans if not any(b < a and z <= y for b, y in spans)]
    return _edited(blanked, [(first, last, []) for first, last in outermost])


def _units(tree: ast.Module, kept: set[str]) -> list[_Unit]:
    """Return a module's statements and private methods, all but the imports.

    A class has its public methods, and the private ones to be kept, as parts of itself.
    """
    units = []
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        apart = []
        if isinstance(node, ast.ClassDef):
            apart = [m for m in node.body if _is_private(m) and f"{node.name}.{m.name}" not in kept]
            units += [_Unit(frozenset({m.name}), m, frozenset(_names(m))) for m in apart]
        uses = frozenset(_names(node, without=apart))
        units.append(_Unit(_defined(node), node, uses))
    return units


def _is_private(node: ast.stmt) -> bool:
    """Tell whether a statement of a class is a method for its own use."""
    return isinstance(node, Function) and re.match(r"_(?!_)", node.name) is not None


def _defined(node: ast.stmt) -> frozenset[str]:
    """Return the names that a statement defines."""
    if isinstance(node, Function | ast.ClassDef):
        return frozenset({node.name})
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return frozenset(name for target in targets for name in _names(target))
    return frozenset()


def _names(node: ast.AST, without: Iterable[ast.AST] = ()) -> Iterator[str]:
    """Yield the names and attributes in a piece of syntax, those of quoted annotations too."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant) and str(node.value).isidentifier():
        yield str(node.value)
    for child in ast.iter_child_nodes(node):
        if child not in without:
            yield from _names(child, without)


def _used_by_others(units: list[_Unit]) -> set[str]:
    """Return the names that are used outside of their own definition."""
    return {name for unit in units for name in unit.uses - unit.names}


def _span(lines: list[str], node: ast.stmt) -> tuple[int, int]:
    """Return the lines of a statement with its decorators and the comment above it."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    while lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first, node.end_lineno


# Imports.


def _without_unused_imports(source: str, lean: str) -> str:
    """Remove imports from the standard library that nothing uses any more, and mark the others."""
    tree = ast.parse(lean)
    now = {name for unit in _units(tree, set()) for name in unit.uses}
    before = {name for unit in _units(ast.parse(source), set()) for name in unit.uses}
    edits = []
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            unused = [a for a in node.names if _bound(a) in before - now]
            if unused:
                edits.append((node.lineno, node.end_lineno, _import_lines(node, unused)))
    return _edited(lean, edits)


def _bound(alias: ast.alias) -> str:
    """Return the name that an import makes known."""
    return alias.asname or alias.name.partition(".")[0]


def _import_lines(node: ast.Import | ast.ImportFrom, unused: list[ast.alias]) -> list[str]:
    """Return an import statement without what is unused, or marked if that is a library's."""
    module = node.module if isinstance(node, ast.ImportFrom) else unused[0].name
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return [f"{ast.unparse(node)}  # noqa: F401 - for what you write"]
    node.names = [alias for alias in node.names if alias not in unused]
    return [ast.unparse(node)] if node.names else []


def _edited(source: str, edits: Iterable[Edit]) -> str:
    """Carry out edits that do not overlap, the last first."""
    lines = source.splitlines()
    for first, last, instead in sorted(edits, reverse=True):
        if not instead:
            last += _gap(lines[: first - 1], lines[last:])
        lines[first - 1 : last] = instead
    return "\n".join(lines).rstrip() + "\n"


def _gap(before: list[str], after: list[str]) -> int:
    """Return how many empty lines are on both sides, so that the wider gap is what stays."""
    pairs = zip(reversed(before), after, strict=False)
    return len(list(takewhile(lambda pair: not any(line.strip() for line in pair), pairs)))
