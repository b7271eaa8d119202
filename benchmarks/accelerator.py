"""Question 2 on a graphics card: seconds an epoch, and to the published accuracy."""

from collections.abc import Iterator, Sequence

from benchmarks.harness import Figure, Missing, Row, of_pairs
from benchmarks.training import Epochs, compare_to_target, train_in_turn, train_ours

RIVAL = "DataLoader with 2 workers"


def rows() -> Iterator[Row | Figure | Missing]:
    """Train the CNN and its rival in turn, with other seeds each time.

    Every pair gives its rows as it ends, and all pairs together give theirs at last.
    """
    import torch

    names = [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]
    if not names:
        yield Missing("an epoch of the CNN on a graphics card", RIVAL, "PyTorch sees none here")
        return
    device = names[0]
    card = torch.cuda.get_device_name() if device == "cuda" else device
    train_ours(device)  # what is compiled and chosen once is done before
    runs = []
    for run in train_in_turn(device):
        runs.append(run)
        yield from _compared(f"{card}, pair {len(runs)}", [run])
    if len(runs) > 1:
        yield from _compared(f"{card}, all {len(runs)} pairs", runs)


def _compared(where: str, runs: Sequence[tuple[Epochs, Epochs]]) -> Iterator[Row | Figure]:
    times = [(_epoch(ours), _epoch(theirs)) for ours, theirs in runs]
    yield of_pairs(f"an epoch of the CNN on {where}", RIVAL, times, goal=1.0)
    yield compare_to_target(f"CNN on {where}", runs, goal=1.0)


def _epoch(epochs: Epochs) -> float:
    return epochs.seconds[-1] / len(epochs.seconds)
