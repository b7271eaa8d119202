"""A network that holds this machine alone: whatever reaches out of it is refused and counted.

The kernel does both, so that TensorFlow's, PyTorch's and any child's own code counts too. Linux
only, as root or where users may make namespaces. ``python tests/offline.py COPY`` executes the
notebook there into a copy, and prints how often it reached out, or null if it ran as usual.
"""

import ctypes
import json
import os
import re
import socket
import struct
import sys
from pathlib import Path

NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000  # of unshare(2)
NAME_SERVICES = ("/run/systemd/resolve/io.systemd.Resolve", "/var/run/nscd/socket")
SET_FLAGS, IS_UP = 0x8914, 1  # of netdevice(7)


def enter() -> bool:
    """Move this process and its children into such a network; tell if the system allows it.

    To be called before any thread is started, and so before NumPy is imported.
    """
    if sys.platform != "linux":
        return False
    child = os.fork()  # some systems give a network and forbid to use it: no way back from there
    if child == 0:
        status = 1
        try:
            _enter()
            status = 0
        finally:
            os._exit(status)
    is_allowed = os.waitpid(child, 0)[1] == 0
    if is_allowed:
        _enter()
    return is_allowed


def _enter() -> None:
    import fcntl

    own_users = 0 if os.geteuid() == 0 else NEW_USER
    if ctypes.CDLL(None).unshare(NEW_NETWORK | own_users) != 0:
        raise PermissionError("no network of its own")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", IS_UP))


def attempts() -> int:
    """Return how often something in this network has reached for another machine.

    Names are asked for at a server: beyond this machine there is no way to it, and on this
    machine, as far as this network has one, none listens. Where a service of this machine is
    asked through a file (``NAME_SERVICES``), looking up a name alone is not seen.
    """
    tables = [Path(f"/proc/self/net/{name}").read_text() for name in ("snmp", "snmp6")]
    counts = {}
    for head, values in re.findall(r"^(\w+:.*[a-zA-Z].*)\n(\w+: [-\d ]+)$", tables[0], re.M):
        kind, *names = head.split()
        counts |= {kind + n: int(v) for n, v in zip(names, values.split()[1:], strict=True)}
    counts |= {name: int(value) for name, value in re.findall(r"(\w+)\s+(\d+)", tables[1])}
    return sum(counts[n] for n in ("Ip:OutNoRoutes", "Udp:NoPorts", "Ip6OutNoRoutes"))


def main(copy: str) -> None:
    """Execute the notebook there, write it to a file, and print what it tried."""
    entered = enter()
    from utilities import run_notebook

    executed = run_notebook.execute(say=lambda line: None, working_directory=Path(copy).parent)
    run_notebook.save(executed, copy)
    print(json.dumps(attempts() if entered else None))


if __name__ == "__main__":
    main(sys.argv[1])
