"""What a student's process may do, how its failures are told apart, and what is left of it."""

import os
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import autograder
from autograder import confine, sandbox
from autograder.plan import Plan
from autograder.sandbox import Limits, execute

# Short, so that what never ends ends soon; still ten times what an honest call needs.
SHORT = {"cpu": 2, "wall": 15}

linux = pytest.mark.skipif(sys.platform != "linux", reason="the measures are those of Linux")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")

RIGHT_LOSS = """
    def cross_entropy_loss(self, y, y_hat):
        return -np.sum(y * np.log(y_hat + 1e-15)) / len(y)
"""
SUBMISSION = """
import numpy as np
{top}
class NeuralNet:
    def __init__(self, y, use_dropout, use_momentum, lr=0.01, batch_size=64, momentum=0.5,
                 dropout_prob=0.3):
        pass
    def silu(self, u):
        {silu}
""" + RIGHT_LOSS.replace("{", "{{").replace("}", "}}")


def graded(folder, top="", silu="return u / (1 + np.exp(-u))", items=("1.1a", "1.1d"), **limits):
    """Grade a net whose loss is right and whose silu is given; return the tests by number."""
    (folder / "NN.py").write_text(SUBMISSION.format(top=top, silu=silu))
    content = autograder.grade(folder, "programming", items=items, **{**SHORT, **limits})
    return {test["number"]: test for test in content["tests"]}


@pytest.mark.parametrize(
    ("silu", "message"),
    [
        ("raise KeyError('theta')", "raised KeyError: 'theta'"),
        ("raise NotImplementedError", "not written yet"),
        ("return None", "got None"),
        ("import sys; sys.exit(0)", "called sys.exit(0)"),
        ("import os; os._exit(0)", "ended the process (exit status 0)"),
        ("import ctypes; ctypes.string_at(0)", "crashed the process (SIGSEGV)"),
        ("while True: pass", "used more than 2 s of processor time"),
        ("import time; time.sleep(1000)", "did not finish within 6 s"),
        ("return bytearray(1 << 34)", "needed more memory than"),
        ("print('x' * (1 << 26))", "printed more than 8 MB"),
        ("return self.missing", "has no attribute 'missing'"),
        ("import pandas_not_there", "No module named"),
    ],
)
def test_a_failure_costs_its_own_item_only_and_is_told_apart(tmp_path, silu, message):
    tests = graded(tmp_path, silu=silu, wall=6 if "sleep" in silu else 15)
    assert tests["1.1a"]["score"] == 0
    assert message in tests["1.1a"]["output"]
    assert tests["1.1d"]["status"] == "passed", tests["1.1d"]["output"]


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ("def broken(:", "NN.py has a syntax error"),
        ("import not_a_library", "NN.py imports not_a_library, which the grader does not have"),
        ("raise ValueError('at the top')", "import NN raised ValueError: at the top"),
        ("raise SystemExit(3)", "import NN called sys.exit(3)"),
        ("while True: pass", "used more than 2 s of processor time"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(tmp_path, top, message):
    tests = graded(tmp_path, top=top, items=("1.1a",))
    assert tests["1.1a"]["score"] == 0
    assert message in tests["1.1a"]["output"]


def test_an_import_that_never_ends_is_not_waited_for_again_and_again(tmp_path):
    items = ("1.1a", "1.1b", "1.1c", "1.1d")
    tests = graded(tmp_path, top="while True: pass", items=items)
    assert "not tried again" in tests["1.1c"]["output"]
    assert tests["1.1d"]["extra_data"]["seconds"] == 0


def test_a_missing_file_is_named(tmp_path):
    content = autograder.grade(tmp_path, "programming", items=["1.1a", "3.1a"])
    outputs = [test["output"] for test in content["tests"]]
    assert outputs == [
        "NN.py is missing from the submission.",
        "random_forest.py is missing from the submission.",
    ]


def test_a_traceback_shows_the_students_lines_and_nobody_elses(tmp_path):
    silu = "return np.linalg.inv(np.zeros((2, 2)))"
    output = graded(tmp_path, silu=silu)["1.1a"]["output"]
    assert f"NN.py, line 9, in silu: {silu}" in output
    assert "runner" not in output and str(tmp_path) not in output and "/" not in output


def test_what_a_submission_prints_is_shown_without_paths(tmp_path):
    silu = "import traceback; traceback.print_stack(); print('u / 2 is', 1); return None"
    output = graded(tmp_path, silu=silu)["1.1a"]["output"]
    assert "u / 2 is 1" in output and "line" in output
    assert "/autograder" not in output and "hw4-check" not in output


def test_when_the_time_of_a_submission_is_used_up_the_rest_says_so(tmp_path):
    content = autograder.grade(tmp_path, "programming", items=["1.1a"], budget=1)
    (tmp_path / "NN.py").write_text("import time; time.sleep(60)")
    content = autograder.grade(tmp_path, "programming", items=["1.1a"], budget=1)
    assert "time of the whole submission was used up" in content["tests"][0]["output"]


# --- from inside --------------------------------------------------------------------------------


def attempt(source, *, skip=(), arguments=(), limits=None, call="attempt"):
    """Call a function of a submission and return the run and what the call gave."""
    plan = Plan()
    step = plan.case("NN").call(f"NN.{call}", *arguments)
    run = execute(plan, {"NN.py": source.encode()}, limits or Limits(wall=30), skip)
    return run, run.values.get(step, run.errors.get(step, {}).get("type"))


READ = "def attempt(path):\n    return open(path).read(5)\n"
WRITE = "def attempt(path):\n    open(path, 'a').write('x')\n"


@linux
@pytest.mark.parametrize("skip", [(), ("user",)])
def test_the_reference_and_the_checks_cannot_be_read(skip):
    if sandbox.protection()[0]:
        pytest.skip("this machine offers no Landlock")
    for path in (sandbox.PROJECT / "NN.py", sandbox.HERE / "rubric.py", Path("/etc/passwd")):
        run, got = attempt(READ, arguments=(str(path),), skip=skip)
        assert got == ("FileNotFoundError" if covered(path, run) else "PermissionError")


def covered(path, run):
    """Tell whether a closed folder on the way to path was replaced, as for a Python inside it."""
    if run.isolation["user"] != "on":
        return False
    closed = confine._closed_ancestor(str(path))
    return closed is not None and closed in map(confine._closed_ancestor, sandbox.readable_paths())


@linux
@root
def test_of_a_closed_folder_only_what_is_needed_is_there(tmp_path, monkeypatch):
    for name in ("needed", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.txt").write_text(name)
    tmp_path.chmod(0o700)  # as root's home is, where a Python may be installed
    readable = [*sandbox.readable_paths(), str(tmp_path / "needed")]
    monkeypatch.setattr(sandbox, "readable_paths", lambda: readable)
    run, got = attempt(READ, arguments=(str(tmp_path / "needed" / "file.txt"),))
    if run.isolation["user"] != "on":
        pytest.skip(f"this machine does not let users change: {run.isolation['user']}")
    assert got == "neede"
    secret = tmp_path / "secret" / "file.txt"
    assert attempt(READ, arguments=(str(secret),))[1] == "FileNotFoundError"
    assert secret.read_text() == "secret"


@linux
@pytest.mark.parametrize("skip", [(), ("user",), ("landlock",)])
def test_nothing_outside_the_scratch_folder_can_be_written(skip, tmp_path):
    if {"user", "landlock"} <= {*skip, *sandbox.protection()[0]}:
        pytest.skip("neither another user nor Landlock here")
    target = tmp_path / "results.json"
    target.write_text("{}")
    assert attempt(WRITE, arguments=(str(target),), skip=skip)[1] == "PermissionError"
    assert target.read_text() == "{}"
    assert attempt(WRITE, arguments=("mine.txt",), skip=skip)[1] is None


@linux
def test_the_network_is_closed():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        source = "import socket\ndef attempt(port):\n"
        source += "    socket.create_connection(('127.0.0.1', port), timeout=2)\n"
        run, got = attempt(source, arguments=(listener.getsockname()[1],))
        assert run.isolation["seccomp"] == "on" and got == "PermissionError"


@linux
@pytest.mark.parametrize(
    "statement",
    [
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "subprocess.run(['true'])",
        "os.kill(os.getppid(), 0)",
        "os.killpg(os.getpgid(0), 0)",
        "os.setsid()",
        "os.setuid(0) if os.getuid() else os.fork()",
        "os.memfd_create('x')",
    ],
)
def test_other_processes_are_out_of_reach(statement):
    source = f"import os, subprocess\ndef attempt():\n    {statement}\n"
    assert attempt(source)[1] == "PermissionError"


@linux
def test_threads_and_signals_to_oneself_still_work():
    source = (
        "import os, signal, threading\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "def attempt():\n    os.kill(os.getpid(), 0)\n"
        "    return sum(ThreadPoolExecutor(4).map(abs, range(5)))\n"
    )
    assert attempt(source)[1] == 10


@root
def test_a_submission_runs_as_a_user_of_its_own():
    source = "import os\ndef attempt():\n    return os.getuid(), os.getgid(), os.getgroups()\n"
    first, second = attempt(source)[1], attempt(source)[1]
    assert first[0] != 0 and first[1] != 0 and first[2] == []
    assert first[0] != second[0]


def test_the_environment_of_the_grader_stays_outside(monkeypatch):
    monkeypatch.setenv("HW4_SECRET", "token")
    source = "import os\ndef attempt():\n    return sorted(os.environ)\n"
    assert "HW4_SECRET" not in attempt(source)[1]


@pytest.mark.parametrize("skip", [(), ("seccomp",), ("seccomp", "user")])
def test_nothing_outlives_its_check(skip):
    source = (
        "import os, sys, time\ndef attempt():\n"
        "    if os.fork():\n        time.sleep(1)\n        return 'parent'\n"
        "    os.setsid()\n    print(os.getpid(), flush=True)\n"
        "    if os.fork():\n        os._exit(0)\n"
        "    print(os.getpid(), flush=True)\n    time.sleep(300)\n"
    )
    run, got = attempt(source, skip=skip)
    if "seccomp" not in skip and run.isolation["seccomp"] == "on":
        assert got == "PermissionError"
        return
    daemons = [int(word) for word in run.printed.split()]
    assert got == "parent" and len(daemons) == 2
    assert not any(sandbox._is_alive(pid) for pid in daemons)


@linux
@root
def test_a_fork_bomb_is_bounded_and_removed_even_without_seccomp():
    source = (
        "import os, time\ndef attempt():\n    count = 0\n    while count < 200:\n"
        "        if os.fork() == 0:\n            time.sleep(100)\n        count += 1\n"
    )
    _, got = attempt(source, skip=("seccomp",), limits=Limits(wall=30, processes=20))
    assert got == "BlockingIOError"


def test_what_fills_the_disk_is_stopped():
    source = (
        "import time\ndef attempt():\n    for i in range(10**6):\n"
        "        with open(f'{i}.bin', 'wb') as file:\n            file.write(bytes(1 << 20))\n"
        "        time.sleep(0.01)\n"
    )
    run, _ = attempt(source)
    assert run.cause == "disk" and "to disk" in run.fatal


def test_a_file_beyond_its_limit_cannot_be_written():
    source = "def attempt():\n    with open('a', 'wb') as f:\n        f.write(bytes(1 << 26))\n"
    assert attempt(source)[1] == "OSError"


@pytest.mark.parametrize(
    "statement",
    [
        "os.write(int(sys.orig_argv[-1]), b'HW4 nonsense' * 10)",
        "os.close(int(sys.orig_argv[-1])); time.sleep(5)",
        "sys.modules['__main__'].Post(int(sys.orig_argv[-1]), sys.modules['channel'], '')"
        ".send(end=True); os._exit(0)",
        "p = sys.modules['__main__'].Post(int(sys.orig_argv[-1]), sys.modules['channel'], '');"
        "p.send(id=1, value=1, error=None, warnings=[]); p.send(id=1, value=1, error=None,"
        " warnings=[])",
    ],
)
def test_writing_to_the_channel_oneself_is_an_interference(statement):
    source = f"import os, sys, time\ndef attempt():\n    {statement}\n"
    run, _ = attempt(source)
    assert run.cause == "channel" and "channel to the grader" in run.fatal


def test_exit_hooks_and_threads_do_not_delay_the_end():
    source = (
        "import atexit, threading, time\natexit.register(time.sleep, 60)\n"
        "def attempt():\n    threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "    return 1\n"
    )
    start = time.monotonic()
    assert attempt(source, limits=Limits(wall=50))[1] == 1
    assert time.monotonic() - start < 45  # less than any of the sleeps; usually 0.2 s


@linux
def test_time_in_which_a_busy_machine_holds_a_process_is_not_the_students():
    """A process that is held, as by an overloaded machine, has five times as long."""
    source = "import time\ndef attempt():\n    print('ready', flush=True)\n    time.sleep(2)\n"
    run, _ = attempt(source, limits=Limits(wall=1))
    assert run.cause == "time"
    source = "import os, signal\ndef attempt():\n    os.kill(os.getpid(), signal.SIGSTOP)\n"
    start = time.monotonic()
    run, _ = attempt(source, limits=Limits(wall=1))
    assert run.cause == "time" and time.monotonic() - start > 4
    run, _ = attempt(source, limits=Limits(wall=30, hard=1))
    assert run.cause == "time" and "within 1 s" in run.fatal


def test_printing_cannot_reach_the_channel():
    source = "import sys\ndef attempt():\n    print('HW4\\1' * 100)\n    return 2\n"
    run, got = attempt(source)
    assert got == 2 and run.printed.startswith("HW4")


def test_a_scratch_folder_is_new_every_time_and_removed_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = (
        "import os\ndef attempt():\n    found = sorted(os.listdir())\n"
        "    os.makedirs('/'.join(['d' * 100] * 20))\n    os.chmod('d' * 100, 0)\n"
        "    return found\n"
    )
    for _ in range(2):
        assert attempt(source)[1] == ["NN.py"]
    assert list(tmp_path.iterdir()) == []


# --- the filter, for machines that are not at hand ---------------------------------------------


def verdict(program, machine, number, argument=0):
    """Follow a BPF program for one system call and return what it answers."""
    arch = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003}[machine]
    memory, value, place = {0: number, 4: arch, 16: argument}, 0, 0
    while True:
        code, yes, no, constant = program[place]
        place += 1
        if code == 0x20:
            value = memory[constant]
        elif code == 0x06:
            return constant
        else:
            true = {0x15: value == constant, 0x35: value >= constant, 0x45: value & constant}[code]
            place += yes if true else no


ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x0005000D  # EACCES


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_refuses_sockets_forks_and_foreign_signals_on_every_machine(machine):
    column = ["x86_64", "aarch64"].index(machine)
    program = confine.filter_program(machine, pid=77)
    assert len(program) < 4096  # the kernel's limit
    for name, numbers in confine._FORBIDDEN.items():
        if numbers[column] is not None:
            assert verdict(program, machine, numbers[column]) == REFUSE, name
    kill, clone = confine._OWN_PROCESS_ONLY["kill"], confine._THREADS_ONLY["clone"]
    assert verdict(program, machine, kill[column], 77) == ALLOW
    assert verdict(program, machine, kill[column], 1) == REFUSE
    assert verdict(program, machine, clone[column], 0x00010F00) == ALLOW  # a thread
    assert verdict(program, machine, clone[column], 17) == REFUSE  # a process
    read = {"x86_64": 0, "aarch64": 63}[machine]
    assert verdict(program, machine, read) == ALLOW
    assert verdict(program, "i386", 102) == KILL  # socketcall of a 32-bit program


def test_the_filter_refuses_the_x32_names_of_system_calls():
    program = confine.filter_program("x86_64", pid=77)
    assert verdict(program, "x86_64", 0x40000000 + 41) == REFUSE


def test_an_unknown_machine_is_reported_and_not_guessed():
    with pytest.raises(OSError, match="riscv64 are not known"):
        confine.filter_program("riscv64", pid=1)


def test_what_is_missing_is_said_in_the_results(tmp_path):
    content = autograder.grade(tmp_path, "programming", items=["1.1a"], skip=["seccomp", "user"])
    isolation = content["extra_data"]["isolation"]
    assert any("can use the network" in remark for remark in isolation)
    assert "seccomp: switched off" in isolation
    assert "submissions can use the network" in content["output"]


def test_the_grader_leaves_numpys_stream_alone(tmp_path):
    (tmp_path / "NN.py").write_bytes((sandbox.PROJECT / "NN.py").read_bytes())
    np.random.seed(3)
    autograder.grade(tmp_path, "programming", items=["1.1e", "1.1l"])
    after = np.random.random_sample()
    np.random.seed(3)
    assert after == np.random.random_sample()
