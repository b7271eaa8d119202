"""Checks of a homework file that read its source and never run it."""

import ast
import sys
import warnings
from collections.abc import Iterator

from utilities.contract import LIBRARIES, PRINTING, SIBLINGS, SIGNATURES

DEBUGGERS = {"pdb", "ipdb", "pudb", "debugpy", "bdb"}
DEBUGGER_CALLS = {"breakpoint", "set_trace", "post_mortem"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse(content: bytes) -> ast.Module:
    """Return the syntax tree of a file.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    ast.Module

    Raises
    ------
    ValueError
        If it is not UTF-8 or not Python; the message says where, and what to do.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line} is not UTF-8: save the file in that encoding") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the file are shown when it is imported
            return ast.parse(text)
    except SyntaxError as error:
        raise ValueError(_syntax_advice(error, text)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"it cannot be read as Python: {error or type(error).__name__}") from None


def _syntax_advice(error: SyntaxError, text: str) -> str:
    """Return where a syntax error lies and, for the usual ones, what to do."""
    lines = text.splitlines()
    number = error.lineno or 1
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    if line.startswith(("%", "!")):
        return f"line {number} is a notebook command: delete it"
    if line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
        return f"line {number} is left of a merge: choose one side"
    return f"line {number}: {error.msg}: {line[:60]}"


def imported_modules(tree: ast.Module) -> set[str]:
    """Return the modules a file imports anywhere, and what it takes from them, by dotted name.

    A relative import comes as the names it has, with its leading dots.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            found.add(origin)
            found |= {f"{origin}.{alias.name}" for alias in node.names if alias.name != "*"}
    return found


def foreign_imports(name: str, modules: set[str]) -> list[str]:
    """Return what is wrong with what a file imports.

    Parameters
    ----------
    name : str
        The file's name without ``.py``.
    modules : set of str
        What it imports, by dotted name.
    """
    allowed = LIBRARIES[name] | set(SIBLINGS.get(name, ()))
    tops = {module.partition(".")[0] for module in modules}
    strangers = sorted(tops - allowed - set(sys.stdlib_module_names) - {"", "__future__"})
    listed = ", ".join(sorted(allowed))
    problems = [f"it imports {stranger}: use only {listed}" for stranger in strangers]
    if "" in tops:
        problems.append("it has a relative import, which fails outside a package")
    return problems


def needed_libraries(name: str, trees: dict[str, ast.Module]) -> list[str]:
    """Return the allowed libraries' modules that files import, parents first."""
    modules = set().union(*(imported_modules(tree) for tree in trees.values()))
    needed = {module for module in modules if module.partition(".")[0] in LIBRARIES[name]}
    return sorted(needed | {module.partition(".")[0] for module in needed})


def functions(tree: ast.Module) -> dict[str, Function]:
    """Return a file's functions and its classes' methods by name, ``Class.method``."""
    found = {}
    for node in tree.body:
        if isinstance(node, Function):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = [child for child in node.body if isinstance(child, Function)]
            found |= {f"{node.name}.{method.name}": method for method in methods}
    return found


def unfinished(name: str, trees: dict[str, ast.Module]) -> list[str]:
    """Return the graded functions that nobody has written yet.

    Parameters
    ----------
    name : str
        The file's name without ``.py``.
    trees : dict of str to ast.Module
        Its tree and those of the files uploaded with it, by name.
    """
    problems = []
    for path in SIGNATURES[name]:
        function = _resolved(path, name, trees)
        reason = _why_unfinished(function) if function else None
        if reason:
            problems.append(f"{path} {reason} (line {function.lineno}): write it")
    return problems


def _resolved(path: str, name: str, trees: dict[str, ast.Module]) -> Function | None:
    """Return the definition of a function, that of a base class if the class inherits it."""
    own = functions(trees[name])
    if path in own or "." not in path:
        return own.get(path)
    cls, method = path.split(".")
    everywhere = {}
    for tree in trees.values():
        everywhere |= functions(tree)
    for node in trees[name].body:
        if isinstance(node, ast.ClassDef) and node.name == cls:
            bases = [getattr(base, "id", getattr(base, "attr", "")) for base in node.bases]
            return next((f for b in bases if (f := everywhere.get(f"{b}.{method}"))), None)
    return None


def _why_unfinished(function: Function) -> str | None:
    """Say why a function counts as unwritten, None if it does not."""
    if any(_raises_not_implemented(node) for node in ast.walk(function)):
        return "raises NotImplementedError"
    body = [node for node in function.body if not _is_constant_statement(node)]
    if not body or all(isinstance(node, ast.Pass) for node in body):
        return "has an empty body"
    if len(body) == 1 and isinstance(body[0], ast.Return) and _is_none(body[0].value):
        return "only returns None"
    return None


def _raises_not_implemented(node: ast.AST) -> bool:
    if not isinstance(node, ast.Raise):
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id in ("NotImplementedError", "NotImplemented")


def _is_constant_statement(node: ast.stmt) -> bool:
    """Tell whether a statement is a docstring, an ellipsis or another bare constant."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def leftover_prints(name: str, tree: ast.Module) -> list[str]:
    """Return the prints in graded functions that the contract does not ask for."""
    return [
        f"{path} prints (line {call.lineno}): delete it if it is left from debugging"
        for path, function in functions(tree).items()
        if path in SIGNATURES[name] and path not in PRINTING
        for call in _calls(function)
        if _called_name(call) == "print"
    ]


def debugger_calls(tree: ast.Module) -> list[str]:
    """Return the calls of a debugger, which would wait for keys that a grader never presses."""
    calls = [
        f"line {call.lineno} calls {_called_name(call)}(): delete it"
        for call in _calls(tree)
        if _called_name(call) in DEBUGGER_CALLS
    ]
    tops = {module.partition(".")[0] for module in imported_modules(tree)}
    return calls + [f"it imports {name}: delete it" for name in sorted(tops & DEBUGGERS)]


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called_name(call: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))
