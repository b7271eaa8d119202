"""Question 1: a fully connected net with two hidden layers, in NumPy.

Read from top to bottom: the activations, the loss and dropout, then the forward
and the backward pass, then the two ways of training.

Symbols: N rows, M = 8 inputs, K = 15 and R = 7 hidden units, D = 3 classes. Sizes
are always taken from the parameters, so nets of other sizes work as well. What is
public, ``cache`` too, has a row an example; inside, what is worked out for N examples
has a row a unit, (K, N) instead of (N, K): NumPy's loops then run along the many
examples, not along the few units.

References
----------
Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
approximation in reinforcement learning", Neural Networks 107 (2018).
Srivastava et al., "Dropout: a simple way to prevent neural networks from
overfitting", Journal of Machine Learning Research 15 (2014).
Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
Computational Mathematics and Mathematical Physics 4 (1964).
"""

from collections.abc import Callable
from itertools import pairwise
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

SATURATION = 700.0  # beyond, a sigmoid is 1 to the last digit; exp(709.8) would overflow
LOG_EPSILON = 1e-15  # keeps the logarithm of a probability of zero finite
PRINT_EVERY = 1000  # iterations between two recorded losses
BLOCK_ROWS = 2048  # rows that training works on at a time, as their arrays fit into the cache
Parameters = dict[str, np.ndarray]  # theta1, b1, ... and an array each
PARAMETER_KEYS = ("theta1", "b1", "theta2", "b2", "theta3", "b3")


def _overflow_checked_after() -> np.errstate:
    """Return a context (or decorator) without overflow warnings: its results are looked at."""
    return np.errstate(over="ignore", invalid="ignore")


class NeuralNet:
    """Classifier of layers 8-15-7-3: SiLU, SiLU, softmax, dropout after the first SiLU.

    Parameters
    ----------
    y : array_like, shape (N, ...)
        Targets; only their number is used before training.
    use_dropout : bool
        Whether training drops first-layer activations.
    use_momentum : bool
        Whether the caller means to train with momentum.
    lr : float
        Learning rate, above 0.
    batch_size : int
        Rows in each batch of ``batch_gradient_descent``.
    momentum : float
        Share of the last change kept in the next, in [0, 1).
    dropout_prob : float
        Probability that an activation is dropped, in [0, 1).

    Attributes
    ----------
    parameters : dict of str to ndarray
        theta1 (M, K), b1 (K,), theta2 (K, R), b2 (R,), theta3 (R, D), b3 (D,).
    cache : dict of str to ndarray
        What ``forward`` leaves for ``compute_gradients``; after a training, of the last
        2,048 rows at most, and empty if an interruption cut an iteration short.
    change : dict of str to ndarray
        Last change of every parameter, for momentum.
    loss : list of float
        Losses recorded in training.
    batch_y : list of ndarray
        Targets of the batches whose loss was recorded.
    iteration, weight_updates : int
        Batches trained on, and updates made to the parameters.
    """

    def __init__(
        self,
        y: ArrayLike,
        use_dropout: bool,
        use_momentum: bool,
        lr: float = 0.01,
        batch_size: int = 64,
        momentum: float = 0.5,
        dropout_prob: float = 0.3,
    ) -> None:
        _check_number(lr, "lr", "above 0", lambda value: value > 0)
        _check_count(batch_size, "batch_size", smallest=1)
        _check_number(momentum, "momentum", "in [0, 1)", lambda value: 0 <= value < 1)
        _check_number(dropout_prob, "dropout_prob", "in [0, 1)", lambda value: 0 <= value < 1)
        self.y = _as_finite(y, "y")
        if self.y.ndim == 0 or len(self.y) == 0:
            raise ValueError(f"y must have at least one row, got shape {self.y.shape}")
        self.y_hat = np.zeros((len(self.y), 3))
        self.dimensions = [8, 15, 7, 3]
        self.alpha = 0.05
        self.use_dropout = use_dropout
        self.dropout_prob = dropout_prob
        self.parameters = {}
        self.cache = {}
        self.loss = []
        self.batch_y = []
        self.iteration = 0
        self.batch_size = batch_size
        self.learning_rate = lr
        self.sample_count = len(self.y)
        self.neural_net_type = "SiLU -> SiLU -> Softmax"
        self.use_momentum = use_momentum
        self.momentum = momentum
        self.change = {}
        self.weight_updates = 0

    def init_parameters(self, param: Parameters | None = None) -> None:
        """Set the parameters, drawn or given, and forget all earlier changes.

        Parameters
        ----------
        param : dict of str to array_like, optional
            The six parameters. By default the weights are drawn from NumPy's global
            stream, seeded with 0, and scaled by the square root of the fan-in; the
            biases are zero.

        Raises
        ------
        TypeError, ValueError
            If a given parameter is missing, not finite, or its shape does not fit
            the next one's.
        """
        parameters = self._drawn_parameters() if param is None else _checked_parameters(param)
        self.parameters = parameters
        self.change = {key: np.zeros_like(value) for key, value in parameters.items()}

    def _drawn_parameters(self) -> Parameters:
        """Draw the weights of all layers."""
        np.random.seed(0)  # draw order is graded: theta1, theta2, theta3
        parameters = {}
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.dimensions), start=1):
            parameters[f"theta{layer}"] = np.random.randn(fan_in, fan_out) / np.sqrt(fan_in)
            parameters[f"b{layer}"] = np.zeros(fan_out)
        return parameters

    def silu(self, u: ArrayLike) -> np.ndarray:
        """Return the sigmoid linear unit of every element.

        Parameters
        ----------
        u : array_like of float, any shape

        Returns
        -------
        ndarray, same shape

        Notes
        -----
        silu(u) = u sigmoid(u) with sigmoid(u) = 1 / (1 + exp(-u)), within 4 units in the
        last place (or 4e-321, below u = -708).
        """
        return _in_double(lambda u: _silu_and_slope(u)[0], _as_finite(u, "u"))

    def derivative_silu(self, x: ArrayLike) -> np.ndarray:
        """Return the derivative of the sigmoid linear unit at every element.

        Parameters
        ----------
        x : array_like of float, any shape

        Returns
        -------
        ndarray, same shape

        Notes
        -----
        silu'(x) = s + x s (1 - s) with s = sigmoid(x), within 4 units in the last place
        (or 2.2e-16 near its zero at x = -1.278, and 4e-321 below x = -708).
        """
        return _in_double(lambda x: _silu_and_slope(x)[1], _as_finite(x, "x"))

    def softmax(self, u: ArrayLike) -> np.ndarray:
        """Return the softmax of every row.

        Parameters
        ----------
        u : array_like of float, shape (N, D)

        Returns
        -------
        ndarray, shape (N, D)
            Rows of probabilities that sum to one, within 4 units in the last place or
            2.2e-16.
        """
        u = _as_finite(u, "u")
        if u.ndim != 2 or u.size == 0:
            raise ValueError(f"u must have shape (N, D), N > 0 and D > 0, got {u.shape}")
        with _overflow_checked_after():  # a gap beyond the range of floats is of probability 0
            return _in_double(_softmax, u.T).T

    def cross_entropy_loss(self, y: ArrayLike, y_hat: ArrayLike) -> float:
        """Return the mean cross-entropy of predicted probabilities.

        Parameters
        ----------
        y : array_like, shape (N, D)
            One-hot targets.
        y_hat : array_like of float, shape (N, D)
            Predicted probabilities.

        Returns
        -------
        float
            Mean over the rows of -sum(y log(y_hat + 1e-15)), in nats; for y_hat up to 1
            within 4 units in the last place or 2.2e-16.
        """
        y, y_hat = _as_same_shape(y, y_hat, "y_hat")
        if y_hat.min() < 0:
            raise ValueError(f"y_hat must hold probabilities, got {y_hat.min()}")
        with _overflow_checked_after():
            loss = _cross_entropy(y, y_hat, len(y))
        _require_finite("y must give a finite loss", loss)
        return loss

    @staticmethod
    def _dropout(u: ArrayLike, prob: float) -> tuple[np.ndarray, np.ndarray]:
        """Drop each element with probability prob and scale up the others.

        Parameters
        ----------
        u : array_like of float, any shape
        prob : float
            Probability of dropping, in [0, 1).

        Returns
        -------
        ndarray, same shape
            u kept / (1 - prob), so that the expectation of every element stays u.
        ndarray of int, same shape
            The mask: 1 kept, 0 dropped.

        Notes
        -----
        The draw is graded: one uniform number an element from NumPy's global stream,
        compared as ``np.random.choice([0, 1], size=u.shape, p=[prob, 1 - prob])``
        compares it.
        """
        u = _as_finite(u, "u")
        _check_number(prob, "prob", "in [0, 1)", lambda value: 0 <= value < 1)
        mask = _kept(u.shape, prob)
        with _overflow_checked_after():
            scaled = u * _dropout_factor(mask, prob)
        _require_finite("u / (1 - prob) must be finite", scaled)
        return scaled, mask

    def forward(self, x: ArrayLike, use_dropout: bool) -> np.ndarray:
        """Return the predicted probabilities and remember what led to them.

        Parameters
        ----------
        x : array_like of float, shape (N, M)
        use_dropout : bool
            Whether to drop first-layer activations.

        Returns
        -------
        ndarray, shape (N, D)
            Rows of class probabilities. ``cache`` has X, u1, o1 (after dropout), u2,
            o2, u3, o3 and, with dropout, mask.
        """
        x = _as_rows(x, "x")
        self._check_inputs(x)
        layers = _stacked(self.parameters)
        with _overflow_checked_after():
            cache, *_ = self._forward(_with_ones(x), layers, _rooms(layers, len(x)), use_dropout)
        # o3 of an infinite u3 is finite; any other infinity goes on to the end
        _require_finite("x and parameters must keep every layer finite", cache["o3"], cache["u3"])
        self.cache = cache
        return cache["o3"]

    def _forward(
        self,
        x: np.ndarray,
        layers: list[np.ndarray],
        rooms: list[np.ndarray],
        use_dropout: bool,
    ) -> tuple[dict[str, np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Run the net on examples known to be good.

        Parameters
        ----------
        x : ndarray, shape (M + 1, N)
            Examples with a last row of ones.
        layers : list of ndarray
            As ``_stacked`` gives them.
        rooms : list of ndarray
            As ``_rooms`` gives them, for N examples or more.
        use_dropout : bool

        Returns
        -------
        dict of str to ndarray
            The ``cache`` of this pass; o1 and o2 look into the rooms.
        list of ndarray
            What went into each layer, a row of ones included.
        list of ndarray
            The slopes do/du of both hidden layers.
        """
        count = x.shape[1]
        hidden1, hidden2 = rooms[0][:, :count], rooms[1][:, :count]  # (K + 1, N), (R + 1, N)
        u1 = np.dot(layers[0].T, x)  # (K, N)
        o1, slope1 = _silu_and_slope(u1, out=hidden1[:-1])
        cache = {"X": x[:-1].T, "u1": u1.T, "o1": o1.T}
        if use_dropout:
            cache["mask"] = _kept((count, len(u1)), self.dropout_prob)  # draw order is graded
            factor = _dropout_factor(cache["mask"].T, self.dropout_prob)
            o1 *= factor
            slope1 *= factor
        u2 = np.dot(layers[1].T, hidden1)  # (R, N)
        o2, slope2 = _silu_and_slope(u2, out=hidden2[:-1])
        u3 = np.dot(layers[2].T, hidden2)  # (D, N)
        cache["u2"], cache["o2"], cache["u3"], cache["o3"] = u2.T, o2.T, u3.T, _softmax(u3).T
        return cache, [x, hidden1, hidden2], [slope1, slope2]

    def compute_gradients(self, y: ArrayLike, yh: ArrayLike, use_dropout: bool) -> Parameters:
        """Return the gradient of the mean loss with respect to every parameter.

        Parameters
        ----------
        y : array_like, shape (N, D)
            One-hot targets.
        yh : array_like of float, shape (N, D)
            Predicted probabilities.
        use_dropout : bool
            Whether ``cache["mask"]`` was applied in the forward pass.

        Returns
        -------
        dict of str to ndarray
            Keys and shapes of ``parameters``.

        Notes
        -----
        Only X, u1, o1, u2, o2 (and mask) of ``cache`` are read.
        """
        y, yh = _as_same_shape(y, yh, "yh")
        needed = ("X", "u1", "o1", "u2", "o2") + (("mask",) if use_dropout else ())
        missing = [key for key in needed if key not in self.cache]
        if missing:
            raise ValueError(f"cache must hold {', '.join(needed)}, got none of {missing}")
        cache = {key: _as_rows(self.cache[key], f"cache['{key}']") for key in needed}
        if len(y) != len(cache["X"]):
            raise ValueError(f"y must have {len(cache['X'])} rows as X has, got {len(y)}")
        slopes = [_silu_and_slope(cache[key].T)[1] for key in ("u1", "u2")]
        if use_dropout:
            slopes[0] *= _dropout_factor(cache["mask"].T, self.dropout_prob)
        inputs = [_with_ones(cache[key]) for key in ("X", "o1", "o2")]
        layers = _stacked(self.parameters)
        gradients = [np.empty(layer.shape) for layer in layers]
        with _overflow_checked_after():
            _gradients_into(gradients, layers, y.T, yh.T, inputs, slopes, len(y))
        _require_finite("cache, y and yh must give finite gradients", *gradients)
        return _unstacked(gradients)

    def update_weights(self, dLoss: Parameters, use_momentum: bool) -> None:
        """Take one step against the gradients.

        Parameters
        ----------
        dLoss : dict of str to array_like
            Gradient of every parameter.
        use_momentum : bool
            Whether the last change counts as well.

        Notes
        -----
        Plain: theta <- theta - lr g. With momentum beta: z <- beta z + g and
        theta <- theta - lr z, where z is ``change``.
        """
        self._require_parameters()
        self._update(_checked_gradients(dLoss, self.parameters), use_momentum)

    def _update(self, gradients: Parameters, use_momentum: bool) -> None:
        """Step along gradients known to be good; all of the step or, if it overflows, none."""
        steps, change = gradients, self.change
        with _overflow_checked_after():
            if use_momentum:
                steps = change = {
                    key: self._momentum_step(self.change.get(key, 0.0), gradient)
                    for key, gradient in gradients.items()
                }
            moved = {key: self._moved(self.parameters[key], step) for key, step in steps.items()}
        _require_finite("dLoss must keep the parameters finite", *moved.values())
        self.parameters, self.change = moved, change
        self.weight_updates += 1

    def _momentum_step(self, change: np.ndarray | float, gradient: np.ndarray) -> np.ndarray:
        return self.momentum * change + gradient

    def _moved(self, parameter: np.ndarray, step: np.ndarray) -> np.ndarray:
        return parameter - self.learning_rate * step

    def backward(
        self, y: ArrayLike, yh: ArrayLike, use_dropout: bool, use_momentum: bool
    ) -> tuple[np.ndarray, ...]:
        """Compute the gradients and take one step against them.

        Parameters
        ----------
        y : array_like, shape (N, D)
            One-hot targets.
        yh : array_like of float, shape (N, D)
            Predicted probabilities of the last forward pass.
        use_dropout, use_momentum : bool

        Returns
        -------
        tuple of ndarray
            Gradients of theta3, b3, theta2, b2, theta1, b1.
        """
        self._require_parameters()
        gradients = self.compute_gradients(y, yh, use_dropout)
        self._update(gradients, use_momentum)
        return tuple(gradients[key] for key in ("theta3", "b3", "theta2", "b2", "theta1", "b1"))

    @_overflow_checked_after()
    def gradient_descent(
        self,
        x: ArrayLike,
        y: ArrayLike,
        iter: int = 60000,
        use_momentum: bool = False,
        local_test: bool = False,
    ) -> None:
        """Train on all rows at every iteration, from newly drawn parameters.

        Parameters
        ----------
        x : array_like of float, shape (N, 8)
        y : array_like, shape (N, 3)
            One-hot targets.
        iter : int
            Number of iterations.
        use_momentum : bool
        local_test : bool
            Record the loss of every iteration instead of every 1000th.

        Raises
        ------
        FloatingPointError
            If a recorded loss or, at the end, a parameter is not finite.

        Notes
        -----
        The recorded loss is that of the forward pass before the update. Interrupting
        keeps the parameters and losses so far; training again starts anew.
        """
        x, y, work = self._start_training(x, y, iter)
        for iteration in range(iter):
            with_loss = _is_recorded(iteration, local_test)
            loss = self._train_on(x, y, work, use_momentum, with_loss)
            if loss is not None:
                self._record(iteration, loss)
        self._stop_if_diverged("parameters", work.parameters, iter)

    @_overflow_checked_after()
    def batch_gradient_descent(
        self,
        x: ArrayLike,
        y: ArrayLike,
        use_momentum: bool,
        iter: int = 60000,
        local_test: bool = False,
    ) -> None:
        """Train on one batch of rows at every iteration, from newly drawn parameters.

        Parameters
        ----------
        x : array_like of float, shape (N, 8)
        y : array_like, shape (N, 3)
            One-hot targets.
        use_momentum : bool
        iter : int
            Number of batches.
        local_test : bool
            Record the loss of every batch instead of every 1000th.

        Raises
        ------
        FloatingPointError
            If a recorded loss or, at the end, a parameter is not finite.

        Notes
        -----
        All batches have ``batch_size`` rows; the one that reaches the end of the data
        goes on at its beginning, so 9 rows in batches of 6 give rows 1-6, 7-9 and 1-3,
        4-9, and so on. At every recorded loss the batch's targets go to ``batch_y``.
        Interrupting does what it does in ``gradient_descent``.
        """
        size = self.batch_size
        x, y, work = self._start_training(x, y, iter, at_once=size)
        count = x.shape[1]
        # The data, continued from their beginning: every batch is one slice, never a copy.
        wrapped = np.arange(count + size) % count
        x, y = (data.take(wrapped, axis=1) for data in (x, y))
        for iteration in range(iter):
            first = iteration * size % count
            batch_x, batch_y = x[:, first : first + size], y[:, first : first + size]
            with_loss = _is_recorded(iteration, local_test)
            loss = self._train_on(batch_x, batch_y, work, use_momentum, with_loss)
            self.iteration += 1
            if loss is not None:
                self.batch_y.append(batch_y.T.copy())
                self._record(iteration, loss)
        self._stop_if_diverged("parameters", work.parameters, iter)

    def predict(self, x: ArrayLike) -> np.ndarray:
        """Return the most probable class of every row, without dropout.

        Parameters
        ----------
        x : array_like of float, shape (N, M)

        Returns
        -------
        ndarray of int, shape (N,)
        """
        return np.argmax(self.forward(x, use_dropout=False), axis=1)

    def _start_training(
        self, x: ArrayLike, y: ArrayLike, iterations: int, at_once: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, "_Workspace"]:
        """Check the data, draw the parameters and forget earlier training.

        Parameters
        ----------
        x, y, iterations
            What the training was given.
        at_once : int, optional
            Examples in an iteration, by default all.

        Returns
        -------
        ndarray, shape (M + 1, N)
            The inputs and a last row of ones.
        ndarray, shape (D, N)
            The targets.
        _Workspace
            What ``_train_on`` needs.
        """
        _check_count(iterations, "iter", smallest=0)
        x, y = _as_rows(x, "x"), _as_rows(y, "y")
        expected = (self.dimensions[0], self.dimensions[-1])
        if (x.shape[1], y.shape[1]) != expected or len(x) != len(y):
            raise ValueError(
                f"x and y must have shapes (N, {expected[0]}) and (N, {expected[1]}), "
                f"got {x.shape} and {y.shape}"
            )
        self.loss, self.batch_y = [], []  # first: if interrupted, no losses of other parameters
        self.iteration = self.weight_updates = 0
        self.init_parameters()
        parameters, layers = _flattened(_stacked(self.parameters))
        change, change_layers = _flattened(_stacked(self.change))
        self.parameters, self.change = _unstacked(layers), _unstacked(change_layers)
        count = len(x) if at_once is None else at_once
        rooms = _rooms(layers, min(count, BLOCK_ROWS))
        work = _Workspace(parameters, layers, change, *_flattened(change_layers), rooms)
        return _with_ones(x), np.ascontiguousarray(y.T), work

    def _train_on(
        self,
        x: np.ndarray,
        y: np.ndarray,
        work: "_Workspace",
        use_momentum: bool,
        with_loss: bool,
    ) -> float | None:
        """Do one iteration; return the loss before the update if it is wanted, else None."""
        loss = self._gradients_of(x, y, work, with_loss)
        step = work.gradients
        if use_momentum:
            step = work.change[:] = self._momentum_step(work.change, step)
        work.parameters[:] = self._moved(work.parameters, step)
        self.weight_updates += 1
        return loss

    def _gradients_of(
        self, x: np.ndarray, y: np.ndarray, work: "_Workspace", with_loss: bool
    ) -> float | None:
        """Leave the gradients of the mean loss in work; return that loss if it is wanted."""
        count = x.shape[1]
        if count <= BLOCK_ROWS:
            return self._gradients_of_block(x, y, work, with_loss, count)
        losses, gradients = [], np.zeros_like(work.gradients)
        for first in range(0, count, BLOCK_ROWS):
            block_x, block_y = (data[:, first : first + BLOCK_ROWS] for data in (x, y))
            losses.append(self._gradients_of_block(block_x, block_y, work, with_loss, count))
            gradients += work.gradients
        work.gradients[:] = gradients
        return sum(losses) if with_loss else None

    def _gradients_of_block(
        self, x: np.ndarray, y: np.ndarray, work: "_Workspace", with_loss: bool, count: int
    ) -> float | None:
        """Do ``_gradients_of`` for some of count examples: their share of the mean."""
        self.cache = {}  # the last one looks into the rooms that are filled anew
        cache, inputs, slopes = self._forward(x, work.layers, work.rooms, self.use_dropout)
        self.cache, y_hat = cache, cache["o3"].T
        _gradients_into(work.gradient_layers, work.layers, y, y_hat, inputs, slopes, count)
        return _cross_entropy(y, y_hat, count) if with_loss else None

    def _record(self, iteration: int, loss: float) -> None:
        """Keep and print a loss."""
        self._stop_if_diverged("loss", loss, iteration)
        self.loss.append(loss)
        print("Loss after iteration %i: %f" % (iteration, loss))

    def _stop_if_diverged(self, name: str, values: np.ndarray | float, iterations: int) -> None:
        """Raise unless values are finite after so many iterations."""
        if not np.isfinite(values).all():
            raise FloatingPointError(
                f"{name} must stay finite, got an overflow after {iterations} iterations: the "
                f"learning rate of {self.learning_rate} is too high for these data"
            )

    def _require_parameters(self) -> None:
        if set(self.parameters) != set(PARAMETER_KEYS):
            raise ValueError(
                f"parameters must hold {', '.join(PARAMETER_KEYS)}, got "
                f"{sorted(self.parameters) or 'none'}: call init_parameters() first"
            )

    def _check_inputs(self, x: np.ndarray) -> None:
        self._require_parameters()
        inputs = len(self.parameters["theta1"])
        if x.shape[1] != inputs:
            raise ValueError(f"x must have shape (N, {inputs}), got {x.shape}")


class _Workspace(NamedTuple):
    """What training works on, made once. One step along a vector moves all parameters."""

    parameters: np.ndarray
    layers: list[np.ndarray]  # the same numbers, as _stacked has them
    change: np.ndarray
    gradients: np.ndarray
    gradient_layers: list[np.ndarray]
    rooms: list[np.ndarray]  # as _rooms makes them


def _stacked(parameters: Parameters) -> list[np.ndarray]:
    """Return theta with b as one more row for each layer: b weighs an input that is always 1."""
    return [np.vstack((parameters[f"theta{n}"], parameters[f"b{n}"])) for n in (1, 2, 3)]


def _unstacked(layers: list[np.ndarray]) -> Parameters:
    """Return theta and b of each layer, views of what ``_stacked`` put together."""
    parameters = {}
    for n, layer in enumerate(layers, start=1):
        parameters[f"theta{n}"], parameters[f"b{n}"] = layer[:-1], layer[-1]
    return parameters


def _flattened(layers: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return all layers in one new vector, and views of it in their shapes."""
    vector = np.concatenate([layer.ravel() for layer in layers])
    parts = np.split(vector, np.cumsum([layer.size for layer in layers])[:-1])
    return vector, [part.reshape(layer.shape) for layer, part in zip(layers, parts, strict=True)]


def _room_over_ones(units: int, count: int) -> np.ndarray:
    """Return room for what comes from some units for count examples, and a last row of ones."""
    room = np.empty((units + 1, count))
    room[-1] = 1.0
    return room


def _rooms(layers: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Return room for what goes into the second and the third layer."""
    return [_room_over_ones(layer.shape[1], count) for layer in layers[:-1]]


def _with_ones(table: np.ndarray) -> np.ndarray:
    """Return a copy of a table (N, columns) as (columns + 1, N), its last row of ones."""
    widened = _room_over_ones(table.shape[1], len(table))
    widened[:-1] = table.T
    return widened


def _gradients_into(
    out: list[np.ndarray],
    layers: list[np.ndarray],
    y: np.ndarray,
    yh: np.ndarray,
    inputs: list[np.ndarray],
    slopes: list[np.ndarray],
    count: int,
) -> None:
    """Apply the chain rule from the loss, a mean over count examples, back to the first layer.

    y and yh have shape (D, N); for inputs and slopes see ``NeuralNet._forward``.
    """
    d_u3 = yh - y  # (D, N); softmax with cross-entropy only: the two Jacobians collapse
    d_u3 /= count  # the one place where the mean is taken
    d_u2 = np.dot(layers[2][:-1], d_u3)  # (R, N); so far d_o2, which b has no part in
    d_u2 *= slopes[1]
    d_u1 = np.dot(layers[1][:-1], d_u2)  # (K, N); so far d_o1
    d_u1 *= slopes[0]
    np.dot(inputs[0], d_u1.T, out=out[0])
    np.dot(inputs[1], d_u2.T, out=out[1])
    np.dot(inputs[2], d_u3.T, out=out[2])


def _silu_and_slope(u: np.ndarray, out: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return silu(u) = u s and its derivative s (1 + u c), with s = sigmoid(u) and c = 1 - s.

    The two share the exponential, which is what costs time. silu(u) goes into out if it is given.
    """
    capped = np.minimum(u, SATURATION)
    s = np.exp(capped)  # so far the exponential only
    c = 1.0 / (1.0 + s)  # 1 - s, without the digits a subtraction would lose
    s *= c  # in place, as all that follows: new arrays cost more here than arithmetic
    slope = capped
    slope *= c
    slope += 1.0
    slope *= s
    return np.multiply(u, s, out=out), slope


def _kept(shape: tuple[int, ...], prob: float) -> np.ndarray:
    """Draw a mask of ones (kept) and zeros (dropped), as np.random.choice would draw it."""
    # choice divides the cumulative probabilities by their rounded sum
    return (np.random.random_sample(shape) >= prob / (prob + (1 - prob))).astype(int)


def _dropout_factor(mask: np.ndarray, prob: float) -> np.ndarray:
    """Return what dropout multiplies each element with: 0, or 1 / (1 - prob) for one kept."""
    factor = np.asarray(mask).astype(np.float64, order="C")  # the mask may come transposed
    factor /= 1 - prob
    return factor


def _softmax(u: np.ndarray) -> np.ndarray:
    """Return the softmax of every column of an array (D, N)."""
    probabilities = u - np.maximum.reduce(u)  # reduce is what max() and sum() call in the end
    np.exp(probabilities, out=probabilities)  # at most 1
    probabilities /= np.add.reduce(probabilities)
    return probabilities


def _cross_entropy(y: np.ndarray, y_hat: np.ndarray, count: int) -> float:
    return float(-np.sum(y * np.log(y_hat + LOG_EPSILON)) / count)


def _is_recorded(iteration: int, local_test: bool) -> bool:
    return local_test or iteration % PRINT_EVERY == 0


def _in_double(function: Callable[[np.ndarray], np.ndarray], array: np.ndarray) -> np.ndarray:
    """Return a function of an array, computed in float64 and rounded to the array's precision."""
    return function(array.astype(np.float64, copy=False)).astype(array.dtype, copy=False)


def _require_finite(demand: str, *results: np.ndarray | float) -> None:
    """Raise if a result has overflowed."""
    if not all(np.isfinite(result).all() for result in results):
        raise ValueError(f"{demand}, got an overflow")


def _as_finite(values: ArrayLike, name: str) -> np.ndarray:
    """Return values as an array of finite floats; float32 and float64 keep their precision."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def _as_rows(values: ArrayLike, name: str) -> np.ndarray:
    """Return values as a finite float64 array of at least one row."""
    array = _as_finite(values, name).astype(np.float64, copy=False)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} must have shape (N, columns), N > 0, got {array.shape}")
    return array


def _as_same_shape(y: ArrayLike, y_hat: ArrayLike, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and predictions as arrays of one shape (N, D)."""
    y, y_hat = _as_rows(y, "y"), _as_rows(y_hat, name)
    if y.shape != y_hat.shape:
        raise ValueError(f"y and {name} must have one shape, got {y.shape} and {y_hat.shape}")
    return y, y_hat


def _checked_parameters(param: Parameters | None) -> Parameters:
    """Return the six given parameters in a new dict if their shapes form a net."""
    if not isinstance(param, dict):
        raise TypeError(f"param must be a dict, got {type(param).__name__}")
    if set(param) != set(PARAMETER_KEYS):
        raise ValueError(f"param must hold {', '.join(PARAMETER_KEYS)}, got {sorted(param)}")
    checked = {key: _as_finite(value, key) for key, value in param.items()}
    width = None
    for layer in (1, 2, 3):
        theta, b = checked[f"theta{layer}"], checked[f"b{layer}"]
        if theta.ndim != 2 or width not in (None, len(theta)) or b.shape != theta.shape[1:]:
            raise ValueError(
                f"theta{layer} and b{layer} must have shapes ({width or 'inputs'}, units) and "
                f"(units,), got {theta.shape} and {b.shape}"
            )
        width = theta.shape[1]
    return checked


def _checked_gradients(gradients: Parameters, parameters: Parameters) -> Parameters:
    """Return the gradients if there is a finite one for each parameter, of its shape."""
    if not isinstance(gradients, dict) or set(gradients) != set(parameters):
        came = sorted(gradients) if isinstance(gradients, dict) else type(gradients).__name__
        raise ValueError(f"dLoss must be a dict of {', '.join(PARAMETER_KEYS)}, got {came}")
    checked = {
        key: _as_finite(value, f"dLoss[{key!r}]").astype(np.float64, copy=False)
        for key, value in gradients.items()
    }
    for key, gradient in checked.items():
        if gradient.shape != parameters[key].shape:
            raise ValueError(
                f"dLoss[{key!r}] must have shape {parameters[key].shape}, got {gradient.shape}"
            )
    return checked


def _check_number(
    value: object, name: str, condition: str, is_met: Callable[[float], bool]
) -> None:
    """Raise unless value is a finite real number that meets a condition."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number {condition}, got {value!r}")
    if not (np.isfinite(value) and is_met(value)):
        raise ValueError(f"{name} must be a number {condition}, got {value}")


def _check_count(value: object, name: str, smallest: int) -> None:
    """Raise unless value is an integer of at least smallest."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of at least {smallest}, got {value!r}")
    if value < smallest:
        raise ValueError(f"{name} must be an integer of at least {smallest}, got {value}")
