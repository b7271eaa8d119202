"""Running a plan on a student's files in a process that can do no harm, from the outside.

The process has a session, a scratch folder and, where the grader is root, a user of its own. It
is watched while it runs (time, memory, disk, printing) and killed with everything it started
when it is done. What it may do is limited from the inside by ``confine``; what it says is only
ever read through ``channel``.
"""

import contextlib
import os
import pwd
import random
import resource
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from autograder.channel import ChannelError, FrameReader, encode
from autograder.plan import Plan

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
RUNNER = HERE / "runner.py"
# isolated, without site (an editable install would find the reference), unbuffered
PYTHON = (sys.executable, "-I", "-S", "-B", "-u")
TICK = 0.05  # seconds between two looks at a quiet process
KEPT_OUTPUT = 16 << 10  # bytes of printing that are kept


@dataclass(frozen=True)
class Limits:
    """What one check may use.

    Parameters
    ----------
    cpu, wall : float
        Seconds of processor time, and on the clock while the process sleeps. Seconds in which
        it waits for a processor or the disk, or is held, count a fifth: a busy machine is not
        the student's fault.
    hard : float
        Seconds on the clock, whatever happens.
    memory : int
        Megabytes of private memory.
    file_size, disk : int
        Megabytes of one file, and of the scratch folder.
    processes : int
        Processes and threads.
    printed : int
        Megabytes of printing.
    """

    cpu: float = 15
    wall: float = 40
    hard: float = float("inf")
    memory: int = 512
    file_size: int = 8
    disk: int = 32
    processes: int = 32
    printed: int = 8


@dataclass
class Run:
    """What came out of one run of a plan.

    Attributes
    ----------
    values, errors, warnings : dict
        By step: what it returned, what it raised, what it warned of.
    fatal : str
        Why the run ended before its plan did; empty if it did not.
    cause : str
        The same in a word: time, memory, disk, printing, channel, exit, crash or start.
    running : int or None
        The step that was under way when the run ended.
    isolation : dict of str to str
        The measures that protected the run, each "on" or why not.
    """

    plan: Plan
    values: dict[int, object] = field(default_factory=dict)
    errors: dict[int, dict] = field(default_factory=dict)
    warnings: dict[int, list] = field(default_factory=dict)
    fatal: str = ""
    cause: str = ""
    running: int | None = None
    isolation: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    printed: str = ""


def execute(
    plan: Plan,
    files: dict[str, bytes],
    limits: Limits | None = None,
    skip: Collection[str] = (),
) -> Run:
    """Run a plan on a student's files.

    Parameters
    ----------
    plan : Plan
    files : dict of str to bytes
        Names and contents of the files in the scratch folder.
    limits : Limits, optional
    skip : collection of str
        Measures of ``confine.MEASURES`` to leave out.

    Returns
    -------
    Run
    """
    with _user(skip) as uid, _scratch(files, uid) as folder:
        return _Watch(plan, folder, uid, limits or Limits(), skip).run()


# --- what the process is given ----------------------------------------------------------------


@contextlib.contextmanager
def _user(skip: Collection[str]) -> Iterator[int | None]:
    """Reserve an unused user id, if this process may change users."""
    if "user" in skip or os.geteuid() != 0:
        yield None
        return
    known = {entry.pw_uid for entry in pwd.getpwall()}
    allowed = _mapped_ids()
    # Ranges that distributions leave to programs, the better ones first.
    for first, last in ((200_000, 299_999), (61_184, 65_519), (2_000, 60_000)):
        for uid in random.sample(range(first, last), 50):
            if uid in known or not any(uid in span for span in allowed):
                continue
            lock = _lock(uid)
            if lock is None:
                continue
            with lock:
                if not processes_of(uid):
                    yield uid
                    return
    yield None


def _mapped_ids() -> list[range]:
    """Return the user ids that exist in this user namespace."""
    try:
        lines = Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return [range(1 << 31)]
    spans = [[int(number) for number in line.split()] for line in lines]
    return [range(first, first + count) for first, _, count in spans]


def _lock(uid: int) -> socket.socket | None:
    """Claim a user id against other graders; the claim ends with the process that holds it."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0hw4-autograder-{uid}")
    except OSError:
        lock.close()
        return None
    return lock


@contextlib.contextmanager
def _scratch(files: dict[str, bytes], uid: int | None) -> Iterator[Path]:
    """Make a folder with only the given files in it, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hw4-check-")).resolve()
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        cached = os.environ.get("HW4_FONT_CACHE")  # saves pyplot some seconds
        if cached and Path(cached).is_dir():
            shutil.copytree(cached, folder / ".matplotlib", dirs_exist_ok=True)
        if uid is not None:
            for place in (folder, *folder.rglob("*")):
                os.chown(place, uid, uid)
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, however deep and locked its content is."""
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", str(folder)], capture_output=True, check=False)


def _environment(folder: Path, marker: str) -> dict[str, str]:
    """Return the process's environment: nothing of the grader's."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    one_thread = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    )
    home = dict.fromkeys(("HOME", "TMPDIR", "KERAS_HOME", "TORCH_HOME"), str(folder))
    return {
        **kept,
        **one_thread,
        **home,
        "PATH": "/usr/bin:/bin",
        "USER": "student",  # the user id has no entry in the user database
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(folder / ".matplotlib"),
        "JOBLIB_MULTIPROCESSING": "0",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HW4_CHECK": marker,
    }


def package_folders() -> list[str]:
    """Return where installed libraries lie."""
    names = ("site-packages", "dist-packages")
    return [path for path in sys.path if Path(path).name in names]


def readable_paths() -> list[str]:
    """Return what a student's process may read besides its scratch folder."""
    python = [sys.prefix, sys.base_prefix, sys.base_exec_prefix, *package_folders()]
    system = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime"]
    kernel = ["/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system"]
    devices = ["/dev/urandom", "/dev/random", "/dev/zero"]
    return [*dict.fromkeys(python), *system, *kernel, *devices]


def _resource_limits(limits: Limits, uid: int | None) -> dict[str, int]:
    mb = 1 << 20
    processes = limits.processes
    if uid is None:  # the limit counts all of the user's processes
        processes += _tasks_of(os.getuid())
    return {
        "RLIMIT_CPU": int(limits.cpu),
        "RLIMIT_DATA": limits.memory * mb,
        "RLIMIT_AS": (limits.memory + 4096) * mb,  # mapped libraries count here
        "RLIMIT_FSIZE": limits.file_size * mb,
        "RLIMIT_NPROC": processes,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
    }


# --- processes --------------------------------------------------------------------------------


def _all_processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _state(pid: int) -> str:
    """Return the letter of a process's state: R runs, S sleeps, Z waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _is_alive(pid: int) -> bool:
    """Tell whether a process is more than an entry that waits for its parent."""
    return _state(pid) not in "ZX"


def processes_of(uid: int) -> list[int]:
    """Return the live processes of a user."""
    found = []
    for pid in _all_processes():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == uid and _is_alive(pid):
                found.append(pid)
    return found


def _tasks_of(uid: int) -> int:
    """Count a user's threads, as RLIMIT_NPROC counts them."""
    total = 0
    for pid in processes_of(uid):
        with contextlib.suppress(OSError):
            total += len(os.listdir(f"/proc/{pid}/task"))
    return total


def marked_processes(marker: str, session: int) -> list[int]:
    """Return the live processes of a session, or with a marker in their environment."""
    found = []
    needle = f"HW4_CHECK={marker}".encode()
    for pid in _all_processes():
        with contextlib.suppress(OSError):
            same = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[3])
            if same == session or needle in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return [pid for pid in found if pid != os.getpid() and _is_alive(pid)]


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * resource.getpagesize() / (1 << 20)


def _folder_mb(folder: Path) -> float:
    """Return what a folder holds; many small files count as if they were large."""
    total, entries, pending = 0, 0, [folder]
    while pending and entries < 2000:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as found:
            for entry in found:
                entries += 1
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entries >= 2000:
                    break
    return float("inf") if entries >= 2000 else total / (1 << 20)


# --- one run ----------------------------------------------------------------------------------


class _Stop(Exception):  # noqa: N818
    """The run is over: a word, and a sentence for the student."""


class _Clock:
    """Counts the seconds a process lets pass."""

    def __init__(self, pid: int, limits: Limits) -> None:
        self.pid, self.limits = pid, limits
        self.start = self.now = time.monotonic()
        self.counted = 0.0

    def tick(self) -> None:
        """Count the time since the last tick."""
        passed, self.now = time.monotonic() - self.now, time.monotonic()
        if passed > 1:  # a gap means that the grader itself was held, for however long
            self.counted += 0.2
        elif _state(self.pid) in "RDTt":
            self.counted += passed / 5
        else:
            self.counted += passed

    def is_over(self) -> bool:
        """Tell whether one of the two limits is reached."""
        return self.counted > self.limits.wall or self.now - self.start > self.limits.hard

    def limit(self) -> float:
        """Return the limit that comes first."""
        return min(self.limits.wall, self.limits.hard)


class _Watch:
    """Starts, watches and ends one process."""

    def __init__(
        self, plan: Plan, folder: Path, uid: int | None, limits: Limits, skip: Collection[str]
    ) -> None:
        self.plan, self.folder, self.uid, self.limits = plan, folder, uid, limits
        self.skip = tuple(skip)
        self.marker = secrets.token_hex(8)
        self.outcome = Run(plan)
        self.reader = FrameReader()
        self.order = [step["id"] for case in plan.cases for step in case]
        self.case_of = {s["id"]: n for n, case in enumerate(plan.cases) for s in case}
        self.begun: int | None = None
        self.next = 0  # place in order of the next step that may begin
        self.ended = False
        self.printed = bytearray()
        self.printed_bytes = 0

    def run(self) -> Run:
        """Return the outcome; afterwards nothing of the process is left."""
        start = time.monotonic()
        results, self.write_end = os.pipe()
        with self._plan_file() as plan_file:
            self.process = subprocess.Popen(
                [*PYTHON, str(RUNNER), str(plan_file.fileno()), str(self.write_end)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(plan_file.fileno(), self.write_end),
                env=_environment(self.folder, self.marker),
                cwd="/",
                start_new_session=True,
            )
        os.close(self.write_end)
        try:
            self._watch(results)
        except _Stop as stop:
            self.outcome.cause, self.outcome.fatal = stop.args
        finally:
            self._finish(results)
        self.outcome.seconds = time.monotonic() - start
        self.outcome.running = self.begun
        self.outcome.printed = self.printed.decode(errors="replace")
        return self.outcome

    def _plan_file(self):
        """Return a file with the plan, to be read by the process through its descriptor."""
        header = {
            "scratch": str(self.folder),
            "confinement": {
                "limits": _resource_limits(self.limits, self.uid),
                "uid": self.uid,
                "readable": readable_paths(),
                "writable": [str(self.folder), "/dev/null"],
            },
            "skip": list(self.skip),
            "cases": self.plan.cases,
        }
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        file.write("\0".join(package_folders()).encode() + b"\n" + encode(header))
        file.flush()
        file.seek(0)
        return file

    def _watch(self, results: int) -> None:
        """Read until the process is done or has to be stopped."""
        look_at_disk, clock = 0.0, _Clock(self.process.pid, self.limits)
        with selectors.DefaultSelector() as selector:
            selector.register(results, selectors.EVENT_READ, self._read_frames)
            selector.register(self.process.stdout.fileno(), selectors.EVENT_READ, self._read_output)
            while not self.ended:
                events = selector.select(TICK)
                for key, _ in events:
                    if not key.data(key.fd):
                        selector.unregister(key.fd)
                        if key.fd == results:
                            self._explain_end()
                if self.ended:
                    break
                clock.tick()
                if clock.is_over():
                    text = f"did not finish within {clock.limit():.0f} s"
                    raise _Stop("time", f"{text} (endless loop, or waiting for something?)")
                if _resident_mb(self.process.pid) > self.limits.memory + 256:
                    raise _Stop("memory", f"needed more than {self.limits.memory} MB of memory")
                if clock.now > look_at_disk:
                    look_at_disk = clock.now + 0.25
                    self._check_disk()
                if not events and self._has_exited():
                    self._read_rest(results)
                    self._explain_end()

    def _check_disk(self) -> None:
        if _folder_mb(self.folder) > self.limits.disk:
            text = f"wrote more than {self.limits.disk} MB, or thousands of files, to disk"
            raise _Stop("disk", text)

    def _has_exited(self) -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, options) is not None

    def _read_rest(self, results: int) -> None:
        """Take what a process left in the channel when it ended."""
        os.set_blocking(results, False)
        with contextlib.suppress(BlockingIOError):
            while not self.ended and self._read_frames(results):
                pass

    def _read_output(self, descriptor: int) -> bool:
        data = os.read(descriptor, 1 << 16)
        self.printed_bytes += len(data)
        self.printed += data[: KEPT_OUTPUT - len(self.printed)]
        if self.printed_bytes > self.limits.printed << 20:
            raise _Stop("printing", f"printed more than {self.limits.printed} MB")
        return bool(data)

    def _read_frames(self, descriptor: int) -> bool:
        data = os.read(descriptor, 1 << 16)
        try:
            for frame in self.reader.feed(data):
                self._accept(frame)
        except (ChannelError, KeyError, TypeError, ValueError):
            raise _Stop("channel", "interfered with the channel to the grader") from None
        return bool(data)

    def _accept(self, frame: dict) -> None:
        """Take a frame if it is the one that comes next."""
        if self.ended:
            raise ChannelError("a frame after the last")
        if set(frame) == {"isolation"} and self.next == 0 and not self.outcome.isolation:
            self.outcome.isolation = {str(k): str(v) for k, v in frame["isolation"].items()}
        elif set(frame) == {"begin"} and self.begun is None:
            if not self.outcome.isolation or frame["begin"] != self.order[self.next]:
                raise ChannelError("a step out of turn")
            self.begun = frame["begin"]
        elif set(frame) == {"id", "value", "error", "warnings"} and self.begun is not None:
            self._accept_result(frame)
        elif frame == {"end": True} and self.begun is None and self.next == len(self.order):
            self.ended = True
        else:
            raise ChannelError("a frame out of turn")

    def _accept_result(self, frame: dict) -> None:
        step = self.begun
        if frame["id"] != step:
            raise ChannelError("a result out of turn")
        self.outcome.warnings[step] = [tuple(map(str, pair)) for pair in frame["warnings"]]
        self.next += 1
        if frame["error"] is None:
            self.outcome.values[step] = frame["value"]
        else:
            self.outcome.errors[step] = _checked_error(frame["error"])
            here = self.case_of[step]
            while self.next < len(self.order) and self.case_of[self.order[self.next]] == here:
                self.next += 1  # an error ends its case
        self.begun = None

    def _explain_end(self) -> None:
        """Say why the process ended, or closed the channel, before its plan was done."""
        if self.ended:
            return
        for _ in range(100):
            if self._has_exited():
                break
            time.sleep(TICK / 5)
        else:
            raise _Stop("channel", "closed the channel to the grader")
        _, status, usage = os.wait4(self.process.pid, 0)
        self._note_usage(status, usage)
        code = self.process.returncode
        if not self.outcome.isolation:
            raise _Stop("start", f"could not be started (status {code})")
        if code >= 0:
            raise _Stop("exit", f"ended the process (exit status {code}), as os._exit() does")
        if -code in (signal.SIGXCPU, signal.SIGKILL):
            if usage.ru_utime + usage.ru_stime >= self.limits.cpu - 1:
                text = f"used more than {self.limits.cpu:.0f} s of processor time"
                raise _Stop("time", f"{text} (endless loop, or far too slow?)")
            raise _Stop("memory", "was killed from outside, most likely for using too much memory")
        raise _Stop("crash", f"crashed the process ({signal.Signals(-code).name})")

    def _note_usage(self, status: int, usage: resource.struct_rusage) -> None:
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.outcome.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.outcome.peak_mb = usage.ru_maxrss / 1024  # Linux counts kilobytes

    def _finish(self, results: int) -> None:
        """Kill whatever is left and close both descriptors."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(self.process.pid, 0)
            self._note_usage(status, usage)
        self._kill_descendants()
        self.process.stdout.close()
        os.close(results)

    def _kill_descendants(self) -> None:
        """Kill daemons that left the session; a fork bomb may need several rounds."""
        for _ in range(200):
            left = marked_processes(self.marker, self.process.pid)
            if self.uid is not None:
                left += processes_of(self.uid)
            if not left:
                return
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def _checked_error(error: dict) -> dict:
    """Return an exception's description with every part of the type it should have."""
    frames = [
        (str(name), int(line), str(function), str(text))
        for name, line, function, text in error["frames"]
    ]
    return {
        "type": str(error["type"]),
        "kinds": [str(kind) for kind in error["kinds"]],
        "text": str(error["text"]),
        "name": str(error["name"]),
        "frames": frames,
    }


# --- what this machine allows -----------------------------------------------------------------


@cache
def protection(skip: tuple[str, ...] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Try out the isolation once.

    Parameters
    ----------
    skip : tuple of str
        Measures to leave out from the start.

    Returns
    -------
    measures to leave out, warnings : tuple of tuples of str
        What does not work here at all, and what a reader of the results has to know.
    """
    for left_out in ((), ("user",), ("user", "landlock")):
        leave = tuple(dict.fromkeys((*skip, *left_out)))
        run, steps = _probe(leave)
        if steps["library"] in run.values:
            return leave, tuple(_remarks(run, steps))
    raise RuntimeError(f"no process can be started for submissions: {run.fatal} {run.errors}")


def _probe(skip: tuple[str, ...]) -> tuple[Run, dict[str, int]]:
    """Try to do from inside what must not work."""
    plan = Plan()
    steps = {}
    case = plan.case("timeit")  # a library that is not loaded yet must still load
    steps["library"] = case.call("importlib.import_module", "numpy.testing", send=False)
    steps["reference"] = plan.case("io").call("io.open", str(PROJECT / "NN.py"), send=False)
    steps["network"] = plan.case("socket").call("socket.socket", send=False)
    return execute(plan, {}, replace(Limits(), wall=120), skip), steps


def _remarks(run: Run, steps: dict[str, int]) -> Iterator[str]:
    if steps["reference"] in run.values:
        yield "the reference solution is readable for submissions: no Landlock, and no other user"
    if steps["network"] in run.values:
        yield "submissions can use the network: seccomp is not available"
    for name, state in run.isolation.items():
        if state != "on":
            yield f"{name}: {state}"
