"""A second, plainly written solution of Question 2.1.1, as a good student hands it in."""

import torch
from torchvision.transforms import v2


def create_training_transformations():
    """Return the transformations of a training image."""
    return v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomHorizontalFlip(p=0.2),
            v2.RandomApply([v2.RandomRotation(degrees=(-36, 36))], p=0.2),
        ]
    )


def create_testing_transformations():
    """Return the transformations of a test image."""
    return v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
