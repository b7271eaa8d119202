"""What a worker does, be it joblib's or Dask's: it has a grader grade, and is told how it ended.

A worker keeps its grader (``autograder.grader``) from one submission to the next. One that
dies is replaced, and its submission is tried once more; so whatever a submission does to its
grader costs that submission alone.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from autograder.gradebook import failed_record, read_record
from autograder.reference import PROJECT

ATTEMPTS = 2  # gradings that may end with the grader's death
GRACE = 180  # seconds beyond a submission's budget after which its grader must be hanging
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)

_idle: list["_Grader"] = []


class _Died(Exception):  # noqa: N818
    """A grader ended without an answer; the message says how."""


class _Grader:
    """A grader process, seen from its worker."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autograder.grader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            env=os.environ | ONE_THREAD,
            start_new_session=True,  # Ctrl-C is for the run, which lets go of its workers
            bufsize=0,
        )

    def ask(self, order: dict, patience: float) -> dict:
        """Give an order and return the answer.

        Raises
        ------
        _Died
            If there is none.
        """
        try:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            answer = self._line(patience)
        except OSError:
            answer = b""
        if not answer.endswith(b"\n"):
            raise _Died(self._how_it_ended())
        return json.loads(answer)

    def _line(self, patience: float) -> bytes:
        """Read until the end of a line, of the stream, or of patience."""
        end = time.monotonic() + patience
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0, end - time.monotonic())):
                    return b""
                data = os.read(self.process.stdout.fileno(), 1 << 16)
                if not data:
                    return b""
                line += data
        return line

    def _how_it_ended(self) -> str:
        try:
            status = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "did not come to an end"
        if status < 0:
            return f"was killed ({signal.Signals(-status).name}; out of memory?)"
        return f"ended (status {status})"

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()


def grade_one(order: dict) -> dict:
    """Have one submission graded.

    Parameters
    ----------
    order : dict
        "card" (the beginning of the record), "path", "output", "run", "digest" and "terms".

    Returns
    -------
    dict
        The record. If it could not be graded, the state is "failed", and the record is not
        stored.
    """
    try:
        problem = _try(order)
    except Exception as error:  # a worker that raised would stop the whole class
        problem = f"the worker failed: {type(error).__name__}: {error}"
    record = None if problem else read_record(Path(order["output"]), order["card"]["key"])
    if record is None:
        why = problem or "the record that was written cannot be read"
        return failed_record(order["card"], order["terms"], order["digest"], why)
    return record


def _try(order: dict) -> str:
    """Have a submission graded; return why it could not be, or nothing."""
    patience = order["terms"]["budget"] + GRACE
    ends, stale = [], False
    while len(ends) < ATTEMPTS:
        grader = _idle.pop() if _idle else _Grader()  # list.pop is safe among Dask's threads
        try:
            answer = grader.ask(order, patience)
        except _Died as end:
            grader.close()
            ends.append(str(end))
            continue
        except BaseException:
            grader.close()
            raise
        if answer["stale"] and not stale:  # it was started before the grader's files changed
            grader.close()
            stale = True
            continue
        _idle.append(grader)
        if answer["stale"]:
            return "this worker has other files of the grader than the machine that leads"
        return answer["problem"]
    return f"the grader of this submission {' and, tried again, '.join(ends)}"


def close_graders() -> None:
    """End the graders of this process."""
    while _idle:
        _idle.pop().close()
