"""Conditions under which the published figures must come out; runs ``reproduce.py`` there."""

import json
import platform
import sys
from functools import cache

from helpers import ROOT, clean_environment, run_file, run_python

_FEATURES = """
try:
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
except ImportError:  # NumPy 1
    from numpy.core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print(*{names})
"""
DISPATCHED = _FEATURES.format(names="__cpu_dispatch__")
IN_USE = _FEATURES.format(names="[f for f in __cpu_dispatch__ if __cpu_features__[f]]")

OF_AVX512 = ("AVX512", "X86_V4")  # how the names of its features begin
CONDITIONS = ("1 thread", "2 threads", "without AVX512", "old processor")
SHORT_LOSSES = {  # of the local tests' runs of three iterations, from the contract
    "gd": ["1.086276", "1.086233", "1.086189"],
    "bgd": ["1.085044", "1.110789", "1.109005"],
    "momentum": ["1.086276", "1.086233", "1.086168"],
}
FOREST = {"forest": "0.8832", "forest, depth 10, 85 %": "0.8728"}
BEANS = {  # accuracies of Question 3 by version of scikit-learn, as the README states them
    "1.5.2": FOREST | {"AdaBoost": "0.9154"},
    "1.9.1": FOREST | {"AdaBoost": "0.9141"},
}


@cache
def settings(condition: str, python: str = sys.executable) -> dict[str, str]:
    """Return the environment variables of a condition.

    The old processor has none of the features beyond its baseline that this NumPy has code for
    (AVX2, AVX512, ...), and BLAS takes its kernels for a processor of 2008; the one without AVX512
    has the others, and BLAS takes its kernels for a processor of 2013.

    Raises
    ------
    RuntimeError
        If this NumPy does not tell its features; the message is its standard error.
    """
    threads = "2" if condition == "2 threads" else "1"
    chosen = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    if condition in ("without AVX512", "old processor"):
        finished = run_python(DISPATCHED, env=clean_environment(), python=python)
        if finished.returncode != 0:
            raise RuntimeError(finished.stderr)
        is_old = condition == "old processor"
        features = [f for f in finished.stdout.split() if is_old or f.startswith(OF_AVX512)]
        chosen["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
        if platform.machine() == "x86_64":
            chosen["OPENBLAS_CORETYPE"] = "Nehalem" if is_old else "Haswell"
    return chosen


def reproduce(condition: str, *names: str, python: str = sys.executable) -> dict:
    """Work out figures of ``tests/reproduce.py`` in a process under a condition.

    Raises
    ------
    RuntimeError
        If that process fails; the message is its standard error.
    """
    env = clean_environment(HW4_STANDIN=None, **settings(condition, python))
    finished = run_file(ROOT / "tests" / "reproduce.py", *names, env=env, python=python)
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr)
    return json.loads(finished.stdout.splitlines()[-1])
