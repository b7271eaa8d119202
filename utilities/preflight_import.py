"""Import a homework file in an interpreter and a folder of its own, and judge what happened.

What runs there is ``preflight_probe.py``; here it is started, bounded in time and output, and its
report read.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from utilities.contract import (
    LIBRARIES,
    SIBLINGS,
    SIGNATURES,
    STATIC_METHODS,
    Parameter,
    parameters_of,
)
from utilities.preflight_source import foreign_imports

PROBE = Path(__file__).with_name("preflight_probe.py")
IMPORT_SECONDS = 20.0  # wall clock, once the libraries are loaded; a good file needs 0.1
LIBRARY_SECONDS = 300.0  # TensorFlow from a cold disk on a small machine
TRAINING_SECONDS = 5.0  # of processor time: whoever needs more computes something
MOST_PRINTED = 2**16  # bytes
MOST_REPORTED = 2**20  # bytes
POLL_SECONDS = 0.02

# The libraries' own start-up messages, windows and threads are switched off.
QUIET = {
    "MPLBACKEND": "Agg",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class ImportAttempt:
    """How the import of a file went.

    Attributes
    ----------
    report : dict
        What the probe reported; empty if it did not come to that.
    printed : str
        What went to standard output and error, cut off.
    ended : str
        Why there is no report, empty if there is one.
    blocked : str
        Why the machine, not the file, kept the import from being tried.
    """

    report: dict = field(default_factory=dict)
    printed: str = ""
    ended: str = ""
    blocked: str = ""

    @property
    def succeeded(self) -> bool:
        return bool(self.report) and not self.report["problem"]


@lru_cache(maxsize=64)
def try_import(
    name: str,
    contents: tuple[tuple[str, bytes], ...],
    libraries: tuple[str, ...],
    seconds: float = IMPORT_SECONDS,
) -> ImportAttempt:
    """Import a file alone in an empty folder, in an interpreter of its own.

    Parameters
    ----------
    name : str
        The file's name without ``.py``.
    contents : tuple of (str, bytes)
        The file and those uploaded with it that it imports: names with ``.py``, and contents.
    libraries : tuple of str
        Modules to load first; their time and noise are not the file's.
    seconds : float
        Time limit for the file itself.

    Returns
    -------
    ImportAttempt
    """
    with tempfile.TemporaryDirectory(prefix="preflight-") as place:
        folder, reports = Path(place).resolve() / "empty", Path(place).resolve() / "report"
        folder.mkdir()
        reports.mkdir()
        for file, content in contents:
            (folder / file).write_bytes(content)
        request = {
            "preload": libraries,
            "hidden": [*LIBRARIES, "utilities", "autograder", "tests", "benchmarks"],
            "names": list(SIGNATURES[name]),
        }
        (reports / "request.json").write_text(json.dumps(request), encoding="utf-8")
        # -P: the probe's own folder must not be searched for modules
        command = [sys.executable, "-P", "-B", "-X", "utf8", PROBE, folder, name, reports]
        return _watched(command, folder, reports, seconds)


def _watched(command: list, folder: Path, reports: Path, seconds: float) -> ImportAttempt:
    """Run the probe within its limits."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**kept, **QUIET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output = _BoundedReader(process.stdout)
    try:
        late = _wait(process, output, reports / "ready", seconds)
    finally:
        _end(process)
    printed = output.text()
    if output.flooded:
        ended = f"it prints more than {MOST_PRINTED // 1024} KiB at import, beginning {printed!r}"
        return ImportAttempt(ended=ended, printed=printed)
    if late == "ready":
        return ImportAttempt(blocked=f"its libraries took over {LIBRARY_SECONDS:g} s to load")
    if late:
        ended = f"its import was stopped after {seconds:g} s: endless loop, training or input?"
        return ImportAttempt(ended=ended, printed=printed)
    return _judged(process.returncode, reports, printed)


def _wait(process: subprocess.Popen, output: "_BoundedReader", ready: Path, seconds: float) -> str:
    """Wait for the end of the probe; return what it was late with, if it was."""
    deadline, stage = time.monotonic() + LIBRARY_SECONDS, "ready"
    while process.poll() is None and not output.flooded:
        if stage == "ready" and ready.exists():
            deadline, stage = time.monotonic() + seconds, "import"
        if time.monotonic() > deadline:
            return stage
        time.sleep(POLL_SECONDS)
    return ""


def _end(process: subprocess.Popen) -> None:
    """End the probe and whatever it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _judged(status: int, reports: Path, printed: str) -> ImportAttempt:
    """Read the report of a probe that ended by itself."""
    try:
        with open(reports / "report.json", "rb") as file:
            report = json.loads(file.read(MOST_REPORTED))
    except (OSError, ValueError):
        report = None
    if not isinstance(report, dict):
        if not (reports / "ready").exists():
            last = printed.strip().splitlines()[-1:] or [f"exit status {status}"]
            return ImportAttempt(blocked=f"the check could not start: {last[0]}")
        return ImportAttempt(ended=_how_it_died(status), printed=printed)
    if report["missing_library"]:
        return ImportAttempt(blocked=report["missing_library"])
    return ImportAttempt(report=report, printed=printed)


def _how_it_died(status: int) -> str:
    if status < 0:
        names = {known.value: known.name for known in signal.Signals}
        return f"its import crashes the interpreter ({names.get(-status, -status)})"
    return f"its import ends the interpreter with status {status} (os._exit?): delete that"


class _BoundedReader:
    """Read a pipe in the background, up to a limit."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe, self._parts, self._size = pipe, [], 0
        self.flooded = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while part := self._pipe.read1(4096):
                self._parts.append(part)
                self._size += len(part)
                if self._size > MOST_PRINTED:
                    self.flooded = True
                    return

    def text(self) -> str:
        """Return the beginning of what came."""
        self._thread.join(timeout=5)  # a process that got away may still hold the pipe
        return b"".join(self._parts)[:300].decode("utf-8", errors="replace")


def import_problems(attempt: ImportAttempt, name: str) -> list[str]:
    """Return why a file cannot be imported alone.

    Parameters
    ----------
    attempt : ImportAttempt
    name : str
        The file's name without ``.py``.
    """
    if attempt.ended:
        return [attempt.ended]
    problem = attempt.report["problem"]
    if not problem:
        return []
    where = " (%s, line %d)" % tuple(problem["where"]) if problem["where"] else ""
    if problem["kind"] == "SystemExit":
        return [f"its import ends the program by exit(){where}: delete that"]
    if attempt.report["deeds"] and problem["kind"] == "PermissionError":
        return [f"its import {attempt.report['deeds'][0]}{where}: do that in a function, if at all"]
    if problem["missing"] in SIBLINGS.get(name, ()):
        return [f"{problem['missing']}.py is not there or not usable: it belongs beside this file"]
    if problem["missing"]:
        return [f"it imports {problem['missing']}{where}, which is not uploaded with it"]
    return [f"its import fails: {problem['kind']}: {problem['message']}{where}"]


def loaded_strangers(attempt: ImportAttempt, name: str) -> list[str]:
    """Return the libraries that a file loads although its question has no use for them."""
    return foreign_imports(name, set(attempt.report["asked_for"]))


def side_effects(attempt: ImportAttempt, contents: tuple[tuple[str, bytes], ...]) -> list[str]:
    """Return what an import did besides defining things.

    Parameters
    ----------
    attempt : ImportAttempt
        One that succeeded.
    contents : tuple of (str, bytes)
        The files that were there before.
    """
    report = attempt.report
    left = sorted(set(report["files"]) - {file for file, _ in contents})
    first_line = attempt.printed.strip().split("\n")[0][:80]
    found = [
        (bool(attempt.printed), f"it prints at import: {first_line!r}"),
        (bool(left), f"it leaves files at import: {', '.join(left[:3])}"),
        (bool(report["deeds"]), f"at import it {', '.join(report['deeds'][:3])}"),
        (report["figures"] > 0 or report["shown"] > 0, "it draws a figure at import"),
        (report["stream_moved"], "it seeds or draws random numbers at import"),
        (report["threads"] > 0, "it leaves a thread running after import"),
        (
            report["seconds"] > TRAINING_SECONDS,
            f"its import computes for {report['seconds']:.0f} s",
        ),
    ]
    return [f"{text}: move that into a function or delete it" for is_so, text in found if is_so]


def signature_problems(attempt: ImportAttempt, name: str) -> list[str]:
    """Return the functions that are missing or have other parameters than the contract's."""
    problems = []
    for path, expected in SIGNATURES[name].items():
        wanted, got = parameters_of(expected), attempt.report["signatures"][path]
        listed = f"{path}({', '.join(map(str, wanted))})"
        if got is None:
            problems.append(f"{listed} is missing: write it, or look at its spelling")
            continue
        found = [Parameter(*parameter) for parameter in got["parameters"]]
        if found != wanted:
            problems.append(f"expected {listed}, got ({', '.join(map(str, found))})")
        elif path in STATIC_METHODS and not got["static"]:
            problems.append(f"{path} must be a static method: put @staticmethod above it")
    return problems
