"""What the student's process gives up before any student code runs.

Resource limits, another user, no new privileges, Landlock for the file system and seccomp for
the network, for other processes and for the kernel's corners. Each measure is tried by itself
and reports whether it holds, so that the grader can say what protected a result and what could
not. Only ctypes is used: nothing has to be installed, and everything works in an unprivileged
container whose kernel offers it.

References
----------
Linux kernel documentation: "Landlock: unprivileged access control" and "Seccomp BPF".
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2

MEASURES = ("limits", "user", "landlock", "seccomp")


def apply(settings: dict, skip: Iterable[str] = ()) -> dict[str, str]:
    """Confine this process for good.

    Parameters
    ----------
    settings : dict
        ``limits`` (name of an RLIMIT to value), ``uid`` (int or None), ``readable`` and
        ``writable`` (lists of absolute paths).
    skip : iterable of str
        Measures not to take, so that the others can be tested alone.

    Returns
    -------
    dict of str to str
        For every measure "on", or why it is not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    steps: dict[str, Callable[[], None]] = {
        "limits": lambda: _limit(settings["limits"]),
        "user": lambda: _change_user(
            libc, settings["uid"], settings["readable"] + settings["writable"]
        ),
        "landlock": lambda: _landlock(libc, settings["readable"], settings["writable"]),
        "seccomp": lambda: _seccomp(libc),
    }
    report = {}
    for name, step in steps.items():
        if name == "landlock":
            _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
            _prctl(
                libc, _PR_SET_PDEATHSIG, signal.SIGKILL
            )  # after the user changed: that clears it
        try:
            report[name] = "on" if name not in skip else "switched off"
            if name not in skip:
                step()
        except (OSError, ValueError, AttributeError) as error:
            report[name] = str(error)[:200] or type(error).__name__
    return report


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if sys.platform == "linux":
        libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def _limit(limits: dict[str, int]) -> None:
    """Lower the resource limits; a hard limit that is lower already stays."""
    for name, value in limits.items():
        which = getattr(resource, name, None)
        if which is None:
            continue
        soft, hard = value, value
        if name == "RLIMIT_CPU":
            hard = value + 2  # a signal that can be named first, then the one that cannot be caught
        present = resource.getrlimit(which)[1]
        if present != resource.RLIM_INFINITY:
            soft, hard = min(soft, present), min(hard, present)
        resource.setrlimit(which, (soft, hard))


def _change_user(libc: ctypes.CDLL, uid: int | None, needed: list[str]) -> None:
    """Become an unprivileged user who can still reach the paths that are needed."""
    if uid is None:
        raise OSError("submissions run as the grader's own user, who is not root")
    out_of_reach = [path for path in needed if _closed_ancestor(path)]
    if out_of_reach:
        _bridge(libc, out_of_reach)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _closed_ancestor(path: str) -> str | None:
    """Return the topmost folder on the way to path that others may not pass, if there is one."""
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts)):
        folder = "/" + "/".join(parts[:depth])
        if os.path.exists(path) and not os.stat(folder).st_mode & 0o001:
            return folder
    return None


_CLONE_NEWNS = 0x20000
_MS_NOSUID_NODEV, _MS_BIND_REC, _MS_PRIVATE_REC = 0x6, 0x5000, 0x44000


def _bridge(libc: ctypes.CDLL, paths: list[str]) -> None:
    """Make paths below closed folders reachable, for this process only.

    A Python installed in root's home is the usual case. In a mount namespace of its own, the
    closed folder is replaced by an empty one in which only the paths needed are mounted.
    """
    if libc.unshare(_CLONE_NEWNS):
        raise OSError(f"{paths[0]} cannot be reached by another user (no mount namespaces here)")
    _mount(libc, "none", "/", None, _MS_PRIVATE_REC)
    closed = {path: _closed_ancestor(path) for path in paths}
    descriptors = {path: os.open(path, os.O_PATH) for path in paths}
    for folder in sorted({folder for folder in closed.values() if folder}):
        _mount(libc, "tmpfs", folder, "tmpfs", _MS_NOSUID_NODEV, "size=1m,mode=755")
    for path, descriptor in descriptors.items():
        if not os.path.exists(path):  # else it lies below one that is mounted already
            os.makedirs(path, 0o755)
            _mount(libc, f"/proc/self/fd/{descriptor}", path, None, _MS_BIND_REC)
        os.close(descriptor)


def _mount(
    libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, options: str = ""
) -> None:
    arguments = [None if text is None else text.encode() for text in (source, target, kind)]
    if libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None):
        raise OSError(f"mount failed ({errno.errorcode.get(ctypes.get_errno())})")


# --- Landlock -------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_FILE_RIGHTS = (1 << 0) | _WRITE_FILE | _READ_FILE | _TRUNCATE | (1 << 15)
# by ABI version: 13 rights at first, then refer, truncate and (from 5) device control
_RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET_RIGHTS = 0b11  # bind and connect TCP, from ABI 4
_SCOPES = 0b11  # abstract sockets and signals to outside, from ABI 6


def _landlock(libc: ctypes.CDLL, readable: list[str], writable: list[str]) -> None:
    """Let this process read and write nothing but the given paths."""
    abi = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        raise OSError(f"Landlock is not offered here ({errno.errorcode.get(ctypes.get_errno())})")
    rights = _RIGHTS_OF_ABI[max(version for version in _RIGHTS_OF_ABI if version <= abi)]
    attributes = struct.pack("=Q", rights)
    if abi >= 4:
        attributes += struct.pack("=Q", _NET_RIGHTS)
    if abi >= 6:
        attributes += struct.pack("=Q", _SCOPES)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        raise OSError("Landlock refused the rule set")
    try:
        everything = rights & ~(1 << 0) & ~(1 << 15)  # no execution, no devices
        for path in readable:
            _allow(libc, ruleset, path, _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(libc, ruleset, path, everything)
        if libc.syscall(_RESTRICT_SELF, ruleset, 0):
            raise OSError("Landlock refused to restrict the process")
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Add one path, if it exists, to the rule set."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        if libc.syscall(_ADD_RULE, ruleset, 1, rule, 0):
            raise OSError(f"Landlock refused a rule ({errno.errorcode.get(ctypes.get_errno())})")
    finally:
        os.close(descriptor)


# --- seccomp --------------------------------------------------------------------------------

# Numbers on x86_64 and aarch64; None where a call does not exist.
_FORBIDDEN = {
    # the network
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "io_uring_setup": (425, 425),
    # other processes
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # the kernel's corners
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "personality": (135, 92),
}
_OWN_PROCESS_ONLY = {"kill": (62, 129), "tgkill": (234, 131)}
_OWN_PROCESS_OR_ZERO = {"prlimit64": (302, 261)}
_THREADS_ONLY = {"clone": (56, 220)}
_NOT_THERE = {"clone3": (435, 435)}  # its flags lie in memory; glibc falls back to clone

_AUDIT_ARCH = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD = 0x00010000


def filter_program(machine: str, pid: int) -> list[tuple[int, int, int, int]]:
    """Return the seccomp filter as BPF instructions (code, jump if true, if false, constant).

    Raises
    ------
    OSError
        If the machine is of a kind whose system calls are not in the table.
    """
    if machine not in _AUDIT_ARCH:
        raise OSError(f"seccomp: the system calls of {machine} are not known here")
    column, arch = _AUDIT_ARCH[machine]
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EACCES)
    allow = (_RETURN, 0, 0, _ALLOW)
    program = [
        (_LOAD, 0, 0, _ARCH),
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the x32 calls are the same ones under other numbers
        program += [(_JUMP_GREATER, 0, 1, 0x40000000), refuse]
    for number in (numbers[column] for numbers in _FORBIDDEN.values()):
        if number is not None:
            program += [(_JUMP_EQUAL, 0, 1, number), refuse]
    for numbers in _NOT_THERE.values():
        program += [
            (_JUMP_EQUAL, 0, 1, numbers[column]),
            (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        ]
    argument = (_LOAD, 0, 0, _FIRST_ARGUMENT)
    for numbers in _OWN_PROCESS_ONLY.values():
        check = [argument, (_JUMP_EQUAL, 0, 1, pid), allow, refuse]
        program += [(_JUMP_EQUAL, 0, len(check), numbers[column]), *check]
    for numbers in _OWN_PROCESS_OR_ZERO.values():
        check = [argument, (_JUMP_EQUAL, 1, 0, pid), (_JUMP_EQUAL, 0, 1, 0), allow, refuse]
        program += [(_JUMP_EQUAL, 0, len(check), numbers[column]), *check]
    for numbers in _THREADS_ONLY.values():
        check = [argument, (_JUMP_SET, 0, 1, _CLONE_THREAD), allow, refuse]
        program += [(_JUMP_EQUAL, 0, len(check), numbers[column]), *check]
    return [*program, allow]


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _seccomp(libc: ctypes.CDLL) -> None:
    """Refuse the network, new processes, and signals and access to other processes."""
    if sys.platform != "linux":
        raise OSError(f"seccomp is not offered by {sys.platform}")
    program = filter_program(platform.machine(), os.getpid())
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    description = _FilterProgram(len(program), code)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(description), 0, 0):
        name = errno.errorcode.get(ctypes.get_errno())
        raise OSError(f"seccomp: the kernel refused the filter ({name})")
