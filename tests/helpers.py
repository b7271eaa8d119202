"""What several test files share: snapshots, rejections, fresh interpreters, toy data."""

import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

# What a public function may raise on bad input; anything else reads like a crash.
REFUSALS = (ValueError, TypeError)

SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


@contextmanager
def no_warnings():
    """Turn every warning inside the block into a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def keras_layers_of(policy):
    """Make Keras layers in this precision, such as float64, and float32 again after the block."""
    import tensorflow as tf

    tf.keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        tf.keras.config.set_dtype_policy("float32")


@contextmanager
def eagerly():
    """Run Keras nets step by step: tracing a graph takes longer than training a small net."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def state_of(thing):
    """Take a picture of an object's attributes that compares by value, NaN included."""
    return {name: pickle.dumps(value) for name, value in vars(thing).items()}


@contextmanager
def refused(match, unchanged=None):
    """Expect a clear refusal that says ``match`` and leaves ``unchanged`` as it was."""
    before = None if unchanged is None else state_of(unchanged)
    with pytest.raises(REFUSALS, match=match):
        yield
    if unchanged is not None:
        assert state_of(unchanged) == before


def stream_position(rng=np.random):
    """Return where a stream, by default NumPy's global one, stands; compare with ``==``."""
    name, keys, *rest = rng.get_state()
    return name, keys.tobytes(), *rest


def clean_environment(**changes):
    """Return this process's environment without PYTHON* variables, with some changed.

    A value of None removes the variable.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = str(value)
    return env


def run_python(code, *args, **options):
    """Run code in a fresh interpreter and return the completed process; see ``run_file``."""
    return run_file("-c", code, *args, **options)


def run_file(*args, cwd=ROOT, env=None, flags=(), timeout=300, python=sys.executable):
    """Run a script with its arguments in a fresh interpreter and return the completed process."""
    return subprocess.run(
        [python, *flags, *map(str, args)],
        cwd=cwd,
        env=clean_environment() if env is None else env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def notebook_code():
    """Return the code of every cell of the notebook, without IPython's own lines."""
    notebook = json.loads((ROOT / "hw4.ipynb").read_text(encoding="utf-8"))
    cells = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return ["".join(line for line in lines if line[0] not in "%!") for lines in cells]


def one_hot(labels, classes=3):
    """Return the one-hot rows of integer labels."""
    return np.eye(classes)[np.asarray(labels)]


def pins(file="constraints.txt"):
    """Return the requirement and the hashes of every entry of a file of pins."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith((" ", "#"))]
    return [(Requirement(line.split(" --hash")[0]), SHA256.findall(line)) for line in lines]


def pins_of(name):
    """Return the pinned versions of a library; they may differ by Python or system."""
    name = canonicalize_name(name)
    found = [pin for pin, _ in pins() if canonicalize_name(pin.name) == name]
    return [next(iter(pin.specifier)).version for pin in found]
