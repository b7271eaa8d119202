"""Checks of the three trainings on the housing data (items 1.2 to 1.4).

The published figures are known to everybody, so reproducing them is not enough: the same net is
first trained for a while on data whose columns are shuffled anew for each submission, where only
a real training gives the reference's losses.
"""

from types import SimpleNamespace

import numpy as np

from autograder import data
from autograder.checks.compare import Mismatch, as_array, close
from autograder.checks.nn import kept_stream, reference_net
from autograder.checks.task import Task
from autograder.checks.training import silent
from autograder.reference import figures, module

# Printed with six decimals. Another order of the sums may round the last digit the other way.
LOSS_ATOL = 1.5e-6
CROSS_ENTROPY_ATOL = 1.5e-3  # the same for three decimals
FRESH_ITERATIONS = 2001
# Losses of a few thousand iterations agree to 1e-12 between implementations; 1e-7 leaves room.
FRESH_RTOL = 1e-7
# The reference takes about 4 s of processor time, a textbook solution up to three times that.
CPU_SECONDS, WALL_SECONDS = 75, 180

KINDS = {
    "gd": SimpleNamespace(
        method="gradient_descent",
        net={"use_dropout": False, "use_momentum": False},
        call={"use_momentum": False},
    ),
    "bgd": SimpleNamespace(
        method="batch_gradient_descent",
        net={"use_dropout": True, "use_momentum": False, "batch_size": 64},
        call={"use_momentum": False},
    ),
    "momentum": SimpleNamespace(
        method="gradient_descent",
        net={"use_dropout": False, "use_momentum": True, "momentum": 0.5},
        call={"use_momentum": True},
    ),
}


def gradient_descent(task: Task) -> None:
    """1.2."""
    _training(task, "gd")


def batch_gradient_descent(task: Task) -> None:
    """1.3."""
    _training(task, "bgd")


def momentum(task: Task) -> None:
    """1.4."""
    _training(task, "momentum")


def _training(task: Task, name: str) -> None:
    kind, sets = KINDS[name], data.load("housing")
    columns = task.rng.permutation(sets["x_train"].shape[1])
    fresh = _plan_training(task, kind, sets, columns, FRESH_ITERATIONS)
    full = _plan_training(task, kind, sets, np.arange(len(columns)), 60_000)
    task.run(cpu=CPU_SECONDS, wall=WALL_SECONDS)
    right = _train_reference(kind, sets, columns)
    published = figures("nn_losses")

    def losses() -> None:
        _judge_fresh(task, kind, right, fresh)
        called = f"loss after {kind.method}(x_train, y_train) of 60,000 iterations"
        got = as_array(called, task[full["loss"]])
        if got.shape != (60,):
            raise Mismatch(f"{called}: expected 60 losses, got shape {got.shape}")
        hint = "the loss of every 1000th iteration; see items 1.1 for what may be wrong"
        close(called, got, published[name], hint, rtol=0, atol=LOSS_ATOL)

    def cross_entropy() -> None:
        _judge_fresh(task, kind, right, fresh)
        called = "forward(x_test, use_dropout=False) after the training"
        probabilities = as_array(called, task[full["test"]], sets["y_test"].shape)
        probabilities = probabilities.astype(float)
        if not (probabilities >= 0).all():
            raise Mismatch(f"{called}: expected probabilities, got values below 0 or NaN")
        got = reference_net().cross_entropy_loss(sets["y_test"], probabilities)
        expected = published["test_cross_entropy"][name]
        close("cross-entropy on the test set", got, expected, rtol=0, atol=CROSS_ENTROPY_ATOL)

    task.part(0.6, "printed losses", losses)
    task.part(0.4, "test cross-entropy", cross_entropy)
    task.notes.append("this item needs the whole net: what fails in 1.1 fails here too")


def _plan_training(
    task: Task, kind: SimpleNamespace, sets: dict, columns: np.ndarray, iterations: int
) -> dict[str, int]:
    case = task.case()
    case.new("nn", "NN.NeuralNet", y=sets["y_train"], **kind.net)
    case.call(
        f"nn.{kind.method}",
        sets["x_train"][:, columns],
        sets["y_train"],
        iter=iterations,
        send=False,
        label=f"{kind.method}(x_train, y_train, iter={iterations})",
        **kind.call,
    )
    loss = case.get("nn.loss")
    test = case.call("nn.forward", sets["x_test"][:, columns], use_dropout=False)
    return {"loss": loss, "test": test}


def _train_reference(kind: SimpleNamespace, sets: dict, columns: np.ndarray) -> tuple:
    """Return the reference's losses and test probabilities after a short training."""
    net = module("NN").NeuralNet(sets["y_train"], **kind.net)
    x_train, x_test = sets["x_train"][:, columns], sets["x_test"][:, columns]
    with kept_stream(), silent():
        getattr(net, kind.method)(x_train, sets["y_train"], iter=FRESH_ITERATIONS, **kind.call)
        return net.loss, net.forward(x_test, use_dropout=False)


def _judge_fresh(task: Task, kind: SimpleNamespace, right: tuple, steps: dict) -> None:
    """Compare a short training on shuffled columns with the reference's."""
    losses, probabilities = right
    called = f"{kind.method} of {FRESH_ITERATIONS} iterations on shuffled columns"
    loss = as_array(f"loss after {called}", task[steps["loss"]])
    if loss.shape != (len(losses),):
        raise Mismatch(f"loss after {called}: expected {len(losses)} losses, got {loss.size}")
    close(f"loss after {called}", loss, losses, rtol=FRESH_RTOL)
    test = task[steps["test"]]
    close(
        f"forward(x_test, use_dropout=False) after {called}", test, probabilities, rtol=FRESH_RTOL
    )
