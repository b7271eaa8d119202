"""Q2 and Q5 for any input: texts, sampled characters, images, what the nets make of them."""

import contextlib
import io
import re
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import eagerly, no_warnings
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from properties import MAKES, examples, finite_arrays, makes_of, quietly
from torch.utils.data import TensorDataset
from torchvision.transforms import v2

from cnn import CNN, Dropout
from cnn_image_transformations import (
    create_testing_transformations,
    create_training_transformations,
)
from cnn_trainer import (
    MUON_MOMENTUM,
    NEWTON_SCHULZ,
    SMALLEST_NORM,
    Muon,
    Trainer,
    batch_transform,
    flip_some,
    orthogonalized,
    rotate,
    rotate_some,
)
from text_generator import TextGenerator, next_character_function
from utilities.utils import (
    SEQUENCE_LENGTH,
    clean_text,
    preprocess_text_data,
    text_windows,
    trim_to_markers,
)

SEEDS = st.integers(0, 2**31)
GENERATOR = TextGenerator({"a": 0, "b": 1}, {0: "a", 1: "b"}, 3)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
DISTRIBUTIONS = finite_arrays(st.integers(1, 40), low=0).filter(lambda p: p.max() > 0)


# --- texts ---------------------------------------------------------------------------------------

KNOWN_SYMBOLS = st.text(st.sampled_from("aBz09.,!?'\";:- \n\t"), max_size=120)
ODD_SYMBOLS = st.text(st.sampled_from("aB9.,!?'\";:- \n*_\u201c\u2014\xe9\xc3\xa9"), max_size=120)
TEXTS = st.one_of(KNOWN_SYMBOLS, ODD_SYMBOLS, st.text(max_size=120))


@given(text=TEXTS)
def test_any_text_is_cleaned_to_known_symbols_and_single_spaces(text):
    with no_warnings():
        cleaned = clean_text(text)
    assert re.fullmatch(r"[a-z0-9.,!?'\";:\- ]*", cleaned)
    assert "  " not in cleaned and cleaned == cleaned.strip()
    assert not re.search(r"([.,!?])\1", cleaned)
    # a space comes before a mark only where it comes after another: ". ,"
    assert not re.search(r"[.,!?;:][^ .,!?;:]|[^.,!?;:] [.,!?;:]", cleaned)


WORDS = st.text(st.sampled_from("ab"), max_size=3)
# every kind of white space that Unicode knows
GAPS = st.text(st.sampled_from([c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()]))


@given(parts=st.lists(st.one_of(WORDS, GAPS), max_size=40))
def test_white_space_of_any_kind_runs_one_space(parts):
    text = "".join(parts)
    assert clean_text(text) == " ".join(text.split())


@given(text=KNOWN_SYMBOLS)
def test_text_of_known_symbols_is_clean_at_once_and_quotations_touch_their_words(text):
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert not re.search(r"[\"'] \w|\w [\"']", cleaned)


@given(parts=st.tuples(*[st.text(st.characters(exclude_characters="*"), max_size=40)] * 3))
def test_only_what_lies_between_the_markers_is_kept(parts):
    before, body, after = parts
    start, end = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK ***" for word in ("START", "END"))
    book = f"{start}\n{body}\n{end}"
    assert trim_to_markers(f"{before}\n{book}\n{after}") == book
    assert trim_to_markers(before + body + after) == before + body + after


@given(text=st.text(st.characters(max_codepoint=127), min_size=31, max_size=120))
def test_windows_spell_the_text_they_were_cut_from(text):
    with no_warnings():
        x, y, vocab = text_windows(text)
    assert x.dtype == y.dtype == np.int64
    assert vocab == sorted(set(text))
    spelled = ["".join(vocab[index] for index in row) for row in x]
    assert spelled == [text[i : i + SEQUENCE_LENGTH] for i in range(len(text) - SEQUENCE_LENGTH)]
    assert [vocab[index] for (index,) in y] == list(text[SEQUENCE_LENGTH:])
    assert not x.flags.writeable


@given(text=TEXTS)
def test_any_text_of_more_than_one_window_becomes_indices_that_lead_back_to_it(text):
    cleaned = clean_text(text)
    if len(cleaned) <= SEQUENCE_LENGTH:
        with pytest.raises(ValueError, match=f"got {len(cleaned)}$"):
            preprocess_text_data(text)
        return
    data = preprocess_text_data(text)
    indices = [*data["x"][0], *data["y"][:, 0]]
    assert "".join(data["indices_char"][index] for index in indices) == data["text"] == cleaned
    assert {index: c for c, index in data["char_indices"].items()} == data["indices_char"]
    assert data["vocab_size"] == len(data["vocab"]) == len(set(cleaned))


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

SIDES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30)
IMAGES = hnp.arrays(np.uint8, SIDES)
ANGLES = st.floats(-720, 720, width=32)


def makes_of_images(images):
    """Return a batch of the same images as PyTorch users may hold them, by the name of the make."""
    return {
        "contiguous": images,
        "channels last": images.contiguous(memory_format=torch.channels_last),
        "turned about twice": images.transpose(2, 3).contiguous().transpose(2, 3),
        "every other": torch.repeat_interleave(images, 2, dim=3)[..., ::2],
    }


def drawn_images(shape, seed, low=0.0, dtype=torch.float32):
    """Return images of noise between low and 1."""
    noise = np.random.default_rng(seed).uniform(low, 1, (shape[0], 1, *shape[1:]))
    return torch.from_numpy(noise).to(dtype)


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


BATCHES = st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12))


def turned_by_hand(image, degrees):
    """Return a turned image, and which of its pixels come from clearly nearest ones."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    size = np.array(image.shape)[:, None, None]
    row, column = np.indices(image.shape) - (size - 1) / 2
    source = np.stack([cos * row + sin * column, cos * column - sin * row]) + (size - 1) / 2
    nearest = np.rint(source).astype(int)
    is_inside = ((nearest >= 0) & (nearest < size)).all(axis=0)
    turned = np.where(is_inside, image[tuple(np.clip(nearest, 0, size - 1))], 0)
    # places up to 30 in float32, after a handful of roundings
    return turned, (np.abs(source - np.floor(source) - 0.5) > 1e-4).all(axis=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data(), angle=ANGLES)
def test_a_turned_image_has_the_nearest_pixels_and_black_corners(dtype, data, angle):
    image = data.draw(finite_arrays(SIDES, dtypes=[dtype]))
    images, angles = torch.from_numpy(image)[None, None], torch.tensor([angle])
    turned = quietly(rotate, images, angles)[0, 0].numpy()
    expected, is_clear = turned_by_hand(image, angle)
    assert turned.dtype == dtype
    np.testing.assert_array_equal(turned[is_clear], expected[is_clear])


@given(shape=BATCHES, angle=ANGLES, seed=SEEDS)
def test_every_image_is_turned_by_its_own_angle_in_any_layout(shape, angle, seed):
    images, angles = drawn_images(shape, seed), angle / torch.arange(1, shape[0] + 1)
    one_by_one = torch.cat([rotate(images[i : i + 1], angles[i : i + 1]) for i in range(shape[0])])
    for name, made in makes_of_images(images).items():
        assert torch.equal(quietly(rotate, made, angles), one_by_one), name


@given(
    shape=BATCHES, p=st.one_of(st.sampled_from([0, 1]), st.floats(0, 1)), angle=ANGLES, seed=SEEDS
)
def test_every_image_is_flipped_or_turned_whole_or_left_as_it_was(shape, p, angle, seed):
    images = drawn_images(shape, seed)
    changed = {
        "flipped": (quietly(lambda v: flip_some(v, p), images), images.flip(-1)),
        "turned": (
            rotate_some(images.clone(), (angle, angle), p),
            rotate(images, torch.full((len(images),), angle)),
        ),
    }
    for name, (result, wholly) in changed.items():
        is_kept, is_changed = (
            (result == other).flatten(1).all(dim=1) for other in (images, wholly)
        )
        assert (is_kept | is_changed).all(), name
        assert p > 0 or is_kept.all(), name
        assert p < 1 or is_changed.all(), name


@given(images=BATCHES.flatmap(lambda s: hnp.arrays(np.uint8, (s[0], 1, *s[1:]))), seed=SEEDS)
def test_a_batch_is_transformed_as_its_images_are(images, seed):
    batch, one_by_one = torch.from_numpy(images), create_testing_transformations()
    expected = torch.stack([one_by_one(image[0]) for image in images])
    assert expected.dtype == torch.float32
    assert torch.equal(quietly(batch_transform(one_by_one), batch), expected)
    # torch may multiply by the rounded 1 / 255 instead of dividing: two roundings for one
    np.testing.assert_allclose(expected, images / np.float32(255), rtol=2.0**-23)
    torch.manual_seed(seed)
    result = quietly(batch_transform(create_training_transformations()), batch)
    assert result.dtype == torch.float32
    assert result.shape == batch.shape
    for before, after in zip(images, result, strict=True):
        assert set((after * 255).round().int().unique().tolist()) <= {0, *before.ravel().tolist()}
    torch.manual_seed(seed)
    assert torch.equal(result, rotate_some(flip_some(expected, 0.2), (-36, 36), 0.2))


def test_the_transformations_are_torchvisions_own():
    for create in (create_training_transformations, create_testing_transformations):
        assert type(create()) is v2.Compose


# --- the net -------------------------------------------------------------------------------------

SCALES = st.sampled_from([1.0, 255.0, 1e3, 1e30])  # 1 is what the net was made for


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return CNN().eval()


@examples(0.5)
@given(
    shape=st.tuples(st.integers(0, 3), st.integers(4, 33), st.integers(4, 33)),
    low=st.sampled_from([-1.0, 0.0]),
    scale=SCALES,
    seed=SEEDS,
)
def test_any_images_give_finite_logits_in_any_layout_and_precision(net, shape, low, scale, seed):
    images = drawn_images(shape, seed, low) * scale
    with torch.inference_mode():
        logits = quietly(net, images)
        assert logits.shape == (len(images), 10)
        assert logits.isfinite().all()
        for name, made in (makes_of_images(images) | {"float64": images.double()}).items():
            # another layout takes another kernel: sums of up to 3136 products in float32
            torch.testing.assert_close(
                quietly(net, made), logits, rtol=1e-4, atol=1e-5 * scale, msg=name
            )


@given(data=st.data(), p=st.one_of(st.sampled_from([0, 1]), st.floats(0, 1)), seed=SEEDS)
def test_dropout_keeps_or_drops_any_element_in_any_layout(data, p, seed):
    torch.manual_seed(seed)
    x = torch.from_numpy(data.draw(finite_arrays((2, 1, 3, 4), -1000, 1000)))
    for name, made in makes_of_images(x).items():
        result = quietly(Dropout(p), made)
        assert (result.shape, result.dtype) == (x.shape, x.dtype), name
        kept = (result != 0) | (x == 0)
        assert p > 0 or kept.all(), name
        if p < 1:
            # two roundings, in the precision of x
            eps = torch.finfo(x.dtype).eps
            expected = x[kept].double() / (1 - p)
            torch.testing.assert_close(result[kept].double(), expected, rtol=2 * eps, atol=1e-45)
        else:
            assert not result.any(), name


@pytest.fixture(scope="module")
def trainer():
    torch.manual_seed(0)
    dataset = TensorDataset(torch.zeros(1, 1, 4, 4), torch.zeros(1, dtype=torch.int64))
    return Trainer(CNN(), dataset, dataset)


@examples(0.1)
@given(
    counts=st.tuples(st.integers(1, 5), st.integers(1, 3)),
    batch_size=st.integers(1, 4),
    scale=st.sampled_from([0.0, 1e-30, 1.0, 1e3]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    transposed=st.booleans(),
    seed=SEEDS,
)
def test_training_takes_any_images_and_leaves_finite_weights(
    counts, batch_size, scale, dtype, transposed, seed
):
    """Also with a last batch of one image, or all of one class."""
    torch.manual_seed(seed)
    parts = []
    for count in counts:
        images = drawn_images((count, 8, 8), seed, low=-1, dtype=dtype) * scale
        images = images.transpose(2, 3) if transposed else images
        parts.append(TensorDataset(images, torch.randint(0, 10, (count,))))
    before = [part.tensors[0].clone() for part in parts]
    trainer = Trainer(CNN(), *parts, num_epochs=1, batch_size=batch_size)
    screen = io.StringIO()
    with no_warnings(), contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        trainer.train()
    assert all(weight.isfinite().all() for weight in trainer.model.state_dict().values())
    assert np.isfinite(trainer.get_training_history()).all()
    assert all(torch.equal(part.tensors[0], b) for part, b in zip(parts, before, strict=True))


@examples(0.5)
@given(
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    scale=SCALES,
    dtype=st.sampled_from([torch.float32, torch.float64]),
    label_type=st.sampled_from([list, np.array, torch.tensor]),
    is_training=st.booleans(),
    seed=SEEDS,
)
def test_any_batches_are_predicted_one_after_another(
    trainer, counts, scale, dtype, label_type, is_training, seed
):
    images = drawn_images((sum(counts), 8, 8), seed, low=-1, dtype=dtype) * scale
    labels = np.random.default_rng(seed).integers(0, 10, sum(counts)).tolist()
    edges = np.cumsum([0, *counts])
    batches = [(images[a:b], label_type(labels[a:b])) for a, b in pairwise(edges)]
    before = images.clone()
    trainer.model.train(is_training)
    with no_warnings():
        probabilities, predicted, true = trainer.predict(batches)
    assert trainer.model.training is is_training
    assert torch.equal(images, before)
    assert true.tolist() == labels
    assert torch.equal(predicted, probabilities.argmax(dim=1))
    # ten float32 quotients and their sum
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(labels)), rtol=0, atol=1e-6)
    if scale <= 1e3:  # logits up to 5, and their rounding: batches of another size take another sum
        with torch.inference_mode():
            expected = torch.softmax(trainer.model.eval()(images), dim=1)
        torch.testing.assert_close(probabilities, expected, rtol=1e-4, atol=1e-5)


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


def orthogonalized_by_hand(matrix):
    """Return three Newton-Schulz steps, each as Jordan et al. write it, in float64."""
    a, b, c = NEWTON_SCHULZ
    x = matrix / max(np.linalg.norm(matrix), SMALLEST_NORM)
    for _ in range(3):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        st.tuples(*[st.integers(1, 4)] * 4),
    ),
    exponent=st.integers(-12, 15),
    lr=st.floats(1e-5, 10),
    seed=SEEDS,
)
def test_muon_takes_the_steps_of_its_paper_whatever_the_shape_and_the_scale(
    shape, exponent, lr, seed
):
    gradients = np.random.default_rng(seed).normal(size=(3, *shape)) * 10.0**exponent
    weight = torch.nn.Parameter(torch.zeros(shape))
    optimizer = Muon([weight], lr=lr)
    momentum, expected = 0, 0
    for gradient in gradients.astype(np.float32):
        weight.grad = torch.from_numpy(gradient)
        quietly(lambda _, step=optimizer.step: step(), gradient)
        momentum = MUON_MOMENTUM * momentum + (1 - MUON_MOMENTUM) * gradient.astype(float)
        ahead = (1 - MUON_MOMENTUM) * gradient + MUON_MOMENTUM * momentum
        matrix = ahead.reshape(len(ahead), -1)
        scale = max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
        expected = expected - lr * scale * orthogonalized_by_hand(matrix).reshape(shape)
    # ten roundings of 6e-8, grown by up to 3.4445 in three steps and by a scale of up to 3.5: 1e-4
    np.testing.assert_allclose(weight.detach(), expected, rtol=0, atol=3 * lr * 1e-4)


# --- the recurrent nets --------------------------------------------------------------------------

SIZES_OF_NETS = [(2, 1, 1), (5, 4, 3), (3, 8, 2)]  # characters, window, units


@pytest.fixture(scope="module", params=[(n, *s) for n in ("RNN", "LSTM") for s in SIZES_OF_NETS])
def recurrent_nets(request):
    """Return Keras' net and the folded one, which has the same weights."""
    pytest.importorskip("tensorflow")
    from base_sequential_model import FoldedNet
    from lstm import LSTM
    from rnn import RNN

    name, vocab_size, window, units = request.param
    model = {"RNN": RNN, "LSTM": LSTM}[name](vocab_size, window)
    model.hp |= {"embedding_dim": 3, f"{name.lower()}_units": units}
    model.build_model()
    return model.model, FoldedNet(model.model)


# Keras' business: its arrays under NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
@examples(0.1)
@given(
    rows=st.integers(1, 5),
    scale=st.sampled_from([0.0, 0.1, 1.0, 1e3]),
    make=st.sampled_from(MAKES),
    seed=SEEDS,
)
def test_the_folded_net_and_the_numpy_one_compute_what_keras_does(
    recurrent_nets, rows, scale, make, seed
):
    net, folded = recurrent_nets
    rng = np.random.default_rng(seed)
    net.set_weights([scale * rng.normal(size=w.shape) / len(w) ** 0.5 for w in net.get_weights()])
    x = rng.integers(0, net.layers[0].input_dim, (rows, net.input_shape[1]))
    predict, plain = next_character_function(net), np.asarray(net(x))
    made = makes_of(x)[make]
    outcomes = [np.array([quietly(predict, window) for window in made])]
    if make != "a list":  # which Keras takes for several inputs
        outcomes.append(np.asarray(folded(made)))
    for p in outcomes:
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)  # 5 quotients in float32
        if scale <= 1:  # beyond, each of 8 steps may grow the roundings of the one before
            np.testing.assert_allclose(p, plain, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(made, x)


@examples(0.05)
@given(
    name=st.sampled_from(["RNN", "LSTM"]),
    sizes=st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(2, 5)),
    make=st.sampled_from(MAKES),
    dtype=st.sampled_from([np.int64, np.uint8, np.float32, np.float64]),
    flat=st.booleans(),
    seed=SEEDS,
)
def test_training_takes_any_make_of_windows_and_leaves_finite_weights(
    tmp_path_factory, name, sizes, make, dtype, flat, seed
):
    pytest.importorskip("tensorflow")
    from lstm import LSTM
    from rnn import RNN

    rows, window, vocab_size = sizes
    model = {"RNN": RNN, "LSTM": LSTM}[name](vocab_size, window)
    model.hp |= {"embedding_dim": 2, f"{name.lower()}_units": 3, "batch_size": 2, "epochs": 1}
    folder = tmp_path_factory.mktemp("weights")
    model.save_model_path = lambda: str(folder / "net.weights.h5")
    model.save_losses_path = lambda: str(folder / "losses.json")
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, vocab_size, (rows, n)).astype(dtype) for n in (window, 1))
    made = makes_of(x)[make], makes_of(y[:, 0] if flat else y)[make]
    with eagerly(), no_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # of being eager, and Keras' business: its arrays under NumPy 2
        warnings.filterwarnings("ignore", "Even though the .tf.config|__array__ implementation")
        model.train(*made, train_from_scratch=True)
    np.testing.assert_array_equal(made[0], x)
    np.testing.assert_array_equal(np.ravel(made[1]), y[:, 0])
    assert np.isfinite(model.loss_history["losses"]).all()
    assert all(np.isfinite(weight).all() for weight in model.model.get_weights())
