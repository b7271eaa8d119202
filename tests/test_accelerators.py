"""Question 2 on a graphics card (CUDA or MPS): the same results as on the processor."""

import copy

import numpy as np
import pytest
import torch
from test_cnn import DEVICES, small_fashion
from torch import nn
from torch.utils.data import DataLoader

from cnn import CNN
from cnn_image_transformations import create_testing_transformations
from cnn_trainer import Trainer, rotate

pytestmark = pytest.mark.skipif(len(DEVICES) == 1, reason="needs CUDA or MPS")
ACCELERATOR = DEVICES[-1]


def net_without_dropout():
    """Return a net in which nothing is random: dropout draws differ from device to device."""
    torch.manual_seed(0)
    net = CNN()
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return net


def striped(rows):
    """Return dark images of noise with a bright stripe where their class says."""
    dataset = small_fashion(rows, transform=create_testing_transformations())
    dataset.data //= 4
    for image, label in zip(dataset.data, dataset.targets, strict=True):
        image[2 * label : 2 * label + 4] = 255
    return dataset


def trained(device, net, images, lr):
    """Train a copy of a net for three epochs; return its trainer."""
    trainer = Trainer(copy.deepcopy(net), images, images, 3, 64, lr, device)
    torch.manual_seed(1)  # the order of the images is drawn on the processor everywhere
    trainer.train()
    return trainer


def test_a_training_goes_as_on_the_processor(capsys):
    net = net_without_dropout()
    images = small_fashion(1280, transform=create_testing_transformations())
    histories = [trained(name, net, images, 1e-3).get_training_history() for name in DEVICES]
    # bfloat16 products are right to 2^-9 = 0.2 %; losses are means over many of them
    for ours, theirs in zip(histories[0][::2], histories[-1][::2], strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=5e-3)


def test_what_can_be_learnt_is_learnt(capsys):
    images = striped(2560)
    trainer = trained(ACCELERATOR, net_without_dropout(), images, 4e-3)
    assert trainer.get_training_history()[3][-1] == 1.0


def test_predictions_are_the_processors(capsys):
    net = net_without_dropout()
    images = small_fashion(300, transform=create_testing_transformations())
    loader = DataLoader(images, batch_size=100)
    first, second = (
        Trainer(copy.deepcopy(net), images, images, device=device).predict(loader)
        for device in ("cpu", ACCELERATOR)
    )
    # tf32, where a card multiplies so, has 10 bits after the point: 0.1 %
    torch.testing.assert_close(second[0], first[0], rtol=1e-3, atol=1e-3)
    assert torch.equal(second[2], first[2])
    assert {tensor.device.type for tensor in second} == {"cpu"}


def test_images_are_turned_as_on_the_processor():
    images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    angles = torch.linspace(-36, 36, 64)
    there = rotate(images.to(ACCELERATOR), angles.to(ACCELERATOR)).cpu()
    # a pixel that comes from half-way between two may take either, by the last bit of an angle
    assert (there != rotate(images, angles)).float().mean() < 1e-3
