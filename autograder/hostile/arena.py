"""Grades one hostile submission beside a right one and reports what it got away with.

Run as ``python -m autograder.hostile.arena NAME...``; prints a JSON report a line. It is
a process of its own that adopts every orphan, so that whatever outlives a check is among its
descendants.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import autograder
from autograder.hostile.catalogue import HOSTILE
from autograder.mutants.submission import ROOT, write_base

KNOWN = ("class", "results", "scratch")
NEIGHBOURS_ITEMS = ("1.1a",)
FOREIGN_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/etc", "/", "/run/lock", "/var/lock")
REFERENCE_PHRASE = "Elfwing, Uchibe and Doya"  # from the reference NN.py
_PR_SET_CHILD_SUBREAPER = 36


def fight(name: str, grade: Callable[..., dict] = autograder.grade) -> dict:
    """Grade a hostile submission while and after a right one is graded.

    Parameters
    ----------
    name : str
        A key of ``HOSTILE``.
    grade : callable
        What grades, so that tests can see a grader without guards lose.

    Returns
    -------
    dict
        ``score`` of the hostile, ``neighbour`` scores of the right one and ``full`` marks,
        ``survivors`` (command lines of what is still alive), ``touched`` (paths that changed
        outside the scratch folder, or were left in it), ``leaked`` (which secrets came out),
        ``calls`` (what reached the listener), ``bytes`` and ``tests`` of its results.json, and
        ``untouched_results`` (whether the file holds what was returned).
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    base = Path(tempfile.mkdtemp(prefix="hw4-arena-"))
    places = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(base / "scratch")
    try:
        return _Arena(base, grade).fight(name)
    finally:
        tempfile.tempdir = places[0]
        if places[1] is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = places[1]
        shutil.rmtree(base, ignore_errors=True)


class _Arena:
    """A class of two submissions, the results of both, and eyes everywhere."""

    def __init__(self, base: Path, grade: Callable[..., dict]) -> None:
        self.base, self.grade = base, grade
        base.chmod(0o755)  # what guards the neighbour must be the grader, not this folder
        for name in ("class/hostile", "results", "scratch"):
            (base / name).mkdir(parents=True)
        (base / "scratch").chmod(0o1777)
        self.neighbour = base / "class/neighbour"
        write_base("student", self.neighbour)
        self.secret = os.environ["HW4_SECRET"] = secrets.token_hex(16)
        (self.neighbour / "secret.txt").write_text(self.secret)
        self.calls: list[str] = []
        self.world = {
            "marker": "hw4-" + secrets.token_hex(4),
            "root": str(ROOT),
            "neighbour": str(self.neighbour),
            "results": str(base / "results/hostile.json"),
            "port": self._listen(),
        }

    def fight(self, name: str) -> dict:
        """Build the submission, grade both, and look what has changed."""
        hostile = HOSTILE[name]
        submission = hostile.build(self.base / "class/hostile", self.world)
        before = self._picture()
        with ThreadPoolExecutor(2) as pool:
            job = pool.submit(
                self.grade,
                submission,
                hostile.assignment,
                self.base / "results/hostile.json",
                hostile.items,
                **hostile.limits,
            )
            right = [pool.submit(self._grade_neighbour, "right").result()]  # needs no random stream
            graded = job.result()
        right.append(self._grade_neighbour("afterwards"))
        survivors = _survivors(patience=3)
        text = (self.base / "results/hostile.json").read_text(encoding="utf-8")
        return {
            "name": name,
            "score": _points(graded),
            "neighbour": [_points(grade) for grade in right],
            "full": sum(test["max_score"] for test in right[0]["tests"]),
            "survivors": survivors,
            "touched": self._touched(before),
            "leaked": [what for what, secret in self._secrets() if secret in text],
            "calls": self.calls,
            "bytes": len(text),
            "untouched_results": json.loads(text) == json.loads(json.dumps(graded)),
            "tests": graded["tests"],
        }

    def _grade_neighbour(self, name: str) -> dict:
        results = self.base / "results" / f"{name}.json"
        return self.grade(self.neighbour, "programming", results, NEIGHBOURS_ITEMS)

    def _secrets(self) -> list[tuple[str, str]]:
        return [
            ("the grader's environment or the neighbour's file", self.secret),
            ("the reference", REFERENCE_PHRASE),
        ]

    def _listen(self) -> int:
        """Note whatever arrives by TCP or UDP on one port of 127.0.0.1."""
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(tcp.getsockname())
        for name, wait in (("tcp", tcp.accept), ("udp", lambda: udp.recv(100))):
            threading.Thread(target=self._note, args=(name, wait), daemon=True).start()
        return tcp.getsockname()[1]

    def _note(self, name: str, wait: Callable[[], object]) -> None:
        wait()
        self.calls.append(name)

    def _picture(self) -> dict[str, str]:
        """Return what may not change, by path."""
        found = {}
        for path in (self.base / "class").rglob("*"):
            state = os.lstat(path)
            is_file = path.is_file() and not path.is_symlink() and state.st_size < 1 << 20
            content = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else ""
            found[str(path)] = f"{state.st_mode:o} {state.st_nlink} {state.st_uid} {content}"
        return found

    def _touched(self, before: dict[str, str]) -> list[str]:
        """Return paths that changed, appeared, or were left behind; clean up the last."""
        after = self._picture()
        touched = [p for p in before | after if before.get(p) != after.get(p)]
        places = [*FOREIGN_PLACES, ROOT, ROOT / "autograder", sys.prefix, Path.home()]
        places += [np_folder for np_folder in sys.path if Path(np_folder).is_dir()]
        for place in dict.fromkeys(map(Path, places)):
            for path in (*place.glob(self.world["marker"] + "*"), *place.glob("slipped")):
                touched.append(str(path))
                path.unlink()
        touched += [str(path) for path in self.base.iterdir() if path.name not in KNOWN]
        touched += [str(path) for path in (self.base / "scratch").iterdir()]
        return touched


def _points(graded: dict) -> float:
    return sum(test["score"] for test in graded["tests"])


def _survivors(patience: float) -> list[str]:
    """Return the command lines of descendants that are still alive after a while; end them."""
    end = time.monotonic() + patience
    while True:
        parents = dict(_processes())
        alive = [pid for pid in parents if _descends(pid, parents)]
        if not alive or time.monotonic() > end:
            break
        time.sleep(0.1)
    commands = [_command(pid) for pid in alive]
    for pid in alive:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return commands


def _processes() -> Iterator[tuple[int, int]]:
    """Give every live process and its parent."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    yield int(entry.name), int(parent)


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return "gone meanwhile"


def main() -> None:
    """Fight by the names given and print a report a line."""
    for name in sys.argv[1:]:
        print(json.dumps(fight(name)), flush=True)


if __name__ == "__main__":
    main()
