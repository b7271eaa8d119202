"""Ten times the length of everything that runs long: no growth in memory, no drift into NaN.

``make test`` runs a hundredth of it or less; ``make long-runs`` (HW4_LONG_RUNS=1) the whole, two
hours or more, and prints what it measured. ``make long-runs ONLY=LSTM`` chooses as pytest's ``-k``.

It also sets MALLOC_ARENA_MAX=1: with an arena for each thread, as is usual, what is freed stays
with the process at random, up to 16 MB of TensorFlow's from one epoch to the next; with one, 0.1.
"""

import contextlib
import io
import os

import numpy as np
import psutil
import pytest
import torch
from helpers import ROOT, one_hot
from torch.utils.data import TensorDataset

from benchmarks.harness import give_back_freed_memory
from NN import NeuralNet
from random_forest import RandomForest

LONG = os.environ.get("HW4_LONG_RUNS", "") not in ("", "0")
ITERATIONS = 600_000 if LONG else 6_000
CHARACTERS = 100_000 if LONG else 300
FITS = 10 if LONG else 4
TEMPERATURES = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
# Not all that is freed can be given back. Over the six tenths of a long run that are measured, a
# leak of 100 bytes an iteration or character would come to 36 MB or 6 MB, and one of 250 bytes a
# batch to 5 MB (CNN) or 11 MB (RNN, LSTM).
ALLOWED_GROWTH = 4 * 2**20
VOCABULARY = " !,-.:;?abcdefghijklmnopqrstuvwxyz"


def memory_in_use():
    """Return the bytes that this process holds, once it has given back what it has freed."""
    give_back_freed_memory()  # 40 MB of a CNN's are kept, or not, as it comes
    return psutil.Process().memory_info().rss


class Watched(io.TextIOBase):
    """Keep what is printed, and how much memory was in use at every tenth of the writes."""

    def __init__(self, expected_writes):
        super().__init__()
        self.parts, self.memory = [], []
        self.step = max(1, expected_writes // 10)

    def write(self, text):
        if len(self.parts) % self.step == 0:
            self.memory.append(memory_in_use())
        self.parts.append(text)
        return len(text)

    def getvalue(self):
        return "".join(self.parts)

    def growth(self):
        """Return how many bytes came after the third tenth, when allocators have settled."""
        return self.memory[-1] - self.memory[3]


def report(request, text):
    """Show a measurement of a long run although pytest captures the output."""
    if LONG:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text}")


def megabytes(count):
    return f"{count / 2**20:+.2f} MB"


def is_here(name):
    """Tell whether a real data set is here."""
    from utilities import datasets

    return all((datasets.data_home() / file).exists() for file in datasets.CATALOGUE[name].files)


def housing_or_the_like():
    """Return training data of Question 1: the real set if it is here, else of its shape."""
    if is_here("housing"):
        from utilities.utils import get_housing_dataset

        return get_housing_dataset()[:2]
    rng = np.random.default_rng(0)
    x = rng.random((375, 8))
    return x, one_hot(np.digitize(x[:, 0] + 0.2 * rng.normal(size=375), [0.33, 0.67]))


@pytest.mark.parametrize("kind", ["gd", "bgd", "momentum"])
def test_ten_times_the_training_of_question_1_neither_grows_nor_drifts(kind, request):
    x, y = housing_or_the_like()
    net = NeuralNet(y, use_dropout=kind == "bgd", use_momentum=kind == "momentum")
    printed = Watched(expected_writes=2 * ITERATIONS // 1000)  # a line and its end
    with contextlib.redirect_stdout(printed):
        if kind == "bgd":
            net.batch_gradient_descent(x, y, use_momentum=False, iter=ITERATIONS)
        else:
            net.gradient_descent(x, y, iter=ITERATIONS, use_momentum=kind == "momentum")
    largest = max(np.abs(value).max() for value in net.parameters.values())
    report(
        request,
        f"{kind}: {ITERATIONS} iterations, last loss {net.loss[-1]:.6f}, largest parameter "
        f"{largest:.1f}, memory {megabytes(printed.growth())}",
    )
    assert len(net.loss) == ITERATIONS // 1000
    assert np.isfinite(net.loss).all()
    assert all(np.isfinite(value).all() for value in net.parameters.values())
    assert printed.growth() < ALLOWED_GROWTH


def images_or_the_like(count, train):
    """Return the first images of Fashion-MNIST as the notebook loads them, else random ones."""
    if not is_here("fashion_mnist"):
        return TensorDataset(torch.rand(count, 1, 28, 28), torch.arange(count) % 10)
    import cnn_image_transformations as transformations
    from utilities import datasets

    part = "training" if train else "testing"
    transform = getattr(transformations, f"create_{part}_transformations")()
    dataset = datasets.load_fashion_mnist(train, transform)
    dataset.data, dataset.targets = dataset.data[:count], dataset.targets[:count]
    return dataset


def test_ten_times_the_training_of_the_cnn_neither_grows_nor_drifts(request):
    """Train for 140 epochs instead of the notebook's 14."""
    from cnn import CNN
    from cnn_trainer import Trainer

    torch.manual_seed(0)
    count, others, batch, epochs = (60_000, 10_000, 256, 140) if LONG else (16, 32, 8, 20)
    if not LONG:  # other work on the machine slows several terribly
        request.getfixturevalue("one_thread")
    images, others = images_or_the_like(count, True), images_or_the_like(others, False)
    trainer = Trainer(CNN(), images, others, num_epochs=epochs, batch_size=batch, init_lr=5e-3)
    printed = Watched(expected_writes=2 * epochs)
    with (
        open(os.devnull, "w") as nowhere,  # a buffer for the bars would grow
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(nowhere),
    ):
        trainer.train()
    history = np.array(trainer.get_training_history())
    report(
        request,
        f"CNN: {epochs} epochs of {len(images)} images, last losses {history[0, -1]:.4f} and "
        f"{history[2, -1]:.4f}, memory {megabytes(printed.growth())}",
    )
    assert history.shape == (4, epochs)
    assert np.isfinite(history).all()
    assert all(parameter.isfinite().all() for parameter in trainer.model.parameters())
    assert printed.growth() < ALLOWED_GROWTH


@pytest.mark.parametrize("way", ["bagged", "boosted"])
def test_ten_times_the_trees_again_and_again_stay_finite_and_do_not_grow(way, request):
    """Fit 150 trees instead of 15, ten times over; memory is measured from the third time on."""
    rng, rows = np.random.default_rng(0), 9119 if LONG else 500
    X, y = rng.normal(size=(rows, 16)), rng.integers(0, 7, rows)
    y[X[:, 0] > 0] = 0
    forest, memory = RandomForest(150, 13, 1.0, random_seed=0), []
    for _ in range(FITS):
        (forest.fit if way == "bagged" else forest.adaboost)(X, y)
        memory.append(memory_in_use())
    growth = memory[-1] - memory[2]
    predicted = (forest.predict if way == "bagged" else forest.predict_adaboost)(X)
    report(
        request,
        f"{way}: {FITS} times 150 trees, {rows} rows, {np.mean(predicted == y):.3f} of them right, "
        f"memory {megabytes(growth)}",
    )
    if way == "bagged":
        assert np.isfinite(forest.OOB_score(X, y))
    else:
        assert len(forest.alphas) == 150
        assert np.isfinite(forest.alphas).all()
    assert set(predicted.tolist()) <= set(range(7))
    assert growth < ALLOWED_GROWTH


# --- Question 5 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kinds():
    pytest.importorskip("tensorflow")
    from lstm import LSTM
    from rnn import RNN

    return {"RNN": RNN, "LSTM": LSTM}


@pytest.mark.parametrize("name", ["RNN", "LSTM"])
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_long_texts_hold_characters_of_the_vocabulary_only(kinds, name, temperature, request):
    from text_generator import TextGenerator

    model = kinds[name](len(VOCABULARY), 30)
    model.model = model.define_model()  # not compiled: the file holds no optimizer
    model.model.build((None, 30))
    model.model.load_weights(ROOT / "model_weights" / f"{name}_model.weights.h5")
    letters = dict(enumerate(VOCABULARY))
    generator = TextGenerator({letter: i for i, letter in letters.items()}, letters, 30)
    printed = Watched(expected_writes=CHARACTERS)
    np.random.seed(0)
    with contextlib.redirect_stdout(printed):
        generator.generate(model, "tomorrow and tomorrow", CHARACTERS, temperature)
    text = printed.getvalue().split("\nModel: ", 1)[1].removesuffix("\n")
    report(
        request,
        f"{name} at {temperature}: {len(text)} characters, {len(set(text))} different ones, "
        f"memory {megabytes(printed.growth())}: {text[-60:]!r}",
    )
    assert len(text) == CHARACTERS
    assert set(text) <= set(VOCABULARY)
    assert printed.growth() < ALLOWED_GROWTH


def windows_or_the_like(count):
    """Return the first windows of Macbeth and the characters that follow them, else random ones."""
    if not is_here("macbeth"):
        x = np.random.default_rng(0).integers(0, len(VOCABULARY), (count, 30))
        return x, x[:, -2:-1]
    from utilities import datasets
    from utilities.utils import preprocess_text_data

    play = preprocess_text_data(datasets.load_macbeth())
    assert "".join(play["vocab"]) == VOCABULARY
    return play["x"][:count], play["y"][:count]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@pytest.mark.parametrize("name", ["RNN", "LSTM"])
def test_ten_times_the_training_of_question_5_neither_grows_nor_drifts(
    kinds, name, tmp_path, request
):
    """Train for 100 epochs instead of the notebook's 10."""
    import tensorflow as tf

    model = kinds[name](len(VOCABULARY), 30)
    model.hp["epochs"] = 100
    if not LONG:
        model.hp["batch_size"] = 8
    x, y = windows_or_the_like(102_158 if LONG else 16)
    model.save_model_path = lambda: str(tmp_path / f"{name}_model.weights.h5")
    model.save_losses_path = lambda: str(tmp_path / f"{name}_losses.json")
    memory, usual = [], model.get_callbacks

    class Watch(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            memory.append(memory_in_use())

    model.get_callbacks = lambda: [*usual(), Watch()]
    model.train(x, y, train_from_scratch=True)
    losses = model.loss_history["losses"]
    # TensorFlow's threads hold some megabytes now and then: the least of ten epochs is in use
    growth = min(memory[90:]) - min(memory[30:40])
    report(
        request,
        f"{name}: 100 epochs of {len(x)} windows, last loss {losses[-1]:.4f}, "
        f"memory {megabytes(growth)}",
    )
    assert len(losses) == 100
    assert np.isfinite(losses).all()
    assert all(np.isfinite(array).all() for array in model.model.get_weights())
    assert growth < ALLOWED_GROWTH
