"""Check of momentum (item 1.1m): the update, and use_momentum's way from the loops to it.

What the loops and backward do without momentum has items of its own. Where they are wrong
without momentum already, they are not judged here again, as long as the update itself is right.
"""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from autograder.checks.compare import Mismatch, equal, fails
from autograder.checks.nn import (
    backward_like_own_methods,
    backward_like_reference,
    draw_net,
    drawn_cache,
    judge_parameters,
    plan_backward,
    put_net,
)
from autograder.checks.task import Task
from autograder.checks.training import (
    batches_of,
    draw_data,
    judge_training,
    plan_standins,
    plan_training,
    plan_twin,
    settings_of,
    train_reference,
    twin_of,
)

ITERATIONS = 4
HAND_ON = "hand use_momentum on"


def momentum(task: Task) -> None:
    """1.1m: three updates; backward and both loops with the flag set."""
    update = _plan_updates(task)
    backward = _plan_backward(task)
    loops = [_plan_loop(task, name) for name in ("gradient_descent", "batch_gradient_descent")]
    task.run()

    is_right = task.part(0.6, "update_weights with momentum", lambda: _judge_updates(task, update))
    _judge_backward(task, backward, is_right)
    for loop in loops:
        _judge_loop(task, loop, is_right)
    task.notes.append("what the loops do without momentum has its own items")


def _plan_updates(task: Task) -> SimpleNamespace:
    drawn = draw_net(task)
    share = float(task.rng.uniform(0.3, 0.9))
    gradients = [
        {key: task.rng.normal(size=np.shape(value)) for key, value in drawn.parameters.items()}
        for _ in range(3)
    ]
    case = task.case()
    put_net(case, drawn, momentum=share)
    steps = []
    for gradient in gradients:
        label = "update_weights(dLoss, use_momentum=True)"
        case.call("nn.update_weights", gradient, True, label=label, send=False)
        steps.append((case.get("nn.parameters"), case.get("nn.change")))
    return SimpleNamespace(drawn=drawn, share=share, gradients=gradients, steps=steps)


def _judge_updates(task: Task, plan: SimpleNamespace) -> None:
    drawn = plan.drawn
    change = {key: np.zeros_like(value) for key, value in drawn.parameters.items()}
    parameters = dict(drawn.parameters)
    for count, (gradient, steps) in enumerate(zip(plan.gradients, plan.steps, strict=True), 1):
        change = {key: plan.share * change[key] + gradient[key] for key in change}
        parameters = {k: v - drawn.rate * change[k] for k, v in parameters.items()}
        called = f"update_weights(dLoss, use_momentum=True), call {count}"
        hint = "change = momentum * change + gradient, kept for the next call"
        judge_parameters(f"change after {called}", task[steps[1]], change, hint)
        hint = "p - learning_rate * change"
        judge_parameters(f"parameters after {called}", task[steps[0]], parameters, hint)


# --- backward -----------------------------------------------------------------------------------


def _plan_backward(task: Task) -> SimpleNamespace:
    """Plan backward with and without momentum, on stand-ins as well."""
    drawn = draw_net(task)
    yh = task.rng.dirichlet(np.ones(drawn.y.shape[1]), size=len(drawn.y))
    cache = drawn_cache(task, drawn)
    runs = {flag: plan_backward(task, drawn, cache, yh, False, flag) for flag in (False, True)}
    return SimpleNamespace(drawn=drawn, runs=runs)


def _judge_backward(task: Task, plan: SimpleNamespace, excusable: bool) -> None:
    """Judge whether backward hands the flag on to update_weights."""

    def logged(flag: bool) -> None:
        log = task[plan.runs[flag].updates]
        flags = {entry[1] for entry in log} if isinstance(log, list) else set()
        equal("use_momentum in backward's calls of update_weights", flags, {flag}, HAND_ON)

    def like_reference(flag: bool) -> None:
        backward_like_reference(task, plan.drawn, plan.runs[flag])

    def like_own_methods(flag: bool) -> None:
        backward_like_own_methods(task, plan.drawn, plan.runs[flag])

    _judge(task, 0.16, "backward", (logged, like_reference, like_own_methods), excusable)


# --- loops --------------------------------------------------------------------------------------


def _plan_loop(task: Task, method: str) -> SimpleNamespace:
    """Plan a training with and without momentum, in three ways."""
    x, y = draw_data(task, rows=10)
    settings = settings_of(y, False, momentum=0.8, batch_size=4)
    whole = method == "gradient_descent"
    batches = [(x, y)] * ITERATIONS if whole else batches_of(x, y, 4, ITERATIONS)
    runs = {}
    for flag in (False, True):
        options = {"use_momentum": flag, "iter": ITERATIONS, "local_test": True}
        runs[flag] = SimpleNamespace(
            called=f"{method}(x, y, use_momentum={flag}, iter={ITERATIONS}, local_test=True)",
            loop=plan_training(task, method, x, y, settings, options),
            twin=plan_twin(task, batches, settings, use_momentum=flag),
            standins=plan_standins(task, method, x, y, settings, options),
            reference=train_reference(method, x, y, settings, options),
        )
    return SimpleNamespace(method=method, runs=runs)


def _judge_loop(task: Task, plan: SimpleNamespace, excusable: bool) -> None:
    """Judge whether a loop hands the flag on to backward."""

    def like_reference(flag: bool) -> None:
        run = plan.runs[flag]
        judge_training(task, run.called, run.loop, run.reference, f"{HAND_ON} to backward")

    def like_own_methods(flag: bool) -> None:
        run = plan.runs[flag]
        judge_training(task, run.called, run.loop, twin_of(task, run.twin), HAND_ON)

    def logged(flag: bool) -> None:
        log = task[plan.runs[flag].standins["updates"]]
        flags = [entry[3] for entry in log] if isinstance(log, list) else []
        called = f"use_momentum in the calls of backward by {plan.method}"
        equal(called, flags, [flag] * ITERATIONS, HAND_ON)

    _judge(task, 0.12, plan.method, (like_reference, like_own_methods, logged), excusable)


def _judge(
    task: Task, share: float, name: str, ways: tuple[Callable[[bool], None], ...], excusable: bool
) -> None:
    """Judge the flag in several ways; excuse what is wrong in every way without it."""

    def wrong_anyway() -> None:
        if not excusable or not all(fails(lambda way=way: way(False)) for way in ways):
            raise Mismatch(f"{name} does not hand use_momentum on")

    attempts = [lambda way=way: way(True) for way in ways]
    task.part(share, f"{name} hands use_momentum on", *attempts, wrong_anyway)
