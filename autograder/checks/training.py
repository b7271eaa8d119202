"""Checks of the training loops (items 1.1k and 1.1l), on small made-up data.

A loop is right if its losses and weights are the reference's, or those that the student's own
forward, loss and backward give when called one after the other, or if it treats stand-ins for
the three as it should.
"""

import contextlib
import io
from types import SimpleNamespace

import numpy as np

from autograder import standins
from autograder.channel import Ref
from autograder.checks.compare import Mismatch, as_array, close, equal, is_lively
from autograder.checks.nn import judge_parameters, kept_stream
from autograder.checks.task import Task
from autograder.plan import Case
from autograder.reference import module

OWN_METHODS = "your own forward, cross_entropy_loss and backward are taken as they are"
LOSS_ORDER = (
    "start with init_parameters(); in every iteration forward, then the loss of that forward pass, "
    "then backward"
)
# Sums over the same numbers in another order differ by 1e-16; some thousand updates keep far
# below 1e-9, and a mistake shows in the first digits.
TRAINING_RTOL = 1e-7


def draw_data(task: Task, rows: int) -> tuple[np.ndarray, np.ndarray]:
    x = task.rng.uniform(size=(rows, 8))
    return x, np.eye(3)[task.rng.integers(3, size=rows)]


def settings_of(y: np.ndarray, use_dropout: bool, **more: object) -> dict:
    return {"y": y, "use_dropout": use_dropout, "use_momentum": False, "lr": 0.05, **more}


def train_reference(
    method: str, x: np.ndarray, y: np.ndarray, settings: dict, options: dict
) -> object:
    """Train the reference and return it."""
    net = module("NN").NeuralNet(**settings)
    with kept_stream(), silent():
        getattr(net, method)(x, y, **options)
    return net


def silent() -> contextlib.AbstractContextManager:
    """Swallow what the reference prints while it trains."""
    return contextlib.redirect_stdout(io.StringIO())


def plan_training(
    task: Task, method: str, x: np.ndarray, y: np.ndarray, settings: dict, options: dict
) -> dict[str, int]:
    """Plan the loop itself; return the steps of what it leaves."""
    case = task.case()
    case.new("nn", "NN.NeuralNet", **settings)
    _call_loop(case, method, x, y, options)
    return {name: case.get(f"nn.{name}") for name in ("loss", "parameters", "batch_y", "iteration")}


def _call_loop(case: Case, method: str, x: np.ndarray, y: np.ndarray, options: dict) -> None:
    words = ", ".join(f"{key}={value}" for key, value in options.items())
    case.call(f"nn.{method}", x, y, label=f"{method}(x, y, {words})", send=False, **options)


def plan_twin(
    task: Task, batches: list[tuple[np.ndarray, np.ndarray]], settings: dict, use_momentum: bool
) -> dict[str, int]:
    """Plan the same training from the student's own methods, called one by one."""
    case = task.case()
    case.new("nn", "NN.NeuralNet", **settings)
    case.call("nn.init_parameters", send=False)
    flag = settings["use_dropout"]
    for x, y in batches:
        case.call("nn.forward", x, flag, as_="yh", send=False)
        case.call("nn.cross_entropy_loss", y, Ref("yh"), append_to_="losses", send=False)
        case.call("nn.backward", y, Ref("yh"), flag, use_momentum, send=False)
    return {"loss": case.get("losses"), "parameters": case.get("nn.parameters")}


def plan_standins(
    task: Task, method: str, x: np.ndarray, y: np.ndarray, settings: dict, options: dict
) -> dict[str, int]:
    """Plan the loop on stand-ins for the methods it calls."""
    case = task.case()
    case.new("nn", "NN.NeuralNet", **settings)
    for name, standin in (("forward", "forward"), ("cross_entropy_loss", "gap")):
        case.replace(f"nn.{name}", standin)
    case.replace("nn.backward", "backward", log="updates")
    _call_loop(case, method, x, y, options)
    steps = {"loss": case.get("nn.loss"), "parameters": case.get("nn.parameters")}
    return {**steps, "updates": case.get("updates")}


def _plan_init(task: Task) -> int:
    """Plan the drawing of the parameters alone."""
    case = task.case()
    case.new("nn", "NN.NeuralNet", **settings_of(np.zeros((4, 3)), False))
    case.call("nn.init_parameters", send=False)
    return case.get("nn.parameters")


def _with_standins(
    parameters: object, batches: list[tuple[np.ndarray, np.ndarray]], flag: bool
) -> SimpleNamespace:
    """Return losses and parameters of a loop over stand-ins, from given first parameters."""
    if not isinstance(parameters, dict):
        raise Mismatch("init_parameters() leaves no dict in parameters")
    owner = SimpleNamespace(parameters=dict(parameters))
    forward = standins.MAKERS["forward"](owner, [])
    backward = standins.MAKERS["backward"](owner, [])
    losses = []
    for x, y in batches:
        try:
            yh = forward(x, flag)
            losses.append(standins.gap(y, yh))
            backward(y, yh, flag, False)
        except (KeyError, ValueError, TypeError):
            raise Mismatch("init_parameters() leaves parameters that fit no net 8-15-7-3") from None
    return SimpleNamespace(loss=losses, parameters=owner.parameters)


def judge_training(
    task: Task, called: str, steps: dict, expected: object, first: str = LOSS_ORDER
) -> None:
    """Compare a loop's losses and final weights."""
    loss = task[steps["loss"]]
    wanted = list(expected.loss)
    array = as_array(f"loss after {called}", loss)
    if array.shape != (len(wanted),):
        raise Mismatch(
            f"loss after {called}: expected {len(wanted)} losses, got {array.size} "
            f"(shape {array.shape})\n  Hint: append one loss every 1000th iteration from 0, "
            "or every one with local_test"
        )
    shifted = [("this is the loss after the update", [*wanted[1:], array[-1]])]
    close(f"loss after {called}", array, wanted, first, rtol=TRAINING_RTOL, wrong=shifted)
    judge_parameters(
        f"parameters after {called}",
        task[steps["parameters"]],
        expected.parameters,
        rtol=TRAINING_RTOL,
    )


def twin_of(task: Task, steps: dict) -> SimpleNamespace:
    """Return what the student's own methods give, if that is something to compare with."""
    loss, parameters = task[steps["loss"]], task[steps["parameters"]]
    values = as_array("your own cross_entropy_loss", loss)
    if not isinstance(parameters, dict) or not is_lively(values):
        raise Mismatch("your own forward, loss and backward give nothing to compare with")
    return SimpleNamespace(loss=list(values.astype(float)), parameters=parameters)


# --- 1.1k ---------------------------------------------------------------------------------------


def gradient_descent(task: Task) -> None:
    """1.1k: three iterations with and without dropout; every 1000th loss; first parameters."""
    x, y = draw_data(task, rows=11)
    runs = {flag: _plan_loop(task, x, y, flag) for flag in (False, True)}
    long = {"iter": 2001, "use_momentum": False, "local_test": False}
    settings = settings_of(y, False)
    recorded = plan_training(task, "gradient_descent", x, y, settings, long)
    replaced = plan_standins(task, "gradient_descent", x, y, settings, long)
    recorded_twin = _plan_repeated_twin(task, x, y, settings, long["iter"])
    first = _plan_init(task)
    task.run(cpu=25, wall=60)
    called = {
        flag: f"gradient_descent(x, y, iter=3, local_test=True) with use_dropout={flag}"
        for flag in runs
    }

    def like_reference() -> None:
        for flag, steps in runs.items():
            judge_training(task, called[flag], steps["loop"], steps["reference"])

    def like_own_methods() -> None:
        for flag, steps in runs.items():
            judge_training(task, called[flag], steps["loop"], twin_of(task, steps["twin"]))

    def with_standins() -> None:
        for flag, steps in runs.items():
            expected = _with_standins(task[first], [(x, y)] * 3, flag)
            judge_training(task, f"{called[flag]} on stand-ins", steps["standins"], expected)

    def recorded_like(expected: list, recorded: dict = recorded) -> None:
        name = "gradient_descent(x, y, iter=2001)"
        hint = "append the loss of iterations 0, 1000 and 2000"
        losses = as_array(f"loss after {name}", task[recorded["loss"]])
        if losses.shape != (3,):
            shape = losses.shape
            raise Mismatch(
                f"loss after {name}: expected 3 losses, got shape {shape}\n  Hint: {hint}"
            )
        close(f"loss after {name}", losses, expected, hint, rtol=TRAINING_RTOL)

    def recorded_like_reference() -> None:
        net = train_reference("gradient_descent", x, y, settings, long)
        recorded_like(net.loss)

    def recorded_like_twin() -> None:
        recorded_like(twin_of(task, recorded_twin).loss[::1000])

    def recorded_with_standins() -> None:
        expected = _with_standins(task[first], [(x, y)] * long["iter"], flag=False)
        recorded_like(expected.loss[::1000], replaced)

    task.part(0.6, "losses and weights", like_reference, like_own_methods, with_standins)
    task.part(
        0.2,
        "which losses are kept",
        recorded_like_reference,
        recorded_like_twin,
        recorded_with_standins,
    )
    task.part(0.2, "first parameters", lambda: _judge_first(task, first))
    task.notes.append(OWN_METHODS)


def _plan_loop(task: Task, x: np.ndarray, y: np.ndarray, flag: bool) -> dict:
    options = {"iter": 3, "use_momentum": False, "local_test": True}
    settings = settings_of(y, flag)
    return {
        "loop": plan_training(task, "gradient_descent", x, y, settings, options),
        "twin": plan_twin(task, [(x, y)] * 3, settings, use_momentum=False),
        "standins": plan_standins(task, "gradient_descent", x, y, settings, options),
        "reference": train_reference("gradient_descent", x, y, settings, options),
    }


def _plan_repeated_twin(
    task: Task, x: np.ndarray, y: np.ndarray, settings: dict, times: int
) -> dict[str, int]:
    """Plan many iterations of the student's own methods."""
    case = task.case()
    case.new("nn", "NN.NeuralNet", **settings)
    case.call("nn.init_parameters", send=False)
    steps = [
        ("nn.forward", [x, False], {"as": "yh"}),
        ("nn.cross_entropy_loss", [y, Ref("yh")], {"append_to": "losses"}),
        ("nn.backward", [y, Ref("yh"), False, False], {}),
    ]
    inner = [
        {"op": "call", "target": target, "args": args, "kwargs": {}, "send": False, **own}
        for target, args, own in steps
    ]
    step = {"op": "repeat", "times": times, "steps": inner, "send": False}
    case.add(step, "forward, cross_entropy_loss and backward in turn")
    return {"loss": case.get("losses"), "parameters": case.get("nn.parameters")}


def _judge_first(task: Task, step: int) -> None:
    """Compare the drawn parameters, whose stream is graded."""
    net = module("NN").NeuralNet(np.zeros((4, 3)), use_dropout=False, use_momentum=False)
    with kept_stream():
        net.init_parameters()
    hint = "np.random.seed(0), then theta1, theta2, theta3: randn(fan_in, fan_out) / sqrt(fan_in)"
    judge_parameters("parameters after init_parameters()", task[step], net.parameters, hint)


# --- 1.1l ---------------------------------------------------------------------------------------


def batches_of(
    x: np.ndarray, y: np.ndarray, size: int, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the batches that wrap round the data."""
    rows = [(np.arange(size) + number * size) % len(x) for number in range(count)]
    return [(x[chosen], y[chosen]) for chosen in rows]


def batch_gradient_descent(task: Task) -> None:
    """1.1l: losses and weights over wrapping batches, their targets, and the count of batches."""
    odd = int(task.rng.integers(10, 16))
    shapes = [(9, 6, False), (odd, int(task.rng.integers(4, 8)), True), (8, 4, False)]
    runs = [_plan_batches(task, rows, size, flag) for rows, size, flag in shapes]
    rows, size = odd, 4
    x, y = draw_data(task, rows)
    options = {"use_momentum": False, "iter": 1001, "local_test": False}
    settings = settings_of(y, False, batch_size=size)
    long = plan_training(task, "batch_gradient_descent", x, y, settings, options)
    first = _plan_init(task)
    task.run(cpu=25, wall=60)
    wrap = "batches have a constant size and go on at the start of the data: 9 rows, size 6: "
    wrap += "1-6, then 7-9 and 1-3, then 4-9"

    def like_reference() -> None:
        for run in runs:
            judge_training(task, run.called, run.loop, run.reference, f"{wrap}; {LOSS_ORDER}")

    def like_own_methods() -> None:
        for run in runs:
            judge_training(task, run.called, run.loop, twin_of(task, run.twin), wrap)

    def with_standins() -> None:
        for run in runs:
            expected = _with_standins(task[first], run.batches, run.flag)
            judge_training(task, run.called, run.standins, expected, wrap)

    def targets() -> None:
        for run in runs:
            got = task[run.loop["batch_y"]]
            _judge_targets(run.called, got, [y for _, y in run.batches], wrap)
        expected = [y for _, y in batches_of(x, y, size, 1001)][::1000]
        called = "batch_gradient_descent(x, y, iter=1001)"
        hint = "keep the batch's targets when its loss is kept: batches 0 and 1000 here"
        _judge_targets(called, task[long["batch_y"]], expected, hint)

    def counts() -> None:
        for run in runs:
            equal(f"iteration after {run.called}", task[run.loop["iteration"]], len(run.batches))
        called = "batch_gradient_descent(x, y, iter=1001)"
        equal(f"iteration after {called}", task[long["iteration"]], 1001, "count every batch")
        losses = as_array(f"loss after {called}", task[long["loss"]])
        equal(f"the number of losses after {called}", losses.size, 2, "batches 0 and 1000")

    task.part(0.7, "losses and weights", like_reference, like_own_methods, with_standins)
    task.part(0.2, "batch_y", targets)
    task.part(0.1, "which losses are kept, and iteration", counts)
    task.notes.append(OWN_METHODS)


def _plan_batches(task: Task, rows: int, size: int, flag: bool) -> SimpleNamespace:
    x, y = draw_data(task, rows)
    settings = settings_of(y, flag, batch_size=size)
    options = {"use_momentum": False, "iter": 7, "local_test": True}
    method, batches = "batch_gradient_descent", batches_of(x, y, size, 7)
    return SimpleNamespace(
        called=f"{method} of {rows} rows, batch_size={size}, iter=7, use_dropout={flag}",
        flag=flag,
        batches=batches,
        loop=plan_training(task, method, x, y, settings, options),
        twin=plan_twin(task, batches, settings, use_momentum=False),
        standins=plan_standins(task, method, x, y, settings, options),
        reference=train_reference(method, x, y, settings, options),
    )


def _judge_targets(called: str, got: object, expected: list[np.ndarray], hint: str) -> None:
    if not isinstance(got, (list, tuple)) or len(got) != len(expected):
        count = len(got) if isinstance(got, (list, tuple)) else "no list"
        raise Mismatch(
            f"batch_y after {called}: expected {len(expected)} batches, got {count}\n  Hint: {hint}"
        )
    for number, (batch, right) in enumerate(zip(got, expected, strict=True)):
        close(f"batch_y[{number}] after {called}", batch, right, hint)
