"""Local tests: quick feedback on your own code, one method at a time.

Used from a notebook cell, for example ``TestNN("test_silu").test_silu()``, which prints
``test_silu passed!`` or raises an AssertionError that says what was called, what was expected,
what came, the largest error and where, and what to look at. ``python -m unittest
utilities.localtests`` and pytest run them all.

Read in this order: comparing (``_check`` and its kin), calling your code (``_call``), then the
tests of each question: TestNN (Q1), TestCNN (Q2), TestRandomForest (Q3), TestRNN and TestLSTM (Q5).
The expected values lie in data/test_data; nothing here computes a solution. Passing is not a
promise of full marks: the grader uses other numbers.

Only NumPy is imported at the top. Your modules, and with them torch or TensorFlow, are
imported inside the test that needs them.
"""

import contextlib
import functools
import importlib
import io
import os
import random
import sys
import traceback
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TEST_DATA = ROOT / "data" / "test_data"
STUDENT_FILES = {
    "NN.py",
    "random_forest.py",
    "cnn.py",
    "cnn_image_transformations.py",
    "base_sequential_model.py",
    "rnn.py",
    "lstm.py",
}
TOLERANCE = 1e-9  # the stored values are rounded to ten decimals; float64 loses far less than this
PRINTED = 6e-7  # half a unit of the sixth decimal, in which losses are printed, and a little
SHOWN = 6  # entries shown of each array


# ------------------------------------------------------------------------------------ comparing


def _fail(
    problem: str, facts: Mapping[str, str], hint: str, cause: BaseException | None = None
) -> NoReturn:
    """Raise the AssertionError a learner reads: the problem, then one fact a line, then a hint."""
    __tracebackhide__ = True
    import textwrap  # only here, so that importing this module stays quick

    folded = textwrap.wrap(hint, width=80)
    lines = [problem, *(f"  {name + ':':<15}{value}" for name, value in facts.items())]
    lines += [f"  {'hint:':<15}{folded[0]}", *(" " * 17 + more for more in folded[1:])]
    raise AssertionError("\n".join(lines)) from cause


def _sample(values: np.ndarray) -> str:
    """Show the first few entries of an array, with its shape and dtype."""
    if values.ndim == 0:
        return f"{_number(values[()])} ({values.dtype})"
    shown = ", ".join(_number(value, digits=7) for value in values.ravel()[:SHOWN])
    more = ", ..." if values.size > SHOWN else ""
    return f"[{shown}{more}] (shape {values.shape}, {values.dtype})"


def _number(value: Any, digits: int = 10) -> str:
    """Write a number with so many digits, anything else as it is."""
    return f"{value:.{digits}g}" if isinstance(value, (float, np.floating)) else str(value)


def _as_array(called: str, got: Any, expected: np.ndarray, hint: str) -> np.ndarray:
    """Turn a returned number or array into an array; anything else fails."""
    __tracebackhide__ = True
    facts = {"expected": _sample(expected), "came": f"{type(got).__name__}: {str(got)[:80]}"}
    if got is None:
        _fail(f"{called} is None", facts, "is the return statement missing, or never reached?")
    if not isinstance(got, (np.ndarray, np.generic, int, float)):
        wanted = "a number" if expected.ndim == 0 else "a NumPy array"
        _fail(f"{called} is not {wanted}", facts, hint)
    return np.asarray(got)


def _check_form(called: str, got: np.ndarray, expected: np.ndarray, kinds: str, hint: str) -> None:
    """Fail on a wrong shape or dtype, before any value is looked at."""
    __tracebackhide__ = True
    facts = {"expected": _sample(expected), "came": _sample(got)}
    if got.shape != expected.shape:
        shapes = f"expected {expected.shape}, came {got.shape}"
        _fail(f"{called} has the wrong shape: {shapes}", facts, hint)
    short = kinds == "f" and got.dtype.itemsize < expected.dtype.itemsize
    if got.dtype.kind not in kinds or short:
        dtypes = f"expected {expected.dtype}, came {got.dtype}"
        _fail(f"{called} has the wrong dtype: {dtypes}", facts, hint)


def _place(index: Sequence[int]) -> str:
    """Write an index as one would type it: 3 or (1, 2)."""
    plain = tuple(int(i) for i in index)
    return str(plain[0]) if len(plain) == 1 else str(plain)


def _check_finite(called: str, got: np.ndarray, expected: np.ndarray, hint: str) -> None:
    """Fail on NaN or infinity, which are told apart from values that are merely wrong."""
    __tracebackhide__ = True
    bad = ~np.isfinite(got)
    if not bad.any():
        return
    what = "NaN" if np.isnan(got).any() else "infinity"
    first = np.argwhere(bad)[0]
    facts = {
        "expected": _sample(expected),
        "came": _sample(got),
        "first": f"at index {_place(first)}" if got.ndim else "the number itself",
        "how many": f"{bad.sum()} of {bad.size}",
    }
    cause = "does exp overflow, a log meet 0, or 0 divide something? "
    _fail(f"{called} holds {what}", facts, cause + hint)


def _check(
    called: str,
    got: Any,
    expected: Any,
    hint: str,
    kinds: str | None = None,
    tolerance: float = TOLERANCE,
) -> None:
    """Compare an array or number with the expected one: form, then NaN, then values.

    Parameters
    ----------
    called : str
        What was called or read, as a learner would write it.
    got, expected : array_like
        What came and what should have come.
    hint : str
        What to look at if they differ.
    kinds : str, optional
        Accepted dtype kinds; by default those of ``expected``: floats, or integers.
    tolerance : float, optional
        Largest allowed error, absolute or relative to the expected value, whichever is larger.
    """
    __tracebackhide__ = True
    expected = np.asarray(expected)
    kinds = kinds or ("f" if expected.dtype.kind == "f" else "iu")
    got = _as_array(called, got, expected, hint)
    _check_form(called, got, expected, kinds, hint)
    _check_finite(called, got, expected, hint)
    error = np.abs(got.astype(float) - expected)
    wrong = error > tolerance * np.maximum(1, np.abs(expected))
    if not wrong.any():
        return
    worst = np.unravel_index(np.argmax(error), error.shape)
    values = f"expected {_number(expected[worst])}, came {_number(got[worst])}"
    where = f" at index {_place(worst)}" if error.ndim else ""
    facts = {
        "expected": _sample(expected),
        "came": _sample(got),
        "largest error": f"{error[worst]:.4g}{where}: {values}",
        "how many": f"{wrong.sum()} of {wrong.size} differ",
    }
    _fail(f"{called} has wrong values", facts, hint)


def _check_equal(called: str, got: Any, expected: Any, hint: str) -> None:
    """Compare plain things: counts, names, lists, sets, settings."""
    __tracebackhide__ = True
    if got != expected:
        facts = {"expected": str(expected)[:200], "came": str(got)[:200]}
        _fail(f"{called} is not as expected", facts, hint)


def _check_length(called: str, got: Any, length: int, hint: str) -> None:
    """Fail unless this is a collection of so many entries."""
    __tracebackhide__ = True
    came = f"{len(got)} entries" if hasattr(got, "__len__") else f"{type(got).__name__}: {got}"
    if came != f"{length} entries":
        facts = {"expected": f"{length} entries", "came": came}
        _fail(f"{called} does not have {length} entries", facts, hint)


def _check_keys(called: str, got: Any, keys: Sequence[str], hint: str) -> None:
    """Fail unless this is a dictionary with at least these keys."""
    __tracebackhide__ = True
    if got is None:
        _check(called, got, np.array(0.0), hint)
    missing = [key for key in keys if not isinstance(got, Mapping) or key not in got]
    if missing:
        came = sorted(map(str, got)) if isinstance(got, Mapping) else type(got).__name__
        facts = {"expected": f"a dict with {list(keys)}", "came": str(came)[:200]}
        _fail(f"{called} lacks {missing}", facts, hint)


def _check_pair(called: str, got: Any, hint: str) -> None:
    """Fail unless a function returned two things."""
    __tracebackhide__ = True
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        came = f"{type(got).__name__} of {len(got)}" if hasattr(got, "__len__") else str(got)
        facts = {"expected": "a tuple of 2", "came": came[:200]}
        _fail(f"{called} does not return two things", facts, hint)


def _check_untouched(called: str, before: np.ndarray, after: np.ndarray) -> None:
    """Fail if a function wrote into the array it was given."""
    __tracebackhide__ = True
    if not np.array_equal(before, after):
        facts = {"expected": _sample(before), "came": _sample(after)}
        _fail(f"{called} changes its input", facts, "work on a new array instead of in place")


# ------------------------------------------------------------------------- calling your code


def _where(error: BaseException) -> str:
    """Say in which line of the learner's files an exception was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).name in STUDENT_FILES]
    if not own:
        return "outside your files"
    return f"in {own[-1].name}, line {own[-1].lineno} of {Path(own[-1].filename).name}"


def _call(called: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call the learner's function; whatever it raises becomes a failure with its name."""
    __tracebackhide__ = True
    try:
        return function(*args, **kwargs)
    except NotImplementedError as error:
        facts = {"raised": f"NotImplementedError {error}".strip(), "where": _where(error)}
        hint = "write that function first, and delete its `raise NotImplementedError`"
        _fail(f"{called} needs code that is not written yet", facts, hint, error)
    except Exception as error:
        facts = {"raised": f"{type(error).__name__}: {error}"[:500], "where": _where(error)}
        hint = "the whole traceback of your code is printed above this one"
        _fail(f"{called} raised {type(error).__name__}", facts, hint, error)


def _quietly(called: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a training loop without the lines it prints."""
    __tracebackhide__ = True
    with contextlib.redirect_stdout(io.StringIO()):
        return _call(called, function, *args, **kwargs)


def _student(module: str, name: str) -> Any:
    """Import a name from one of the learner's modules, from any working directory."""
    __tracebackhide__ = True
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    found = _call(f"import {module} (is {module}.py there?)", importlib.import_module, module)
    if not hasattr(found, name):
        facts = {"expected": name, "came": f"{module}.py has no such name"}
        _fail(f"{module}.{name} does not exist", facts, "names are fixed: was it renamed?")
    return getattr(found, name)


def _expected(name: str) -> dict[str, Any]:
    """Load a file of expected values; lists of numbers become arrays."""
    import json  # only here, so that importing this module stays quick

    with open(TEST_DATA / f"{name}.json", encoding="utf-8") as file:
        stored = json.load(file)
    return {
        key: np.array(value) if isinstance(value, list) else value for key, value in stored.items()
    }


def _local_test(method: Callable) -> Callable[[Any], None]:
    """Print that a test passed, and leave the global random streams as they were."""

    @functools.wraps(method)
    def run(self: unittest.TestCase) -> None:
        __tracebackhide__ = True
        numpy_state, python_state = np.random.get_state(), random.getstate()
        try:
            note = method(self)
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
        print(f"{method.__name__} passed!" + (f" ({note})" if note else ""))

    return run


# ------------------------------------------------------------------------------ Q1: NN.py

NAMES = ("theta1", "b1", "theta2", "b2", "theta3", "b3")
MASK_HINT = (
    "the mask is 1 where an entry is kept; it is drawn once, from NumPy's global stream, in the "
    "shape of u, and prob is the probability of dropping"
)
SCALE_HINT = "which entries survive, and by what are they scaled so that the mean stays the same?"
FORWARD_HINTS = {
    "X": "the cache keeps the input as it came",
    "u1": "one linear layer: x, theta1 and b1",
    "mask": MASK_HINT,
    "o1": "SiLU, then dropout only if use_dropout, with self.dropout_prob; o1 is what comes after",
    "u2": "one linear layer on o1 (after dropout): theta2 and b2",
    "o2": "SiLU of u2; there is no dropout here",
    "u3": "one linear layer on o2: theta3 and b3",
    "o3": "softmax of u3, row by row",
}
GRADIENT_HINTS = {
    "theta3": "start from y_hat - y; is the mean over the N rows taken exactly once?",
    "b3": "sum over the rows, shape (fan_out,); is the mean over the N rows taken exactly once?",
    "theta2": "chain rule through theta3 and the derivative of SiLU at u2 (not at o2)",
    "b2": "the same chain as theta2, summed over the rows",
    "theta1": "chain rule through theta2 and the derivative of SiLU at u1; with dropout, what did "
    "the forward pass do to each entry between SiLU and o1?",
    "b1": "the same chain as theta1, summed over the rows",
}
LOSS_HINT = (
    "is the loss the one of the forward pass, before the update? Does training start with "
    "init_parameters()? Does every update use the gradients of this pass, with the right sign?"
)
BATCH_HINT = (
    "batches have constant size and wrap round the data: with 9 rows and size 6 the rows are "
    "1-6, then 7-9 and 1-3, then 4-9"
)


def _network(use_dropout: bool = False, use_momentum: bool = False, **options: Any) -> Any:
    """Make a network the way the grader does, with a y of no particular shape."""
    __tracebackhide__ = True
    options.setdefault("y", np.random.RandomState(1).randn(1, 30))
    make = _student("NN", "NeuralNet")
    flags = {"use_dropout": use_dropout, "use_momentum": use_momentum}
    return _call("NeuralNet(y, use_dropout, use_momentum)", make, **options, **flags)


def _six(data: Mapping[str, np.ndarray], prefix: str = "") -> dict[str, np.ndarray]:
    """Pick fresh copies of the six parameter-shaped arrays stored under a prefix."""
    return {name: data[prefix + name].copy() for name in NAMES}


def _check_elementwise(name: str, expected: np.ndarray, u: np.ndarray, hint: str) -> None:
    """Check a function of one array, on a matrix, on a vector, and for leaving it untouched."""
    __tracebackhide__ = True
    function = getattr(_network(), name)
    for values, wanted in ((u, expected), (u[0], expected[0])):
        called = f"{name}(u) for u of shape {values.shape}"
        given = values.copy()
        _check(called, _call(called, function, given), wanted, hint)
        _check_untouched(called, values, given)


def _check_forward(use_dropout: bool) -> None:
    """Check what forward caches, in the order it is computed, then what it returns."""
    __tracebackhide__ = True
    data = _expected("nn_network")
    nn = _network(use_dropout)
    _call("init_parameters(param)", nn.init_parameters, _six(data))
    np.random.seed(data["seed"])
    called = f"forward(x, use_dropout={use_dropout})"
    o3 = _call(called, nn.forward, data["X"].copy(), use_dropout=use_dropout)
    keys = [key for key in FORWARD_HINTS if use_dropout or key != "mask"]
    _check_keys(f"cache after {called}", nn.cache, keys, "forward stores what backward needs")
    prefix = "dropout_" if use_dropout else "plain_"
    for key in keys:
        wanted = data["X"] if key == "X" else data[prefix + key]
        kinds = "iufb" if key == "mask" else None
        hint = FORWARD_HINTS[key]
        _check(f"cache[{key!r}] after {called}", nn.cache[key], wanted, hint, kinds)
    _check(called, o3, data[prefix + "o3"], "forward returns o3")


def _check_gradients(use_dropout: bool) -> None:
    """Check compute_gradients on a cache filled by hand, from the last layer to the first."""
    __tracebackhide__ = True
    data = _expected("nn_network")
    prefix = "dropout_" if use_dropout else "plain_"
    nn = _network(use_dropout)
    nn.parameters = _six(data)
    keys = ["u1", "o1", "u2", "o2"] + ["mask"] * use_dropout
    nn.cache = {"X": data["X"].copy()} | {key: data[prefix + key].copy() for key in keys}
    called = f"compute_gradients(y, yh, use_dropout={use_dropout})"
    yh = data[prefix + "o3"]
    got = _call(called, nn.compute_gradients, data["y"].copy(), yh, use_dropout=use_dropout)
    _check_keys(called, got, NAMES, "one gradient for each parameter, under the same name")
    for name, hint in GRADIENT_HINTS.items():
        _check(f"{name} of {called}", got[name], data[prefix + "grad_" + name], hint)


def _check_update(use_momentum: bool, steps: int, hint: str) -> None:
    """Check so many calls of update_weights, with the same gradients each time."""
    __tracebackhide__ = True
    data = _expected("nn_update")
    nn = _network(use_momentum=use_momentum, lr=data["lr"], momentum=data["momentum"])
    _call("init_parameters(param)", nn.init_parameters, _six(data))
    kind = "momentum" if use_momentum else "plain"
    for step in range(1, steps + 1):
        called = f"update_weights(dLoss, use_momentum={use_momentum}), call {step}"
        _call(called, nn.update_weights, _six(data, "grad_"), use_momentum=use_momentum)
        for name in NAMES:
            if use_momentum:
                wanted = data[f"change{step}_{name}"]
                _check(f"change[{name!r}] after {called}", nn.change[name], wanted, hint)
            wanted = data[f"{kind}{step}_{name}"]
            _check(f"parameters[{name!r}] after {called}", nn.parameters[name], wanted, hint)
    count = "every call of update_weights adds one"
    _check_equal(f"weight_updates after {steps} calls", nn.weight_updates, steps, count)


def _check_losses(called: str, losses: Any, expected: np.ndarray, hint: str) -> None:
    """Check a list of losses to the last printed digit."""
    __tracebackhide__ = True
    label = f"loss after {called}"
    every = "the loss is appended every 1000th iteration from 0, with local_test at every one"
    _check_length(label, losses, len(expected), every)
    numbers = _call(f"reading {label}", np.array, losses, dtype=float)
    _check(label, numbers, expected, hint, tolerance=PRINTED)


def _housing() -> tuple[np.ndarray, np.ndarray, dict[str, Any], str]:
    """Load the training data, the losses that belong to them, and a note on a stand-in."""
    from utilities.datasets import is_standin
    from utilities.utils import get_housing_dataset

    x_train, y_train, _, _ = get_housing_dataset()
    standin = is_standin("housing")
    losses = _expected("housing_losses")["standin" if standin else "real"]
    return x_train, y_train, losses, "on the stand-in housing data" if standin else ""


def _check_small_training(kind: str, use_dropout: bool, use_momentum: bool, hint: str) -> Any:
    """Train on nine stored rows, with batches of 6 where batches are meant; check the losses."""
    __tracebackhide__ = True
    data = _expected("nn_training")
    flags = {"use_dropout": use_dropout, "use_momentum": use_momentum}
    nn = _network(y=data["y"], batch_size=6, **flags)
    name = "batch_gradient_descent" if kind == "batch" else "gradient_descent"
    called = f"{name} on 9 rows with use_dropout={use_dropout}, use_momentum={use_momentum}"
    options = {"iter": 4, "use_momentum": use_momentum, "local_test": True}
    _quietly(called, getattr(nn, name), data["x"].copy(), data["y"].copy(), **options)
    losses = data[f"{kind}{'_dropout' * use_dropout}{'_momentum' * use_momentum}"]
    _check_losses(called, nn.loss, losses, hint)
    return nn


def _check_wrapping(nn: Any, iterations: int) -> None:
    """Check batch_y and the batch counter of a network trained on the nine stored rows."""
    __tracebackhide__ = True
    data = _expected("nn_training")
    after = f"after {iterations} batches of 6 out of 9 rows"
    _check_length(f"batch_y {after}", nn.batch_y, iterations, "each printed batch's y is kept")
    for number, rows in enumerate(data["batch_rows"]):
        _check(f"batch_y[{number}] {after}", nn.batch_y[number], data["y"][rows], BATCH_HINT)
    _check_equal(f"iteration {after}", nn.iteration, iterations, "iteration counts the batches")


class TestNN(unittest.TestCase):
    """Question 1: the network's pieces on small stored matrices, and three short trainings."""

    @_local_test
    def test_silu(self) -> None:
        """SiLU, elementwise."""
        data = _expected("nn_functions")
        hint = "SiLU is u times the sigmoid of u; it works entry by entry, for large |u| too"
        _check_elementwise("silu", data["silu"], data["u"], hint)

    @_local_test
    def test_d_silu(self) -> None:
        """The derivative of SiLU, elementwise."""
        data = _expected("nn_functions")
        hint = "product rule on u times sigmoid(u); the argument is u, not SiLU of u"
        _check_elementwise("derivative_silu", data["d_silu"], data["u"], hint)

    @_local_test
    def test_softmax(self) -> None:
        """Softmax of each row, for small and for huge logits."""
        data = _expected("nn_functions")
        hint = "each row sums to one (which axis?), and its maximum is subtracted before exp"
        function = _network().softmax
        for size in ("small", "large"):
            logits = data[f"logits_{size}"]
            given = logits.copy()
            called = f"softmax(u) for {size} u of shape {logits.shape}"
            _check(called, _call(called, function, given), data[f"softmax_{size}"], hint)
            _check_untouched(called, logits, given)

    @_local_test
    def test_dropout(self) -> None:
        """What dropout keeps, how it scales it, and the mask it returns."""
        data = _expected("nn_functions")
        function = _student("NN", "NeuralNet")._dropout
        for case in ("a", "b"):
            u, prob = data[f"dropout_u_{case}"], data[f"dropout_prob_{case}"]
            given = u.copy()
            called = f"_dropout(u, prob={prob})"
            np.random.seed(data["dropout_seed"])
            got = _call(called, function, given, prob)
            _check_pair(called, got, "return the values after dropout, then the mask")
            _check(f"mask of {called}", got[1], data[f"mask_{case}"], MASK_HINT, "iufb")
            _check(f"u after {called}", got[0], data[f"dropped_{case}"], SCALE_HINT)
            _check_untouched(called, u, given)

    @_local_test
    def test_loss(self) -> None:
        """The mean cross-entropy, also where a probability is 0."""
        data = _expected("nn_functions")
        hint = "sum over the classes, mean over the rows: is it divided by N once?"
        zero = "what is added to y_hat inside the log, so that 0 gives no infinity?"
        function = _network().cross_entropy_loss
        for case, text in (("some", hint), ("zero", zero)):
            y_hat = data[f"y_hat_{case}"]
            called = f"cross_entropy_loss(y, y_hat) with {case} probabilities"
            _check(called, _call(called, function, data["y"], y_hat), data[f"loss_{case}"], text)

    @_local_test
    def test_forward_without_dropout(self) -> None:
        """The forward pass, layer by layer."""
        _check_forward(use_dropout=False)

    @_local_test
    def test_forward(self) -> None:
        """The forward pass with dropout after the first hidden layer."""
        _check_forward(use_dropout=True)

    @_local_test
    def test_update_weights(self) -> None:
        """One plain step down the gradient."""
        hint = "self.learning_rate times the gradient is taken away, once"
        _check_update(use_momentum=False, steps=1, hint=hint)

    @_local_test
    def test_update_weights_with_momentum(self) -> None:
        """Two steps with momentum, so that the first is remembered in the second."""
        hint = "change' = momentum * change + gradient is kept; then lr * change' is taken away"
        _check_update(use_momentum=True, steps=2, hint=hint)

    @_local_test
    def test_compute_gradients_without_dropout(self) -> None:
        """The six mean gradients from a given cache."""
        _check_gradients(use_dropout=False)

    @_local_test
    def test_compute_gradients(self) -> None:
        """The six mean gradients from a given cache with a dropout mask."""
        _check_gradients(use_dropout=True)

    @_local_test
    def test_gradient_descent(self) -> str:
        """Three iterations on the housing data, four with dropout on nine rows."""
        x_train, y_train, losses, note = _housing()
        nn = _network(y=y_train)
        called = "gradient_descent(x, y, iter=3, local_test=True)"
        _quietly(called, nn.gradient_descent, x_train, y_train, iter=3, local_test=True)
        _check_losses(called, nn.loss, np.array(losses["gd"]), LOSS_HINT)
        _check_small_training("gd", True, False, "self.use_dropout decides; " + LOSS_HINT)
        return note

    @_local_test
    def test_batch_gradient_descent(self) -> str:
        """How batches wrap round nine rows, then three batches of 6 of the housing data."""
        for use_dropout, use_momentum in ((False, False), (True, True)):
            nn = _check_small_training("batch", use_dropout, use_momentum, BATCH_HINT)
            _check_wrapping(nn, iterations=4)
        x_train, y_train, losses, note = _housing()
        nn = _network(y=y_train, batch_size=6)
        called = "batch_gradient_descent(x, y, use_momentum=False, iter=3, local_test=True)"
        options = {"use_momentum": False, "iter": 3, "local_test": True}
        _quietly(called, nn.batch_gradient_descent, x_train, y_train, **options)
        _check_losses(called, nn.loss, np.array(losses["batch"]), LOSS_HINT)
        return note

    @_local_test
    def test_gradient_descent_with_momentum(self) -> str:
        """Three iterations with momentum on the housing data."""
        x_train, y_train, losses, note = _housing()
        nn = _network(y=y_train, use_momentum=True)
        called = "gradient_descent(x, y, iter=3, use_momentum=True, local_test=True)"
        options = {"iter": 3, "use_momentum": True, "local_test": True}
        _quietly(called, nn.gradient_descent, x_train, y_train, **options)
        hint = "is change zero at the start, and use_momentum handed on to every update? "
        _check_losses(called, nn.loss, np.array(losses["momentum"]), hint + LOSS_HINT)
        return note


# ------------------------------------------- Q2: cnn_image_transformations.py and cnn.py


def _settings(thing: Any, names: Sequence[str]) -> dict[str, Any]:
    """Read settings of a layer or transform in a form that JSON can hold."""
    return {name: _plain(getattr(thing, name, "missing")) for name in names}


def _plain(value: Any) -> Any:
    """Write a dtype, a tuple or a number so that it compares with JSON."""
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _pairs(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write a side of a window as two sides: 3 and (3, 3) are the same kernel."""
    sides = ("kernel_size", "stride", "padding", "output_size")
    return {
        key: [value, value] if key in sides and isinstance(value, int) else value
        for key, value in settings.items()
    }


def _check_parts(called: str, parts: Sequence[Any], expected: Sequence, hint: str) -> None:
    """Compare layers or transforms, one by one, with their stored types and settings."""
    __tracebackhide__ = True
    got = [type(part).__name__ for part in parts]
    _check_equal(f"the types in {called}", got, [name for name, _ in expected], hint)
    for number, (part, (name, settings)) in enumerate(zip(parts, expected, strict=True)):
        came = _pairs(_settings(part, list(settings)))
        _check_equal(f"{name}, number {number} of {called},", came, _pairs(settings), hint)


def _check_image(called: str, transform: Callable, exact: bool) -> None:
    """Check dtype, shape and range of a transformed picture, and its values where exact."""
    __tracebackhide__ = True
    from PIL import Image

    pixels = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28) % 256
    image = _call(f"{called}(image)", transform, Image.fromarray(pixels.astype(np.uint8)))
    called = f"{called} applied to a 28 x 28 grey picture"
    came = {"dtype": str(getattr(image, "dtype", None)), "shape": list(np.shape(image))}
    hint = "ToImage first, then ToDtype to float32 with scale=True"
    _check_equal(called, came, {"dtype": "torch.float32", "shape": [1, 28, 28]}, hint)
    values = np.asarray(image, dtype=float)
    if not (values.min() >= 0 and values.max() <= 1):
        came = f"{values.min():.4g} to {values.max():.4g}"
        facts = {"expected": "values in [0, 1]", "came": came}
        _fail(f"{called} is out of range", facts, hint)
    if exact:  # float32 keeps seven digits
        _check(called, values, pixels[None] / 255, hint, tolerance=1e-6)


class TestCNN(unittest.TestCase):
    """Question 2: the image transforms and the network's architecture."""

    @_local_test
    def test_transformations(self) -> None:
        """Types, order and settings of both lists of transforms, and what they make."""
        module = "cnn_image_transformations"
        stored = _expected("architectures")["transforms"]
        training = self._transforms(module, "create_training_transformations")
        testing = self._transforms(module, "create_testing_transformations")
        self._check_lists(training.transforms, testing.transforms, stored)
        import torch

        with torch.random.fork_rng(devices=[]):
            for _ in range(5):
                _check_image("create_training_transformations()", training, exact=False)
            _check_image("create_testing_transformations()", testing, exact=True)

    def _transforms(self, module: str, name: str) -> Any:
        """Call one of the two functions; what it returns must be a v2.Compose."""
        __tracebackhide__ = True
        made = _call(f"{name}()", _student(module, name))
        came = f"{type(made).__module__}.{type(made).__name__}"
        if "transforms.v2" not in came or not hasattr(made, "transforms"):
            facts = {"expected": "torchvision.transforms.v2.Compose", "came": came}
            _fail(f"{name}() is not a v2.Compose", facts, "return v2.Compose([...])")
        return made

    def _check_lists(self, training: Sequence, testing: Sequence, stored: Mapping) -> None:
        """Check both lists, and what RandomApply holds."""
        __tracebackhide__ = True
        order = "to image, to float, flip, rotation sometimes: is everything there, in this order?"
        called = "create_training_transformations()"
        _check_parts(called, training, stored["training"], order)
        inner = list(training[-1].transforms)
        rotation = "a list with one transform, with the angles given as a pair"
        _check_parts(f"RandomApply in {called}", inner, stored["inner"], rotation)
        plain = "test pictures are only converted: nothing random"
        _check_parts("create_testing_transformations()", testing, stored["testing"], plain)

    @_local_test
    def test_model_architecture(self) -> None:
        """Children, layers and settings in order, parameter count, and logits as output."""
        CNN = _student("cnn", "CNN")
        import torch

        with torch.random.fork_rng(devices=[]):
            model = _call("CNN()", CNN)
            self._check_layers(model)
            self._check_output(model, torch)

    def _check_layers(self, model: Any) -> None:
        """Compare the model's layers with the stored ones."""
        __tracebackhide__ = True
        stored = _expected("architectures")["CNN"]
        names = [name for name, _ in model.named_children()]
        hint = "these three names, assigned in __init__ in this order"
        _check_equal("the children of CNN()", names, list(stored["children"]), hint)
        for name, layers in stored["children"].items():
            parts = [part for part in getattr(model, name).modules() if not list(part.children())]
            parts = [part for part in parts if type(part).__name__ != "Flatten"]
            _check_parts(f"CNN().{name}", parts, layers, "compare with the diagram, layer by layer")
        count = sum(parameter.numel() for parameter in model.parameters())
        hint = "which layer has other sizes than the diagram?"
        _check_equal("the parameter count of CNN()", count, stored["parameters"], hint)

    def _check_output(self, model: Any, torch: Any) -> None:
        """Check that an evaluated batch gives (N, 10) logits and leaves the mode alone."""
        __tracebackhide__ = True
        model.eval()
        images = torch.linspace(0, 1, 3 * 28 * 28).reshape(3, 1, 28, 28)
        with torch.no_grad():
            logits = _call("CNN()(x) for x of shape (3, 1, 28, 28)", model, images)
        hint = "forward returns what the last linear layer gives, one row a picture"
        _check_equal("the shape of CNN()(x)", list(getattr(logits, "shape", [])), [3, 10], hint)
        if torch.allclose(logits.sum(dim=1), torch.ones(3)) and (logits >= 0).all():
            facts = {"expected": "logits", "came": "rows that sum to one"}
            _fail("CNN()(x) gives probabilities", facts, "the loss applies softmax: return logits")
        modes = {part.training for part in model.modules()}
        _check_equal("model.eval() after forward", modes, {False}, "forward must not call train()")


# ------------------------------------------------------------------- Q3: random_forest.py

ROW_HINT = "rows first: num_training of them, with replacement, from NumPy's global stream"
COLUMN_HINT = "columns second: int(num_features * max_features) of them, without replacement"
SEED_HINT = "seed only if a seed is given; 0 is a seed, and None must not seed at all"


class _FixedTree:
    """A tree whose predictions are given, and which remembers the weights it was fitted with."""

    def __init__(self, X: np.ndarray, predictions: np.ndarray, classes: np.ndarray) -> None:
        self.X, self.predictions, self.classes_ = X, predictions, classes
        self.columns: int | None = None
        self.weights: np.ndarray | None = None

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None, **_: Any) -> Any:
        """Remember how many columns and which weights came."""
        self.columns = np.shape(X)[1]
        self.weights = None if sample_weight is None else np.array(sample_weight, dtype=float)
        return self

    def predict(self, X: np.ndarray, check_input: bool = True) -> np.ndarray:
        """Give the fixed predictions of rows of the X it was made for, all of them or some."""
        X = np.asarray(X, dtype=np.float32)  # as scikit-learn's trees do
        if X.ndim != 2 or X.shape[1] != self.X.shape[1]:
            raise ValueError(f"a tree predicts rows of {self.X.shape[1]} columns, got {X.shape}")
        known = self.X.astype(np.float32)
        same = (X[:, np.newaxis] == known).all(axis=2)  # (rows asked for, rows known)
        if not same.any(axis=1).all():
            raise ValueError("a tree was asked to predict rows that are not in X")
        return self.predictions[same.argmax(axis=1)]

    def predict_proba(self, X: np.ndarray, check_input: bool = True) -> np.ndarray:
        """Give the fixed predictions as certainties."""
        return (self.predict(X)[:, None] == self.classes_).astype(float)

    def score(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> float:
        """Give the weighted share of right predictions."""
        return float(np.average(self.predict(X) == y, weights=sample_weight))


def _forest(n_estimators: int, max_features: float, random_seed: int | None) -> Any:
    """Make the learner's forest, with shallow trees."""
    __tracebackhide__ = True
    make = _student("random_forest", "RandomForest")
    return _call("RandomForest(...)", make, n_estimators, 3, max_features, random_seed)


def _check_draw(called: str, got: Any, rows: np.ndarray, columns: np.ndarray, why: str) -> None:
    """Check one pair of row and column indices."""
    __tracebackhide__ = True
    _check_pair(called, got, "return the row indices, then the column indices")
    _check(f"row_idx of {called}", got[0], rows, f"{ROW_HINT}; {why}")
    _check(f"col_idx of {called}", got[1], columns, f"{COLUMN_HINT}; {why}")


class TestRandomForest(unittest.TestCase):
    """Question 3: what each tree is given, and AdaBoost on trees with known predictions."""

    @_local_test
    def test_bootstrapping(self) -> None:
        """One draw for several seeds, draws that go on with the stream, and the three lists."""
        data = _expected("forest")
        forest = _forest(3, data["max_features"], data["seed"])
        sizes = (data["num_training"], data["num_features"])
        for case, seed in enumerate(data["seeds"].tolist()):
            np.random.seed(99)
            called = f"_bootstrapping{sizes} with random_seed={seed}"
            got = _call(called, forest._bootstrapping, *sizes, random_seed=seed)
            _check_draw(called, got, data["rows"][case], data["columns"][case], SEED_HINT)
        np.random.seed(data["stream_seed"])
        for turn in range(2):
            called = f"_bootstrapping{sizes} without a seed, call {turn + 1}"
            got = _call(called, forest._bootstrapping, *sizes)
            rows, columns = data["stream_rows"][turn], data["stream_columns"][turn]
            _check_draw(called, got, rows, columns, SEED_HINT)
        self._check_lists(forest, data)

    def _check_lists(self, forest: Any, data: Mapping[str, Any]) -> None:
        """Check the three lists that bootstrapping fills, tree by tree."""
        __tracebackhide__ = True
        called = f"bootstrapping({data['num_training']}, {data['num_features']})"
        _call(called, forest.bootstrapping, data["num_training"], data["num_features"])
        each = "one entry for each of the n_estimators trees"
        for name in ("bootstraps_row_indices", "feature_indices", "out_of_bag"):
            _check_length(f"{name} after {called}", getattr(forest, name), 3, each)
        why = "the stream is seeded once with self.random_seed, then goes on from tree to tree"
        for tree in range(3):
            got = (forest.bootstraps_row_indices[tree], forest.feature_indices[tree])
            rows, columns = data["tree_rows"][tree], data["tree_columns"][tree]
            _check_draw(f"tree {tree} of {called}", got, rows, columns, why)
            left = set(range(data["num_training"])) - set(rows.tolist())
            label = f"out_of_bag[{tree}] after {called}"
            bag = _call(f"reading {label}", set, map(int, forest.out_of_bag[tree]))
            _check_equal(label, bag, left, "the rows this tree did not draw, as a set")

    @_local_test
    def test_adaboost(self) -> None:
        """Weights, alphas and votes on trees whose predictions are fixed."""
        data = _expected("adaboost")
        for case in ("a", "b"):
            self._check_boosting(data, case)

    def _check_boosting(self, data: Mapping[str, Any], case: str) -> None:
        """Run adaboost on the fixed trees of one case, and let them vote."""
        __tracebackhide__ = True
        keys = ("predictions", "weights", "alphas", "votes")
        stored = {key: data[f"{key}_{case}"] for key in keys}
        classes = np.unique(data["y"])
        trees = [_FixedTree(data["X"], votes, classes) for votes in stored["predictions"]]
        forest = _forest(len(trees), 1.0, 0)
        forest.decision_trees = trees
        _call("adaboost(X, y)", forest.adaboost, data["X"].copy(), data["y"].copy())
        for number, tree in enumerate(trees):
            self._check_tree(number, tree, stored["weights"][number], data["X"].shape[1])
        self._check_alphas(forest.alphas, stored["alphas"])
        got = _call("predict_adaboost(X)", forest.predict_adaboost, data["X"].copy())
        hint = "each tree's vote counts as much as its alpha; the class with the largest sum wins"
        _check("predict_adaboost(X)", got, stored["votes"], hint, "iuf")

    def _check_tree(self, number: int, tree: _FixedTree, weights: np.ndarray, columns: int) -> None:
        """Check what one tree was fitted with."""
        __tracebackhide__ = True
        called = f"adaboost(X, y), fit of tree {number},"
        all_columns = "every tree in self.decision_trees is fitted, on all columns of X"
        _check_equal(f"number of columns in {called}", tree.columns, columns, all_columns)
        hint = (
            "weights start uniform and sum to one; rows the last tree got wrong are multiplied by "
            "exp(alpha), the others by one, then all are normalised; they go in as sample_weight"
        )
        _check(f"sample_weight of {called}", tree.weights, weights, hint)

    def _check_alphas(self, alphas: Any, expected: np.ndarray) -> None:
        """Check the alphas, those of errors 0, 1/2 and above among them."""
        __tracebackhide__ = True
        called = "alphas after adaboost(X, y)"
        hint = (
            "error is the weighted share of wrong rows; alpha is half the log of (1 - error) over "
            "(error + 1e-10), also where error is 0 (then large) or above 1/2 (then negative)"
        )
        _check_length(called, alphas, len(expected), "one alpha for each tree")
        numbers = _call(f"reading {called}", np.array, alphas, dtype=float)
        # 1 - (share of right rows) may miss an error of 0 by 1e-16, and the log sees that
        _check(called, numbers, expected, hint, tolerance=1e-6)


# -------------------------------------------------------------------- Q5: rnn.py and lstm.py


def _different(got: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple]:
    """Collect the settings of a layer, less its name, that are not as wanted."""
    keys = [key for key in wanted if key != "name"]
    return {
        key: (wanted[key], got.get(key, "missing")) for key in keys if got.get(key) != wanted[key]
    }


def _check_net(module: str, name: str) -> None:
    """Check hyperparameters, layers and parameter count of one of the two recurrent nets."""
    __tracebackhide__ = True
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stored = _expected("architectures")[name]
    vocab_size, length = stored["vocab_size"], stored["max_input_len"]
    net = _call(f"{name}({vocab_size}, {length})", _student(module, name), vocab_size, length)
    _call("set_hyperparameters()", net.set_hyperparameters)
    hint = "set_hyperparameters fills the dictionary self.hp"
    _check_equal("hp after set_hyperparameters()", net.hp, stored["hp"], hint)
    returned = _call("define_model()", net.define_model)
    model = net.model if returned is None else returned
    _check_keras_layers("define_model()", model, stored["layers"])
    _call("build_model()", net.build_model)
    _check_keras_layers("build_model()", net.model, stored["layers"])
    hint = "is the net built for (None, max_input_len), and are the layer sizes those of hp?"
    count = _call("model.count_params()", net.model.count_params)
    _check_equal("the parameter count after build_model()", count, stored["parameters"], hint)
    shape = tuple(net.model.output_shape)
    _check_equal("the output shape after build_model()", shape, (None, vocab_size), hint)


def _check_keras_layers(called: str, model: Any, layers: Sequence) -> None:
    """Compare each layer's class and settings, less its name, with Keras's own defaults."""
    __tracebackhide__ = True
    import keras

    if not isinstance(model, keras.Sequential):
        facts = {"expected": "tf.keras.Sequential", "came": type(model).__name__}
        _fail(f"{called} makes no Sequential model", facts, "keep it in self.model as well")
    got = [type(layer).__name__ for layer in model.layers]
    hint = "one layer after the other, as in the description"
    _check_equal(f"the layers of {called}", got, [kind for kind, _ in layers], hint)
    for number, (layer, (kind, arguments)) in enumerate(zip(model.layers, layers, strict=True)):
        wanted = getattr(keras.layers, kind)(**arguments).get_config()
        different = _different(layer.get_config(), wanted)
        facts = {key: f"expected {pair[0]}, came {pair[1]}" for key, pair in different.items()}
        if facts:
            defaults = "sizes come from hp and vocab_size; everything else stays at its default"
            _fail(f"layer {number} ({kind}) of {called} has other settings", facts, defaults)


class TestRNN(unittest.TestCase):
    """Question 5.1.1: the simple recurrent net."""

    @_local_test
    def test_rnn_architecture(self) -> None:
        """Hyperparameters, layers and parameter count."""
        _check_net("rnn", "RNN")


class TestLSTM(unittest.TestCase):
    """Question 5.1.2: the LSTM."""

    @_local_test
    def test_lstm_architecture(self) -> None:
        """Hyperparameters, layers and parameter count."""
        _check_net("lstm", "LSTM")
