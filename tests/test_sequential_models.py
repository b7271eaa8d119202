"""Q5: the RNN and the LSTM, their layers, training, saved files and failing safe.

Trainings here use a small net and a small alphabet, and keep their files in a temporary folder:
the committed weights are only read.
"""

import gc
import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, eagerly, no_warnings, refused

tf = pytest.importorskip("tensorflow")

import h5py  # noqa: E402

from lstm import LSTM  # noqa: E402
from rnn import RNN  # noqa: E402

# Both are other people's business: Keras' arrays under NumPy 2, and what eager mode leaves out.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
    pytest.mark.filterwarnings("ignore:Even though the .tf.config.experimental_run_functions"),
]

layers = tf.keras.layers
BOTH = pytest.mark.parametrize("kind", [RNN, LSTM], ids=["RNN", "LSTM"])
V, S, N = 5, 6, 48


def layer_kinds(kind, vocab_size, embedding_dim=256, units=128):
    recurrent = layers.SimpleRNN(units) if kind is RNN else layers.LSTM(units)
    return [
        layers.Embedding(vocab_size, embedding_dim),
        recurrent,
        layers.Dense(vocab_size),
        layers.Activation("softmax"),
    ]


def small(kind, folder, epochs=2, vocab_size=V):
    """Return a model that trains in a second and keeps its files below ``folder``."""
    model = kind(vocab_size, S)
    model.hp |= {"embedding_dim": 8, "batch_size": 16, "epochs": epochs}
    model.hp["rnn_units" if kind is RNN else "lstm_units"] = 8
    weights = folder / "model_weights" / os.path.basename(model.save_model_path())
    losses = folder / "model_weights" / os.path.basename(model.save_losses_path())
    weights.parent.mkdir(exist_ok=True)
    model.save_model_path = lambda: str(weights)
    model.save_losses_path = lambda: str(losses)
    return model


def windows(seed=0):
    """Return windows in which the next character repeats the first: there is something to learn."""
    x = np.random.default_rng(seed).integers(0, V, size=(N, S))
    return x, x[:, :1].copy()


def probabilities(model, x):
    return np.asarray(model.model.predict(x, verbose=0))


@pytest.fixture(scope="module", params=[RNN, LSTM], ids=["RNN", "LSTM"])
def trained(request, tmp_path_factory):
    """Train each kind once; tests copy the folder before they change anything in it."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    model = small(request.param, folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.train(*windows(), train_from_scratch=True)
    model.caught = unexpected(caught)
    return request.param, model, folder


def unexpected(caught):
    """Return the warnings' texts without deprecations, which are Keras' own affair."""
    return [str(w.message) for w in caught if not issubclass(w.category, DeprecationWarning)]


@pytest.fixture
def eager():
    with eagerly():
        yield


@pytest.fixture
def forbid_training(monkeypatch):
    def fit(*args, **kwargs):
        raise AssertionError("fit was called")

    monkeypatch.setattr(tf.keras.Sequential, "fit", fit)


# --- architecture ------------------------------------------------------------------------------


def configs(layer_list):
    return [
        (type(layer), {k: v for k, v in layer.get_config().items() if k != "name"})
        for layer in layer_list
    ]


@BOTH
def test_the_defined_net_has_the_graded_layers_at_their_defaults_and_is_not_built(kind):
    model = kind(34, 30)
    net = model.define_model()
    assert isinstance(net, tf.keras.Sequential)
    assert not net.built
    assert not net.compiled
    assert configs(net.layers) == configs(layer_kinds(kind, 34))


@BOTH
def test_the_definition_follows_the_vocabulary_and_the_hyperparameters(kind):
    model = kind(50, 12)
    model.hp["embedding_dim"] = 16
    model.hp["rnn_units" if kind is RNN else "lstm_units"] = 9
    assert configs(model.define_model().layers) == configs(layer_kinds(kind, 50, 16, 9))


@pytest.mark.parametrize(("kind", "count"), [(RNN, 62_370), (LSTM, 210_210)])
def test_the_built_net_has_the_published_number_of_parameters(kind, count):
    model = kind(34, 30)
    model.build_model()
    assert model.model.built
    assert model.model.count_params() == count
    assert model.model.input_shape == (None, 30)
    assert model.model.output_shape == (None, 34)


@BOTH
def test_the_built_net_is_compiled_as_the_contract_says(kind):
    model = kind(34, 30)
    model.build_model()
    assert isinstance(model.model.optimizer, tf.keras.optimizers.RMSprop)
    # the rate is stored in float32, which keeps 0.01 to about 1e-8 of itself
    assert float(model.model.optimizer.learning_rate) == pytest.approx(0.01, rel=1e-7)
    assert "categorical_crossentropy" in _names_of(model.model.loss)


def _names_of(loss):
    """Return every name a Keras loss goes by: it may be a string, a function or an object."""
    snake = "".join("_" + c.lower() if c.isupper() else c for c in type(loss).__name__)
    return {loss if isinstance(loss, str) else "", getattr(loss, "name", ""), snake.lstrip("_")}


@BOTH
def test_the_net_gives_rows_of_probabilities(kind):
    model = kind(34, 30)
    model.build_model()
    x = np.random.default_rng(0).integers(0, 34, size=(7, 30))
    p = probabilities(model, x)
    assert p.shape == (7, 34)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=34 * 1.2e-7)  # 34 float32 roundings


@BOTH
def test_hyperparameters_are_those_of_the_contract(kind):
    units = "rnn_units" if kind is RNN else "lstm_units"
    expected = {
        "embedding_dim": 256,
        units: 128,
        "learning_rate": 0.01,
        "batch_size": 128,
        "epochs": 10,
    }
    model = kind(34, 30)
    assert model.hp == expected
    model.hp = {}
    model.set_hyperparameters()
    assert model.hp == expected


@BOTH
def test_a_new_model_has_a_name_and_no_history(kind):
    model = kind(34, 30)
    assert model.model_name == kind.__name__
    assert model.loss_history is None
    assert (model.vocab_size, model.max_input_len) == (34, 30)


@BOTH
def test_saved_files_lie_in_the_projects_model_weights_from_any_working_directory(
    kind, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model = kind(34, 30)
    weights, losses = Path(model.save_model_path()), Path(model.save_losses_path())
    assert losses.name == f"{kind.__name__}_losses.json"
    assert weights.name.startswith(f"{kind.__name__}_")
    assert weights.resolve().parent == losses.resolve().parent == ROOT / "model_weights"


@BOTH
@pytest.mark.parametrize("value", [0, -1, 2.5, "34", None, float("nan")])
@pytest.mark.parametrize("name", ["vocab_size", "max_input_len"])
def test_the_constructor_refuses_sizes_that_are_not_positive_whole_numbers(kind, name, value):
    with refused(name):
        kind(**({"vocab_size": 34, "max_input_len": 30} | {name: value}))


# --- callbacks ---------------------------------------------------------------------------------


def callback_of(model, kind):
    found = [c for c in model.get_callbacks() if isinstance(c, kind)]
    assert len(found) == 1
    return found[0]


@BOTH
def test_the_learning_rate_is_cut_to_a_fifth_on_a_plateau_of_the_loss(kind):
    callback = callback_of(kind(34, 30), tf.keras.callbacks.ReduceLROnPlateau)
    assert callback.monitor == "loss"
    assert (callback.factor, callback.patience, callback.min_lr) == (0.2, 1, 0.001)


@BOTH
def test_the_checkpoint_watches_the_training_loss(kind):
    model = kind(34, 30)
    callback = callback_of(model, tf.keras.callbacks.ModelCheckpoint)
    assert callback.monitor == "loss"
    assert callback.save_best_only
    assert os.path.basename(callback.filepath) == os.path.basename(model.save_model_path())


def test_the_checkpoint_keeps_the_weights_of_the_best_epoch_not_the_last(tmp_path):
    model = small(RNN, tmp_path)
    model.build_model()
    callback = callback_of(model, tf.keras.callbacks.ModelCheckpoint)
    callback.set_model(model.model)
    callback.on_train_begin({})
    start = model.model.get_weights()
    for epoch, (loss, scale) in enumerate([(3.0, 1.0), (1.0, 2.0), (2.0, 3.0)]):
        model.model.set_weights([scale * w + scale for w in start])
        callback.on_epoch_begin(epoch, {})
        callback.on_epoch_end(epoch, {"loss": loss})
    callback.on_train_end({})
    fresh = model.define_model()  # not compiled: the file has nothing for an optimizer
    fresh.build((None, S))
    fresh.load_weights(model.save_model_path())
    for saved, w in zip(fresh.get_weights(), start, strict=True):
        np.testing.assert_array_equal(saved, 2.0 * w + 2.0)


@BOTH
def test_saving_better_and_better_weights_takes_no_memory(kind, tmp_path):
    def tensors_of_graphs():
        gc.collect()
        return sum(issubclass(type(thing), tf.keras.KerasTensor) for thing in gc.get_objects())

    model = small(kind, tmp_path)
    model.build_model()
    callback = callback_of(model, tf.keras.callbacks.ModelCheckpoint)
    callback.set_model(model.model)
    callback.on_train_begin({})
    before = tensors_of_graphs()
    for epoch in range(5):
        callback.on_epoch_end(epoch, {"loss": 5.0 - epoch})
    assert before > 0
    assert tensors_of_graphs() == before


# --- training and saving -----------------------------------------------------------------------


def test_training_saves_the_weights_and_a_loss_for_every_epoch(trained):
    _, model, _ = trained
    assert Path(model.save_model_path()).stat().st_size > 0
    losses = json.loads(Path(model.save_losses_path()).read_text(encoding="utf-8"))
    weights = hashlib.sha256(Path(model.save_model_path()).read_bytes()).hexdigest()
    assert losses == {"model": model.model_name, "weights": weights, **model.loss_history}
    assert list(losses) == ["model", "weights", "losses"]
    assert len(losses["losses"]) == 2
    assert all(isinstance(loss, float) and 0 < loss < 10 for loss in losses["losses"])


def test_training_warns_of_nothing(trained):
    _, model, _ = trained
    assert model.caught == []


def test_training_leaves_no_other_files_behind(trained):
    _, model, folder = trained
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert files == {
        os.path.basename(model.save_model_path()),
        os.path.basename(model.save_losses_path()),
    }


def test_the_weights_file_holds_the_nets_numbers_and_no_optimizer_state(trained):
    _, model, _ = trained
    sizes, names = [], []

    def visit(name, item):
        names.append(name)
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size)

    with h5py.File(model.save_model_path()) as file:
        file.visititems(visit)
    assert sum(sizes) == model.model.count_params()
    assert not [name for name in names if "optimizer" in name.lower()]


def test_a_second_training_loads_what_the_first_saved(trained, capsys, forbid_training):
    kind, first, folder = trained
    x, y = windows()
    second = small(kind, folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        second.train(x=x, y=y, train_from_scratch=False)
    assert unexpected(caught) == []
    assert f"Loaded saved {kind.__name__} model and weights." in capsys.readouterr().out
    assert second.loss_history == first.loss_history
    # The same float32 weights through the same kernels on the same rows.
    np.testing.assert_array_equal(probabilities(second, x), probabilities(first, x))


def test_loading_is_the_default(trained, capsys, forbid_training):
    kind, _, folder = trained
    small(kind, folder).train(*windows())
    assert "Loaded saved" in capsys.readouterr().out


def test_training_from_scratch_ignores_and_replaces_what_was_saved(
    trained, tmp_path, capsys, eager
):
    kind, first, folder = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    model = small(kind, tmp_path, epochs=1)
    model.train(*windows(), train_from_scratch=True)
    assert "Loaded saved" not in capsys.readouterr().out
    assert len(model.loss_history["losses"]) == 1
    saved = json.loads(Path(model.save_losses_path()).read_text(encoding="utf-8"))
    assert saved["losses"] == model.loss_history["losses"] != first.loss_history["losses"]


def test_fit_gets_one_hot_targets_and_the_hyperparameters(tmp_path, monkeypatch, eager):
    seen, original = {}, tf.keras.Sequential.fit

    def fit(self, x=None, y=None, **options):
        seen.update(options, x=np.asarray(x), y=np.asarray(y))
        return original(self, x, y, **options)

    monkeypatch.setattr(tf.keras.Sequential, "fit", fit)
    x, y = windows()
    model = small(RNN, tmp_path, epochs=1)
    model.train(x, y, train_from_scratch=True)
    np.testing.assert_array_equal(seen["x"], x)
    np.testing.assert_array_equal(seen["y"], np.eye(V)[y[:, 0]])
    assert (seen["batch_size"], seen["epochs"]) == (16, 1)


def test_training_learns_what_can_be_learnt(tmp_path):
    x = np.tile(np.arange(S) % V, (64, 1))
    x = (x + np.arange(64)[:, None]) % V
    y = (x[:, -1:] + 1) % V  # the alphabet in order: the last character decides
    model = small(LSTM, tmp_path, epochs=12)
    model.train(x, y, train_from_scratch=True)
    assert (probabilities(model, x).argmax(axis=1) == y[:, 0]).all()
    assert model.loss_history["losses"][-1] < model.loss_history["losses"][0]


def test_training_takes_the_windows_as_preprocessing_makes_them(tmp_path, eager):
    from utilities.utils import preprocess_text_data

    data = preprocess_text_data("tomorrow, and tomorrow, and tomorrow, creeps in this petty pace")
    model = RNN(data["vocab_size"], data["sequence_len"])
    model.hp |= {"embedding_dim": 4, "rnn_units": 4, "epochs": 1}
    model.save_model_path = lambda: str(tmp_path / "RNN_model.weights.h5")
    model.save_losses_path = lambda: str(tmp_path / "RNN_losses.json")
    model.train(x=data["x"], y=data["y"], train_from_scratch=False)
    assert len(model.loss_history["losses"]) == 1


# --- failing safe ------------------------------------------------------------------------------


def damage(kind, path, how):
    """Write something unusable to ``path`` and return its bytes."""
    good = path.read_bytes()
    if how == "garbage":
        path.write_bytes(bytes(range(256)) * 20)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(good[: len(good) // 2])
    elif how == "a web page":
        path.write_bytes(b"<!DOCTYPE html><html><body>404</body></html>")
    elif how == "the other model's":
        net = tf.keras.Sequential(layer_kinds(LSTM if kind is RNN else RNN, V, 8, 8))
        net.build((None, S))
        net.save_weights(path)
    elif how == "another vocabulary's":
        net = tf.keras.Sequential(layer_kinds(kind, V + 1, 8, 8))
        net.build((None, S))
        net.save_weights(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "how",
    ["garbage", "empty", "truncated", "a web page", "the other model's", "another vocabulary's"],
)
def test_unusable_weights_are_named_and_kept_and_then_training_starts(
    trained, tmp_path, capfd, monkeypatch, eager, how
):
    kind, _, folder = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    model = small(kind, tmp_path, epochs=1)
    path = Path(model.save_model_path())
    bad = damage(kind, path, how)
    capfd.readouterr()
    said, original = [], tf.keras.Sequential.fit

    def fit(self, *args, **kwargs):
        said.append(capfd.readouterr().out)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(tf.keras.Sequential, "fit", fit)
    model.train(*windows(), train_from_scratch=False)
    assert len(said) == 1
    assert path.name in said[0]
    assert "train" in said[0].lower()
    assert "Traceback" not in said[0]
    assert "Loaded saved" not in said[0]
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and p.read_bytes() == bad]
    assert kept
    assert kept[0] != path
    assert kept[0].name in said[0]
    assert len(model.loss_history["losses"]) == 1
    again = small(kind, tmp_path)
    monkeypatch.setattr(tf.keras.Sequential, "fit", None)  # from here on nothing may train
    again.train(*windows())
    np.testing.assert_array_equal(
        probabilities(again, windows()[0]), probabilities(model, windows()[0])
    )


def test_two_bad_files_one_after_the_other_are_both_kept(trained, tmp_path, eager):
    kind, _, folder = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for content in (b"first", b"second"):
        model = small(kind, tmp_path, epochs=1)
        Path(model.save_model_path()).write_bytes(content)
        model.train(*windows())
    contents = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert b"first" in contents
    assert b"second" in contents


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"losses": [1.0, 0.', id="cut off"),
        pytest.param(b"\x00\xff\x00", id="garbage"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"loss": [1.0]}', id="another key"),
        pytest.param(b'{"losses": "1.0"}', id="a string"),
        pytest.param(b'{"losses": [NaN]}', id="NaN"),
        pytest.param(b"[1.0, 0.5]", id="a bare list"),
    ],
)
def test_an_unusable_loss_history_is_named_and_kept(trained, tmp_path, capfd, eager, content):
    kind, _, folder = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    model = small(kind, tmp_path, epochs=1)
    path = Path(model.save_losses_path())
    path.write_bytes(content)
    model.train(*windows())
    out = capfd.readouterr().out
    assert path.name in out
    assert "Traceback" not in out
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and p.read_bytes() == content]
    assert kept == [path]
    assert model.model is not None
    assert np.isfinite(probabilities(model, windows()[0])).all()
    history = model.loss_history
    assert history is None or np.isfinite(history["losses"]).all()


def test_missing_weights_are_said_to_be_missing_before_training(
    tmp_path, capfd, monkeypatch, eager
):
    said, original = [], tf.keras.Sequential.fit

    def fit(self, *args, **kwargs):
        said.append(capfd.readouterr().out)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(tf.keras.Sequential, "fit", fit)
    model = small(RNN, tmp_path, epochs=1)
    model.train(*windows())
    assert "train" in said[0].lower()
    assert "Loaded saved" not in said[0]
    assert os.path.exists(model.save_model_path())
    assert os.path.exists(model.save_losses_path())


def test_an_interrupted_training_leaves_the_saved_weights_alone(trained, tmp_path, eager):
    kind, _, folder = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    model = small(kind, tmp_path)
    before = Path(model.save_model_path()).read_bytes()
    losses = Path(model.save_losses_path()).read_bytes()

    class Interrupt(tf.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    usual = model.get_callbacks
    model.get_callbacks = lambda: [*usual(), Interrupt()]
    with pytest.raises(KeyboardInterrupt):
        model.train(*windows(), train_from_scratch=True)
    assert Path(model.save_losses_path()).read_bytes() == losses
    assert Path(model.save_model_path()).read_bytes() == before


# --- bad input ---------------------------------------------------------------------------------

X, Y = windows()
BAD_DATA = [
    pytest.param({"x": X[:, :-1]}, r"\bx\b", id="windows too short"),
    pytest.param({"x": X[0]}, r"\bx\b", id="one window without its axis"),
    pytest.param({"x": X[:, :, None]}, r"\bx\b", id="three axes"),
    pytest.param({"x": X + 0.5}, r"\bx\b", id="fractions"),
    pytest.param({"x": np.full(X.shape, np.nan)}, r"\bx\b", id="NaN"),
    pytest.param({"x": X.astype(str)}, r"\bx\b", id="strings"),
    pytest.param({"x": X.astype(object)}, r"\bx\b", id="objects"),
    pytest.param({"x": None}, r"\bx\b", id="None"),
    pytest.param({"x": X - 1}, r"\bx\b", id="a negative index"),
    pytest.param({"x": X + 1}, r"\bx\b", id="an index outside the vocabulary"),
    pytest.param({"x": X[:0], "y": Y[:0]}, r"\bx\b|\by\b", id="empty"),
    pytest.param({"y": Y[:-1]}, r"\by\b", id="a target too few"),
    pytest.param({"y": np.eye(V)[Y[:, 0]]}, r"\by\b", id="one-hot targets"),
    pytest.param({"y": Y + V}, r"\by\b", id="a target outside the vocabulary"),
    pytest.param({"y": np.full(Y.shape, np.nan)}, r"\by\b", id="NaN targets"),
    pytest.param({"y": Y.astype(str)}, r"\by\b", id="string targets"),
    pytest.param({"y": None}, r"\by\b", id="no targets"),
]


@BOTH
@pytest.mark.parametrize(("change", "match"), BAD_DATA)
def test_training_refuses_bad_data_before_it_starts(kind, change, match, tmp_path, forbid_training):
    model = small(kind, tmp_path)
    model.save_model_path = str(tmp_path / "unused")  # plain values, so that states compare
    model.save_losses_path = str(tmp_path / "unused")
    with refused(match, unchanged=model):
        model.train(**({"x": X, "y": Y} | change))
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_training_reads_its_data_without_changing_it(tmp_path, eager):
    x, y = windows()
    given = x.copy(), y.copy()
    small(RNN, tmp_path, epochs=1).train(x, y, train_from_scratch=True)
    np.testing.assert_array_equal(x, given[0])
    np.testing.assert_array_equal(y, given[1])


# --- plot, and the committed weights -----------------------------------------------------------


@BOTH
def test_the_loss_plot_shows_every_epoch(kind, pyplot, monkeypatch):
    monkeypatch.setattr(pyplot, "show", lambda *args, **kwargs: None)
    model = kind(V, S)
    model.loss_history = {"losses": [3.0, 2.0, 1.5]}
    with no_warnings():
        model.plot_loss()
    (axes,) = pyplot.gcf().axes
    assert list(axes.lines[0].get_ydata()) == [3.0, 2.0, 1.5]
    assert axes.get_xlabel()
    assert axes.get_ylabel()


@BOTH
def test_without_losses_there_is_nothing_to_plot(kind, pyplot):
    model = kind(V, S)
    with refused("loss", unchanged=model):
        model.plot_loss()
    assert pyplot.get_fignums() == []


@BOTH
def test_the_committed_weights_load_and_know_more_than_letter_frequencies(
    kind, tmp_path, capsys, forbid_training, real_data
):
    real_data("macbeth")
    from utilities import datasets
    from utilities.utils import preprocess_text_data

    data = preprocess_text_data(datasets.load_macbeth())
    model = kind(data["vocab_size"], data["sequence_len"])
    for name in ("save_model_path", "save_losses_path"):  # copies, which may be changed
        copy = shutil.copy(getattr(model, name)(), tmp_path)
        setattr(model, name, lambda copy=copy: copy)
    model.train(data["x"], data["y"])
    assert f"Loaded saved {kind.__name__} model and weights." in capsys.readouterr().out
    assert len(model.loss_history["losses"]) == 10
    rows = np.random.default_rng(0).choice(len(data["x"]), 2000, replace=False)
    p = probabilities(model, data["x"][rows])
    loss = -np.log(p[np.arange(len(rows)), data["y"][rows, 0]]).mean()
    shares = np.bincount(data["y"][:, 0]) / len(data["y"])
    entropy = -(shares * np.log(shares)).sum()  # the best a model without context can do
    assert loss < entropy - 0.5
