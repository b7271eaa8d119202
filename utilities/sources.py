"""From which code a notebook was executed, so that old outputs are known to be old.

`fingerprint` goes into the metadata of an executed notebook (``hw4.sources``): a hash of its code
cells and of every module of this package that they import, directly or through another. A file's
date would not do: a fresh checkout has new dates everywhere.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
CELLS = "code cells"
SETTINGS = ("HW4_CNN_EPOCHS",)  # variables of the environment that change what the cells do


def fingerprint(notebook: NotebookNode, root: Path = ROOT) -> dict[str, str]:
    """Return the hashes of all code that a notebook runs.

    Parameters
    ----------
    notebook : NotebookNode
    root : Path
        Where its modules lie.

    Returns
    -------
    dict of str to str
        SHA-256 by name: "code cells", files relative to `root`, settings that are set.
    """
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    hashes = {CELLS: _hash("\0".join(cells))}
    for file in sorted(_modules("\n".join(map(_plain, cells)), root)):
        hashes[file.relative_to(root).as_posix()] = _hash(file.read_text("utf-8"))
    return hashes | {name: _hash(os.environ[name]) for name in SETTINGS if name in os.environ}


def record(notebook: NotebookNode, hashes: Mapping[str, str]) -> None:
    """Write a fingerprint into a notebook's metadata.

    Parameters
    ----------
    notebook : NotebookNode
        Changed in place.
    hashes : mapping of str to str
        From `fingerprint`, taken before the notebook was executed.
    """
    notebook.metadata["hw4"] = {"sources": dict(hashes)}


def changes(notebook: NotebookNode, root: Path = ROOT) -> list[str] | None:
    """Return what has changed since a notebook was executed.

    Parameters
    ----------
    notebook : NotebookNode
    root : Path
        Where its modules lie.

    Returns
    -------
    list of str or None
        Names as in `fingerprint`; None if the notebook does not say what it was executed from.
    """
    then = notebook.metadata.get("hw4", {}).get("sources")
    if not isinstance(then, Mapping):
        return None
    now = fingerprint(notebook, root)
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def _hash(text: str) -> str:
    """Return the SHA-256 of a text; line ends were made alike when it was read."""
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(cell: str) -> str:
    """Return a cell as Python: IPython's magics become calls."""
    return TransformerManager().transform_cell(cell)


def _modules(source: str, root: Path) -> set[Path]:
    """Return the files below root that a source imports, directly or through another."""
    found: set[Path] = set()
    waiting = [(source, root)]
    while waiting:
        text, folder = waiting.pop()
        for file in _imported(text, folder, root):
            if file not in found:
                found.add(file)
                waiting.append((file.read_text("utf-8"), file.parent))
    return found


def _imported(source: str, folder: Path, root: Path) -> Iterator[Path]:
    """Yield the files that the import statements of a source in that folder name."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell that cannot run; executing it will say so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            up = [".."] * (node.level - 1)
            base = folder.joinpath(*up).resolve() if node.level else root
            for name in ("", *(alias.name for alias in node.names)):
                yield from _files(base, ".".join(filter(None, (node.module, name))))


def _files(base: Path, module: str) -> Iterator[Path]:
    """Yield the files of a dotted module and its packages that lie below a folder."""
    parts = module.split(".") if module else []
    for length in range(1, len(parts) + 1):
        path = base.joinpath(*parts[:length])
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                yield file
