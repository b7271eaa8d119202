"""Question 2 on a graphics card: seconds an epoch, and to the published accuracy."""

from collections.abc import Iterator

from benchmarks.harness import Missing, Row, of_pairs
from benchmarks.training import TARGET, Epochs, train_ours, train_rival

PAIRS = 3


def rows() -> Iterator[Row | Missing]:
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
    times = [tuple(_to_target(epochs) for epochs in pair) for pair in runs]
    best = [max(max(epochs.accuracies) for epochs in side) for side in zip(*runs, strict=True)]
    yield of_pairs(
        f"CNN on {device}: seconds to validation accuracy {TARGET:.3f} (best {best[0]:.3f})",
        f"{rival}, Adamax (best {best[1]:.3f})",
        times,
        goal=1.0,
    )


def _epoch(epochs: Epochs) -> float:
    return epochs.seconds[-1] / len(epochs.seconds)


def _to_target(epochs: Epochs) -> float:
    """Return the seconds to the target; of a training that misses it, all its seconds."""
    return epochs.seconds_to(TARGET) or epochs.seconds[-1]
