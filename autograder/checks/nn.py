"""Checks of the pieces of the two-layer net (items 1.1a to 1.1j).

``forward`` and ``backward`` are made of other graded methods. They are judged twice: on the
values the student's own methods give, and with stand-ins in their place; right in one way is
right. A wrong ``silu`` so costs its own points only.

Symbols: N rows, M inputs, K and R hidden units, D classes.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np

from autograder import standins
from autograder.channel import Ref
from autograder.checks.compare import Mismatch, close, equal, fails, is_lively, kind_of, one_of
from autograder.checks.task import Task
from autograder.plan import Case
from autograder.reference import module

KEYS = ("theta1", "b1", "theta2", "b2", "theta3", "b3")
BACKWARD_ORDER = ("theta3", "b3", "theta2", "b2", "theta1", "b1")
_STREAM = threading.RLock()  # two submissions may be graded in two threads
OWN_PARTS = "your own silu, softmax and _dropout are taken as they are; they have their own items"


def reference_net() -> object:
    """Return the reference's net, of any size."""
    return module("NN").NeuralNet(np.zeros((1, 3)), use_dropout=False, use_momentum=False)


def draw_net(task: Task) -> SimpleNamespace:
    """Draw sizes, parameters, inputs and targets."""
    rng = task.rng
    n, m, k, r, d = (int(size) for size in rng.integers([4, 3, 4, 3, 3], [9, 8, 9, 8, 6]))
    shapes = {"theta1": (m, k), "b1": k, "theta2": (k, r), "b2": r, "theta3": (r, d), "b3": d}
    return SimpleNamespace(
        parameters={key: rng.normal(size=shape) for key, shape in shapes.items()},
        x=rng.normal(size=(n, m)),
        y=np.eye(d)[rng.integers(d, size=n)],
        prob=float(rng.choice([0.2, 0.25, 0.4])),
        rate=float(rng.uniform(0.01, 0.2)),
        seed=int(rng.integers(1, 10_000)),
    )


def put_net(case: Case, drawn: SimpleNamespace, name: str = "nn", **attributes: object) -> None:
    """Make a net in the student's process and give it parameters of the drawn sizes."""
    y = np.zeros((1, 30))  # the constructor is told no sizes: they come from the parameters
    case.bare(name, "NN.NeuralNet", y=y, use_dropout=False, use_momentum=False)
    settings = {
        "parameters": drawn.parameters,
        "change": {key: np.zeros_like(value) for key, value in drawn.parameters.items()},
        "dropout_prob": drawn.prob,
        "learning_rate": drawn.rate,
        "momentum": 0.5,
        "weight_updates": 0,
        "cache": {},
    }
    for attribute, value in {**settings, **attributes}.items():
        case.set(f"{name}.{attribute}", value)


# --- elementwise functions, softmax, loss, dropout ----------------------------------------------


def silu(task: Task) -> None:
    """1.1a: values of any shape, inputs left alone; extremes without overflow."""
    sigmoid = "silu(u) = u / (1 + exp(-u))"
    _elementwise(task, "silu", reference_net().silu, sigmoid, lambda u, s: [("forgets u", s)])


def derivative_silu(task: Task) -> None:
    """1.1b: the same for the derivative."""
    formula = "with s = sigmoid(x): s + x s (1 - s)"
    _elementwise(
        task,
        "derivative_silu",
        reference_net().derivative_silu,
        formula,
        lambda u, s: [("this is the sigmoid's derivative, not SiLU's", s * (1 - s))],
    )


def _elementwise(
    task: Task, name: str, expected: Callable, hint: str, mistakes: Callable[..., list]
) -> None:
    inputs = {
        f"{name}(u) for u of shape {shape}": 2 * task.rng.normal(size=shape)
        for shape in ((7,), (3, 4), (2, 3, 2))
    }
    extreme = np.array([-1e300, -1e5, -800.0, -40.0, -1e-300, 0.0, 1e-300, 40.0, 800.0, 1e300])
    case = task.case()
    case.bare("nn", "NN.NeuralNet", y=np.zeros((1, 30)), use_dropout=False, use_momentum=False)
    steps = []
    for called, u in inputs.items():
        u_name = case.name("u", u)
        steps.append((called, u, case.call(f"nn.{name}", u_name), case.get("u")))
    far = case.call(f"nn.{name}", extreme, label=f"{name}(u) for u from -1e300 to 1e300")
    task.run()

    def values() -> None:
        for called, u, step, after in steps:
            s = 1 / (1 + np.exp(-u))
            close(called, task[step], expected(u), hint, at=u, wrong=mistakes(u, s))
            close(f"{called}: u after the call", task[after], u, "work on a copy of u")

    def extremes() -> None:
        called = f"{name}(u) for large u"
        close(called, task[far], expected(extreme), "avoid exp of a large number", at=extreme)
        task.no_warnings(called, far)

    task.part(0.8, "values", values)
    task.part(0.2, "very large and very small inputs, without overflow or warning", extremes)


def softmax(task: Task) -> None:
    """1.1c: rows of several shapes; rows far apart and large without overflow."""
    net, rng = reference_net(), task.rng
    inputs = [3 * rng.normal(size=shape) for shape in ((5, 3), (4, 7), (3, 3), (1, 4))]
    large = 5 * rng.normal(size=(4, 3)) + np.array([[0.0], [1000.0], [-1000.0], [1e5]])
    case = task.case()
    case.bare("nn", "NN.NeuralNet", y=np.zeros((1, 30)), use_dropout=False, use_momentum=False)
    steps = []
    for u in inputs:
        u_name = case.name("u", u)
        steps.append((u, case.call("nn.softmax", u_name), case.get("u")))
    far = case.call("nn.softmax", large, label="softmax(u) with logits around 1000 and 100000")
    task.run()

    def values() -> None:
        for u, step, after in steps:
            called = f"softmax(u) for u of shape {u.shape}"
            e = np.exp(u)
            mistakes = [
                ("this normalises columns; every row must sum to one", e / e.sum(axis=0)),
                ("this normalises the whole matrix; every row must sum to one", e / e.sum()),
            ]
            close(called, task[step], net.softmax(u), "rows must sum to one", wrong=mistakes)
            close(f"{called}: u after the call", task[after], u, "work on a copy of u")

    def stable() -> None:
        called = "softmax(u) for large logits"
        close(called, task[far], net.softmax(large), "subtract each row's own maximum first")
        task.no_warnings(called, far)

    task.part(0.8, "values", values)
    task.part(0.2, "large logits", stable)


def cross_entropy_loss(task: Task) -> None:
    """1.1d: the mean over rows, also of probabilities that are zero."""
    net, rng = reference_net(), task.rng
    cases = []
    for n, d in ((6, 3), (1, 4), (9, 5)):
        y = np.eye(d)[rng.integers(d, size=n)]
        cases.append((y, rng.dirichlet(np.ones(d), size=n)))
    certain = np.eye(3)[[0, 1, 2, 0]]
    zeros = np.eye(3)[[0, 1, 2, 1]]  # the last row gives its class no probability at all
    case = task.case()
    case.bare("nn", "NN.NeuralNet", y=np.zeros((1, 30)), use_dropout=False, use_momentum=False)
    steps = [case.call("nn.cross_entropy_loss", y, p) for y, p in cases]
    zero = case.call(
        "nn.cross_entropy_loss", certain, zeros, label="cross_entropy_loss of a probability of 0"
    )
    task.run()

    def values() -> None:
        for (y, p), step in zip(cases, steps, strict=True):
            right = net.cross_entropy_loss(y, p)
            n, d = y.shape
            mistakes = [
                ("divide by the number of rows", right * n),
                ("divide by the number of rows only, not by that of entries", right / d),
                ("the sign is wrong", -right),
                ("divide by the number of rows once, not twice", right / n),
            ]
            hint = "the mean over the rows of -sum(y log(y_hat + 1e-15))"
            called = f"cross_entropy_loss(y, y_hat) for shapes {y.shape}"
            close(called, _single(called, task[step]), right, hint, wrong=mistakes)

    def finite() -> None:
        called = "cross_entropy_loss with a probability of 0 for the true class"
        right = net.cross_entropy_loss(certain, zeros)
        close(called, _single(called, task[zero]), right, "add 1e-15 inside the logarithm")

    task.part(0.8, "values", values)
    task.part(0.2, "a probability of zero", finite)


def _single(called: str, value: object) -> float:
    """Return a single number, which may come as an array without dimensions."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.generic, np.ndarray)):
        raise Mismatch(f"{called}: expected a number, got {kind_of(value)}")
    if np.ndim(value):
        raise Mismatch(f"{called}: expected a single number, got shape {np.shape(value)}")
    return float(value)


def dropout(task: Task) -> None:
    """1.1e: mask, scale and draw, all as NumPy's global stream gives them; a static method."""
    rng = task.rng
    draws = []
    for shape, prob in (((6, 5), 0.3), ((4, 9), float(rng.uniform(0.1, 0.9))), ((30,), 0.0)):
        draws.append((rng.normal(size=shape) + 3, prob, int(rng.integers(1, 10_000))))
    case = task.case()
    steps = []
    for u, prob, seed in draws:
        case.seed(seed)
        u_name = case.name("u", u)
        called = f"NeuralNet._dropout(u, {prob:.3g})"
        result = case.call("NN.NeuralNet._dropout", u_name, prob, label=called)
        steps.append((called, result, case.stream(), case.get("u")))
    task.run()

    def values() -> None:
        for (u, prob, seed), (called, step, stream, after) in zip(draws, steps, strict=True):
            np.random.seed(seed)
            right, mask = module("NN").NeuralNet._dropout(u, prob)
            got = _pair(called, task[step])
            hint = "1 where kept, 0 where dropped: np.random.choice([0, 1], p=[prob, 1 - prob])"
            wrong = [("the mask is inverted: 1 means kept", 1 - mask)]
            close(f"{called}: the mask", got[1], mask, hint, wrong=wrong)
            wrong = [("scale what is kept by 1 / (1 - prob)", u * mask)]
            close(f"{called}: the values", got[0], right, "u kept / (1 - prob)", wrong=wrong)
            at = np.random.random_sample()
            close(f"{called}: NumPy's stream afterwards", task[stream], at, "draw only the mask")
            close(f"{called}: u after the call", task[after], u, "work on a copy of u")

    with kept_stream():
        task.part(1, "values, mask and draw", values)


def _pair(called: str, got: object) -> tuple:
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Mismatch(f"{called}: expected two arrays, the values and the mask")
    return tuple(got)


@contextlib.contextmanager
def kept_stream() -> Iterator[None]:
    """Hold NumPy's global stream, and put it back: others in this process may use it as well."""
    with _STREAM:
        state = np.random.get_state()
        try:
            yield
        finally:
            np.random.set_state(state)


# --- forward ----------------------------------------------------------------------------------


def forward(task: Task) -> None:
    """1.1f: forward without dropout."""
    _forward(task, use_dropout=False)


def forward_with_dropout(task: Task) -> None:
    """1.1g: forward with dropout after the first activation, and only there."""
    _forward(task, use_dropout=True)


def _forward(task: Task, use_dropout: bool) -> None:
    """Judge the forward pass on the student's own parts, then on stand-ins."""
    drawn = draw_net(task)
    own = _own_forward_steps(task, drawn, use_dropout)
    case = task.case()
    put_net(case, drawn)
    for method, standin in (("silu", "bent"), ("softmax", "shares"), ("_dropout", "sieve")):
        case.replace(f"nn.{method}", standin)
    with_standins = _call_forward(case, drawn, use_dropout)
    task.run()
    net = reference_net()

    def on_own_parts() -> None:
        made = {name: task.get(own[name]) for name in ("silu1", "silu2", "softmax")}
        made = {name: value if is_lively(value) else None for name, value in made.items()}
        dropped = task.get(own["dropout"])
        parts = _Parts(
            silu1=[made["silu1"], net.silu],
            silu2=[made["silu2"], net.silu],
            softmax=[made["softmax"], net.softmax],
            dropout=[dropped if _drops_some(dropped) else None],
        )
        with kept_stream():
            _judge_forward(task, own["forward"], drawn, use_dropout, parts)

    def on_standins() -> None:
        parts = _Parts(
            silu1=[standins.bent],
            silu2=[standins.bent],
            softmax=[standins.shares],
            dropout=[lambda o1: standins.sieve(o1, drawn.prob)],
        )
        _judge_forward(task, with_standins, drawn, use_dropout, parts)

    task.part(1, "returned probabilities and cache", on_own_parts, on_standins)
    task.notes.append(OWN_PARTS)


def _drops_some(made: object) -> bool:
    """Tell whether a dropout's result has elements that were kept and others that were not."""
    return isinstance(made, (tuple, list)) and len(made) == 2 and is_lively(made[1])


def _Parts(**parts: list) -> SimpleNamespace:
    return SimpleNamespace(**parts)


def _call_forward(case: Case, drawn: SimpleNamespace, use_dropout: bool) -> tuple[int, int]:
    case.seed(drawn.seed)
    label = f"forward(x, use_dropout={use_dropout})"
    result = case.call("nn.forward", drawn.x, use_dropout=use_dropout, label=label)
    return result, case.get("nn.cache")


def _own_forward_steps(task: Task, drawn: SimpleNamespace, use_dropout: bool) -> dict:
    """Plan the call, and what the student's own parts make of the same values, case by case."""
    case = task.case()
    put_net(case, drawn)
    steps: dict = {"forward": _call_forward(case, drawn, use_dropout)}
    for name, method, key in (
        ("silu1", "silu", "u1"),
        ("silu2", "silu", "u2"),
        ("softmax", "softmax", "u3"),
    ):
        case = task.case()
        put_net(case, drawn)
        _call_forward(case, drawn, use_dropout)
        steps[name] = case.call(f"nn.{method}", Ref(f"nn.cache.{key}"))
    case = task.case()
    put_net(case, drawn)
    _call_forward(case, drawn, use_dropout)
    case.call("nn.silu", Ref("nn.cache.u1"), as_="activation", send=False)
    case.seed(drawn.seed)
    steps["dropout"] = case.call("nn._dropout", Ref("activation"), drawn.prob)
    return steps


def _judge_forward(
    task: Task,
    steps: tuple[int, int],
    drawn: SimpleNamespace,
    use_dropout: bool,
    parts: SimpleNamespace,
) -> None:
    """Follow the forward pass from each cached value to the next."""
    result, cache = task[steps[0]], task[steps[1]]
    p = drawn.parameters
    called = f"forward(x, use_dropout={use_dropout})"

    def cached(key: str) -> object:
        if not isinstance(cache, dict) or key not in cache:
            raise Mismatch(f"{called}: cache must hold {key!r} afterwards")
        return cache[key]

    def layer(key: str, inputs: object, number: int) -> np.ndarray:
        expected = np.asarray(inputs) @ p[f"theta{number}"] + p[f"b{number}"]
        hint = f"{key} is the layer's input times theta{number}, plus b{number}"
        close(f"cache['{key}'] after {called}", cached(key), expected, hint)
        return expected

    close(f"cache['X'] after {called}", cached("X"), drawn.x)
    u1 = layer("u1", drawn.x, 1)
    _judge_first_activation(called, cached, u1, drawn, use_dropout, parts)
    u2 = layer("u2", cached("o1"), 2)
    o2 = f"cache['o2'] after {called}"
    one_of(o2, cached("o2"), _values(parts.silu2, u2), "o2 is silu of u2; no dropout here")
    u3 = layer("u3", cached("o2"), 3)
    one_of(f"cache['o3'] after {called}", cached("o3"), _values(parts.softmax, u3), "softmax of u3")
    close(f"the array returned by {called}", result, cached("o3"), "return o3")


def _values(candidates: list, *inputs: object) -> list:
    """Apply those candidates that are functions; the others are values already, or None."""
    return [c(*inputs) if callable(c) else c for c in candidates]


def _judge_first_activation(
    called: str,
    cached: Callable[[str], object],
    u1: np.ndarray,
    drawn: SimpleNamespace,
    use_dropout: bool,
    parts: SimpleNamespace,
) -> None:
    """Compare o1, and the mask where there is dropout."""
    o1 = f"cache['o1'] after {called}"
    activations = [a for a in _values(parts.silu1, u1) if a is not None]
    if not use_dropout:
        one_of(o1, cached("o1"), activations, "o1 is silu of u1")
        return
    pairs = []
    for made in _values(parts.dropout, activations[0]):
        if isinstance(made, (tuple, list)) and len(made) == 2:
            pairs.append(tuple(made))
    if len(parts.dropout) == 1 and not callable(parts.dropout[0]):  # also the graded draw itself
        for activation in activations:
            np.random.seed(drawn.seed)
            with np.errstate(all="ignore"):
                pairs.append(_graded_dropout(activation, drawn.prob))
    hint = "o1 is dropout of silu(u1), with self.dropout_prob; the mask goes to cache['mask']"
    problems = [fails(lambda p=pair: _judge_pair(called, cached, p, hint)) for pair in pairs]
    if all(problems):
        raise problems[-1]


def _graded_dropout(activation: object, prob: float) -> tuple[np.ndarray, np.ndarray]:
    activation = np.asarray(activation, dtype=float)
    mask = np.random.choice([0, 1], size=activation.shape, p=[prob, 1 - prob])
    return activation * mask / (1 - prob), mask


def _judge_pair(called: str, cached: Callable[[str], object], pair: tuple, hint: str) -> None:
    close(f"cache['mask'] after {called}", cached("mask"), pair[1], hint)
    close(f"cache['o1'] after {called}", cached("o1"), pair[0], hint)


# --- gradients, updates, backward --------------------------------------------------------------


def drawn_cache(task: Task, drawn: SimpleNamespace) -> dict[str, np.ndarray]:
    """Return what a forward pass with dropout leaves, with values of no pass at all."""
    rng, p = task.rng, drawn.parameters
    n = len(drawn.x)
    k, r = p["theta2"].shape
    return {
        "X": drawn.x,
        "u1": rng.normal(size=(n, k)),
        "o1": rng.normal(size=(n, k)),
        "u2": rng.normal(size=(n, r)),
        "o2": rng.normal(size=(n, r)),
        "mask": rng.integers(0, 2, size=(n, k)),
    }


def _gradients(drawn: SimpleNamespace, cache: dict, yh: np.ndarray, flag: bool, slopes: tuple):
    """Return the mean gradients, with given derivatives of the activations."""
    d_u3 = (yh - drawn.y) / len(drawn.y)  # (N, D)
    d_u2 = d_u3 @ drawn.parameters["theta3"].T * slopes[1]  # (N, R)
    d_o1 = d_u2 @ drawn.parameters["theta2"].T  # (N, K)
    if flag:
        d_o1 = d_o1 * cache["mask"] / (1 - drawn.prob)
    d_u1 = d_o1 * slopes[0]
    return {
        "theta1": cache["X"].T @ d_u1,
        "b1": d_u1.sum(axis=0),
        "theta2": cache["o1"].T @ d_u2,
        "b2": d_u2.sum(axis=0),
        "theta3": cache["o2"].T @ d_u3,
        "b3": d_u3.sum(axis=0),
    }


def _true_slopes(cache: dict) -> tuple:
    net = reference_net()
    return net.derivative_silu(cache["u1"]), net.derivative_silu(cache["u2"])


def _judge_gradients(called: str, got: object, expected: dict, n: int, hint: str = "") -> None:
    """Compare six gradients, and name the usual mistakes with the mean."""
    if not isinstance(got, dict):
        raise Mismatch(f"{called}: expected a dict of six gradients, got {kind_of(got)}")
    for key in KEYS:
        if key not in got:
            raise Mismatch(f"{called}: expected the keys {', '.join(KEYS)}; {key} is missing")
        right = expected[key]
        mistakes = [
            ("divide by the number of rows, once", right * n),
            ("this divides by the number of rows twice", right / n),
            ("the sign is wrong: the derivative of the loss starts with yh - y", -right),
        ]
        close(f"{called}: gradient of {key}", got[key], right, hint, wrong=mistakes)


def compute_gradients(task: Task) -> None:
    """1.1h: gradients from a filled cache, with and without dropout."""
    drawn = draw_net(task)
    cache = drawn_cache(task, drawn)
    yh = task.rng.dirichlet(np.ones(drawn.y.shape[1]), size=len(drawn.y))
    own_slopes = []
    for key in ("u1", "u2"):
        case = task.case()
        put_net(case, drawn)
        own_slopes.append(case.call("nn.derivative_silu", cache[key]))
    plain, replaced = {}, {}
    for flag in (False, True):
        held = cache if flag else {key: value for key, value in cache.items() if key != "mask"}
        label = f"compute_gradients(y, yh, use_dropout={flag})"
        for steps, standin in ((plain, False), (replaced, True)):
            case = task.case()
            put_net(case, drawn, cache=held)
            if standin:
                case.replace("nn.derivative_silu", "hill")
            steps[flag] = case.call("nn.compute_gradients", drawn.y, yh, flag, label=label)
    task.run()

    def judge(steps: dict, slopes: tuple) -> None:
        for flag, step in steps.items():
            called = f"compute_gradients(y, yh, use_dropout={flag})"
            expected = _gradients(drawn, cache, yh, flag, slopes)
            hint = "the chain rule back from yh - y; the mean over rows is taken exactly once"
            if flag:
                hint = "the mask and 1 / (1 - dropout_prob) belong into the first layer's gradients"
            _judge_gradients(called, task[step], expected, len(drawn.y), hint)

    def on_own_slopes() -> None:
        slopes = tuple(task.get(step) for step in own_slopes)
        shapes = tuple(np.shape(slope) for slope in slopes)
        if shapes != (cache["u1"].shape, cache["u2"].shape) or not all(map(is_lively, slopes)):
            raise Mismatch("derivative_silu does not give a value for every element")
        judge(plain, slopes)

    hills = (standins.hill(cache["u1"]), standins.hill(cache["u2"]))
    task.part(
        1,
        "gradients",
        lambda: judge(plain, _true_slopes(cache)),
        on_own_slopes,
        lambda: judge(replaced, hills),
    )
    task.notes.append("your own derivative_silu is taken as it is; it has its own item")


def update_weights(task: Task) -> None:
    """1.1i: one step without momentum, twice in a row."""
    drawn = draw_net(task)
    gradients = {key: task.rng.normal(size=np.shape(v)) for key, v in drawn.parameters.items()}
    case = task.case()
    put_net(case, drawn)
    steps = []
    for _ in range(2):
        label = "update_weights(dLoss, use_momentum=False)"
        case.call("nn.update_weights", gradients, False, label=label, send=False)
        steps.append((case.get("nn.parameters"), case.get("nn.weight_updates")))
    task.run()

    def values() -> None:
        for count, (parameters, _) in enumerate(steps, start=1):
            called = f"parameters after {count} calls of update_weights(dLoss, False)"
            expected = {
                key: value - count * drawn.rate * gradients[key]
                for key, value in drawn.parameters.items()
            }
            judge_parameters(called, task[parameters], expected, "p - learning_rate * gradient")

    def counter() -> None:
        for count, (_, updates) in enumerate(steps, start=1):
            called = f"weight_updates after {count} calls of update_weights"
            equal(called, task[updates], count, "every call adds 1")

    task.part(0.8, "parameters", values)
    task.part(0.2, "weight_updates", counter)


def judge_parameters(
    called: str, got: object, expected: dict, hint: str = "", rtol: float = 1e-9
) -> None:
    """Compare all parameters."""
    if not isinstance(got, dict):
        raise Mismatch(f"{called}: expected a dict, got {kind_of(got)}")
    for key in KEYS:
        if key not in got:
            raise Mismatch(f"{called}: {key} is missing")
        close(f"{called}: {key}", got[key], expected[key], hint, rtol=rtol)


def backward(task: Task) -> None:
    """1.1j: gradients, then the update without momentum; both as the student's own methods do."""
    drawn = draw_net(task)
    cache = drawn_cache(task, drawn)
    yh = task.rng.dirichlet(np.ones(drawn.y.shape[1]), size=len(drawn.y))
    runs = {flag: plan_backward(task, drawn, cache, yh, flag, False) for flag in (False, True)}
    task.run()

    def in_all_runs(way: Callable) -> Callable[[], None]:
        return lambda: [way(task, drawn, steps) for steps in runs.values()] and None

    ways = (backward_like_reference, backward_like_own_methods, backward_with_standins)
    task.part(1, "gradients and update", *map(in_all_runs, ways))
    task.notes.append("your own compute_gradients and update_weights are taken as they are")


def plan_backward(
    task: Task,
    drawn: SimpleNamespace,
    cache: dict,
    yh: np.ndarray,
    use_dropout: bool,
    use_momentum: bool,
) -> SimpleNamespace:
    """Plan the call, the same by hand from the student's methods, and the call on stand-ins."""
    flags = f"use_dropout={use_dropout}, use_momentum={use_momentum}"
    change = {key: 0.1 + 0 * value for key, value in drawn.parameters.items()}
    steps = SimpleNamespace(cache=cache, yh=yh, use_dropout=use_dropout, use_momentum=use_momentum)
    steps.called = f"backward(y, yh, {flags})"
    steps.change = change
    for kind in ("plain", "replaced"):
        case = task.case()
        put_net(case, drawn, cache=cache, change=change)
        if kind == "replaced":
            case.replace("nn.compute_gradients", "compute_gradients")
            case.replace("nn.update_weights", "update_weights", log="updates")
        arguments = (drawn.y, yh, use_dropout, use_momentum)
        call = case.call("nn.backward", *arguments, label=steps.called)
        setattr(steps, kind, (call, case.get("nn.parameters")))
    steps.updates = case.get("updates")
    case = task.case()
    put_net(case, drawn, cache=cache, change=change)
    gradients = case.call("nn.compute_gradients", drawn.y, yh, use_dropout, as_="gradients")
    case.call("nn.update_weights", Ref("gradients"), use_momentum, send=False)
    steps.twin = gradients, case.get("nn.parameters")
    return steps


def backward_like_reference(task: Task, drawn: SimpleNamespace, steps: SimpleNamespace) -> None:
    """Raise unless gradients and parameters are the right ones."""
    slopes = _true_slopes(steps.cache)
    right = _gradients(drawn, steps.cache, steps.yh, steps.use_dropout, slopes)
    moved = {}
    for key, value in drawn.parameters.items():
        change = 0.5 * steps.change[key] + right[key] if steps.use_momentum else right[key]
        moved[key] = value - drawn.rate * change
    _judge_backward(task, steps.called, steps.plain, right, moved)


def backward_like_own_methods(task: Task, drawn: SimpleNamespace, steps: SimpleNamespace) -> None:
    """Raise unless backward does what the student's own two methods do one after the other."""
    gradients, after = (task[step] for step in steps.twin)
    _check_usable("compute_gradients", gradients, drawn)
    _check_usable("update_weights", after, drawn)
    if any(np.array_equal(after[key], drawn.parameters[key]) for key in KEYS):
        raise Mismatch("your own update_weights does not move every parameter")
    _judge_backward(task, steps.called, steps.plain, gradients, after)


def backward_with_standins(task: Task, drawn: SimpleNamespace, steps: SimpleNamespace) -> None:
    """Raise unless backward treats stand-ins for the two methods as it should."""
    gradients = standins.steps(drawn.parameters, drawn.y, steps.yh, steps.use_dropout)
    moved = {key: value - 0.125 * gradients[key] for key, value in drawn.parameters.items()}
    _judge_backward(task, steps.called, steps.replaced, gradients, moved)


def _judge_backward(
    task: Task, called: str, steps: tuple[int, int], gradients: dict, parameters: dict
) -> None:
    returned, after = (task[step] for step in steps)
    if not isinstance(returned, (tuple, list)) or len(returned) != len(BACKWARD_ORDER):
        raise Mismatch(f"{called}: expected six gradients, {', '.join(BACKWARD_ORDER)}")
    for key, got in zip(BACKWARD_ORDER, returned, strict=True):
        hint = f"return the gradients in the order {', '.join(BACKWARD_ORDER)}"
        close(f"{called}: gradient of {key}", got, gradients[key], hint)
    hint = "backward calls update_weights once, with the gradients"
    judge_parameters(f"parameters after {called}", after, parameters, hint)


def _check_usable(name: str, values: object, drawn: SimpleNamespace) -> None:
    """Raise unless the student's own method gave something to compare with."""
    if not isinstance(values, dict) or not all(
        np.shape(values.get(key)) == np.shape(drawn.parameters[key]) and is_lively(values[key])
        for key in KEYS
    ):
        raise Mismatch(f"your own {name} does not give a value for every parameter")
