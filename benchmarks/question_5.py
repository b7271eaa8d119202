"""Question 5: text windows, training and writing; and the import of the local tests."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from base_sequential_model import tf
from benchmarks import rivals
from benchmarks.harness import Growth, Row, compare, measure_growth, quietly
from benchmarks.rival_modules.text_generator import TextGenerator as RivalGenerator
from lstm import LSTM
from rnn import RNN
from text_generator import TextGenerator, next_character_function
from utilities import datasets
from utilities.utils import clean_text, preprocess_text_data, text_windows, trim_to_markers

BYTES_A_CHARACTER = 24  # most memory: an index of 8 and a few copies of the text
CHARACTERS = 50
WINDOWS = 5  # whose predictions are compared
LOSS_BOUND = 0.1  # share by which median losses may differ; those of Keras' RNN alone vary by 0.07


def rows() -> Iterator[Row]:
    """Time windows, an epoch of training, writing, and the import of TestNN."""
    text = datasets.load_macbeth()
    data, cleaned = preprocess_text_data(text), clean_text(text)
    x, y = rivals.nested_loop_windows(cleaned, data["sequence_len"])
    np.testing.assert_array_equal(data["x"], x)
    np.testing.assert_array_equal(data["y"], y)
    yield compare(
        "windows of preprocess_text_data on Macbeth",
        "nested loops",
        lambda: text_windows(cleaned),
        lambda: rivals.nested_loop_windows(cleaned, data["sequence_len"]),
        100,
        pairs=5,
    )
    for kind in (RNN, LSTM):
        yield _training(kind, data)
    for kind in (RNN, LSTM):
        yield _writing(kind, data, cleaned)
    yield _importing()


def growth() -> Iterator[Growth]:
    """Time preprocessing of the play, repeated, up to 100 MB."""
    play = trim_to_markers(datasets.load_macbeth())
    body = play[play.index("\n") : play.rindex("\n")]  # without the marker lines

    def prepare(megabytes: int) -> Callable[[], object]:
        length = megabytes * 1_000_000
        text = (body * (length // len(body) + 1))[:length]
        return lambda: preprocess_text_data(text)

    yield measure_growth(
        "preprocess_text_data", "MB of text", (1, 10, 100), prepare, BYTES_A_CHARACTER
    )


def _training(kind: type, data: dict) -> Row:
    """Time an epoch of the model as ``train`` does it against plain Keras."""
    tf.keras.utils.set_random_seed(0)
    model = kind(data["vocab_size"], data["sequence_len"])
    size = model.hp["batch_size"]
    x = np.array(data["x"], dtype=np.int32)
    targets = np.eye(data["vocab_size"], dtype=np.float32)[data["y"][:, 0]]
    model.build_model()
    ours, start = model._quickest_net(), model.model.get_weights()

    def losses_of(net: tf.keras.Sequential) -> list[float]:
        model.model.set_weights(start)
        net.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
        return net.fit(x[: 8 * size], targets[: 8 * size], size, shuffle=False, verbose=0).history[
            "loss"
        ]

    # by plain gradient steps: Keras' RMSprop squares the embedding's gradient row by row, and ours
    # their sum (see FoldedNet); what losses that gives after an epoch stands in the row
    np.testing.assert_allclose(losses_of(ours), losses_of(model.model), rtol=1e-4)
    for net in (ours, model.model):
        optimizer = tf.keras.optimizers.RMSprop(learning_rate=model.hp["learning_rate"])
        optimizer.build(net.trainable_variables)
        net.compile(optimizer=optimizer, loss="categorical_crossentropy")
    losses = {ours: [], model.model: []}
    fresh = {net: [variable.numpy() for variable in net.optimizer.variables] for net in losses}

    def train(net: tf.keras.Sequential) -> None:  # the first epoch, every time
        model.model.set_weights(start)
        for variable, value in zip(net.optimizer.variables, fresh[net], strict=True):
            variable.assign(value)
        losses[net] += net.fit(x, targets, size, verbose=0).history["loss"]

    row = compare(
        f"an epoch of training ({model.model_name})",
        f"plain Keras fit, to a loss within {LOSS_BOUND:.0%}",
        lambda: train(ours),
        lambda: train(model.model),
        1.5,
        pairs=3,
    )
    medians = [float(np.median(of_net)) for of_net in losses.values()]
    np.testing.assert_allclose(*medians, rtol=LOSS_BOUND)
    loss, rival_loss = (f"{median:.3f}" for median in medians)
    return replace(row, what=f"{row.what}, loss {loss}", rival=f"{row.rival}: {rival_loss}")


def _writing(kind: type, data: dict, cleaned: str) -> Row:
    """Time generated characters, after both have given some windows the same probabilities.

    test_the_numpy_nets_predict_what_keras_does in tests/test_text_generator.py holds them
    together as well.
    """
    model = kind(data["vocab_size"], data["sequence_len"])
    quietly(model.train, data["x"], data["y"])
    predict = next_character_function(model.model)
    for window in data["x"][np.linspace(0, len(data["x"]) - 1, WINDOWS, dtype=int)]:
        expected = model.model.predict(window[np.newaxis], verbose=0)[0]
        np.testing.assert_allclose(predict(window), expected, rtol=1e-4, atol=1e-7)  # float32
    ours, rival = (
        kind_of_generator(data["char_indices"], data["indices_char"], data["sequence_len"])
        for kind_of_generator in (TextGenerator, RivalGenerator)
    )
    prompt = cleaned[: data["sequence_len"]]
    return compare(
        f"{CHARACTERS} generated characters ({model.model_name})",
        "model.predict for each",
        lambda: quietly(ours.generate, model, prompt, CHARACTERS),
        lambda: quietly(rival.generate, model, prompt, CHARACTERS),
        30,
        pairs=3,
    )


def _importing() -> Row:
    """Time the import of TestNN in a fresh interpreter."""

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    everything = "import torch, torchvision, tensorflow, sklearn, pandas, matplotlib.pyplot"
    return compare(
        "from utilities.localtests import TestNN, fresh interpreter",
        "importing everything",
        lambda: run("from utilities.localtests import TestNN"),
        lambda: run(everything),
        10,
        pairs=3,
    )
