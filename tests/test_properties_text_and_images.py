"""Q2 and Q5 for any input: sampled characters, transformed images, the net's logits."""

import numpy as np
import pytest
import torch
from helpers import no_warnings
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from properties import examples, finite_arrays, makes_of, quietly
from torchvision.transforms import v2

from cnn import CNN
from cnn_image_transformations import (
    create_testing_transformations,
    create_training_transformations,
)
from cnn_trainer import orthogonalized
from text_generator import TextGenerator

LETTERS = "ab"
GENERATOR = TextGenerator({"a": 0, "b": 1}, {0: "a", 1: "b"}, 3)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
DISTRIBUTIONS = finite_arrays(st.integers(1, 40), low=0).filter(lambda p: p.max() > 0)


# --- sampling a character ------------------------------------------------------------------------


@given(preds=DISTRIBUTIONS, temperature=st.one_of(st.floats(0.05, 5), POSITIVE))
def test_any_distribution_and_temperature_give_an_index_of_the_vocabulary(preds, temperature):
    index = quietly(lambda p: GENERATOR.sample(p, temperature), preds)
    assert type(index) is int
    assert 0 <= index < len(preds)
    assert preds[index] > 0 or np.float64(preds[index]) > 0


@given(preds=DISTRIBUTIONS, temperature=st.floats(0.05, 5), seed=st.integers(0, 2**32 - 1))
def test_the_make_of_the_distribution_changes_no_draw(preds, temperature, seed):
    drawn = set()
    for made in makes_of(preds).values():
        np.random.seed(seed)
        drawn.add(quietly(lambda p: GENERATOR.sample(p, temperature), made))
    np.random.seed(seed)
    reversed_back = GENERATOR.sample(preds[::-1][::-1], temperature)
    assert drawn == {reversed_back}


@given(
    preds=hnp.arrays(np.float64, st.integers(2, 12), elements=st.floats(1e-6, 1)),
    temperature=st.floats(0.05, 5),
    position=st.floats(0, 1, exclude_max=True),
)
def test_a_draw_falls_where_the_cumulative_distribution_says(preds, temperature, position):
    exact = np.asarray(preds, np.longdouble) ** (1 / np.longdouble(temperature))
    edges = np.cumsum(exact / exact.sum())
    # the sum of 12 powers, each (x / max) ** 20 at most: 20 * 14 roundings of the logarithm
    assume(np.abs(edges[:-1] - position).min() > 1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "random", lambda: position)
        assert GENERATOR.sample(preds, temperature) == np.searchsorted(
            edges[:-1], position, "right"
        )


# --- images --------------------------------------------------------------------------------------

IMAGES = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30))


@given(image=IMAGES)
def test_any_grey_image_is_converted_to_a_rounding(image):
    transform = create_testing_transformations()
    expected = image.astype(np.float32) / np.float32(255)
    made = makes_of(image)
    # torch itself takes neither; data sets give PIL images, which have no such makes
    del made["reversed"], made["read-only"], made["a list"]
    for source in (*made.values(), Image.fromarray(image), torch.from_numpy(image.copy())[None]):
        result = transform(source)
        assert result.dtype == torch.float32
        assert result.shape == (1, *image.shape)
        # torch may multiply by the rounded 1 / 255 instead of dividing: two roundings for one
        np.testing.assert_allclose(result[0].numpy(), expected, rtol=2.0**-23)
    np.testing.assert_array_equal(expected, image.astype(np.float32) / np.float32(255))


@given(image=IMAGES, seed=st.integers(0, 2**31))
def test_a_training_image_keeps_its_shape_its_range_and_its_original(image, seed):
    transform, before = create_training_transformations(), image.copy()
    torch.manual_seed(seed)
    with no_warnings():
        result = transform(Image.fromarray(image))
    assert result.dtype == torch.float32
    assert result.shape == (1, *image.shape)
    # mirrored and turned by the nearest pixel: no value that was not there, but black
    assert result.min() >= 0 and result.max() <= 1
    assert set((result * 255).round().int().unique().tolist()) <= {0, *image.ravel().tolist()}
    np.testing.assert_array_equal(image, before)


def test_the_transformations_are_torchvisions_own():
    for create in (create_training_transformations, create_testing_transformations):
        assert type(create()) is v2.Compose


# --- the net -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return CNN().eval()


@examples(0.5)
@given(
    data=st.data(),
    rows=st.integers(0, 3),
    height=st.integers(4, 33),
    width=st.integers(4, 33),
)
def test_any_images_give_finite_logits_in_any_layout_and_precision(net, data, rows, height, width):
    shape = (rows, 1, height, width)
    seed = data.draw(st.integers(0, 1000))
    images = torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))
    before = images.clone()
    with torch.inference_mode(), no_warnings():
        logits = net(images)
        assert logits.shape == (rows, 10)
        assert logits.isfinite().all()
        others = {
            "float64": images.double(),
            "channels last": images.contiguous(memory_format=torch.channels_last),
            "turned about twice": images.transpose(2, 3).contiguous().transpose(2, 3),
            "every other": torch.repeat_interleave(images, 2, dim=3)[..., ::2],
        }
        for name, made in others.items():
            # another layout takes another kernel: sums of up to 3136 products in float32
            torch.testing.assert_close(net(made), logits, rtol=1e-4, atol=1e-5, msg=name)
    assert torch.equal(images, before)


# --- its training --------------------------------------------------------------------------------

MATRICES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
)


@given(matrix=MATRICES)
def test_any_finite_matrix_is_orthogonalized_to_a_finite_one_and_left_alone(matrix):
    before = matrix.copy()
    with no_warnings():
        result = orthogonalized(torch.from_numpy(matrix))
        transposed = orthogonalized(torch.from_numpy(matrix).T)
    assert result.shape == matrix.shape
    assert result.isfinite().all()
    # the polynomial's largest value on [0, 1] is 1.2024; the rest is for float32
    assert torch.linalg.svdvals(result).max() < 1.203
    if matrix.shape[0] != matrix.shape[1]:
        assert torch.equal(transposed.T, result)
    np.testing.assert_array_equal(matrix, before)
