"""Execute the notebook from top to bottom: ``python -m utilities.run_notebook``.

The copy goes to build/hw4.ipynb unless ``--output`` names another file. A cell that fails
stops the run with its error and leaves no half-executed copy behind. The copy's metadata tell
from which code it was executed (utilities/sources.py).
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from utilities import sources

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "hw4.ipynb"
EXECUTED = ROOT / "build" / "hw4.ipynb"
EXECUTION = {
    "kernel_name": "python3",
    "extra_arguments": ["--log-level=ERROR"],  # it warns of how this machine speaks with itself
    "timeout": 3600,  # seconds for a cell
    "record_timing": False,
    "coalesce_streams": True,  # text that comes a character at a time is one output
}

# The kernel's surroundings: no progress bars and no start-up messages in the outputs.
QUIET = {
    "TQDM_DISABLE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def printed(notebook: nbformat.NotebookNode) -> str:
    """Return everything that the cells of an executed notebook printed, in order."""
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stdout"
    )


def execute(
    source: str | os.PathLike = NOTEBOOK,
    say: Callable[[str], None] = print,
    working_directory: str | os.PathLike = ROOT,
) -> nbformat.NotebookNode:
    """Execute a notebook in a fresh kernel.

    Parameters
    ----------
    source : path-like
        The notebook; it is not changed.
    say : callable
        Called with a line whenever a new section begins.
    working_directory : path-like
        Where the kernel starts.

    Returns
    -------
    nbformat.NotebookNode
        The executed copy.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the message is its traceback.
    """
    notebook = nbformat.read(source, as_version=4)
    started = time.monotonic()

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        heading = _heading(cell)
        if heading:
            say(f"      {time.monotonic() - started:5.0f} s  {heading}")

    client = NotebookClient(
        notebook,
        **EXECUTION,
        resources={"metadata": {"path": str(working_directory)}},
        on_cell_start=announce,
    )
    hashes = sources.fingerprint(notebook)  # before: a module may change while cells run
    client.execute(env=kernel_environment())
    sources.record(notebook, hashes)
    return notebook


def kernel_environment() -> dict[str, str]:
    """Return the environment of the kernel: this process' own, without progress bars."""
    return {**os.environ, **QUIET}


def save(notebook: nbformat.NotebookNode, path: str | os.PathLike) -> None:
    """Write a notebook so that the file is always the old or the new one, whole.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : path-like
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> int:
    """Execute, save and say what was written; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=EXECUTED, help="where the copy goes")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        notebook = execute(say=lambda line: print(line, flush=True))
    except (CellExecutionError, DeadKernelError) as error:
        print(f"hw4.ipynb stopped: {error}", file=sys.stderr)
        return 1
    save(notebook, options.output)
    output = os.path.relpath(options.output)
    print(f"Wrote {output}, executed in {time.monotonic() - started:.0f} s.")
    return 0


def _heading(cell: nbformat.NotebookNode) -> str | None:
    """Return the text of a cell's first heading, or None."""
    if cell.cell_type != "markdown":
        return None
    first = cell.source.splitlines()[0] if cell.source else ""
    return first.lstrip("# ") if first.startswith("#") else None


if __name__ == "__main__":
    sys.exit(main())
