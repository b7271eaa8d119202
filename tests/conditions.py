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

CONDITIONS = ("1 thread", "2 threads", "old processor")
SHORT_LOSSES = {  # of the local tests' runs of three iterations, from the contract
    "gd": ["1.086276", "1.086233", "1.086189"],
    "bgd": ["1.085044", "1.110789", "1.109005"],
    "momentum": ["1.086276", "1.086233", "1.086168"],
}


@cache
def settings(condition: str, python: str = sys.executable) -> dict[str, str]:
    """Return the environment variables of a condition.

    The old processor has none of the features beyond its baseline that this NumPy has code for
    (AVX2, AVX512, ...), and BLAS takes its kernels for a processor of 2008.
    """
    threads = "2" if condition == "2 threads" else "1"
    chosen = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    if condition == "old processor":
        finished = run_python(DISPATCHED, env=clean_environment(), python=python)
        chosen["NPY_DISABLE_CPU_FEATURES"] = finished.stdout.strip()
        if platform.machine() == "x86_64":
            chosen["OPENBLAS_CORETYPE"] = "Nehalem"
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
