"""Ctrl-C at any moment of any training: what was reached is kept, and training again works.

A timer interrupts the trainings for real, wherever the interpreter then is; shorter and longer
waits stand for the moments.
"""

import contextlib
import copy
import gc
import io
import itertools
import signal
import sys
import threading
import time

import numpy as np
import pytest
import torch
from helpers import eagerly, one_hot
from sklearn.exceptions import NotFittedError
from test_cnn import small_fashion
from torch.utils.data import TensorDataset

import NN
from cnn import CNN
from cnn_trainer import DeviceLoader, MemoryLoader, Trainer, make_loader
from NN import PARAMETER_KEYS, NeuralNet
from random_forest import RandomForest

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system"),
    # TensorFlow's business: what eager mode leaves out, and its arrays under NumPy 2
    pytest.mark.filterwarnings("ignore:Even though the .tf.config.experimental_run_functions"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]

MOMENTS = np.geomspace(0.001, 0.2, 12)  # seconds
ENDLESS = 10**9


def later_and_later(factor):
    """Give the moments times a factor, then times the next, for machines of any speed."""
    for larger in range(factor, 100):
        yield from MOMENTS * larger


def interrupted_after(seconds, train):
    """Run a training and press Ctrl-C after some seconds; return what it printed.

    With seconds of 0 the training itself sets the timer.
    """

    def press(*_):
        signal.raise_signal(signal.SIGINT)

    usual = signal.signal(signal.SIGALRM, press)
    usual_ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)  # off in the background
    printed = io.StringIO()
    gc.disable()  # Python drops what is raised in a callback of the collector (JAX has one)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            train()
        pytest.fail("the training ended before it was interrupted")
    except KeyboardInterrupt:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
        signal.signal(signal.SIGINT, usual_ctrl_c)
        gc.enable()
    return printed.getvalue()


def quiet(train):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        train()


# --- Question 1 ----------------------------------------------------------------------------------

ROWS = np.random.default_rng(0).random((30, 8))
TARGETS = one_hot(np.arange(30) % 3)


DESCENTS = pytest.mark.parametrize(
    ("kind", "use_dropout", "use_momentum"),
    [
        (kind, *switches)
        for kind in ("gradient_descent", "batch_gradient_descent")
        for switches in itertools.product([False, True], repeat=2)
    ],
)


def new_net(use_dropout, use_momentum):
    return NeuralNet(TARGETS, use_dropout, use_momentum, batch_size=7)


def descend(net, kind, iterations):
    getattr(net, kind)(ROWS, TARGETS, use_momentum=net.use_momentum, iter=iterations)


def assert_trains_as(fresh, net, kind, iterations):
    """Expect that a net trains as if new; fresh has done so."""
    quiet(lambda: descend(net, kind, iterations))
    assert net.loss == fresh.loss
    for key in PARAMETER_KEYS:
        np.testing.assert_array_equal(net.parameters[key], fresh.parameters[key])
        np.testing.assert_array_equal(net.change[key], fresh.change[key])
    assert (net.iteration, net.weight_updates) == (fresh.iteration, fresh.weight_updates)


@DESCENTS
def test_an_interrupted_net_is_whole_and_trains_again_as_if_nothing_had_been(
    kind, use_dropout, use_momentum
):
    net = new_net(use_dropout, use_momentum)
    net.init_parameters()  # the first moment may come before a training has begun
    for seconds in MOMENTS:
        lines = interrupted_after(seconds, lambda: descend(net, kind, ENDLESS)).splitlines()
        assert tuple(net.parameters) == PARAMETER_KEYS
        shapes = {key: value.shape for key, value in net.parameters.items()}
        assert shapes["theta1"] == (8, 15) and shapes["b3"] == (3,)
        assert {key: value.shape for key, value in net.change.items()} == shapes
        assert all(np.isfinite(value).all() for value in net.parameters.values())
        # a loss is kept before its line is printed
        assert len(lines) <= len(net.loss) <= len(lines) + 1
        assert np.isfinite(net.loss).all()
        assert set(net.predict(ROWS).tolist()) <= {0, 1, 2}
    fresh = new_net(use_dropout, use_momentum)
    quiet(lambda: descend(fresh, kind, 1500))
    assert_trains_as(fresh, net, kind, 1500)


def interrupted_at(line, train):
    """Press Ctrl-C at a line of NN.py, counted as they are run; return whether it was reached."""
    lines = iter(range(line))

    def trace(frame, event, _):
        if frame.f_code.co_filename != NN.__file__:
            return None
        if event == "line" and next(lines, None) is None:
            raise KeyboardInterrupt
        return trace

    usual = sys.gettrace()
    sys.settrace(trace)
    try:
        quiet(train)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(usual)
    return False


@DESCENTS
def test_a_new_net_interrupted_at_any_line_of_its_first_iteration_trains_as_a_fresh_one(
    kind, use_dropout, use_momentum
):
    fresh = new_net(use_dropout, use_momentum)
    quiet(lambda: descend(fresh, kind, 2))
    had_parameters = set()
    for line in itertools.count():
        net = new_net(use_dropout, use_momentum)
        if not interrupted_at(line, lambda net=net: descend(net, kind, 1)):
            break
        had_parameters.add(bool(net.parameters))
        if net.parameters:
            assert set(net.predict(ROWS).tolist()) <= {0, 1, 2}
        else:
            with pytest.raises(ValueError, match=r"call init_parameters\(\) first"):
                net.predict(ROWS)
        assert_trains_as(fresh, net, kind, 2)
    assert had_parameters == {False, True}


@DESCENTS
def test_a_trained_net_interrupted_anywhere_has_no_losses_of_other_parameters(
    kind, use_dropout, use_momentum
):
    trained = new_net(use_dropout, use_momentum)
    quiet(lambda: descend(trained, kind, 3))
    assert trained.loss and trained.weight_updates == 3
    had_losses = set()
    for line in itertools.count():
        net = copy.deepcopy(trained)
        if not interrupted_at(line, lambda net=net: descend(net, kind, 1)):
            break
        had_losses.add(bool(net.loss))
        if net.loss and net.weight_updates != 1:
            for key in PARAMETER_KEYS:
                np.testing.assert_array_equal(net.parameters[key], trained.parameters[key])
    assert had_losses == {False, True}


@DESCENTS
def test_what_an_interrupted_training_remembers_is_of_one_iteration(
    kind, use_dropout, use_momentum
):
    keys = {"X", "u1", "o1", "u2", "o2", "u3", "o3"} | ({"mask"} if use_dropout else set())
    had_all = set()
    for line in itertools.count():
        net = new_net(use_dropout, use_momentum)
        if not interrupted_at(line, lambda net=net: descend(net, kind, 2)):
            break
        is_whole = set(net.cache) == keys
        had_all.add(is_whole)
        if is_whole:
            scale = net.cache["mask"] / (1 - net.dropout_prob) if use_dropout else 1.0
            for u, o, factor in (("u1", "o1", scale), ("u2", "o2", 1.0)):
                expected = net.silu(net.cache[u]) * factor
                np.testing.assert_allclose(net.cache[o], expected, rtol=1e-12, err_msg=o)
        else:
            assert net.cache == {}
            with pytest.raises(ValueError, match="cache must hold"):
                net.compute_gradients(TARGETS, TARGETS, use_dropout)
    assert had_all == {False, True}


# --- Question 2 ----------------------------------------------------------------------------------


IMAGES = {
    MemoryLoader: lambda: small_fashion(12),
    DeviceLoader: lambda: TensorDataset(torch.rand(12, 1, 28, 28), torch.arange(12) % 10),
}


def make_trainer(loader, epochs):
    torch.manual_seed(0)
    images = IMAGES[loader]()
    assert type(make_loader(images, 4, "cpu", shuffle=True)) is loader
    return Trainer(CNN(), images, images, num_epochs=epochs, batch_size=4)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("loader", IMAGES)
def test_an_interrupted_trainer_keeps_its_finished_epochs_and_trains_again(loader):
    trainer, epochs = make_trainer(loader, epochs=10_000), []
    trainer.model.eval()
    for seconds in later_and_later(4):
        if len(epochs) > len(MOMENTS) and max(epochs) > 0:  # some moments came after an epoch
            break
        printed = interrupted_after(seconds, trainer.train)
        history = trainer.get_training_history()
        (length,) = {len(values) for values in history}
        # the line is printed when the four numbers are kept
        assert printed.count("Validation Loss") <= length <= printed.count("Epoch") + 1
        assert np.isfinite([value for values in history for value in values]).all()
        assert not trainer.model.training  # the mode it was in
        probabilities, _, _ = trainer.predict([(torch.rand(3, 1, 28, 28), torch.arange(3))])
        assert probabilities.isfinite().all()
        epochs.append(length)
    assert max(epochs) > 0
    trainer.num_epochs = 2
    quiet(trainer.train)
    assert [len(values) for values in trainer.get_training_history()] == [2] * 4


# --- Question 3 ----------------------------------------------------------------------------------

BEANS = np.random.default_rng(1).normal(size=(3000, 6))
KINDS = np.random.default_rng(2).integers(0, 3, 3000)


@pytest.mark.parametrize("way", ["bagged", "boosted"])
def test_an_interrupted_forest_is_one_of_the_trees_so_far_and_is_fitted_again(way):
    forest = RandomForest(800, 8, 0.5, random_seed=3)
    fit, predict = (
        (forest.fit, forest.predict)
        if way == "bagged"
        else (forest.adaboost, forest.predict_adaboost)
    )
    sizes = []
    # later and later, until some trees are done: drawing their rows comes first
    for seconds in later_and_later(1):
        if len(sizes) > 2 * len(MOMENTS) and max(sizes) > 0:
            break
        interrupted_after(seconds, lambda: fit(BEANS, KINDS))
        trees = [tree for tree in forest.decision_trees if hasattr(tree, "tree_")]
        assert trees in ([], forest.decision_trees)  # none yet, or none without its tree
        sizes.append(len(trees))
        assert all(tree.tree_.node_count > 1 for tree in trees)
        assert len(forest.alphas) in ((0,) if way == "bagged" else (len(trees), len(trees) - 1))
        if (trees and way == "bagged") or forest.alphas:
            assert set(predict(BEANS[:20]).tolist()) <= {0, 1, 2}
        else:
            with pytest.raises((ValueError, NotFittedError), match=r"fit\(\)|adaboost\(\)"):
                predict(BEANS[:20])
    assert 0 < max(sizes) < 800
    forest.n_estimators = 5
    forest.decision_trees = forest.decision_trees[:5]
    fresh = RandomForest(5, 8, 0.5, random_seed=3)
    for each in (forest, fresh):
        np.random.seed(3)
        (each.fit if way == "bagged" else each.adaboost)(BEANS, KINDS)
    assert len(forest.decision_trees) == 5
    after = fresh.predict if way == "bagged" else fresh.predict_adaboost
    np.testing.assert_array_equal(predict(BEANS), after(BEANS))


def test_trees_of_an_earlier_fit_never_mix_with_those_of_an_interrupted_one():
    forest = RandomForest(60, 8, 0.5, random_seed=3)
    forest.fit(BEANS, KINDS)
    usual, fitted = type(forest.decision_trees[0]).fit, []

    def fit(tree, *args, **kwargs):
        if len(fitted) == 7:
            raise KeyboardInterrupt
        fitted.append(tree)
        return usual(tree, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(forest.decision_trees[0]), "fit", fit)
        with pytest.raises(KeyboardInterrupt):
            forest.fit(BEANS + 1, KINDS)
    assert forest.decision_trees == fitted
    seven = RandomForest(7, 8, 0.5, random_seed=3)
    seven.fit(BEANS + 1, KINDS)
    np.random.seed(0)  # the trees' own draws go on in the global stream: compare the columns
    for mine, theirs in zip(forest.feature_indices[:7], seven.feature_indices, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert forest.predict(BEANS).shape == (3000,)
    assert 0 <= forest.OOB_score(BEANS + 1, KINDS) <= 1


def test_data_that_no_tree_can_use_leaves_the_fitted_trees_alone():
    forest = RandomForest(4, 3, 0.3, random_seed=0)
    forest.fit(BEANS, KINDS)
    before, trees = forest.predict(BEANS), list(forest.decision_trees)
    with pytest.raises(ValueError, match="max_features"):
        forest.fit(BEANS[:, :2], KINDS)
    assert forest.decision_trees == trees
    np.testing.assert_array_equal(forest.predict(BEANS), before)


# --- Question 5 ----------------------------------------------------------------------------------


@pytest.fixture
def make_small():
    """Give a function that makes a small RNN or LSTM; its one batch an epoch runs step by step."""
    pytest.importorskip("tensorflow")
    from test_sequential_models import N, small

    from lstm import LSTM
    from rnn import RNN

    def make(name, folder, epochs=1):
        model = small({"RNN": RNN, "LSTM": LSTM}[name], folder, epochs)
        model.hp["batch_size"] = N
        return model

    with eagerly():
        yield make


def train_anew(model):
    from test_sequential_models import windows

    model.train(*windows(), train_from_scratch=True)


def assert_saved(weights, losses, new_model):
    """Expect that a new model loads these weights and losses; it must not have to train."""
    import tensorflow as tf
    from test_sequential_models import windows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.keras.Sequential, "fit", None)
        quiet(lambda: new_model.train(*windows()))
    assert new_model.loss_history["losses"] == losses
    for loaded, array in zip(new_model.model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(loaded, array)


def assert_usable(model):
    from test_sequential_models import windows

    assert np.isfinite(model.loss_history["losses"]).all()
    probabilities = np.asarray(model.model(windows()[0][:3], training=False))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)  # float32 sums of 5


BOTH = pytest.mark.parametrize("name", ["RNN", "LSTM"])


@BOTH
def test_an_interrupted_model_of_text_leaves_the_saved_one_and_trains_again(
    make_small, tmp_path, name
):
    import tensorflow as tf

    model = make_small(name, tmp_path)
    quiet(lambda: train_anew(model))
    saved = model.model.get_weights(), model.loss_history["losses"]
    model.hp["epochs"], epochs = ENDLESS, []
    for seconds in later_and_later(4):
        if len(epochs) > len(MOMENTS) and max(epochs) > 0:  # some moments came after an epoch
            break
        interrupted_after(seconds, lambda: train_anew(model))
        assert_usable(model)
        epochs.append(len(model.loss_history["losses"]))
    tf.config.run_functions_eagerly(False)
    for seconds in 4 * MOMENTS[::3]:  # as the graph is made
        interrupted_after(seconds, lambda: train_anew(model))
        assert_usable(model)
    assert_saved(*saved, make_small(name, tmp_path))
    model.hp["epochs"] = 1
    quiet(lambda: train_anew(model))
    assert_saved(
        model.model.get_weights(), model.loss_history["losses"], make_small(name, tmp_path)
    )


@BOTH
def test_a_model_of_text_interrupted_as_it_is_saved_is_saved_first(make_small, tmp_path, name):
    """The moments lie between the end of the last epoch and of the training, however long it is."""
    import tensorflow as tf

    model = make_small(name, tmp_path)
    usual, started = model.get_callbacks, []

    class Timer(tf.keras.callbacks.Callback):
        seconds = 0  # no timer

        def on_epoch_end(self, epoch, logs=None):
            started.append(time.monotonic())
            signal.setitimer(signal.ITIMER_REAL, self.seconds)

    model.get_callbacks = lambda: [Timer(), *usual()]
    quiet(lambda: train_anew(model))
    duration = time.monotonic() - started[-1]
    for share in np.linspace(0.02, 1.02, 8):
        Timer.seconds = share * duration
        interrupted_after(0, lambda: (train_anew(model), time.sleep(60)))
        assert_usable(model)
        assert_saved(
            model.model.get_weights(), model.loss_history["losses"], make_small(name, tmp_path)
        )
        assert len(list(tmp_path.rglob("*.*"))) == 2
    Timer.seconds = 0
    quiet(lambda: train_anew(model))
    assert len(model.loss_history["losses"]) == 1


def test_ctrl_c_pressed_twice_does_not_wait_for_a_batch(make_small, tmp_path):
    model = make_small("RNN", tmp_path)
    reached = []

    def build_model():
        for _ in range(3):
            reached.append(len(reached))
            signal.raise_signal(signal.SIGINT)

    model.build_model = build_model
    interrupted_after(60, lambda: train_anew(model))
    assert reached == [0, 1]
    assert model.loss_history["losses"] == []


def test_a_training_leaves_ctrl_c_to_others_and_runs_in_any_thread(make_small, tmp_path):
    model, pressed = make_small("RNN", tmp_path), []
    usual_build = model.build_model

    def build_model():
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        usual_build()

    def press(*_):
        pressed.append(True)

    model.build_model = build_model
    usual = signal.signal(signal.SIGINT, press)
    try:
        quiet(lambda: train_anew(model))
        assert signal.getsignal(signal.SIGINT) is press
    finally:
        signal.signal(signal.SIGINT, usual)
    assert pressed == [True]
    assert len(model.loss_history["losses"]) == 1
    thread = threading.Thread(target=quiet, args=(lambda: train_anew(model),))
    model.loss_history = None
    thread.start()
    thread.join()
    assert len(model.loss_history["losses"]) == 1
