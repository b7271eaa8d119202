"""Saved weights, losses and pickles that are cut, swapped, hostile, or half written when killed.

Whatever lies there: earlier good files are never lost, loading says what is wrong in a line and
never crashes, and a training of minutes is announced before it begins.
"""

import ast
import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, clean_environment, eagerly, run_python
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from mirror import joblib_bytes, place
from properties import settings

tf = pytest.importorskip("tensorflow")

from killed_training import fingerprint, fit_without_training  # noqa: E402
from test_faults_downloads import SOURCES, calls_in  # noqa: E402
from test_sequential_models import S, V, small, windows  # noqa: E402

from lstm import LSTM  # noqa: E402
from rnn import RNN  # noqa: E402
from utilities.preflight_source import imported_modules  # noqa: E402

pytest_plugins = ("mirror",)
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
    pytest.mark.filterwarnings("ignore:Even though the .tf.config.experimental_run_functions"),
]

KINDS = {"RNN": RNN, "LSTM": LSTM}
BOTH = pytest.mark.parametrize("name", KINDS)
KILLS = int(os.environ.get("HW4_KILLS") or 6)  # make faults: 50
EVERY_TWENTIETH = [twentieth / 20 for twentieth in range(20)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Train a small RNN and a small LSTM, and return the folder with their four files."""
    folder = tmp_path_factory.mktemp("saved")
    with eagerly():
        for kind in KINDS.values():
            small(kind, folder).train(*windows(), train_from_scratch=True)
    return folder


class TrainingBegan(Exception):  # noqa: N818
    """Stands for a training of minutes."""


def begin(self, *args, **kwargs):
    raise TrainingBegan


@pytest.fixture
def begins(monkeypatch):
    """Stop every training as it begins."""
    monkeypatch.setattr(tf.keras.Sequential, "fit", begin)


def copy_of(saved, folder):
    return shutil.copytree(saved, folder, dirs_exist_ok=True)


def contents(folder):
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def said_in_all(capfd):
    """Return what came on both streams, which is no stack trace."""
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said
    return said


def train_or_begin(model):
    """Call train; return whether a training began."""
    try:
        model.train(*windows())
    except TrainingBegan:
        return True
    return False


# --- cut, swapped and garbled --------------------------------------------------------------------


@BOTH
def test_weights_cut_at_any_twentieth_are_kept_and_training_is_announced(
    saved, tmp_path, begins, capfd, name
):
    whole = (saved / f"model_weights/{name}_model.weights.h5").read_bytes()
    losses = (saved / f"model_weights/{name}_losses.json").read_bytes()
    for share in EVERY_TWENTIETH:
        folder = copy_of(saved, tmp_path / f"{share}")
        model = small(KINDS[name], folder)
        cut = whole[: int(share * len(whole))]
        Path(model.save_model_path()).write_bytes(cut)
        capfd.readouterr()
        assert train_or_begin(model)
        said = said_in_all(capfd)
        assert f"{name}_model.weights.h5 could not be read as weights of this {name}" in said
        assert "kept as" in said and "training from scratch now, 2 epochs" in said
        assert f"{name}_losses.json.earlier-1" in said
        assert Path(model.save_model_path()).read_bytes() == cut
        assert Path(model.save_losses_path()).read_bytes() == losses
        save_anew(model, train_from_scratch=False)
        for path, old in ((model.save_model_path(), cut), (model.save_losses_path(), losses)):
            assert Path(f"{path}.earlier-1").read_bytes() == old
    other = "LSTM" if name == "RNN" else "RNN"
    assert not train_or_begin(small(KINDS[other], folder))  # its files are as they were


@BOTH
def test_losses_cut_at_any_twentieth_are_left_alone_and_the_weights_still_load(
    saved, tmp_path, begins, capfd, name
):
    whole = (saved / f"model_weights/{name}_losses.json").read_bytes()
    for share in EVERY_TWENTIETH:
        folder = copy_of(saved, tmp_path / f"{share}")
        model = small(KINDS[name], folder)
        cut = whole[: int(share * len(whole))]
        Path(model.save_losses_path()).write_bytes(cut)
        capfd.readouterr()
        assert not train_or_begin(model)
        said = said_in_all(capfd)
        assert f"{name}_losses.json could not be read as losses of this {name}" in said
        assert f"Loaded saved {name} model and weights." in said
        assert model.loss_history is None
        assert Path(model.save_losses_path()).read_bytes() == cut


@BOTH
def test_a_model_that_has_weights_keeps_them_when_the_file_is_bad(saved, tmp_path, begins, name):
    model = small(KINDS[name], copy_of(saved, tmp_path))
    assert not train_or_begin(model)
    before = [array.copy() for array in model.model.get_weights()]
    Path(model.save_model_path()).write_bytes(b"rubbish")
    assert not model._load()
    for mine, earlier in zip(model.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, earlier)


def test_files_swapped_between_the_models_are_told_apart_and_all_kept(saved, tmp_path, capfd):
    folder = copy_of(saved, tmp_path)
    before = contents(folder)
    for file in ("model.weights.h5", "losses.json"):
        rnn, lstm = (folder / f"model_weights/{name}_{file}" for name in KINDS)
        rnn.rename(tmp_path / "aside")
        lstm.rename(rnn)
        (tmp_path / "aside").rename(lstm)
    for name, kind in KINDS.items():
        model = small(kind, folder)
        capfd.readouterr()
        save_anew(model, train_from_scratch=False)
        said = capfd.readouterr().out
        assert f"{name}_model.weights.h5 could not be read as weights" in said
        assert f"{name}_model.weights.h5.earlier-1 and " in said
        assert f"{name}_losses.json.earlier-1.\n{name}: training from scratch now" in said
    assert set(before) < set(contents(folder))
    assert len(contents(folder)) == 2 * len(before)


@BOTH
def test_losses_of_the_other_model_are_left_alone_and_the_weights_still_load(
    saved, tmp_path, begins, capfd, name
):
    model = small(KINDS[name], copy_of(saved, tmp_path))
    other = (saved / f"model_weights/{'LSTM' if name == 'RNN' else 'RNN'}_losses.json").read_bytes()
    Path(model.save_losses_path()).write_bytes(other)
    assert not train_or_begin(model)
    assert f"expected the losses of {name}" in capfd.readouterr().out
    assert model.loss_history is None
    assert Path(model.save_losses_path()).read_bytes() == other


@BOTH
def test_a_mistake_in_the_net_is_told_and_no_file_is_taken_for_a_bad_one(
    saved, tmp_path, begins, monkeypatch, name
):
    folder = copy_of(saved, tmp_path)
    model = small(KINDS[name], folder)
    with monkeypatch.context() as patch:
        patch.setattr(model, "define_model", lambda: embeding)  # noqa: F821
        with pytest.raises(NameError, match="embeding"):
            model.train(*windows())
    assert {path.name for path in folder.rglob("*.*")} == {path.name for path in saved.rglob("*.*")}
    assert not train_or_begin(model)


def test_losses_without_a_name_are_those_of_their_file(saved, tmp_path):
    model = small(RNN, copy_of(saved, tmp_path))
    Path(model.save_losses_path()).write_text('{"losses": [2.5, 1.5]}', encoding="utf-8")
    assert model._read_losses(None) == {"losses": [2.5, 1.5]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps({"losses": value}).encode()),
    st.just(b"[" * 100_000),
    st.just(b'{"losses": ' + b"[" * 100_000),
    st.just(b'{"losses": [1' + b"0" * 400 + b"]}"),
    st.just(b'{"losses": [1' + b"0" * 5000 + b"]}"),
    st.just(b'{"losses": [1e999, 2.0]}'),
    st.just(b'{"model": ["RNN"], "losses": [1.0]}'),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=GARBAGE)
def test_any_garbage_for_losses_is_read_as_losses_or_left_alone(saved, tmp_path, garbage):
    model = small(RNN, tmp_path)
    path = Path(model.save_losses_path())
    for left in path.parent.glob("*"):
        left.unlink()
    path.write_bytes(garbage)
    history = model._read_losses(None)
    assert path.read_bytes() == garbage
    assert contents(tmp_path) == [garbage]
    if history is not None:
        assert all(type(loss) is float for loss in history["losses"])
        assert np.isfinite(history["losses"]).any()


@pytest.mark.parametrize("state", ["good", "bad", "missing"])
def test_a_folder_that_cannot_be_written_is_refused_and_no_training_is_announced(
    saved, tmp_path, begins, monkeypatch, capfd, state
):
    model = small(RNN, copy_of(saved, tmp_path))
    if state == "bad":
        Path(model.save_model_path()).write_bytes(b"rubbish")
    elif state == "missing":
        Path(model.save_model_path()).unlink()
    before = contents(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="must be writable"):
        model.train(*windows(), train_from_scratch=state == "good")
    assert "training from scratch" not in capfd.readouterr().out
    assert contents(tmp_path) == before


@pytest.fixture
def renamed(monkeypatch):
    """Refuse to rename any file, and return the list of those that somebody tried to rename."""
    tried = []

    def replace(source, target):
        tried.append(Path(source))
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "replace", replace)
    return tried


@pytest.mark.parametrize("bad", ["model.weights.h5", "losses.json"])
def test_loading_renames_nothing(saved, tmp_path, begins, renamed, capfd, bad):
    model = small(RNN, copy_of(saved, tmp_path))
    path = Path(model.save_losses_path()).with_name(f"RNN_{bad}")
    path.write_bytes(b"rubbish")
    assert train_or_begin(model) == (bad == "model.weights.h5")
    assert "could not be read" in capfd.readouterr().out
    assert path.read_bytes() == b"rubbish"
    assert renamed == []


@pytest.mark.parametrize("error", [BlockingIOError(11, "locked"), PermissionError(13, "denied")])
@BOTH
def test_weights_that_cannot_be_read_for_a_while_stay_for_when_they_can(
    saved, tmp_path, begins, monkeypatch, capfd, name, error
):
    model = small(KINDS[name], copy_of(saved, tmp_path))

    def load_weights(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(tf.keras.Sequential, "load_weights", load_weights)
        assert train_or_begin(model)
        assert str(error) in capfd.readouterr().out
    assert not train_or_begin(model)
    assert f"Loaded saved {name} model and weights." in capfd.readouterr().out
    assert set(contents(tmp_path)) == set(contents(saved))
    names = [{path.name for path in folder.rglob("*.*")} for folder in (tmp_path, saved)]
    assert names[0] == names[1]


@BOTH
def test_a_net_of_another_width_that_is_not_trained_to_the_end_leaves_the_saved_one(
    saved, tmp_path, begins, name
):
    folder = copy_of(saved, tmp_path)
    wider = small(KINDS[name], folder)
    wider.hp["rnn_units" if name == "RNN" else "lstm_units"] += 1
    assert train_or_begin(wider)
    assert not train_or_begin(small(KINDS[name], folder))


# --- interrupted and killed ----------------------------------------------------------------------


@BOTH
def test_an_interrupted_model_is_usable_with_its_epochs_so_far_and_trains_again(
    saved, tmp_path, name
):
    folder = copy_of(saved, tmp_path)
    model, usual = small(KINDS[name], folder, epochs=5), None

    class Interrupt(tf.keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if len(model.loss_history["losses"]) == 2 and batch == 1:
                raise KeyboardInterrupt

    usual = model.get_callbacks
    with eagerly():
        model.get_callbacks = lambda: [*usual(), Interrupt()]
        with pytest.raises(KeyboardInterrupt):
            model.train(*windows(), train_from_scratch=True)
        assert len(model.loss_history["losses"]) == 2
        assert np.isfinite(model.loss_history["losses"]).all()
        probabilities = np.asarray(model.model(windows()[0][:3], training=False))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)  # float32 sums of 5
        before = (saved / f"model_weights/{name}_model.weights.h5").read_bytes()
        assert Path(model.save_model_path()).read_bytes() == before
        model.get_callbacks = usual
        model.train(*windows(), train_from_scratch=True)
        assert len(model.loss_history["losses"]) == 5
    assert Path(model.save_model_path()).read_bytes() != before
    assert not list(folder.rglob("*unfinished*"))


@pytest.fixture(scope="module")
def killer():
    """Give a function that has a training or saving killed, in a process that is not ours."""
    child = subprocess.Popen(
        [sys.executable, ROOT / "tests/killed_training.py"],
        env=clean_environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")])),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def kill(*order):
        print(*order, file=child.stdin, flush=True)
        return child.stdout.readline().strip()

    yield kill
    child.kill()
    child.communicate()


def load_or_begin(model, capfd):
    """Return what loading said, and whether a training had to begin for want of weights."""
    capfd.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.keras.Sequential, "fit", begin)
        began = train_or_begin(model)
    return said_in_all(capfd), began


def save_anew(model, train_from_scratch=True):
    """Save other weights, and losses that have the fingerprint of these, as a training does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.keras.Sequential, "fit", fit_without_training)
        model.train(*windows(), train_from_scratch)


def has_its_losses(model):
    return model.loss_history["losses"][-1] == fingerprint(model.model)


def files_of(model):
    return Path(model.save_model_path()), Path(model.save_losses_path())


def names_of(model):
    return {path.name for path in files_of(model)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork and no SIGKILL on this system")
@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_at_any_moment_leaves_whole_files_or_none(killer, tmp_path, capfd, number):
    name, what = list(KINDS)[number % 2], ("training", "saving", "first")[number // 2 % 3]
    seconds = np.random.default_rng(number).uniform(0, 2)  # a training takes about one
    assert killer(name, tmp_path, what, seconds) == "killed"
    model = small(KINDS[name], tmp_path)
    said, began = load_or_begin(model, capfd)
    assert "could not be read" not in said
    if began:
        assert what == "first"
        assert f"No saved {name} weights" in said and "training from scratch now" in said
    else:
        assert f"Loaded saved {name} model and weights." in said
        assert len(model.loss_history["losses"]) == 2
        assert np.isfinite(model.loss_history["losses"]).all()
        assert all(np.isfinite(array).all() for array in model.model.get_weights())
        assert what != "saving" or has_its_losses(model)
    # what the killed one was writing stands in nobody's way, and does not stay for ever
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (0, 0))
    save_anew(model)
    assert {path.name for path in tmp_path.rglob("*.*")} == names_of(model)


class Killed(BaseException):
    """Stands for a kill: nothing of ours is done any more."""


def killed_at(step):
    """Give a form of os.replace whose process is killed at a step: before or after a rename."""
    usual, steps = os.replace, count()

    def replace(source, target):
        for is_after in (False, True):
            if next(steps) == step:
                raise Killed
            if not is_after:
                usual(source, target)

    return replace


@pytest.mark.parametrize("step", range(8))
@BOTH
def test_a_kill_between_any_two_steps_of_saving_parts_no_weights_from_their_losses(
    tmp_path, capfd, name, step
):
    """Each file takes its place by a rename: the kill comes before and after each of four."""
    model = small(KINDS[name], tmp_path)
    save_anew(model)
    old = fingerprint(model.model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 7)  # another process has to finish it
        patch.setattr(os, "replace", killed_at(step))
        with pytest.raises(Killed):
            save_anew(model)
    new = fingerprint(model.model)
    loaded = small(KINDS[name], tmp_path)
    said, _ = load_or_begin(loaded, capfd)
    assert f"Loaded saved {name} model and weights." in said
    assert has_its_losses(loaded)
    assert fingerprint(loaded.model) == (old if step < 5 else new)  # the weights come third
    save_anew(loaded)
    assert has_its_losses(loaded)


@pytest.mark.parametrize("step", range(12))
@BOTH
def test_a_kill_between_any_two_steps_of_replacing_bad_files_loses_none_of_them(
    saved, tmp_path, capfd, name, step
):
    """Each of six renames is of what could not be read, or of what is new."""
    model = small(KINDS[name], copy_of(saved, tmp_path))
    Path(model.save_model_path()).write_bytes(b"rubbish")
    before = set(contents(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 7)
        patch.setattr(os, "replace", killed_at(step))
        with pytest.raises(Killed):
            save_anew(model, train_from_scratch=False)
    assert before <= set(contents(tmp_path))
    loaded = small(KINDS[name], tmp_path)
    _, began = load_or_begin(loaded, capfd)
    assert began == (step < 9)  # the weights come fifth
    assert began or has_its_losses(loaded)
    assert before <= set(contents(tmp_path))
    save_anew(loaded, train_from_scratch=False)
    assert has_its_losses(loaded)
    assert before <= set(contents(tmp_path))


@pytest.mark.parametrize("from_scratch", [True, False])
@pytest.mark.parametrize("met", [0, 1])  # of two epochs, the second is the better one
@BOTH
def test_two_trainings_at_once_each_keep_their_own_and_the_later_one_stays(
    tmp_path, monkeypatch, capfd, name, met, from_scratch
):
    slow, quick = small(KINDS[name], tmp_path), small(KINDS[name], tmp_path)
    usual = slow.get_callbacks

    class TheOther(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == met:
                with monkeypatch.context() as patch:
                    patch.setattr(os, "getpid", lambda: 7)
                    save_anew(quick, from_scratch)
                assert_loads(quick, tmp_path, capfd)
                saved.extend(path.read_bytes() for path in files_of(quick))

    saved = []
    slow.get_callbacks = lambda: [*usual(), TheOther()]
    save_anew(slow, from_scratch)
    assert fingerprint(slow.model) != fingerprint(quick.model)
    assert_loads(slow, tmp_path, capfd)
    names = names_of(slow)
    if not from_scratch:  # what it did not know of when it began is kept
        names |= {f"{name}.earlier-1" for name in names}
        assert set(saved) <= set(contents(tmp_path))
    assert {path.name for path in tmp_path.rglob("*.*")} == names


def assert_loads(model, folder, capfd):
    """Expect that a new model loads the weights of model and the losses that are theirs."""
    new = small(type(model), folder)
    assert not load_or_begin(new, capfd)[1]
    assert has_its_losses(new)
    assert fingerprint(new.model) == fingerprint(model.model)


def test_litter_of_killed_processes_is_removed_in_time_and_nothing_else(tmp_path):
    model = small(RNN, tmp_path)
    folder = Path(model.save_model_path()).parent
    litter = ["RNN_model.unfinished-123.weights.h5", "RNN_losses.json.unfinished-123"]
    litter += ["RNN_model.unfinished-123.123.weights.h5"]
    others = ["RNN_model.2024.weights.h5", "RNN_losses.json.2024", "LSTM_losses.json"]
    others += ["RNN_model.unfinished-123.weights.h5.old", "RNN_model.weights.h5.earlier-1"]
    for name in (*litter, *others):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (0, 0))
    being_written = folder / "RNN_model.unfinished-124.weights.h5"
    being_written.write_bytes(b"")
    save_anew(model)
    left = {path.name for path in folder.iterdir()}
    assert left == {*others, being_written.name, *names_of(model)}


def waiting_losses(model, weights, losses=(7.0,), process=1):
    """Leave losses as a process does that is killed before they are in their final place."""
    fingerprint = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    content = {"model": model.model_name, "weights": fingerprint, "losses": losses}
    path = Path(f"{model.save_losses_path()}.unfinished-{process}")
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_losses_that_cannot_take_their_place_stop_no_loading(saved, tmp_path, renamed, capfd):
    model = small(RNN, copy_of(saved, tmp_path))
    waiting = waiting_losses(model, model.save_model_path())
    said, began = load_or_begin(model, capfd)
    assert not began and "Loaded saved RNN" in said
    assert len(model.loss_history["losses"]) == 2
    assert renamed == [waiting]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1)])
def test_of_losses_that_wait_those_of_the_saved_weights_take_their_place(
    saved, tmp_path, capfd, order
):
    model = small(RNN, copy_of(saved, tmp_path))
    others = waiting_losses(model, saved / "model_weights/LSTM_model.weights.h5", process=order[0])
    own = waiting_losses(model, model.save_model_path(), (3.0, 2.0), process=order[1])
    cut = Path(f"{model.save_losses_path()}.unfinished-{order[2]}")
    cut.write_bytes(own.read_bytes()[:-9])
    assert not load_or_begin(model, capfd)[1]
    assert model.loss_history == {"losses": [3.0, 2.0]}
    assert others.exists() and cut.exists() and not own.exists()


@BOTH
def test_losses_of_weights_that_were_replaced_since_are_not_taken_for_theirs(
    saved, tmp_path, capfd, name
):
    model = small(KINDS[name], copy_of(saved, tmp_path))
    net = model.define_model()
    net.build((None, S))
    net.save_weights(model.save_model_path())
    before = Path(model.save_losses_path()).read_bytes()
    said, began = load_or_begin(model, capfd)
    assert not began and f"Loaded saved {name} model and weights." in said
    assert "expected the losses of the weights beside it, got others" in said
    assert model.loss_history is None
    assert Path(model.save_losses_path()).read_bytes() == before


def test_a_training_that_cannot_be_saved_says_where_its_weights_are(saved, tmp_path, monkeypatch):
    """As on Windows, where a file that another program has open cannot be replaced."""
    model, usual = small(RNN, copy_of(saved, tmp_path)), os.replace
    path = Path(model.save_model_path())
    before = path.read_bytes()

    def replace(source, target):
        if Path(target) == path:
            raise PermissionError(13, "in use")
        usual(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError, match="in use") as caught:
        save_anew(model)
    (note,) = caught.value.__notes__
    assert "until the next training" in note
    (unfinished,) = path.parent.glob("RNN_model.unfinished-*.weights.h5")
    assert unfinished.name in note
    net = model.define_model()
    net.build((None, S))
    net.load_weights(unfinished)
    assert fingerprint(net) == fingerprint(model.model)
    assert path.read_bytes() == before


# --- pickles -------------------------------------------------------------------------------------


class Bomb:
    """Makes a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_the_bomb_of_these_tests_does_go_off(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "off")))
    assert (tmp_path / "off").is_dir()


def torch_archive(thing):
    """Return what torch.save would write: a zip with a pickle in it."""
    import torch

    stream = io.BytesIO()
    torch.save(thing, stream)
    return stream.getvalue()


@pytest.mark.parametrize("make", [pickle.dumps, joblib_bytes, torch_archive])
@BOTH
def test_a_pickle_in_place_of_weights_or_losses_is_not_run(saved, tmp_path, begins, name, make):
    off = tmp_path / "off"
    model = small(KINDS[name], copy_of(saved, tmp_path))
    for path in (model.save_losses_path(), model.save_model_path()):
        Path(path).write_bytes(make(Bomb(off)))
        train_or_begin(model)
        assert not off.exists()


def test_a_whole_keras_archive_in_place_of_weights_is_not_run(saved, tmp_path, begins):
    """A .keras file may hold code in a Lambda layer; only its weights could ever be of use."""
    off = tmp_path / "off"
    model = small(RNN, copy_of(saved, tmp_path))
    bomb = f"{off}"
    net = tf.keras.Sequential(
        [tf.keras.layers.Lambda(lambda x: (__import__("os").makedirs(bomb, exist_ok=True), x)[1])]
    )
    net.build((None, S))  # goes off
    net.save(tmp_path / "net.keras")
    off.rmdir()
    assert zipfile.is_zipfile(tmp_path / "net.keras")
    shutil.copy(tmp_path / "net.keras", model.save_model_path())
    assert train_or_begin(model)
    assert not off.exists()
    assert model.vocab_size == V


LOAD_ALL = """
import os, sys
found = []
sys.addaudithook(lambda event, args: found.append(args) if event == "pickle.find_class" else None)
from utilities import datasets
for home in sys.argv[2:]:
    os.environ["HW4_DATA_HOME"] = home
    for name in sys.argv[1].split(","):
        try:
            getattr(datasets, f"load_{name}")(*([True] if name == "fashion_mnist" else []))
        except datasets.DataError as error:
            print("refused:", str(error).split(":")[0])
print("classes:", sorted(set(found)))
"""


def test_pickles_planted_in_every_place_of_the_data_home_are_not_run(tmp_path):
    from utilities import datasets

    off, homes = tmp_path / "off", []
    files = [file for entry in datasets.CATALOGUE.values() for file in entry.files]
    planted = [
        *files,
        "FashionMNIST/processed/training.pt",
        "FashionMNIST/processed/test.pt",
        "data.pkl",
        "scikit_learn_data/data.npy",
        "__init__.pkl",
    ]
    for make in (pickle.dumps, joblib_bytes, torch_archive):
        homes.append(tmp_path / make.__name__)
        place(homes[-1], {file: make(Bomb(off)) for file in planted})
    ran = run_python(
        LOAD_ALL, ",".join(datasets.CATALOGUE), *homes, env=clean_environment(HW4_STANDIN="1")
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("refused: ") == 4 * 3
    assert not off.exists()


def test_reading_good_data_unpickles_nothing_but_plain_arrays(tmp_path):
    """scikit-learn keeps the houses as a pickle: only its opcodes for an array are obeyed."""
    from utilities import standins

    houses = standins.make_houses()
    place(tmp_path, {"scikit_learn_data/cal_housing_py3.pkz": joblib_bytes(houses)})
    digest = hashlib.sha256(houses.tobytes(order="C")).hexdigest()
    declared = f"from utilities import datasets\ndatasets.HOUSING_SHA256 = {digest!r}\n"
    ran = run_python(declared + LOAD_ALL, "housing", tmp_path, env=clean_environment())
    assert ran.returncode == 0, ran.stderr
    assert "refused" not in ran.stdout
    classes = set(ast.literal_eval(ran.stdout.split("classes: ")[1]))
    wrapper = ("joblib.numpy_pickle", "NumpyArrayWrapper")
    assert classes <= {wrapper, ("numpy", "ndarray"), ("numpy", "dtype")}


READERS = ("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve")
READERS += ("joblib.load", "joblib.numpy_pickle.NumpyUnpickler")
# by an unpickler of its own; see the tests above
MAKES_ONLY_ARRAYS = "utilities/datasets.py"
ITS_IMPORTS = {"pickle", "joblib.numpy_pickle.NumpyUnpickler"}
RUNNING = ("pickle.load", "pickle.loads", "pickle.Unpickler", "read_pickle", "joblib.load")
RUNNING += ("dill.load", "dill.loads", "marshal.load", "marshal.loads", "shelve.open")
RUNNING += ("load_model",)  # Keras: weights only


def could_run_a_pickle(name, call):
    """Tell whether a call may unpickle; only a literal that forbids it counts as a no."""
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name.endswith("torch.load"):
        return given.get("weights_only") != "True"
    hides_some = None in given or any(isinstance(each, ast.Starred) for each in call.args)
    if name in ("np.load", "numpy.load") and (hides_some or len(call.args) > 1):
        return True
    return (
        name.endswith(RUNNING)
        or "torch.jit." in name
        or given.get("allow_pickle", "False") != "False"
        or given.get("safe_mode", "True") != "True"
    )


def ways_to_run_a_pickle(source):
    """Return what some code imports or calls that could run one."""
    tree = ast.parse(source)
    imports = {
        name for name in imported_modules(tree) if name in READERS or name.split(".")[0] in READERS
    }
    return imports | {name for name, call in calls_in(tree) if could_run_a_pickle(name, call)}


@pytest.mark.parametrize("where", SOURCES)
def test_no_file_is_read_by_something_that_could_run_a_pickle(where):
    allowed = ITS_IMPORTS if where == MAKES_ONLY_ARRAYS else set()
    assert ways_to_run_a_pickle(SOURCES[where]) == allowed


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from dill import loads",
        "def get():\n    from joblib import load",
        "pickle.load(file)",
        "joblib.load('x')",
        "import pandas as pd\npd.read_pickle('x')",
        "from pandas import read_pickle as read\nread('x')",
        "np.load('x', None, True)",
        "np.load('x', allow_pickle=True)",
        "np.load('x', allow_pickle=flag)",
        "np.load('x', allow_pickle=0)",
        "np.load('x', **options)",
        "np.load(*arguments)",
        "import numpy as xp\nxp.load('x', None, True)",
        "from numpy import load\nload('x', allow_pickle=True)",
        "np.lib.format.read_array(file, allow_pickle=True)",
        "torch.load('x')",
        "torch.load('x', weights_only=False)",
        "torch.load('x', weights_only=flag)",
        "torch.load('x', **options)",
        "from torch import load\nload('x', weights_only=False)",
        "from torch import load as get\nget('x')",
        "import torch as t\nt.load('x')",
        "torch.jit.load('x')",
        "from torch import jit\njit.load('x')",
        "from torch.jit import load\nload('x')",
        "import torch.jit as scripts\nscripts.load('x')",
        "tf.keras.models.load_model('x')",
        "from keras.models import load_model as get\nget('x')",
        "keras.saving.deserialize_keras_object(x, safe_mode=False)",
    ],
)
def test_what_could_run_a_pickle_is_seen(code):
    assert ways_to_run_a_pickle(code)


@pytest.mark.parametrize(
    "code",
    [
        "np.load('x')",
        "np.load('x', allow_pickle=False)",
        "np.load('x', mmap_mode='r')",
        "from numpy import load\nload('x')",
        "torch.load('x', weights_only=True)",
        "torch.load('x', 'cpu', weights_only=True)",
        "from torch import load\nload('x', weights_only=True)",
        "import json\njson.load(file)",
        "model.load_weights('x')",
    ],
)
def test_what_reads_plain_arrays_is_let_be(code):
    assert not ways_to_run_a_pickle(code)
