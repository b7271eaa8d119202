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
    weights = _draw_weights(task.rng, name)
    x = task.rng.integers(VOCABULARY, size=(5, LENGTH))
    nets = [_plan_output(task.plan, file, name, weights, x, own) for own in (False, True)]
    task.run(**LIMITS)
    expected_hp = {**HYPERPARAMETERS, f"{name.lower()}_units": 128}

    def hyperparameters() -> None:
        equal(f"hp of {name}({VOCABULARY}, {LENGTH})", task[planned[VOCABULARY]["hp"]], expected_hp)

    def layers(output: int) -> None:
        for size, steps in planned.items():
            called = f"define_model() of {name}(vocab_size={size}, max_input_len={LENGTH})"
            wanted = [_resized(layer, size) for layer in _reference_layers(file, name, task.skip)]
            _judge_layers(called, task[steps["defined"]], wanted)
        # a description can be forged, so the net has to do what it says
        called = f"predictions of {name}({VOCABULARY}, {LENGTH})'s net with given weights"
        # thirty steps in float32 keep four digits and more
        close(called, task[output], _forward(name, weights, x), rtol=1e-2, atol=1e-4)

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
    task.part(0.5, "layers", lambda: layers(nets[0]), lambda: layers(nets[1]))
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


def _plan_output(
    plan: Plan, file: str, name: str, weights: list[np.ndarray], x: np.ndarray, own: bool
) -> int:
    """Plan predictions with given weights, of the net as defined or as the student built it."""
    case = plan.case(file)
    case.new("net", f"{file}.{name}", vocab_size=VOCABULARY, max_input_len=LENGTH)
    case.call("net.set_hyperparameters", send=False)
    if own:
        case.call("net.build_model", send=False)
    else:
        case.call("net.define_model", as_="made", send=False)
        case.call("made.build", (None, LENGTH), send=False)
    net = "net.model" if own else "made"
    case.call(f"{net}.set_weights", weights, send=False, label="set_weights with drawn weights")
    return case.call(f"{net}.predict_on_batch", x, label="predicting with drawn weights")


def _draw_weights(rng: np.random.Generator, name: str) -> list[np.ndarray]:
    """Draw weights in Keras's order, small enough for no unit to saturate."""
    gates = {"RNN": 1, "LSTM": 4}[name]
    shapes = [(VOCABULARY, 256), (256, 128 * gates), (128, 128 * gates), (128 * gates,)]
    shapes += [(128, VOCABULARY), (VOCABULARY,)]
    return [rng.normal(scale=0.08, size=shape).astype(np.float32) for shape in shapes]


def _forward(name: str, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return what the net must predict (N, V), worked out step by step."""
    embedding, kernel, recurrent, bias, dense, dense_bias = (w.astype(float) for w in weights)
    h = c = np.zeros((len(x), len(recurrent)))
    for indices in x.T:
        z = embedding[indices] @ kernel + h @ recurrent + bias
        if name == "RNN":
            h = np.tanh(z)
        else:
            i, f, g, o = np.split(z, 4, axis=1)  # input, forget, candidate, output
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
    exponentials = np.exp(h @ dense + dense_bias)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _sigmoid(u: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-u))


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
