"""Question 2: images a second through the input pipeline, both transformations on."""

from collections.abc import Iterator

from benchmarks.harness import Row, compare
from utilities import datasets

RIVAL_BATCH = 32
OUR_BATCH = 128


def rows() -> Iterator[Row]:
    """Time one pass over the training images, nothing done with them."""
    from benchmarks.rival_modules.cnn_trainer import loader_of
    from cnn_image_transformations import create_training_transformations
    from cnn_trainer import make_loader

    images = datasets.load_fashion_mnist(train=True, transform=create_training_transformations())
    ours = make_loader(images, OUR_BATCH, "cpu", shuffle=True)
    theirs = loader_of(images, RIVAL_BATCH, shuffle=True)
    yield compare(
        f"{len(images):,} images through the input pipeline, both transformations",
        "DataLoader with 2 workers",
        lambda: _pass(ours, len(images)),
        lambda: _pass(theirs, len(images)),
        10,
        pairs=3,
    )


def _pass(loader: object, count: int) -> None:
    seen = sum(len(labels) for _, labels in loader)
    assert seen == count
