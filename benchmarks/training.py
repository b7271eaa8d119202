"""Trainings of the CNN, ours and the rival's, watched epoch by epoch.

HW4_CNN_PAIRS says how many pairs are trained; a card may be lent for minutes only.
"""

import contextlib
import io
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.harness import Figure, Row, in_turn, of_pairs
from utilities import datasets

PAIRS = int(os.environ.get("HW4_CNN_PAIRS", "3"))
TARGET = 0.930  # the published validation accuracy
QUICK = {"num_epochs": 6, "batch_size": 256, "init_lr": 5e-3}  # reach it soonest
RIVAL = {"num_epochs": 10, "batch_size": 32, "init_lr": 5e-3}  # reached it in the course
EPOCH = re.compile(r"Epoch \d+: Validation Loss: [\d.]+, Validation Accuracy: ([\d.]+)")


@dataclass
class Epochs:
    """The seconds at which the epochs of a training ended, and the accuracy they ended with.

    An accuracy that was read has the three decimals that are printed.
    """

    seconds: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def read(self, printed: str, seconds: float) -> None:
        """Add the epochs that a text tells the end of."""
        found = [float(accuracy) for accuracy in EPOCH.findall(printed)]
        self.accuracies += found
        self.seconds += [seconds] * len(found)

    def seconds_to(self, accuracy: float) -> float | None:
        """Return the seconds until an epoch ended with that accuracy, or None."""
        ended = zip(self.seconds, self.accuracies, strict=True)
        return next((seconds for seconds, reached in ended if reached >= accuracy), None)


class _Watch(io.StringIO):
    """A standard output that notes when an epoch's line is printed."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs, self.started = Epochs(), time.monotonic()

    def write(self, text: str) -> int:
        self.epochs.read(text, time.monotonic() - self.started)
        return super().write(text)


def train_in_turn(device: str) -> Iterator[tuple[Epochs, Epochs]]:
    """Train ours and the rival's ``PAIRS`` times on a device, each time with another seed."""
    for seed in range(PAIRS):
        yield in_turn(seed, partial(train_ours, device, seed), partial(train_rival, device, seed))


def train_ours(device: str = "cpu", seed: int = 0) -> Epochs:
    """Train the reference's net with the settings that reach ``TARGET`` soonest."""
    from cnn import CNN
    from cnn_trainer import Trainer

    return _train(Trainer, CNN, QUICK, device, seed)


def train_rival(device: str = "cpu", seed: int = 0) -> Epochs:
    """Train the rival's net with the rival's settings."""
    from benchmarks.rival_modules.cnn import CNN
    from benchmarks.rival_modules.cnn_trainer import Trainer

    return _train(Trainer, CNN, RIVAL, device, seed)


def _train(trainer: type, net: type, settings: dict, device: str, seed: int) -> Epochs:
    import torch

    from cnn_image_transformations import (
        create_testing_transformations,
        create_training_transformations,
    )

    training = datasets.load_fashion_mnist(True, transform=create_training_transformations())
    testing = datasets.load_fashion_mnist(False, transform=create_testing_transformations())
    torch.manual_seed(seed)
    learner = trainer(net(), training, testing, device=device, **settings)
    with contextlib.redirect_stdout(_Watch()) as watch, contextlib.redirect_stderr(io.StringIO()):
        learner.train()
    return Epochs(watch.epochs.seconds, learner.validation_accuracies)


def compare_to_target(
    what: str, pairs: Sequence[tuple[Epochs, Epochs]], goal: float
) -> Row | Figure:
    """Compare the seconds that ours and the rival's took to ``TARGET``.

    A rival that misses it counts with all its seconds; if ours does, the goal is missed.
    """
    what = f"{what}: seconds to validation accuracy {TARGET:.3f}"
    ours, rival = zip(*pairs, strict=True)
    seconds = [epochs.seconds_to(TARGET) for epochs in ours]
    if None in seconds:
        best = min(max(epochs.accuracies) for epochs in ours)
        return Figure(what, "reached", f"only {best:.3f}", False)
    rival_seconds = [epochs.seconds_to(TARGET) or epochs.seconds[-1] for epochs in rival]
    best = max(max(epochs.accuracies) for epochs in rival)
    rival_name = f"DataLoader, Adamax, {RIVAL['num_epochs']} epochs (best {best:.3f})"
    return of_pairs(what, rival_name, list(zip(seconds, rival_seconds, strict=True)), goal)
