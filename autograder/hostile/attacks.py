"""Hostile NN.py files, each the source of one function that runs when the file is imported.

The docstring says what is tried. The functions import what they need themselves, because only
their own source, after that of ``prelude``, becomes the submission.
"""

# ruff: noqa: SIM115, N818
import os
from collections.abc import Callable

import numpy as np

from autograder.hostile.prelude import WORLD, NeuralNet, attempt, name_process, write

ATTACKS: list[Callable[[], None]] = []


def attack(function: Callable[[], None]) -> Callable[[], None]:
    """Add an attack to the list."""
    ATTACKS.append(function)
    return function


# --- the verdict -------------------------------------------------------------------------------


@attack
def rewrites_results():
    """Writes full marks into results.json, now and from a thread for as long as it lives."""
    import threading
    import time

    text = '{"score": 100, "tests": [{"number": "1.1a", "score": 2.5, "max_score": 2.5}]}'
    places = [WORLD["results"], "/autograder/results/results.json", "results.json"]

    def write_all():
        for _ in range(200):
            for place in places:
                attempt(write, place, text)
                attempt(os.replace, "results.json", place)
            time.sleep(0.02)

    threading.Thread(target=write_all, daemon=True).start()
    for place in places:
        attempt(write, place, text)


@attack
def patches_comparisons():
    """Replaces every comparison of NumPy, of math and of the builtins by one that agrees."""
    import builtins
    import math

    def agree(*arguments, **options):
        return True

    def say_nothing(*arguments, **options):
        return None

    for name in ("allclose", "isclose", "array_equal", "array_equiv", "all", "any", "isfinite"):
        setattr(np, name, agree)
    for name in dir(np.testing):
        if name.startswith("assert"):
            setattr(np.testing, name, say_nothing)
    math.isclose = agree
    builtins.abs = lambda value: 0.0
    builtins.max = lambda *values, **options: 0.0
    builtins.all = agree
    np.abs = np.max = lambda *values, **options: 0.0


@attack
def returns_arrays_that_equal_everything():
    """Answers with an ndarray subclass whose comparisons, ufuncs and functions always agree."""

    class Agreeable(np.ndarray):
        __hash__ = None

        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            return np.zeros(self.shape)

        def __array_function__(self, function, types, args, kwargs):
            return True

        def __sub__(self, other):
            return np.zeros(self.shape)

    NeuralNet.silu = NeuralNet.softmax = lambda self, u: np.zeros_like(u).view(Agreeable)


@attack
def returns_objects_that_run_when_unpickled():
    """Answers with an object that writes a file wherever it is unpickled, copied or compared."""

    class Trap:
        def __reduce__(self):
            return (exec, (f"open({WORLD['neighbour'] + '/unpickled'!r}, 'w').close()",))

        def __array__(self, *arguments, **options):
            return np.array([self], dtype=object)

        def __eq__(self, other):
            return True

        def __float__(self):
            return 1.0

    NeuralNet.silu = lambda self, u: Trap()
    NeuralNet.softmax = lambda self, u: np.array([[Trap()]], dtype=object)


@attack
def returns_what_never_ends():
    """Answers with lists that hold themselves, endless iterators and arrays of 2**40 entries."""

    class Endless(list):
        def __iter__(self):
            while True:
                yield 1.0

        def __len__(self):
            return 2**60

    def silu(self, u):
        itself = []
        itself.append(itself)
        return itself

    def softmax(self, u):
        return [np.broadcast_to(0.0, (2**20, 2**20)), Endless()]

    NeuralNet.silu, NeuralNet.softmax = silu, softmax


@attack
def forges_the_channel():
    """Writes forged frames and verdicts to every open descriptor but the terminal's."""
    import json
    import sys

    forged = [b'{"passed": true, "score": 2.5}\n']
    for module in list(sys.modules.values()):
        encode = getattr(module, "encode", None)
        if callable(encode) and hasattr(module, "MAGIC"):
            for answer in ({"ok": True}, {"score": 2.5}, {"value": 1.0}, {"done": True}):
                forged.append(attempt(encode, answer) or b"")
    forged.append(json.dumps({"tests": [{"number": "1.1a", "score": 2.5}]}).encode())
    for descriptor in range(1, 64):
        for frame in forged:
            attempt(os.write, descriptor, frame)


@attack
def answers_before_it_is_asked():
    """Takes the runner's own writer from its frames and sends answers for all calls to come."""
    import sys

    frame = sys._getframe()
    while frame is not None:
        for thing in [*frame.f_globals.values(), *frame.f_locals.values()]:
            for owner in (thing, getattr(thing, "post", None)):
                send = getattr(owner, "send", None)
                for step in range(60) if callable(send) else ():
                    attempt(send, begin=step)
                    for value in (0.5, True, np.full((1, 3), 1 / 3)):
                        attempt(send, id=step, value=value, error=None, warnings=[])
                if callable(send):
                    attempt(send, passed=True, score=100)
                    attempt(send, end=True)
        frame = frame.f_back


@attack
def walks_the_runners_memory():
    """Looks through frames and the collector for expected values and verdicts, and changes them."""
    import gc
    import sys

    wanted = ("expected", "answer", "reference", "score", "passed", "tolerance", "verdict")
    frame = sys._getframe()
    spaces = [module.__dict__ for module in list(sys.modules.values()) if module is not None]
    while frame is not None:
        spaces += [frame.f_globals, frame.f_locals]
        frame = frame.f_back
    found = [thing for thing in gc.get_objects() if isinstance(thing, dict)] + spaces
    for space in found[:200_000]:
        for key in list(space):
            if isinstance(key, str) and key.lower().strip("_") in wanted:
                if isinstance(space[key], np.ndarray):
                    NeuralNet.silu = NeuralNet.softmax = lambda self, u, a=space[key]: a
                elif isinstance(space[key], (bool, int, float)):
                    attempt(space.__setitem__, key, 100)


@attack
def replaces_the_runners_modules():
    """Puts its own modules where the runner imported NumPy, json, struct and os from."""
    import sys
    import types

    for name in ("json", "struct", "numpy.testing", "select", "signal", "resource"):
        stub = types.ModuleType(name)
        stub.__getattr__ = lambda attribute: lambda *arguments, **options: True
        sys.modules[name] = stub
    for module in list(sys.modules.values()):
        if "autograder" in (getattr(module, "__file__", "") or ""):
            for name in list(vars(module)):
                if callable(getattr(module, name)) and name.startswith(
                    ("check", "compare", "_limit")
                ):
                    setattr(module, name, lambda *arguments, **options: True)


# --- the secrets -------------------------------------------------------------------------------


@attack
def reads_the_tests():
    """Prints and raises whatever it can read of the grader, the tests and the neighbour."""
    import sys

    found = []
    for folder in (WORLD["root"], WORLD["root"] + "/autograder", WORLD["root"] + "/tests"):
        for base, _, files in os.walk(folder):
            for name in files:
                if name.endswith((".py", ".json")) and ".venv" not in base and len(found) < 400:
                    text = attempt(lambda path: open(path).read(3000), os.path.join(base, name))
                    found.append(text or "")
    for name in ("NN.py", "nn_losses.json", "secret.txt"):
        for folder in (WORLD["root"], WORLD["root"] + "/tests", WORLD["neighbour"]):
            found.append(attempt(lambda path: open(path).read(), os.path.join(folder, name)) or "")
    print("\n".join(found))
    print("\n".join(found), file=sys.stderr)
    raise ValueError("".join(found)[-3000:])


@attack
def imports_the_reference():
    """Hands in the reference solution, loaded from where the grader has it."""
    import importlib.util
    import sys

    global NeuralNet
    for folder in (WORLD["root"], "/autograder/source", *sys.path):
        for file in ("NN.py", "autograder/reference/NN.py"):
            try:
                spec = importlib.util.spec_from_file_location("borrowed", f"{folder}/{file}")
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                if module.NeuralNet is not NeuralNet:
                    NeuralNet = module.NeuralNet
            except BaseException:
                pass


@attack
def imports_the_grader():
    """Imports the grader's package, by name and by path, and asks it for its reference."""
    import importlib
    import sys

    global NeuralNet
    sys.path[:0] = [WORLD["root"], "/autograder/source"]
    for name in ("autograder.grading", "autograder.checks.nn", "autograder.reference", "NN"):
        sys.modules.pop(name, None)
        module = attempt(importlib.import_module, name)
        for holder in (module, getattr(module, "NN", None), getattr(module, "reference", None)):
            if hasattr(holder, "NeuralNet") and holder.__name__ != __name__:
                NeuralNet = holder.NeuralNet


@attack
def copies_the_neighbour():
    """Hands in the right solution of the next student's folder."""
    global NeuralNet
    try:
        space = {"__name__": "copied"}
        exec(open(WORLD["neighbour"] + "/NN.py").read(), space)
        NeuralNet = space["NeuralNet"]
    except BaseException:
        pass


@attack
def reads_the_parents_memory():
    """Reads environment, command line, descriptors and memory of its parent in /proc."""
    found = []
    for process in (os.getppid(), 1, "self"):
        for name in ("environ", "cmdline", "maps", "status"):
            text = attempt(lambda path: open(path, "rb").read(100_000), f"/proc/{process}/{name}")
            found.append((text or b"").decode("latin-1"))
        for descriptor in range(64):
            path = f"/proc/{process}/fd/{descriptor}"
            if process != "self":
                text = attempt(
                    lambda p: os.read(os.open(p, os.O_RDONLY | os.O_NONBLOCK), 4096), path
                )
                found.append((text or b"").decode("latin-1"))
        attempt(lambda path: open(path, "r+b", buffering=0).read(1), f"/proc/{process}/mem")
    print("".join(found))
    raise ValueError("".join(found)[:3000])


# --- other processes ---------------------------------------------------------------------------


@attack
def forks_without_end():
    """Forks up to fifty children that sleep for twenty seconds."""
    import time

    for _ in range(50):
        child = attempt(os.fork)
        if child == 0:
            name_process()
            time.sleep(20)
            os._exit(0)


@attack
def leaves_a_daemon():
    """Forks twice into a session of its own, to go on after the check has ended."""
    import time

    if attempt(os.fork) == 0:
        attempt(os.setsid)
        if attempt(os.fork) == 0:
            name_process()
            for descriptor in range(3, 64):
                attempt(os.close, descriptor)
            for _ in range(100):
                attempt(write, WORLD["neighbour"] + "/daemon", "still here")
                time.sleep(0.2)
        os._exit(0)


@attack
def starts_programs():
    """Starts programs by subprocess, os.system, posix_spawn and multiprocessing."""
    import multiprocessing
    import subprocess
    import sys
    import time

    command = [sys.executable, "-c", "import time; time.sleep(20)", WORLD["marker"]]
    attempt(subprocess.Popen, command)
    attempt(subprocess.Popen, command, start_new_session=True)
    attempt(os.posix_spawn, sys.executable, command, os.environ)
    attempt(os.system, f"sleep 20 # {WORLD['marker']} &")
    context = multiprocessing.get_context("fork")
    attempt(context.Process(target=time.sleep, args=(20,)).start)


@attack
def kills_the_parent():
    """Sends SIGKILL to its parent and to its parent's process group."""
    import signal

    attempt(os.kill, os.getppid(), signal.SIGSTOP)
    attempt(os.kill, os.getppid(), signal.SIGKILL)
    attempt(os.killpg, os.getpgid(os.getppid()), signal.SIGTERM)


@attack
def calls_the_kernel_by_ctypes():
    """Attaches to its parent, writes into its memory and forks, all by raw system calls."""
    import ctypes
    import time

    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    buffer = ctypes.create_string_buffer(b"\x00" * 16)
    iovec = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 16)
    libc.ptrace(16, parent, None, None)  # PTRACE_ATTACH
    libc.process_vm_writev(parent, iovec, 1, iovec, 1, 0)
    libc.kill(parent, 9)
    libc.syscall(200, parent, 9)  # tkill on x86-64
    for number in (57, 58):  # fork and vfork on x86-64
        if os.uname().machine == "x86_64" and number == 57 and libc.syscall(number) == 0:
            name_process()
            time.sleep(20)
            os._exit(0)
    libc.seteuid(0)
    libc.setuid(0)
    libc.prctl(1, 0, 0, 0, 0)  # no signal when the parent dies
    attempt(ctypes.string_at, 0)


# --- exhausting ---------------------------------------------------------------------------------


@attack
def sleeps():
    """Sleeps for a minute when called."""
    import time

    def silu(self, u):
        time.sleep(60)
        return np.zeros_like(u)

    NeuralNet.silu = silu


@attack
def loops_deaf_to_signals():
    """Ignores every signal it can and computes for a minute."""
    import signal
    import time

    for number in range(1, 65):
        attempt(signal.signal, number, signal.SIG_IGN)
    attempt(signal.pthread_sigmask, signal.SIG_BLOCK, range(1, 65))

    def silu(self, u):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass
        return np.zeros_like(u)

    NeuralNet.silu = silu


@attack
def stops_itself():
    """Sends SIGSTOP to itself, so that it neither answers nor ends."""
    import signal

    def silu(self, u):
        os.kill(os.getpid(), signal.SIGSTOP)
        return np.zeros_like(u)

    NeuralNet.silu = silu


@attack
def fills_the_memory():
    """Takes up to 1.5 GB, page by page, and keeps it."""
    import time

    kept = []

    def silu(self, u):
        for _ in range(140):
            kept.append(np.ones(10 << 17))  # 10 MB
        time.sleep(60)
        return np.zeros_like(u)

    NeuralNet.silu = silu


@attack
def fills_the_disk():
    """Writes up to 200 MB in files of 10 MB wherever it may."""
    import tempfile

    places = [".", os.path.expanduser("~"), tempfile.gettempdir(), "/dev/shm", "/var/tmp"]
    data = b"\xff" * (10 << 20)
    for number in range(20):
        place = places[number % len(places)]
        path = os.path.join(place, f"{WORLD['marker']}-{number}")
        attempt(lambda p: open(p, "wb").write(data), path)


@attack
def writes_one_huge_file():
    """Writes one file of 200 MB, and a sparse one of a terabyte."""

    def grow(path):
        with open(path, "wb") as file:
            for _ in range(200):
                file.write(b"\xff" * (1 << 20))

    attempt(grow, f"{WORLD['marker']}-huge")
    attempt(lambda: os.truncate(os.open("sparse", os.O_CREAT | os.O_RDWR), 1 << 40))


@attack
def prints_without_end():
    """Prints 200 MB to standard output and error."""
    import sys

    line = "x" * (1 << 20) + "\n"
    for _ in range(100):
        attempt(os.write, 1, line.encode())
        attempt(os.write, 2, line.encode())
    attempt(sys.stdout.write, line * 10)


@attack
def answers_with_hundreds_of_megabytes():
    """Answers with an array of 400 MB and a text of 100 MB."""
    NeuralNet.silu = lambda self, u: np.zeros(50_000_000)
    NeuralNet.softmax = lambda self, u: "x" * 100_000_000


@attack
def starts_threads_without_end():
    """Starts up to two thousand threads that sleep."""
    import threading
    import time

    for _ in range(2000):
        attempt(threading.Thread(target=time.sleep, args=(20,), daemon=True).start)


@attack
def recurses_in_c():
    """Overflows the stack in C code, where no RecursionError saves the interpreter."""
    import sys

    sys.setrecursionlimit(1 << 30)

    def silu(self, u):
        nested = []
        for _ in range(2_000_000):
            nested = [nested]
        return repr(nested)

    NeuralNet.silu = silu


@attack
def loosens_its_limits():
    """Raises every resource limit again, then takes memory and sleeps."""
    import resource
    import time

    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            limit = getattr(resource, name)
            attempt(resource.setrlimit, limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            attempt(resource.prlimit, os.getppid(), limit, (0, 0))
    kept = [attempt(np.ones, 10 << 17) for _ in range(150)]
    time.sleep(60 if kept else 0)


# --- leaving -----------------------------------------------------------------------------------


@attack
def exits_on_import():
    """Ends with success before anything is asked."""
    raise SystemExit(0)


@attack
def exits_hard_when_called():
    """Ends with success, without any clean-up, in the middle of a call."""
    NeuralNet.silu = lambda self, u: os._exit(0)


@attack
def crashes():
    """Ends with a segmentation fault when called."""
    import ctypes

    NeuralNet.silu = lambda self, u: ctypes.string_at(1)


@attack
def hooks_the_end():
    """Registers exit handlers that write results and then refuse to end."""
    import atexit
    import time

    def last():
        name_process()
        attempt(write, WORLD["results"], '{"score": 100, "tests": []}')
        attempt(write, WORLD["neighbour"] + "/atexit", "here")
        for descriptor in range(3, 64):
            attempt(os.write, descriptor, b'{"passed": true}')
        time.sleep(30)

    class Undead:
        def __del__(self):
            last()

    atexit.register(last)
    NeuralNet.undead = Undead()


@attack
def closes_all_descriptors():
    """Closes every descriptor and opens files of its own in their places."""
    for descriptor in range(256):
        attempt(os.close, descriptor)
    for _ in range(256):
        attempt(os.open, "mine", os.O_RDWR | os.O_CREAT)


@attack
def drips_an_answer():
    """Sends one byte of an answer a second for a minute."""
    import time

    def silu(self, u):
        for _ in range(60):
            for descriptor in range(3, 16):
                attempt(os.write, descriptor, b"H")
            time.sleep(1)
        return np.zeros_like(u)

    NeuralNet.silu = silu


# --- the network and the file system -----------------------------------------------------------


@attack
def opens_sockets():
    """Connects and sends to the arena's listener on 127.0.0.1, by TCP, UDP and raw calls."""
    import ctypes
    import socket
    import struct

    def send(kind):
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.settimeout(2)
            connection.connect(("127.0.0.1", WORLD["port"]))
            connection.send(b"graded by me")

    attempt(send, socket.SOCK_STREAM)
    attempt(send, socket.SOCK_DGRAM)
    attempt(socket.create_server, ("127.0.0.1", 0))
    libc = ctypes.CDLL(None)
    descriptor = libc.socket(2, 1, 0)
    address = struct.pack("=HH4s8x", 2, socket.htons(WORLD["port"]), bytes([127, 0, 0, 1]))
    libc.connect(descriptor, address, 16)
    libc.send(descriptor, b"graded by me", 12, 0)


@attack
def writes_to_the_next_student():
    """Overwrites, renames, links over and deletes the files of the next student."""
    neighbour = WORLD["neighbour"]
    for name in ("NN.py", "random_forest.py", "secret.txt"):
        path = os.path.join(neighbour, name)
        attempt(os.chmod, path, 0o666)
        attempt(write, path, "raise SystemExit\n")
        attempt(os.truncate, path, 0)
        attempt(os.rename, path, path + ".taken")
        attempt(os.unlink, path)
    attempt(os.symlink, "/etc/passwd", neighbour + "/link")
    attempt(os.mkdir, neighbour + "/folder")
    attempt(os.rmdir, neighbour)


@attack
def writes_everywhere():
    """Leaves a marked file in every usual place of the machine."""
    import sys
    import tempfile

    places = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/etc", "/", tempfile.gettempdir()]
    places += [os.path.expanduser("~"), WORLD["root"], WORLD["root"] + "/autograder", "..", "../.."]
    places += [os.path.dirname(np.__file__), sys.prefix, "/run/lock", "/var/lock"]
    for place in places:
        attempt(write, os.path.join(place, WORLD["marker"]), "here")
        attempt(os.symlink, "/etc/passwd", os.path.join(place, WORLD["marker"] + "-link"))


@attack
def makes_a_folder_that_cannot_be_removed():
    """Nests folders a thousand deep and takes all rights from them."""
    attempt(os.mkdir, "locked")
    attempt(write, "locked/file", "here")
    attempt(os.chmod, "locked/file", 0)
    attempt(os.chmod, "locked", 0)
    start = os.getcwd()
    for _ in range(1000):
        attempt(os.mkdir, "deep")
        attempt(os.chdir, "deep")
    attempt(os.chdir, start)
    attempt(os.chmod, "deep", 0)
    attempt(os.symlink, WORLD["neighbour"], "neighbour")  # a clean-up must not follow it
    attempt(os.link, WORLD["neighbour"] + "/secret.txt", "hard")
    attempt(os.mkfifo, "pipe")
    attempt(os.chmod, ".", 0)


# --- words -------------------------------------------------------------------------------------


@attack
def raises_what_cannot_be_written():
    """Raises errors whose text is not Unicode, endless, an error itself, or looks like markup."""

    class Unspeakable(Exception):
        def __str__(self):
            raise self

        __repr__ = __str__

    def silu(self, u):
        raise Unspeakable

    def softmax(self, u):
        raise ValueError("\ud800\x00\x1b]0;owned\x07<script>alert(1)</script>" + "x" * 10_000_000)

    NeuralNet.silu, NeuralNet.softmax = silu, softmax


@attack
def raises_a_class_of_a_strange_name():
    """Raises errors that are no Exception, have no module or a name of ten million characters."""

    class Strange(BaseException):
        pass

    Strange.__name__ = Strange.__qualname__ = "\ud800" + "y" * 10_000_000
    Strange.__module__ = None

    def silu(self, u):
        raise Strange("\ud800")

    def softmax(self, u):
        raise KeyboardInterrupt

    NeuralNet.silu, NeuralNet.softmax = silu, softmax


# --- what no check expects ---------------------------------------------------------------------


@attack
def answers_with_oddities():
    """Answers every call, and fills every attribute, with something no check expects."""
    import itertools
    import random

    odd = [None, True, "nan", float("nan"), float("inf"), -0.0, 1j, 10**400, 2**63, b"x", [], {}]
    odd += [
        (),
        set(),
        {1, "a"},
        [[1], [2, 3]],
        [None] * 6,
        {"theta1": None},
        {"loss": [1]},
        range(3),
    ]
    odd += [np.array([]), np.array(1.0), np.array("x"), np.array([None]), np.zeros((3, 0))]
    odd += [np.full((2, 2), np.nan), np.zeros((1,) * 9), np.array([1 + 2j]), np.float32(1)]
    odd += [np.datetime64("2024-01-01"), np.zeros(3, "U5"), np.zeros(2, [("a", "f8")])]
    odd += [
        iter(()),
        NotImplemented,
        Ellipsis,
        type,
        len,
        (None, None),
        ([], []),
        ("a", 1),
        [{}] * 4,
    ]
    odd += [np.ma.masked_all(3), np.zeros((2, 3), order="F")[::-1], {None: 1}, {(1, 2): [3]}]
    odd += [np.matrix([[1.0]]), [float("nan")] * 3, [1e308] * 4, np.arange(5)[:, None], "x" * 5000]
    random.Random(WORLD["marker"]).shuffle(odd)
    answers = itertools.cycle(odd)
    names = ["loss", "parameters", "cache", "change", "batch_y", "iteration", "weight_updates"]
    names += ["alphas", "decision_trees", "out_of_bag", "feature_indices", "n_estimators"]

    class Odd:
        def __init__(self, *arguments, **options):
            vars(self).update({name: next(answers) for name in names})

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *arguments, **options: next(answers)

        def __setattr__(self, name, value):
            object.__setattr__(self, name, random.choice([value, value, next(answers)]))

    globals().update(NeuralNet=Odd, RandomForest=Odd, _dropout=Odd)
