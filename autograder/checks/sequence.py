"""Checks of the recurrent nets (items 5.1.1 and 5.1.2).

The layers are compared with those of the reference, which is run in a process of its own: the
settings then are the installed Keras's, and TensorFlow is never loaded into the grader.
"""

from functools import cache

import numpy as np

from autograder.checks.compare import Mismatch, close, equal
from autograder.checks.task import Task
from autograder.plan import Plan
from autograder.reference import source
from autograder.sandbox import Limits, execute

BASE = "base_sequential_model.py"
VOCABULARY, LENGTH = 34, 30
# TensorFlow takes some 10 s of processor time to load, and several hundred megabytes.
LIMITS = {"cpu": 90, "wall": 200, "memory": 2048, "processes": 128}
HYPERPARAMETERS = {"embedding_dim": 256, "learning_rate": 0.01, "batch_size": 128, "epochs": 10}


def rnn(task: Task) -> None:
    """5.1.1."""
    _recurrent(task, "rnn", "RNN")


def lstm(task: Task) -> None:
    """5.1.2."""
    _recurrent(task, "lstm", "LSTM")


def _recurrent(task: Task, file: str, name: str) -> None:
    sizes = (VOCABULARY, int(task.rng.integers(40, 80)))
    planned = {size: _plan(task.plan, file, name, size) for size in sizes}
    task.run(**LIMITS)
    expected_hp = {**HYPERPARAMETERS, f"{name.lower()}_units": 128}

    def hyperparameters() -> None:
        equal(f"hp of {name}({VOCABULARY}, {LENGTH})", task[planned[VOCABULARY]["hp"]], expected_hp)

    def layers() -> None:
        for size, steps in planned.items():
            called = f"define_model() of {name}(vocab_size={size}, max_input_len={LENGTH})"
            wanted = [_resized(layer, size) for layer in _reference_layers(file, name, task.skip)]
            _judge_layers(called, task[steps["defined"]], wanted)

    def built() -> None:
        for size, steps in planned.items():
            called = f"build_model() of {name}(vocab_size={size}, max_input_len={LENGTH})"
            count = _parameters(name, size)
            equal(f"the number of parameters after {called}", task[steps["count"]], count)
            shape = tuple(task[steps["shape"]])
            equal(f"the output's shape after {called}", shape, (None, size))
            equal(f"the optimizer after {called}", task[steps["optimizer"]]["class"], "RMSprop")
            rate = np.asarray(task[steps["rate"]], dtype=float)
            # the rate is kept in float32
            close(f"the learning rate after {called}", rate, 0.01, rtol=1e-6)
            _judge_loss(called, task[steps["loss"]])

    task.part(0.2, "hyperparameters", hyperparameters)
    task.part(0.5, "layers", layers)
    task.part(0.3, "compiled and built", built)


def _plan(plan: Plan, file: str, name: str, size: int) -> dict[str, int]:
    """Plan one net of a vocabulary's size."""
    case = plan.case(file)
    case.new("net", f"{file}.{name}", vocab_size=size, max_input_len=LENGTH)
    case.call("net.set_hyperparameters", send=False)
    steps = {"hp": case.get("net.hp")}
    case.call("net.define_model", as_="made", send=False)
    layers = {"op": "layers", "target": "made", "otherwise": "net.model"}
    steps["defined"] = case.add(layers, "reading the layers of define_model()")
    case.call("net.build_model", send=False)
    steps["count"] = case.call("net.model.count_params")
    steps["shape"] = case.get("net.model.output_shape")
    steps["optimizer"] = case.describe("net.model.optimizer", (), "none", "reading the optimizer")
    steps["rate"] = case.get("net.model.optimizer.learning_rate")
    steps["loss"] = case.get("net.model.loss")
    return steps


@cache
def _reference_layers(file: str, name: str, skip: tuple[str, ...]) -> list[tuple[str, dict]]:
    """Return the reference's layers under the installed Keras, once."""
    plan = Plan()
    steps = _plan(plan, file, name, VOCABULARY)
    files = {f: source(f) for f in (f"{file}.py", BASE)}
    run = execute(plan, files, Limits(**{**vars(Limits()), **LIMITS}), skip)
    if steps["defined"] not in run.values:
        raise RuntimeError(f"the reference's {name} cannot be run: {run.fatal} {run.errors}")
    return run.values[steps["defined"]]


def _resized(layer: tuple[str, dict], size: int) -> tuple[str, dict]:
    """Return a layer for a vocabulary of another size."""
    kind, config = layer
    changed = {"Embedding": "input_dim", "Dense": "units"}.get(kind)
    return kind, config | ({changed: size} if changed else {})


def _judge_layers(called: str, got: object, wanted: list[tuple[str, dict]]) -> None:
    kinds = [kind for kind, _ in got]
    equal(f"the layers of {called}", kinds, [kind for kind, _ in wanted])
    for number, ((kind, config), (_, right)) in enumerate(zip(got, wanted, strict=True)):
        different = {
            key: (value, config.get(key, "missing") if isinstance(config, dict) else "missing")
            for key, value in right.items()
            if not isinstance(config, dict) or config.get(key) != value
        }
        if different:
            key, (expected, came) = next(iter(different.items()))
            text = f"{key} should be {repr(expected)[:120]}, got {repr(came)[:120]}"
            hint = "sizes come from hp and vocab_size; everything else stays at its default"
            raise Mismatch(f"layer {number} ({kind}) of {called}: {text}\n  Hint: {hint}")


def _judge_loss(called: str, loss: object) -> None:
    name = getattr(loss, "type_name", loss)
    if str(name).replace("_", "").lower() != "categoricalcrossentropy":
        raise Mismatch(f"the loss after {called}: expected categorical_crossentropy, got {name}")


def _parameters(name: str, size: int) -> int:
    """Count the parameters of embedding, recurrent layer and dense layer."""
    embedding, units = 256, 128
    gates = {"RNN": 1, "LSTM": 4}[name]
    recurrent = gates * (embedding * units + units * units + units)
    return size * embedding + recurrent + units * size + size
