"""Q5: the quick form in which the RNN and the LSTM are trained computes what Keras computes."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, keras_layers_of

tf = pytest.importorskip("tensorflow")

from base_sequential_model import FoldedNet, folded_last_state  # noqa: E402
from lstm import LSTM  # noqa: E402
from rnn import RNN  # noqa: E402
from text_generator import next_character_function  # noqa: E402

# Keras' business: its arrays under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

layers = tf.keras.layers
V, S, N = 34, 30, 64


@pytest.fixture(params=[RNN, LSTM], ids=["RNN", "LSTM"])
def model(request):
    tf.keras.utils.set_random_seed(0)
    made = request.param(V, S)
    made.build_model()
    return made


def batch():
    rng = np.random.default_rng(0)
    x = rng.integers(0, V, size=(N, S), dtype=np.int32)
    return x, np.eye(V, dtype=np.float32)[rng.integers(0, V, size=N)]


def loss_and_gradients(net, weights, x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.keras.losses.categorical_crossentropy(y, net(x, training=True)))
    gradients = [
        tf.zeros_like(weight) if gradient is None else tf.convert_to_tensor(gradient)
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True)
    ]
    return float(loss), [gradient.numpy() for gradient in gradients]


@pytest.mark.parametrize("rows", [1, 2, 7, N])
def test_the_folded_net_gives_the_probabilities_of_the_plain_one(model, rows):
    x = batch()[0][:rows]
    # sums of at most 256 products in float32, whose terms are added in another order
    np.testing.assert_allclose(FoldedNet(model.model)(x), model.model(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 7, N])
def test_the_folded_net_gives_the_gradients_of_the_plain_one(model, rows):
    weights = model.model.trainable_variables
    x, y = (part[:rows] for part in batch())
    loss, gradients = loss_and_gradients(model.model, weights, x, y)
    folded_loss, folded_gradients = loss_and_gradients(FoldedNet(model.model), weights, x, y)
    assert folded_loss == pytest.approx(loss, rel=1e-5)
    for folded, plain in zip(folded_gradients, gradients, strict=True):
        # float32 through 30 steps: about 1e-6 of the largest entry was seen
        np.testing.assert_allclose(folded, plain, atol=2e-5 * np.abs(plain).max())


@pytest.fixture
def in_float64():
    with keras_layers_of("float64"):
        yield


@pytest.mark.parametrize("kind", [RNN, LSTM])
@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize(("vocab_size", "window", "units"), [(V, S, 128), (2, 1, 1), (5, 4, 3)])
def test_in_float64_the_quick_nets_and_keras_agree_to_twelve_digits(
    in_float64, kind, rows, vocab_size, window, units
):
    """The recurrences are written three times: by Keras, in TensorFlow and in NumPy."""
    tf.keras.utils.set_random_seed(0)
    made = kind(vocab_size, window)
    made.hp |= {"rnn_units": units, "lstm_units": units}
    made.build_model()
    net, folded = made.model, FoldedNet(made.model)
    rng = np.random.default_rng(0)
    net.set_weights([rng.normal(size=w.shape) / len(w) ** 0.5 for w in net.get_weights()])
    predict = next_character_function(net)
    x = rng.integers(0, vocab_size, (rows, window))
    y = np.eye(vocab_size)[rng.integers(0, vocab_size, rows)]
    expected = net(x).numpy()
    assert expected.dtype == np.float64
    np.testing.assert_allclose(folded(x), expected, rtol=1e-12)
    np.testing.assert_allclose([predict(row) for row in x], expected, rtol=1e-12)
    weights = net.trainable_variables
    loss, gradients = loss_and_gradients(net, weights, x, y)
    folded_loss, folded_gradients = loss_and_gradients(folded, weights, x, y)
    assert folded_loss == pytest.approx(loss, rel=1e-12)
    for one, other in zip(folded_gradients, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12 * np.abs(other).max())


def test_training_the_folded_net_takes_the_steps_of_plain_keras(model):
    # SGD: see the next test for RMSprop, which squares the embedding's gradient in another way
    x, y = batch()
    start, losses = model.model.get_weights(), []
    for net in (model.model, FoldedNet(model.model)):
        model.model.set_weights(start)
        net.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
        run = net.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        losses.append(run.history["loss"])
    # eight steps in float32; about 1e-7 was seen
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


class SummedRMSprop(tf.keras.optimizers.RMSprop):
    """Take the sum of a gradient's rows before it is squared."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(tf.convert_to_tensor(gradient), variable, learning_rate)


@pytest.mark.parametrize("kind", [RNN, LSTM])
def test_rmsprop_takes_the_steps_of_keras_but_that_a_characters_gradient_is_one(in_float64, kind):
    """Keras squares a row for each character of the batch, and not the sum of its rows."""
    made = kind(V, S)
    made.build_model()
    x, y = batch()
    start, ends = made.model.get_weights(), []
    rate = made.hp["learning_rate"]
    for net, optimizer in (
        (FoldedNet(made.model), tf.keras.optimizers.RMSprop(rate)),
        (made.model, SummedRMSprop(rate)),
        (made.model, tf.keras.optimizers.RMSprop(rate)),
    ):
        made.model.set_weights(start)
        net.compile(optimizer=optimizer, loss="categorical_crossentropy")
        net.fit(x, y, batch_size=N, epochs=3, shuffle=False, verbose=0)
        ends.append(made.model.get_weights())
    for folded, summed, plain in zip(*ends, strict=True):
        np.testing.assert_allclose(folded, summed, rtol=0, atol=1e-9)
        assert np.abs(folded - plain).max() > 1e-4  # else the two were the same all along


def test_training_the_folded_net_trains_the_models_own_weights(model):
    x, y = batch()
    before = model.model.get_weights()
    folded = model._quickest_net()
    folded.fit(x, y, verbose=0)
    after = model.model.get_weights()
    assert all((a != b).any() for a, b in zip(after, before, strict=True))
    for own, shared in zip(after, folded.get_weights(), strict=True):
        np.testing.assert_array_equal(own, shared)


@pytest.mark.parametrize(
    "stack",
    [
        [layers.Embedding(V, 8), layers.GRU(8), layers.Dense(V), layers.Activation("softmax")],
        [layers.Embedding(V, 8), layers.SimpleRNN(8, activation="relu"), layers.Dense(V)],
        [
            layers.Embedding(V, 8),
            layers.LSTM(8, go_backwards=True),
            layers.Dense(V),
            layers.Activation("softmax"),
        ],
        [layers.Embedding(V, 8), layers.LSTM(8), layers.Dropout(0.1), layers.Dense(V)],
        [
            layers.Embedding(V, 8, mask_zero=True),
            layers.SimpleRNN(8),
            layers.Dense(V),
            layers.Activation("softmax"),
        ],
    ],
    ids=["GRU", "relu", "backwards", "dropout", "mask"],
)
def test_a_net_of_another_form_is_trained_as_it_is(stack):
    class Other(RNN):
        def define_model(self):
            return tf.keras.Sequential(stack)

    model = Other(V, S)
    model.build_model()
    assert folded_last_state(model.model) is None
    assert model._quickest_net() is model.model


def test_loading_tensorflow_writes_nothing():
    run = subprocess.run(
        [sys.executable, "-c", "import base_sequential_model"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("", "")


def test_an_error_after_loading_tensorflow_is_still_seen():
    code = "import base_sequential_model, os; os.write(2, b'seen')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert run.stderr == b"seen"
