"""The whole notebook, and in it the CNN, against the same notebook with every part as its rival.

Each is executed once: together they take about half an hour on two cores. The saved weights of
the RNN and the LSTM are loaded in both.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.harness import FASTER, Figure, Row
from utilities import run_notebook

TARGET = 0.930
NOTEBOOK_ACCURACY = 0.935
RIVAL_SETTINGS = {"BATCH_SIZE": "32", "LEARNING_RATE": "5e-3", "NUM_EPOCHS": "10"}
RIVALS_FIRST = f"""
import sys

sys.path.insert(0, {str(Path(__file__).resolve().parent / "rival_modules")!r})

from benchmarks import rivals
from utilities import utils

utils.text_windows = rivals.nested_loop_text_windows
"""
_EPOCH = re.compile(r"Epoch (\d+): Validation Loss: [\d.]+, Validation Accuracy: ([\d.]+)")


@dataclass
class Run:
    """What was seen of an execution: its length, and the accuracy after each epoch's seconds."""

    seconds: float = 0.0
    epochs: list[tuple[float, float]] = field(default_factory=list)

    def seconds_to(self, accuracy: float) -> float | None:
        """Return the seconds of training until an epoch ended with that accuracy, or None."""
        return next((at for at, reached in self.epochs if reached >= accuracy), None)


def rows() -> Iterator[Row | Figure]:
    """Execute both notebooks and compare them."""
    ours = execute(nbformat.read(run_notebook.NOTEBOOK, as_version=4))
    rival = execute(rival_notebook())
    yield _once("the whole notebook", "every part as its rival", ours.seconds, rival.seconds)
    rival_best = max(accuracy for _, accuracy in rival.epochs)
    rival_seconds = rival.seconds_to(TARGET) or rival.epochs[-1][0]
    our_seconds = ours.seconds_to(TARGET)
    our_best, last = max(accuracy for _, accuracy in ours.epochs), ours.epochs[-1][1]
    if our_seconds is not None:
        yield _once(
            f"CNN: seconds to validation accuracy {TARGET:.3f}",
            f"DataLoader, Adamax, 10 epochs (best {rival_best:.3f})",
            our_seconds,
            rival_seconds,
        )
    else:
        what = f"CNN: validation accuracy {TARGET:.3f}"
        yield Figure(what, f"at least {TARGET:.3f}", f"{our_best:.3f}", False)
    yield Figure(
        f"CNN: validation accuracy after the notebook's {len(ours.epochs)} epochs",
        f"at least {NOTEBOOK_ACCURACY:.3f}",
        f"{last:.3f} in {ours.epochs[-1][0]:.0f} s",
        last >= NOTEBOOK_ACCURACY,
    )


def rival_notebook() -> nbformat.NotebookNode:
    """Return the notebook with the rivals' modules before ours and the rival's CNN settings."""
    notebook = nbformat.read(run_notebook.NOTEBOOK, as_version=4)
    for name, value in RIVAL_SETTINGS.items():
        holders = [
            cell
            for cell in notebook.cells
            if cell.cell_type == "code" and re.search(rf"^{name} = ", cell.source, re.M)
        ]
        if len(holders) != 1:
            raise ValueError(f"hw4.ipynb must set {name} in one cell, got {len(holders)}")
        holders[0].source = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", holders[0].source)
    after_search_path = next(
        index for index, cell in enumerate(notebook.cells) if "import torchvision" in cell.source
    )
    cell = nbformat.v4.new_code_cell(RIVALS_FIRST)
    notebook.cells.insert(after_search_path + 1, cell)
    return notebook


def execute(notebook: nbformat.NotebookNode) -> Run:
    """Execute a notebook from top to bottom and watch the epochs of its CNN."""
    run = Run()
    begun = {}

    class Watched(NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] == "stream":
                for _, accuracy in _EPOCH.findall(msg["content"]["text"]):
                    run.epochs.append((time.monotonic() - begun[cell_index], float(accuracy)))
            return super().process_message(msg, cell, cell_index)

    def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
        begun[cell_index] = time.monotonic()

    client = Watched(
        notebook,
        timeout=run_notebook.CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(run_notebook.ROOT)}},
        on_cell_start=begin,
    )
    started = time.monotonic()
    client.execute(env=run_notebook.kernel_environment())
    run.seconds = time.monotonic() - started
    if not run.epochs:
        raise ValueError("the notebook must print a line for each epoch of its CNN, got none")
    return run


def _once(what: str, rival: str, seconds: float, rival_seconds: float) -> Row:
    """Return a row of one run each."""
    ratio = rival_seconds / seconds
    goal = FASTER.format(3)
    return Row(what, rival, goal, ratio, ratio, ratio, seconds, rival_seconds, ratio >= 3)
