"""Question 2 on a graphics card: seconds an epoch, and to the published accuracy."""

from collections.abc import Iterator

from benchmarks.harness import Figure, Missing, Row, of_pairs
from benchmarks.training import Epochs, compare_to_target, train_ours, train_rival

PAIRS = 3


def rows() -> Iterator[Row | Figure | Missing]:
    """Train the CNN and its rival in turn, with other seeds each time."""
    import torch

    names = [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]
    what, rival = "an epoch of the CNN", "DataLoader with 2 workers"
    if not names:
        yield Missing(f"{what} on a graphics card", rival, "PyTorch sees none here")
        return
    device = names[0]
    train_ours(device)  # what is compiled and chosen once is done before
    runs = [(train_ours(device, seed), train_rival(device, seed)) for seed in range(PAIRS)]
    yield of_pairs(
        f"{what} on {device}",
        rival,
        [(_epoch(ours), _epoch(theirs)) for ours, theirs in runs],
        goal=1.0,
    )
    yield compare_to_target(f"CNN on {device}", runs, goal=1.0)


def _epoch(epochs: Epochs) -> float:
    return epochs.seconds[-1] / len(epochs.seconds)
