"""Ten times the length of everything that runs long: no growth in memory, no drift into NaN.

``make test`` runs a hundredth of it; ``make long-runs`` (HW4_LONG_RUNS=1) the whole, about half an
hour, and prints what it measured. Where a whole training takes hours, the epochs are kept and the
data cut, as said beside it.
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

from NN import NeuralNet
from random_forest import RandomForest

LONG = os.environ.get("HW4_LONG_RUNS", "") not in ("", "0")
ITERATIONS = 600_000 if LONG else 6_000
CHARACTERS = 100_000 if LONG else 300
TEMPERATURES = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
# The allocator keeps some freed memory. A leak of 100 bytes an iteration or character would come
# to 42 MB or 7 MB over the last seven tenths of a long run.
ALLOWED_GROWTH = 4 * 2**20
VOCABULARY = " !,-.:;?abcdefghijklmnopqrstuvwxyz"


class Watched(io.TextIOBase):
    """Keep what is printed, and how much memory was in use at every tenth of the writes."""

    def __init__(self, expected_writes):
        super().__init__()
        self.parts, self.memory = [], []
        self.step = max(1, expected_writes // 10)

    def write(self, text):
        if len(self.parts) % self.step == 0:
            self.memory.append(psutil.Process().memory_info().rss)
        self.parts.append(text)
        return len(text)

    def getvalue(self):
        return "".join(self.parts)

    def growth(self):
        """Return how many bytes came after the third tenth, when the allocators have settled."""
        return self.memory[-1] - self.memory[3]


def report(request, text):
    """Show a measurement of a long run although pytest captures the output."""
    if LONG:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text}")


def megabytes(count):
    return f"{count / 2**20:+.2f} MB"


def housing_or_the_like():
    """Return training data of Question 1: the real set if it is here, else of its shape."""
    from utilities import datasets

    if (datasets.data_home() / datasets.CATALOGUE["housing"].files[0]).exists():
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
    assert len(net.loss) == ITERATIONS // 1000
    assert np.isfinite(net.loss).all()
    assert all(np.isfinite(value).all() for value in net.parameters.values())
    assert printed.growth() < ALLOWED_GROWTH
    largest = max(np.abs(value).max() for value in net.parameters.values())
    report(
        request,
        f"{kind}: {ITERATIONS} iterations, last loss {net.loss[-1]:.6f}, largest parameter "
        f"{largest:.1f}, memory {megabytes(printed.growth())}",
    )


def test_ten_times_the_epochs_of_the_cnn_neither_grow_nor_drift(request):
    """120 epochs instead of 12, of 512 images instead of 60,000: the whole would take hours."""
    from cnn import CNN
    from cnn_trainer import Trainer

    torch.manual_seed(0)
    count, epochs = (512, 120) if LONG else (32, 20)
    images = TensorDataset(torch.rand(count, 1, 28, 28), torch.arange(count) % 10)
    trainer = Trainer(CNN(), images, images, num_epochs=epochs, batch_size=256, init_lr=5e-3)
    printed = Watched(expected_writes=2 * epochs)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        trainer.train()
    history = np.array(trainer.get_training_history())
    assert history.shape == (4, epochs)
    assert np.isfinite(history).all()
    assert all(parameter.isfinite().all() for parameter in trainer.model.parameters())
    assert printed.growth() < ALLOWED_GROWTH
    report(
        request,
        f"CNN: {epochs} epochs of {count} images, last losses {history[0, -1]:.4f} and "
        f"{history[2, -1]:.4f}, memory {megabytes(printed.growth())}",
    )


@pytest.mark.parametrize("way", ["bagged", "boosted"])
def test_ten_times_the_trees_stay_finite(way, request):
    rng, rows = np.random.default_rng(0), 9119 if LONG else 500
    X, y = rng.normal(size=(rows, 16)), rng.integers(0, 7, rows)
    y[X[:, 0] > 0] = 0
    forest = RandomForest(150, 13, 1.0, random_seed=0)
    if way == "bagged":
        forest.fit(X, y)
        assert np.isfinite(forest.OOB_score(X, y))
        predicted = forest.predict(X)
    else:
        forest.adaboost(X, y)
        assert len(forest.alphas) == 150
        assert np.isfinite(forest.alphas).all()
        predicted = forest.predict_adaboost(X)
    assert set(predicted.tolist()) <= set(range(7))
    report(request, f"{way}: 150 trees, {rows} rows, {np.mean(predicted == y):.3f} of them right")


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
    assert len(text) == CHARACTERS
    assert set(text) <= set(VOCABULARY)
    assert printed.growth() < ALLOWED_GROWTH
    report(
        request,
        f"{name} at {temperature}: {len(text)} characters, {len(set(text))} different ones, "
        f"memory {megabytes(printed.growth())}: {text[-60:]!r}",
    )


@pytest.mark.skipif(not LONG, reason="make long-runs trains the two for minutes")
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@pytest.mark.parametrize("name", ["RNN", "LSTM"])
def test_ten_times_the_epochs_of_question_5_neither_grow_nor_drift(kinds, name, tmp_path, request):
    """100 epochs instead of 10, of 2,048 windows instead of 102,158."""
    import tensorflow as tf

    model = kinds[name](len(VOCABULARY), 30)
    model.hp["epochs"] = 100
    model.save_model_path = lambda: str(tmp_path / f"{name}_model.weights.h5")
    model.save_losses_path = lambda: str(tmp_path / f"{name}_losses.json")
    memory, usual = [], model.get_callbacks

    class Watch(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            memory.append(psutil.Process().memory_info().rss)

    model.get_callbacks = lambda: [*usual(), Watch()]
    x = np.random.default_rng(0).integers(0, len(VOCABULARY), (2048, 30))
    model.train(x, x[:, -2:-1], train_from_scratch=True)
    losses = model.loss_history["losses"]
    assert len(losses) == 100
    assert np.isfinite(losses).all()
    growth = memory[-1] - memory[30]
    # Keras keeps some 20 kB of each save and 60 kB of each epoch, and settles late: 9 MB (RNN) and
    # 25 MB (LSTM) were seen from the tenth on; windows and targets kept by epoch would be 37 MB
    assert growth < 8 * ALLOWED_GROWTH
    report(request, f"{name}: 100 epochs, last loss {losses[-1]:.4f}, memory {megabytes(growth)}")
