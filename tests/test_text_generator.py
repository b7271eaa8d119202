"""Q5: TextGenerator, its draws against their probabilities and what the model is shown."""

import numpy as np
import pytest
from helpers import ROOT, keras_layers_of, no_warnings, refused

from text_generator import TextGenerator, next_character_function

VOCAB = " abcd"
WINDOW = 6


def make_generator(vocab=VOCAB, window=WINDOW):
    char_indices = {c: i for i, c in enumerate(vocab)}
    return TextGenerator(char_indices, dict(enumerate(vocab)), window)


# --- sample ------------------------------------------------------------------------------------


def counts_of(generator, preds, temperature, draws):
    np.random.seed(0)  # the draws may come from NumPy's global stream
    drawn = [generator.sample(preds, temperature) for _ in range(draws)]
    return np.bincount(drawn, minlength=len(preds))


def powered(preds, temperature):
    weights = np.asarray(preds) ** (1 / temperature)
    return weights / weights.sum()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_probabilities_raised_to_one_over_temperature(temperature):
    preds = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    draws = 20_000
    counts = counts_of(make_generator(), preds, temperature, draws)
    share = powered(preds, temperature)
    # Each count is binomial; seven standard errors are exceeded with probability 2.6e-12.
    bound = 7 * np.sqrt(draws * share * (1 - share))
    assert (np.abs(counts - draws * share) < bound).all()


def test_the_default_temperature_is_one_half():
    preds = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    np.random.seed(3)
    default = [make_generator().sample(preds) for _ in range(50)]
    np.random.seed(3)
    assert default == [make_generator().sample(preds, 0.5) for _ in range(50)]


def test_a_seeded_stream_repeats_its_draws():
    preds, generator = np.full(5, 0.2), make_generator()
    np.random.seed(1)
    first = [generator.sample(preds, 1.0) for _ in range(20)]
    np.random.seed(1)
    assert [generator.sample(preds, 1.0) for _ in range(20)] == first
    assert len(set(first)) > 1


@pytest.mark.parametrize("temperature", [1e-300, 1e-8, 1e-3])
def test_a_temperature_near_zero_always_takes_the_likeliest(temperature):
    preds = np.array([0.2, 0.21, 0.19, 0.2, 0.2])
    with no_warnings():
        drawn = {make_generator().sample(preds, temperature) for _ in range(200)}
    assert drawn == {1}  # odds (0.21 / 0.2) ** 1000 = 1.5e21 to one at the highest of the three


def test_a_huge_temperature_draws_evenly():
    preds = np.array([0.9, 0.05, 0.03, 0.015, 0.005])
    draws = 5_000
    counts = counts_of(make_generator(), preds, 1e9, draws)
    # Shares of one fifth up to 1e-8; seven standard errors as above.
    assert (np.abs(counts - draws / 5) < 7 * np.sqrt(draws * 0.2 * 0.8)).all()


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 2.0])
def test_what_has_no_probability_is_never_drawn(temperature):
    generator = make_generator()
    preds = np.array([0.0, 0.5, 0.0, 0.5, 0.0])
    with no_warnings():
        counts = counts_of(generator, preds, temperature, 2_000)
    assert counts[[0, 2, 4]].sum() == 0
    assert counts[1] > 0
    assert counts[3] > 0


def test_draws_stay_inside_the_vocabulary_for_float32_rows_that_sum_a_little_off_one():
    """Keras' softmax in float32 misses one by some 1e-7, either way."""
    rng = np.random.default_rng(0)
    generator = make_generator()
    with no_warnings():
        for _ in range(300):
            preds = rng.dirichlet(np.ones(5)).astype(np.float32) * np.float32(1 + 1e-6)
            index = generator.sample(preds, 1.0)
            assert index in range(5)


def test_sampling_leaves_the_probabilities_alone_and_returns_an_index():
    preds = np.array([0.25, 0.25, 0.5])
    before = preds.copy()
    index = make_generator().sample(preds, 0.7)
    np.testing.assert_array_equal(preds, before)
    assert [10, 20, 30][index] in (10, 20, 30)  # usable as an index as it comes


def test_tiny_probabilities_neither_vanish_nor_warn():
    preds = np.array([1e-300, 3e-300, 0.0])
    with no_warnings():
        counts = counts_of(make_generator(), preds, 1.0, 2_000)
    # Shares 1/4 and 3/4; seven standard errors.
    assert abs(counts[1] - 1500) < 7 * np.sqrt(2000 * 0.25 * 0.75)


@pytest.mark.parametrize(
    "preds",
    [
        pytest.param(np.array([[0.5, 0.5]]), id="two axes"),
        pytest.param(np.float64(0.5), id="a number"),
        pytest.param(np.array([]), id="empty"),
        pytest.param(np.array([0.5, np.nan]), id="NaN"),
        pytest.param(np.array([0.5, np.inf]), id="infinite"),
        pytest.param(np.array([1.5, -0.5]), id="negative"),
        pytest.param(np.array([0.0, 0.0]), id="nothing but zeros"),
        pytest.param(np.array(["a", "b"]), id="strings"),
        pytest.param(None, id="None"),
    ],
)
def test_sample_refuses_what_is_no_distribution(preds):
    generator = make_generator()
    with refused("preds", unchanged=generator):
        generator.sample(preds, 1.0)


BAD_TEMPERATURES = [0, 0.0, -1.0, float("nan"), float("inf"), "warm", None]


@pytest.mark.parametrize("temperature", BAD_TEMPERATURES)
def test_sample_refuses_a_temperature_that_is_not_positive(temperature):
    generator = make_generator()
    with refused("temperature", unchanged=generator):
        generator.sample(np.array([0.5, 0.5]), temperature)


# --- generate ----------------------------------------------------------------------------------


class Tensor(np.ndarray):
    """An array with the one method of Keras' tensors that a caller may use."""

    def numpy(self):
        return np.asarray(self)


class Net:
    """A net that remembers every window and always answers with the same next character."""

    def __init__(self, answers):
        self.answers, self.windows = list(answers), []

    def __call__(self, x, *args, **kwargs):
        window = np.asarray(x)
        self.windows.append(window.copy())
        probabilities = np.zeros((len(window), len(VOCAB)), dtype=np.float32)
        answer = self.answers[(len(self.windows) - 1) % len(self.answers)]
        probabilities[:, answer] = 1
        return probabilities.view(Tensor)

    predict = predict_on_batch = __call__


class Model:
    """Stands for an RNN object: a name and a net."""

    model_name = "RNN"

    def __init__(self, answers=(1,)):
        self.model = Net(answers)


def text_of(windows, vocab=VOCAB):
    for window in windows:
        assert window.shape == (1, WINDOW)
    return ["".join(vocab[int(i)] for i in window[0]) for window in windows]


def test_generate_prints_the_header_the_prompt_and_the_text(capsys):
    make_generator().generate(Model([1, 2, 3]), "abcd", length=7, temperature=1.0)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "----- RNN Model -----" in lines
    assert "Prompt: abcd" in lines
    assert lines.index("Prompt: abcd") > lines.index("----- RNN Model -----")
    assert lines[-1] == "Model: abcabca"


def test_the_header_names_the_model(capsys):
    model = Model()
    model.model_name = "LSTM"
    make_generator().generate(model, "a", length=1)
    assert "----- LSTM Model -----" in capsys.readouterr().out


def test_a_short_prompt_is_padded_with_spaces_on_the_left():
    model = Model([3])
    make_generator().generate(model, "ab", length=3)
    assert text_of(model.model.windows) == ["    ab", "   abc", "  abcc"]


def test_a_long_prompt_is_cut_to_its_last_characters():
    model = Model([4])
    make_generator().generate(model, "dddd abcabc", length=2)
    assert text_of(model.model.windows) == ["abcabc", "bcabcd"]


def test_a_prompt_of_the_windows_length_is_shown_as_it_is():
    model = Model()
    make_generator().generate(model, "abcdab", length=1)
    assert text_of(model.model.windows) == ["abcdab"]


def test_an_empty_prompt_starts_from_spaces():
    model = Model()
    make_generator().generate(model, "", length=1)
    assert text_of(model.model.windows) == [" " * WINDOW]


@pytest.mark.parametrize("length", [0, 1, 150])
def test_as_many_characters_are_written_as_were_asked_for(length, capsys):
    model = Model([1])
    make_generator().generate(model, "abc", length=length)
    written = capsys.readouterr().out.split("Model: ", 1)[1].rstrip("\n")
    assert written == "a" * length
    assert len(model.model.windows) == length


def test_the_default_length_is_150(capsys):
    make_generator().generate(Model(), "abc")
    assert capsys.readouterr().out.split("Model: ", 1)[1].rstrip("\n") == "a" * 150


def test_the_temperature_reaches_the_draws(capsys):
    class Uneven(Net):
        def __call__(self, x, *args, **kwargs):
            return np.array([[0.0, 0.6, 0.4, 0.0, 0.0]], dtype=np.float32).view(Tensor)

        predict = predict_on_batch = __call__

    model = Model()
    model.model = Uneven([0])
    np.random.seed(0)
    make_generator().generate(model, "a", length=60, temperature=1e-6)
    cold = capsys.readouterr().out.split("Model: ", 1)[1].rstrip("\n")
    make_generator().generate(model, "a", length=60, temperature=1.0)
    warm = capsys.readouterr().out.split("Model: ", 1)[1].rstrip("\n")
    assert cold == "a" * 60
    assert set(warm) == {"a", "b"}  # all alike has probability 0.6 ** 60 = 5e-14


@pytest.mark.parametrize("prompt", ["abc#", "ab\u00e9", "abc\n", "9"])
def test_prompt_characters_outside_the_vocabulary_are_named(prompt):
    generator, model = make_generator(), Model()
    with pytest.raises(ValueError, match="seed_text") as caught:
        generator.generate(model, prompt, length=3)
    assert repr(prompt[-1])[1:-1] in str(caught.value)
    assert model.model.windows == []


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"length": -1}, "length"),
        ({"length": 2.5}, "length"),
        ({"length": "10"}, "length"),
        ({"length": None}, "length"),
        ({"seed_text": None}, "seed_text"),
        ({"seed_text": 5}, "seed_text"),
        ({"seed_text": ["a"]}, "seed_text"),
        ({"model": None}, "model"),
        *(({"temperature": value}, "temperature") for value in BAD_TEMPERATURES),
    ],
)
def test_generate_refuses_bad_input_before_it_prints(change, match, capsys):
    generator = make_generator()
    arguments = {"model": Model(), "seed_text": "abc", "length": 3, "temperature": 1.0} | change
    with refused(match, unchanged=generator):
        generator.generate(**arguments)
    assert capsys.readouterr().out == ""


def test_a_model_without_a_net_is_refused():
    model = Model()
    model.model = None
    with refused("model"):
        make_generator().generate(model, "abc", length=3)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"char_indices": {}}, "char_indices"),
        ({"char_indices": None}, "char_indices"),
        ({"char_indices": {"a": 0}}, "char_indices"),
        ({"indices_char": None}, "indices_char"),
        ({"indices_char": {0: "a", 1: "a"}}, "indices_char"),
        ({"max_input_len": 0}, "max_input_len"),
        ({"max_input_len": -3}, "max_input_len"),
        ({"max_input_len": 2.5}, "max_input_len"),
        ({"max_input_len": "6"}, "max_input_len"),
    ],
)
def test_the_constructor_refuses_what_does_not_belong_together(change, match):
    arguments = {
        "char_indices": {"a": 0, "b": 1},
        "indices_char": {0: "a", 1: "b"},
        "max_input_len": 6,
    } | change
    with refused(match):
        TextGenerator(**arguments)


# --- the nets in NumPy ---------------------------------------------------------------------------

# Keras' business: its arrays under NumPy 2.
keras_arrays = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")


def keras_stack(*layers):
    """Return a built Sequential of an embedding of 8 numbers for 5 characters, and more layers."""
    tf = pytest.importorskip("tensorflow")
    net = tf.keras.Sequential([tf.keras.layers.Embedding(5, 8), *layers])
    net.build((None, WINDOW))
    return net


def shown_to_both(net, vocab_size, window, count=50):
    """Return what the quick function and Keras predict of random windows."""
    predict, rng = next_character_function(net), np.random.default_rng(0)
    windows = rng.integers(0, vocab_size, (count, window))
    with no_warnings():
        quick = np.array([predict(shown) for shown in windows])
    return quick, np.asarray(net(windows, training=False))


@keras_arrays
@pytest.mark.parametrize("name", ["RNN", "LSTM"])
@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("units", [1, 7, 32])
def test_the_numpy_nets_predict_what_keras_does(name, scale, units):
    layers = pytest.importorskip("tensorflow").keras.layers
    kind = {"RNN": layers.SimpleRNN, "LSTM": layers.LSTM}[name]
    net = keras_stack(kind(units), layers.Dense(5), layers.Activation("softmax"))
    rng = np.random.default_rng(units)
    net.set_weights([scale * rng.normal(size=w.shape) / w.shape[0] for w in net.get_weights()])
    quick, plain = shown_to_both(net, 5, WINDOW)
    assert np.isfinite(quick).all()
    # float32 sums in another order, for a few steps
    np.testing.assert_allclose(quick, plain, rtol=2e-3 if scale > 1 else 1e-4, atol=1e-6)


@keras_arrays
@pytest.mark.parametrize("name", ["RNN", "LSTM"])
def test_with_the_trained_weights_the_numpy_nets_are_as_near_to_float64_as_keras(name):
    """Thirty steps spread the rounding of float32: 1e-5 in the mean, 1e-3 at worst."""
    pytest.importorskip("tensorflow")
    from lstm import LSTM
    from rnn import RNN

    def trained(policy):
        with keras_layers_of(policy):
            net = {"RNN": RNN, "LSTM": LSTM}[name](34, 30).define_model()
            net.build((None, 30))
        net.load_weights(ROOT / "model_weights" / f"{name}_model.weights.h5")
        return net

    quick, plain = shown_to_both(trained("float32"), 34, 30, count=200)
    _, exact = shown_to_both(trained("float64"), 34, 30, count=200)
    assert (plain.dtype, exact.dtype) == (np.float32, np.float64)
    off, off_in_keras = (np.abs(p / exact - 1) for p in (quick, plain))
    mean, mean_in_keras = (np.sqrt(np.mean(o**2)) for o in (off, off_in_keras))
    assert 0 < mean_in_keras < 1e-4
    assert mean < 3 * mean_in_keras  # 0.3 to 1.6 times as much was seen
    assert off.max() < 5 * off_in_keras.max()  # 0.2 to 2 times
    assert len(set(plain.argmax(axis=1))) > 5  # different windows, different answers


@keras_arrays
@pytest.mark.parametrize(
    "change",
    [{"activation": "relu"}, {"go_backwards": True}, {"use_bias": False}],
    ids=["relu", "backwards", "no bias"],
)
def test_a_net_of_another_form_is_asked_itself(change):
    layers = pytest.importorskip("tensorflow").keras.layers
    ends = (layers.Dense(5), layers.Activation("softmax"))
    for net in (
        keras_stack(layers.SimpleRNN(4, **change), *ends),
        keras_stack(layers.LSTM(4, **change), *ends),
        keras_stack(layers.GRU(4, **change), *ends),
    ):
        quick, plain = shown_to_both(net, 5, WINDOW, count=5)
        np.testing.assert_allclose(quick, plain, rtol=1e-5)  # rows alone or together
