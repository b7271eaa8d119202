"""Question 1: a fully connected net with two hidden layers, in NumPy.

Read from top to bottom: the activations, the loss and dropout, then the forward
and the backward pass, then the two ways of training.

Symbols: N rows, M = 8 inputs, K = 15 and R = 7 hidden units, D = 3 classes. Sizes
are always taken from the parameters, so nets of other sizes work as well.

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
from functools import reduce
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike

LOG_EPSILON = 1e-15  # keeps the logarithm of a probability of zero finite
PRINT_EVERY = 1000  # iterations between two recorded losses
Parameters = dict[str, np.ndarray]  # theta1, b1, ... and an array each
PARAMETER_KEYS = ("theta1", "b1", "theta2", "b2", "theta3", "b3")


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
        What ``forward`` leaves for ``compute_gradients``.
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
        silu(u) = u sigmoid(u) with sigmoid(u) = 1 / (1 + exp(-u)).
        """
        return _silu_and_slope(_as_finite(u, "u"))[0]

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
        silu'(x) = s + x s (1 - s) with s = sigmoid(x).
        """
        return _silu_and_slope(_as_finite(x, "x"))[1]

    def softmax(self, u: ArrayLike) -> np.ndarray:
        """Return the softmax of every row.

        Parameters
        ----------
        u : array_like of float, shape (N, D)

        Returns
        -------
        ndarray, shape (N, D)
            Rows of probabilities that sum to one.
        """
        u = _as_finite(u, "u")
        if u.ndim != 2 or u.size == 0:
            raise ValueError(f"u must have shape (N, D), N > 0 and D > 0, got {u.shape}")
        return _softmax(u)

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
            Mean over the rows of -sum(y log(y_hat + 1e-15)), in nats.
        """
        y, y_hat = _as_same_shape(y, y_hat, "y_hat")
        if y_hat.min() < 0:
            raise ValueError(f"y_hat must hold probabilities, got {y_hat.min()}")
        return _cross_entropy(y, y_hat)

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
        return _drop(u, prob)

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
        return self._forward(x, use_dropout)[0]

    def _forward(self, x: np.ndarray, use_dropout: bool) -> tuple[np.ndarray, tuple]:
        """Run the net on rows known to be good; return also the slopes of both SiLUs."""
        p = self.parameters
        cache = {"X": x}
        cache["u1"] = x @ p["theta1"] + p["b1"]  # (N, K)
        cache["o1"], slope1 = _silu_and_slope(cache["u1"])
        if use_dropout:
            cache["o1"], cache["mask"] = _drop(cache["o1"], self.dropout_prob)
        cache["u2"] = cache["o1"] @ p["theta2"] + p["b2"]  # (N, R)
        cache["o2"], slope2 = _silu_and_slope(cache["u2"])
        cache["u3"] = cache["o2"] @ p["theta3"] + p["b3"]  # (N, D)
        cache["o3"] = _softmax(cache["u3"])
        self.cache = cache
        return cache["o3"], (slope1, slope2)

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
        if len(y) != len(self.cache["X"]):
            raise ValueError(f"y must have {len(self.cache['X'])} rows as X has, got {len(y)}")
        slopes = tuple(_silu_and_slope(self.cache[key])[1] for key in ("u1", "u2"))
        return self._gradients(y, yh, use_dropout, slopes)

    def _gradients(
        self, y: np.ndarray, yh: np.ndarray, use_dropout: bool, slopes: tuple
    ) -> Parameters:
        """Apply the chain rule from the loss back to the first layer."""
        slope1, slope2 = slopes
        p, cache = self.parameters, self.cache
        # softmax with cross-entropy only: the two Jacobians collapse to yh - y
        d_u3 = (yh - y) / len(y)  # (N, D); the one place where the mean is taken
        d_o2 = d_u3 @ p["theta3"].T  # (N, R)
        d_u2 = d_o2 * slope2
        d_o1 = d_u2 @ p["theta2"].T  # (N, K)
        if use_dropout:
            d_o1 = d_o1 * cache["mask"] / (1 - self.dropout_prob)
        d_u1 = d_o1 * slope1
        ones = np.ones(len(y))  # ones @ d sums over rows several times as fast as d.sum(axis=0)
        return {
            "theta3": cache["o2"].T @ d_u3,
            "b3": ones @ d_u3,
            "theta2": cache["o1"].T @ d_u2,
            "b2": ones @ d_u2,
            "theta1": cache["X"].T @ d_u1,
            "b1": ones @ d_u1,
        }

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
        """Step along gradients known to be good."""
        for key, gradient in gradients.items():
            step = gradient
            if use_momentum:
                step = self.momentum * self.change.get(key, 0.0) + gradient
                self.change[key] = step
            self.parameters[key] = self.parameters[key] - self.learning_rate * step
        self.weight_updates += 1

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

        Notes
        -----
        The recorded loss is that of the forward pass before the update. Interrupting
        keeps the parameters and losses so far; training again starts anew.
        """
        x, y = self._start_training(x, y, iter)
        for iteration in range(iter):
            loss = self._train_on(x, y, use_momentum, _is_recorded(iteration, local_test))
            self._record(iteration, loss)

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

        Notes
        -----
        All batches have ``batch_size`` rows; the one that reaches the end of the data
        goes on at its beginning, so 9 rows in batches of 6 give rows 1-6, 7-9 and 1-3,
        4-9, and so on. At every recorded loss the batch's targets go to ``batch_y``.
        """
        x, y = self._start_training(x, y, iter)
        rows, size = len(x), self.batch_size
        # The data, continued from its beginning: every batch is one slice, never a copy.
        x_wrapped = np.resize(x, (rows + size, x.shape[1]))
        y_wrapped = np.resize(y, (rows + size, y.shape[1]))
        for iteration in range(iter):
            first = iteration * size % rows
            batch_x, batch_y = x_wrapped[first : first + size], y_wrapped[first : first + size]
            loss = self._train_on(
                batch_x, batch_y, use_momentum, _is_recorded(iteration, local_test)
            )
            self.iteration += 1
            if loss is not None:
                self.batch_y.append(batch_y.copy())
            self._record(iteration, loss)

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
        self, x: ArrayLike, y: ArrayLike, iterations: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Check the data, draw the parameters and forget earlier training."""
        _check_count(iterations, "iter", smallest=0)
        x, y = _as_rows(x, "x"), _as_rows(y, "y")
        expected = (self.dimensions[0], self.dimensions[-1])
        if (x.shape[1], y.shape[1]) != expected or len(x) != len(y):
            raise ValueError(
                f"x and y must have shapes (N, {expected[0]}) and (N, {expected[1]}), "
                f"got {x.shape} and {y.shape}"
            )
        self.init_parameters()
        self.loss, self.batch_y = [], []
        self.iteration = self.weight_updates = 0
        return x, y

    def _train_on(
        self, x: np.ndarray, y: np.ndarray, use_momentum: bool, with_loss: bool
    ) -> float | None:
        """Do one iteration; return the loss before the update if it is wanted, else None."""
        y_hat, slopes = self._forward(x, self.use_dropout)
        loss = _cross_entropy(y, y_hat) if with_loss else None
        self._update(self._gradients(y, y_hat, self.use_dropout, slopes), use_momentum)
        return loss

    def _record(self, iteration: int, loss: float | None) -> None:
        """Keep and print a loss, unless there is none."""
        if loss is not None:
            self.loss.append(loss)
            print("Loss after iteration %i: %f" % (iteration, loss))

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


def _silu_and_slope(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return silu(u) = u s and its derivative s + u s (1 - s), with s = sigmoid(u).

    The two share the exponential, which is what costs time.
    """
    # below u = -709 exp(-u) is infinite and s is 0, as it should be
    with np.errstate(over="ignore", invalid="ignore"):
        exponential = np.exp(-u)
        s = 1.0 / (1.0 + exponential)
        # 1 - s, without the digits a subtraction would lose; infinity times 0 is meant to be 1
        complement = np.fmin(exponential * s, 1.0)
    o = u * s
    return o, s + o * complement


def _drop(u: np.ndarray, prob: float) -> tuple[np.ndarray, np.ndarray]:
    """Return u kept / (1 - prob) and the mask, drawn as np.random.choice would draw it."""
    # choice divides the cumulative probabilities by their rounded sum
    mask = (np.random.random_sample(u.shape) >= prob / (prob + (1 - prob))).astype(int)
    return u * mask / (1 - prob), mask


def _softmax(u: np.ndarray) -> np.ndarray:
    # Rows are short: a maximum column by column and a sum as a product beat NumPy's reductions.
    row_max = reduce(np.maximum, u.T)[:, np.newaxis]  # (N, 1)
    exponentials = np.exp(u - row_max)  # at most 1: no overflow
    return exponentials / (exponentials @ np.ones((u.shape[1], 1), u.dtype))


def _cross_entropy(y: np.ndarray, y_hat: np.ndarray) -> float:
    return float(-np.sum(y * np.log(y_hat + LOG_EPSILON)) / len(y))


def _is_recorded(iteration: int, local_test: bool) -> bool:
    return local_test or iteration % PRINT_EVERY == 0


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
    checked = {key: _as_finite(value, f"dLoss[{key!r}]") for key, value in gradients.items()}
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
