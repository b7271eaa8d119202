"""Question 2: the input pipeline, both transformations on, and the training of the CNN."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from benchmarks.harness import Figure, Row, compare
from benchmarks.training import compare_to_target, train_in_turn
from utilities import datasets

RIVAL_BATCH = 32
OUR_BATCH = 256
DEVIATIONS = 5  # standard ones, by which shares of images may differ


def rows() -> Iterator[Row | Figure]:
    """Time a pass over the training images, nothing done with them; then whole trainings."""
    from benchmarks.rival_modules.cnn_trainer import loader_of
    from cnn_image_transformations import create_training_transformations
    from cnn_trainer import make_loader

    images = datasets.load_fashion_mnist(train=True, transform=create_training_transformations())
    for batch in (OUR_BATCH, RIVAL_BATCH):
        in_order, shuffled = (
            (make_loader(images, batch, "cpu", shuffle), loader_of(images, RIVAL_BATCH, shuffle))
            for shuffle in (False, True)
        )
        check_same_distribution(*in_order, images.data)
        ours, theirs = shuffled
        yield compare(
            f"{len(images):,} images through the input pipeline, both transformations, "
            f"in batches of {batch}",
            f"DataLoader with 2 workers, in batches of {RIVAL_BATCH}",
            lambda ours=ours: _pass(ours, len(images)),
            lambda theirs=theirs: _pass(theirs, len(images)),
            10,
            pairs=3,
        )
    yield compare_to_target("CNN", list(train_in_turn("cpu")), 3)


def check_same_distribution(ours: Iterable, theirs: Iterable, originals: torch.Tensor) -> None:
    """Raise unless two loaders that do not shuffle transform the same images alike.

    Parameters
    ----------
    ours, theirs : iterable
        Yield batches of (images, labels).
    originals : torch.Tensor of uint8, shape (N, H, W)
        The images before they are transformed.

    Raises
    ------
    AssertionError
        If number, shape, type, range or labels differ, or the share of images that are left as they
        are, or only mirrored, differs by more than chance explains; all others are turned.
    """
    (images, labels), (rival_images, rival_labels) = map(_all_of, (ours, theirs))
    assert images.shape == rival_images.shape == (len(originals), 1, *originals.shape[1:])
    assert images.dtype == rival_images.dtype
    assert torch.aminmax(images) == torch.aminmax(rival_images)
    assert torch.equal(labels, rival_labels)
    shares, rival_shares = (_shares(some, originals) for some in (images, rival_images))
    # a share of N images has a variance of at most 1 / 4N, the difference of two twice that
    bound = DEVIATIONS * math.sqrt(1 / (2 * len(originals)))
    np.testing.assert_allclose(shares, rival_shares, rtol=0, atol=bound)


def _all_of(loader: Iterable) -> tuple[torch.Tensor, ...]:
    return tuple(torch.cat(parts) for parts in zip(*loader, strict=True))


def _shares(images: torch.Tensor, originals: torch.Tensor) -> list[float]:
    """Return the shares of images that equal their originals, and their mirror images."""
    pixels = (255 * images).round().to(torch.uint8).squeeze(1)  # (N, H, W)
    return [
        (pixels == expected).flatten(1).all(dim=1).float().mean().item()
        for expected in (originals, originals.flip(-1))
    ]


def _pass(loader: Iterable, count: int) -> None:
    seen = sum(len(labels) for _, labels in loader)
    assert seen == count
