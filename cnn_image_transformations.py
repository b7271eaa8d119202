"""Question 2.1.1: what happens to an image before the net sees it.

Training images are mirrored and turned at random, so that the net meets more than the
60,000 it is given; test images are only converted.
"""

import torch
from torchvision.transforms import v2


def create_training_transformations() -> v2.Compose:
    """Return the transformations of a training image.

    Returns
    -------
    torchvision.transforms.v2.Compose
        PIL image or uint8 array to float32 tensor (1, 28, 28) in [0, 1]; mirrored left to
        right with probability 0.2; turned by up to 36 degrees either way with
        probability 0.2.
    """
    return v2.Compose(
        [
            *_conversions(),
            v2.RandomHorizontalFlip(p=0.2),
            v2.RandomApply([v2.RandomRotation((-36, 36))], p=0.2),
        ]
    )


def create_testing_transformations() -> v2.Compose:
    """Return the transformations of a test image: the conversion and nothing random.

    Returns
    -------
    torchvision.transforms.v2.Compose
        PIL image or uint8 array to float32 tensor (1, 28, 28) in [0, 1].
    """
    return v2.Compose(_conversions())


def _conversions() -> list[v2.Transform]:
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
