"""Who holds a lease: a process, named so that a later one with its number is not mistaken for it.

The name is "host:pid:starttime".  The start time (field 22 of /proc/PID/stat, clock ticks since
boot) tells a process from its successor under the same number.  Hosts that share a database need
different host names.
"""

import os
import socket
from pathlib import Path

_GONE = frozenset("ZX")
"""States of proc(5) in which a process runs no more: a zombie waits for its parent only."""


def this_process() -> str:
    """The calling process as an owner."""
    return process_named(os.getpid())


def process_named(pid: int) -> str:
    """That process of this host as an owner."""
    return f"{socket.gethostname()}:{pid}:{_start_time(pid)}"


def is_dead_here(owner: str) -> bool:
    """Whether the owner was a process of this host and runs no more.

    False for owners on other hosts: only their lease's end tells.
    """
    _, pid, start = owner.rsplit(":", 2)
    return is_of_this_host(owner) and _start_time(int(pid)) != start


def is_of_this_host(owner: str) -> bool:
    """Whether the owner is or was a process of this host."""
    return owner.rsplit(":", 2)[0] == socket.gethostname()


def _start_time(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name, in brackets, may itself hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in _GONE else fields[19]
