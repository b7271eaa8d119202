"""Question 1: an iteration of each training of the two-layer net, on the housing data."""

import importlib.util
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import rivals
from benchmarks.harness import Growth, Missing, Row, compare, measure_growth, quietly
from NN import NeuralNet
from utilities.utils import get_housing_dataset

ITERATIONS = 1000
BATCH = 64
PAIRS = 45  # of a fraction of a second each: medians of 15 of them were 2.4 and 2.7 on one machine
GROWTH_ITERATIONS = 100
MOST_TRAINING_ROWS = 375_000


def rows() -> Iterator[Row | Missing]:
    """Time 1000 iterations of both trainings against each rival."""
    import torch

    torch.set_num_threads(1)
    x, y, _, _ = get_housing_dataset()
    what = f"{ITERATIONS} iterations of gradient_descent"
    losses = training(x, y, ITERATIONS, every=True)
    np.testing.assert_allclose(losses, rivals.textbook_training(x, y, ITERATIONS)[0], rtol=1e-12)
    np.testing.assert_allclose(losses[-1], rivals.torch_training(x, y, ITERATIONS), rtol=1e-12)

    def check_tanh_net(_: object, net: object) -> None:  # another net: its losses are its own
        expected = rivals.tanh_losses(x, y, ITERATIONS)
        np.testing.assert_allclose(net.loss_curve_, expected, rtol=1e-12)

    for name, goal, rival, check in (
        ("textbook NumPy", 2.0, rivals.textbook_training, None),
        ("PyTorch eager, float64", 3.3, rivals.torch_training, None),
        ("scikit-learn MLPClassifier (tanh)", 1.8, rivals.sklearn_training, check_tanh_net),
    ):
        yield compare(
            what,
            name,
            lambda: training(x, y, ITERATIONS),
            lambda rival=rival: rival(x, y, ITERATIONS),
            goal,
            pairs=PAIRS,
            check=check,
        )
    yield _against_jax(what, x, y, losses[-1])
    settings = {"dropout_prob": 0.3, "batch_size": BATCH}
    np.testing.assert_allclose(  # the same random stream, so the same losses
        batch_training(x, y, ITERATIONS, every=True),
        rivals.textbook_training(x, y, ITERATIONS, **settings)[0],
        rtol=1e-12,
    )
    yield compare(
        f"{ITERATIONS} iterations of batch_gradient_descent, dropout, batch {BATCH}",
        "textbook NumPy with np.random.choice",
        lambda: batch_training(x, y, ITERATIONS),
        lambda: rivals.textbook_training(x, y, ITERATIONS, **settings),
        2.5,
        pairs=PAIRS,
    )


def growth() -> Iterator[Growth]:
    """Time iterations on the housing rows repeated 1 to 1000 times."""
    x, y, _, _ = get_housing_dataset()

    def prepare(count: int) -> Callable[[], object]:
        more_x, more_y = (np.resize(data, (count, data.shape[1])) for data in (x, y))
        return lambda: training(more_x, more_y, GROWTH_ITERATIONS)

    yield measure_growth(
        f"gradient_descent, {GROWTH_ITERATIONS} iterations",
        "rows",
        (375, 3_750, 37_500, MOST_TRAINING_ROWS),
        prepare,
    )


def training(x: np.ndarray, y: np.ndarray, iterations: int, every: bool = False) -> list[float]:
    """Train on all rows and return the recorded losses."""
    net = NeuralNet(y, use_dropout=False, use_momentum=False)
    quietly(net.gradient_descent, x, y, iterations, local_test=every)
    return net.loss


def batch_training(x: np.ndarray, y: np.ndarray, iterations: int, every: bool = False) -> list:
    """Train on batches with dropout and return the recorded losses."""
    net = NeuralNet(y, use_dropout=True, use_momentum=False, batch_size=BATCH)
    quietly(net.batch_gradient_descent, x, y, False, iterations, local_test=every)
    return net.loss


def _against_jax(what: str, x: np.ndarray, y: np.ndarray, last_loss: float) -> Row | Missing:
    rival, goal = "JAX jit with fori_loop, float64", 1.3
    if importlib.util.find_spec("jax") is None:
        return Missing(what, rival, "JAX is not installed (pip install jax)")
    compiled = rivals.jax_training(ITERATIONS)
    np.testing.assert_allclose(compiled(x, y), last_loss, rtol=1e-12)
    return compare(
        what,
        rival,
        lambda: training(x, y, ITERATIONS),
        lambda: compiled(x, y),
        goal,
        at_most=True,
        pairs=PAIRS,
    )
