"""Stand-ins for a student's methods and for trees, so that one item does not judge another.

``forward`` must apply whatever ``silu`` gives; whether it does shows as well with another
function in silu's place. None of these stand-ins is an answer to anything, so they may be known
to the student's process, and the checks compute with the same ones.

Symbols: N rows, F features, C classes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def bent(u: np.ndarray) -> np.ndarray:
    """Stand in for the activation."""
    return u / (1 + np.abs(u))


def hill(x: np.ndarray) -> np.ndarray:
    """Stand in for the activation's derivative."""
    return 1 / (1 + np.square(x))


def shares(u: np.ndarray) -> np.ndarray:
    """Stand in for softmax: rows that sum to one."""
    weights = 1 + np.abs(u)
    return weights / weights.sum(axis=1, keepdims=True)


def sieve(u: np.ndarray, prob: float) -> tuple[np.ndarray, np.ndarray]:
    """Stand in for dropout: every third element goes, the others grow with prob."""
    mask = (np.arange(np.size(u)).reshape(np.shape(u)) % 3 > 0).astype(int)
    return u * mask * (2 + prob), mask


def gap(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Stand in for the loss."""
    return float(np.mean(np.abs(np.asarray(y) - y_hat)))


def steps(parameters: dict, y: np.ndarray, yh: np.ndarray, use_dropout: bool) -> dict:
    """Stand in for the gradients: one for every parameter, of its shape."""
    size = gap(y, yh) + (0.5 if use_dropout else 0.25)
    return {
        key: (np.asarray(value) + rank) * size
        for rank, (key, value) in enumerate(sorted(parameters.items()))
    }


class LinearTree:
    """A tree whose class probabilities are a fixed function of a row, and which notes its fits.

    Parameters
    ----------
    weights : ndarray, shape (F, C)
        The scores of a row's classes are ``row @ weights``.
    classes : ndarray, shape (C,)
    """

    def __init__(self, weights: np.ndarray, classes: np.ndarray) -> None:
        self.weights, self.classes_ = weights, classes
        self.n_features_in_, self.n_classes_ = len(weights), len(classes)
        self.fits: list[tuple] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **_: Any) -> "LinearTree":
        """Note the arguments and change nothing."""
        noted = None if sample_weight is None else np.array(sample_weight, dtype=float)
        self.fits.append((np.array(X, dtype=float), np.array(y), noted))
        return self

    def __deepcopy__(self, memo: dict) -> "LinearTree":
        """Return a copy that notes its fits in the same list: a forest may fit copies."""
        copied = LinearTree(self.weights, self.classes_)
        copied.fits = self.fits
        return copied

    def predict_proba(self, X: Any, check_input: bool = True) -> np.ndarray:
        """Return (N, C) rows that sum to one."""
        return shares(np.asarray(X, dtype=float) @ self.weights)

    def predict(self, X: Any, check_input: bool = True) -> np.ndarray:
        """Return the most probable class of every row, (N,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the weighted share of right predictions."""
        return float(np.average(self.predict(X) == np.asarray(y), weights=sample_weight))


def pattern_rows(tree: int, num_training: int) -> np.ndarray:
    """Return the rows the stand-in for a forest's draw gives a tree; some twice, some never."""
    index = np.arange(num_training)
    return (index // 2 * 2 + tree) % num_training


def pattern_columns(tree: int, num_features: int) -> np.ndarray:
    """Return the columns the stand-in gives a tree: about two thirds, not in order."""
    index = np.roll(np.arange(num_features), tree)[::-1]
    return index[: max(1, num_features * 2 // 3)]


# --- installation in a student's object -------------------------------------------------------


def _as_method(function: Callable) -> Callable[[Any, list], Callable]:
    return lambda owner, log: function


def _gradients(owner: Any, log: list) -> Callable:
    def compute_gradients(y: Any, yh: Any, use_dropout: bool) -> dict:
        log.append(("compute_gradients", bool(use_dropout)))
        return steps(owner.parameters, y, yh, use_dropout)

    return compute_gradients


def _update(owner: Any, log: list) -> Callable:
    def update_weights(dLoss: dict, use_momentum: bool) -> None:
        log.append(("update_weights", bool(use_momentum)))
        for key, gradient in dLoss.items():
            owner.parameters[key] = owner.parameters[key] - 0.125 * gradient

    return update_weights


def _backward(owner: Any, log: list) -> Callable:
    def backward(y: Any, yh: Any, use_dropout: bool, use_momentum: bool) -> tuple:
        log.append(("backward", np.array(y), bool(use_dropout), bool(use_momentum)))
        gradients = steps(owner.parameters, y, yh, use_dropout)
        for key, gradient in gradients.items():
            owner.parameters[key] = owner.parameters[key] - 0.125 * gradient
        return tuple(gradients[k] for k in ("theta3", "b3", "theta2", "b2", "theta1", "b1"))

    return backward


def _forward(owner: Any, log: list) -> Callable:
    def forward(x: Any, use_dropout: bool) -> np.ndarray:
        log.append(("forward", np.array(x), bool(use_dropout)))
        p = owner.parameters
        hidden = bent(bent(x @ p["theta1"] + p["b1"]) @ p["theta2"] + p["b2"])
        return shares(hidden @ p["theta3"] + p["b3"])

    return forward


def _draw(owner: Any, log: list) -> Callable:
    def draw(num_training: int, num_features: int, random_seed: Any = None) -> tuple:
        log.append(("_bootstrapping", int(num_training), int(num_features), random_seed))
        tree = len(log) - 1
        return pattern_rows(tree, num_training), pattern_columns(tree, num_features)

    return draw


def _draws(owner: Any, log: list) -> Callable:
    def bootstrapping(num_training: int, num_features: int) -> None:
        log.append(("bootstrapping", int(num_training), int(num_features)))
        trees = range(len(owner.decision_trees))
        owner.bootstraps_row_indices = [pattern_rows(t, num_training) for t in trees]
        owner.feature_indices = [pattern_columns(t, num_features) for t in trees]
        everything = set(range(num_training))
        owner.out_of_bag = [everything - set(r.tolist()) for r in owner.bootstraps_row_indices]

    return bootstrapping


MAKERS = {
    "bent": _as_method(bent),
    "hill": _as_method(hill),
    "shares": _as_method(shares),
    "sieve": _as_method(sieve),
    "gap": _as_method(gap),
    "compute_gradients": _gradients,
    "update_weights": _update,
    "backward": _backward,
    "forward": _forward,
    "draw": _draw,
    "draws": _draws,
}
