"""A process that grades one submission after another, as orders come in: one for every worker.

``python -m autograder.grader`` reads orders from its standard input and answers each with a
line. A grade needs a main thread, a process group of its own and some seconds of imports, and may
end badly; so neither joblib's workers nor Dask's grade, but this process does, which whoever
watches it can lose. It ends as soon as its input ends, that is, with its worker.

Nothing is graded twice, however many workers are killed: before a submission is graded its
*claim* is taken, a lock that the kernel lets go when the last holder is dead, and then its record
is looked for once more.
"""

import contextlib
import fcntl
import json
import os
import queue
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TextIO

import psutil

from autograder import checks, data
from autograder.gradebook import (
    examine,
    grader_version,
    is_final,
    read_record,
    write_record,
)
from autograder.grading import grade_submission
from autograder.reference import module
from autograder.rubric import items_of
from autograder.sandbox import protection

KILLED = ("memory", "crash")  # causes that stand for a signal from outside, too
SETTLE = 0.5  # seconds
SCRATCH = "hw4-grading-"  # what a scratch folder's name begins with
# What is loaded once, not for every submission: by check, or by the module of a check.
MODULES = {"NN.py": "NN", "random_forest.py": "random_forest"}
DATA = {"housing": "housing", "boosting": "beans", "forest.accuracy": "beans"}


def work_folder(output: Path) -> Path:
    """Return where locks and the like are kept."""
    return output / ".work"


def run_file(output: Path) -> Path:
    """Return the file that says which run is the present one."""
    return work_folder(output) / "run"


def log_file(output: Path) -> Path:
    """Return the file that says when the grading of a submission began and when it was stored."""
    return output / "gradings.log"


def main() -> None:
    """Carry out orders until there are no more."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever the grader prints is no answer
    orders: queue.SimpleQueue[dict] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    while True:
        answer = _answer(orders.get())
        try:
            os.write(answers, json.dumps(answer).encode() + b"\n")
        except BrokenPipeError:  # the worker is gone: end as _listen does
            os._exit(0)


def _listen(orders: "queue.SimpleQueue[dict]") -> None:
    """Take in orders; when the worker is gone, end at once, and the check under way with it."""
    for line in sys.stdin.buffer:
        orders.put(json.loads(line))
    os._exit(0)


def _answer(order: dict) -> dict:
    """Carry out an order; say what kept it from being carried out, if anything did."""
    try:
        return {"problem": "", "stale": False, **_carry_out(order)}
    except Exception as error:
        traceback.print_exc()
        return {"problem": f"the grader failed: {type(error).__name__}: {error}", "stale": False}


def _carry_out(order: dict) -> dict:
    """Grade a submission, unless that has been done meanwhile."""
    output, terms = Path(order["output"]), order["terms"]
    if terms["grader"] != grader_version(terms["assignment"]):
        return {"stale": True}
    if not run_file(output).exists():
        return {"problem": f"{output} is not to be seen from here: not on a shared file system?"}
    with _claimed(output, order["card"]["key"]) as claim:
        if run_file(output).read_text(encoding="utf-8") != order["run"]:
            return {"problem": "another run of grade-all has taken over"}
        if is_final(read_record(output, order["card"]["key"]), order["digest"]):
            return {}
        digest, refusal = examine(Path(order["path"]), terms)
        if digest != order["digest"]:
            return {"problem": "the upload changed meanwhile, or looks different from here"}
        _prepare(terms["assignment"], tuple(item.number for item in _items(terms)))
        with _scratch(claim), _printing_to(output / "logs" / f"{order['card']['key']}.txt"):
            _grade(order, refusal)
    return {}


def _items(terms: dict):
    return items_of(terms["assignment"], terms["items"])


def _grade(order: dict, refusal: str) -> None:
    """Grade a submission and store its record."""
    output, terms, card = Path(order["output"]), order["terms"], order["card"]
    _note(output, "begin", card["key"])
    start = time.monotonic()
    results = grade_submission(
        Path(order["path"]), terms["assignment"], None, terms["items"], budget=terms["budget"]
    )
    record = {
        **card,
        "state": "refused" if refusal else "graded",
        "message": refusal or results["output"],
        "seconds": round(time.monotonic() - start, 2),
        "score": round(sum(test["score"] for test in results["tests"]), 4),
        "max_score": round(sum(test["max_score"] for test in results["tests"]), 4),
        "digest": order["digest"],
        "results": results,
    }
    if any(test["extra_data"].get("ended_by") in KILLED for test in results["tests"]):
        time.sleep(SETTLE)  # whoever kills everything may have come to the check first
    write_record(output, record)
    _note(output, "stored", card["key"])


@cache
def _prepare(assignment: str, numbers: tuple[str, ...]) -> None:
    """Load what the checks of these items need, so that no submission's seconds hold it."""
    protection()
    for item in items_of(assignment, numbers):
        checks.find(item.check)
        for file in item.files:
            if file in MODULES:
                module(MODULES[file])
        name = DATA.get(item.check) or DATA.get(item.check.split(".")[0])
        if name:
            with contextlib.suppress(data.MissingError):  # the item says so itself
                data.load(name)


# --- the claim --------------------------------------------------------------------------------


def sweep(output: Path, patience: float = 2) -> None:
    """Clear away what killed graders left on this machine, where nobody is at work any more."""
    end = time.monotonic() + patience  # those just killed take a moment to end
    for path in (work_folder(output) / "claims").glob("*"):
        with open(path, "r+", encoding="utf-8") as claim:
            while path.stat().st_size:
                try:
                    fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _clear_away(claim)
                except BlockingIOError:
                    if time.monotonic() > end:
                        break
                    time.sleep(0.05)


@contextlib.contextmanager
def _claimed(output: Path, key: str) -> Iterator[TextIO]:
    """Wait until nobody else is at work on a submission, and clear away what they left."""
    folder = work_folder(output) / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / key, "a+", encoding="utf-8") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        _clear_away(claim)
        yield claim


@contextlib.contextmanager
def _scratch(claim: TextIO) -> Iterator[None]:
    """Let checks work below a folder that the claim names, so that it can be found again."""
    usual = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=usual)).resolve()
    claim.write(json.dumps({"host": socket.gethostname(), "scratch": str(folder)}))
    claim.flush()
    folder.chmod(0o711)  # a check runs as another user, who must get through
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = usual
        shutil.rmtree(folder, ignore_errors=True)
        claim.truncate(0)


def _clear_away(claim: TextIO) -> None:
    """End the processes and remove the scratch folder of a grader that was killed."""
    claim.seek(0)
    try:
        left = json.loads(claim.read() or "{}")
        folder = Path(left["scratch"])
    except (ValueError, KeyError, TypeError):
        left, folder = {}, Path()
    claim.truncate(0)
    if left.get("host") != socket.gethostname() or not folder.name.startswith(SCRATCH):
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME", "").startswith(f"{folder}{os.sep}"):
                process.kill()
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)


# --- what is written beside records ---------------------------------------------------------------


def _note(output: Path, what: str, key: str) -> None:
    """Append a line to the log; a single write, so that graders do not mix theirs."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = f"{moment} {what} {key} {socket.gethostname()}:{os.getpid()}\n"
    descriptor = os.open(log_file(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read_log(output: Path) -> Iterator[tuple[str, str]]:
    """Yield what the log says, "begin" or "stored", and of which submission."""
    if log_file(output).exists():
        for line in log_file(output).read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            if len(words) == 4:  # a full disk may have cut one off
                yield words[1], words[2]


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Send what the grader itself prints, tracebacks above all, to a file; keep it if there is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    usual = [os.dup(1), os.dup(2)]
    try:
        with open(path, "wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(usual, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        if path.stat().st_size == 0:
            path.unlink()


if __name__ == "__main__":
    main()
