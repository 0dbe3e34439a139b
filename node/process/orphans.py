"""No process outlives the supervisor that started it, however the supervisor ended.

Three nets, each whole by itself against what the others miss:

* every child asks the kernel for SIGKILL at its parent's death (PR_SET_PDEATHSIG) and then looks
  whether the parent is still the one that started it: it may have died before the question;
* a guard, forked before the first child, holds the reading end of a pipe whose writing end only
  the supervisor has.  At its end it kills every process that carries the family's mark in its
  environment: children that have not come to their question yet, and grandchildren;
* the guard keeps the lock of the storage directory until they are gone, so that the next
  supervisor neither finds the port taken nor shares the spool with a ghost.

Linux only: prctl and /proc.
"""

import ctypes
import fcntl
import os
import signal
import time
from pathlib import Path

from node.core.errors import ConfigError

MARK = "M3NODE_FAMILY"
PARENT = "M3NODE_PARENT"
_PR_SET_PDEATHSIG = 1
_LOCK = "m3node.lock"
_LOCK_WAIT_S = 10.0


def lock_directory(directory: Path, *, wait_s: float = _LOCK_WAIT_S) -> int:
    """Hold the directory's lock and return its descriptor; our pid stands in the file.

    A lock whose holder has just died is waited for: its guard is still clearing up.
    Raises ConfigError, with the pid, if another node serves the directory.
    """
    fd = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            if _runs(holder) or time.monotonic() >= end:
                os.close(fd)
                raise ConfigError(
                    f"{directory} is served by process {holder or 'unknown'} already; "
                    "stop that one, or give this node another storage.directory"
                ) from None
            time.sleep(0.05)
        else:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            return fd


def holder_of(directory: Path) -> int | None:
    """The supervisor that serves the directory; None if none does."""
    try:
        fd = os.open(directory / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        return int(holder) if _runs(holder) else None
    finally:
        os.close(fd)
    return None


def _runs(pid: str) -> bool:
    return pid.isdecimal() and Path("/proc", pid).exists()


def environment(mark: str) -> dict[str, str]:
    """What a child is started with."""
    return {**os.environ, MARK: mark, PARENT: str(os.getpid())}


def die_with_parent() -> None:
    """In a child: from here on, the supervisor's end is ours.  Nothing without a supervisor."""
    parent = os.environ.get(PARENT)
    if parent is None:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGKILL)


def kill_marked(mark: str, *, within_s: float = 5.0) -> int:
    """Kill every process that carries the mark, until none is found; returns how many were."""
    needle = f"{MARK}={mark}".encode()
    killed: set[int] = set()
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        found = [pid for pid in _pids() if needle in _environment_of(pid)]
        if not found:
            break
        for pid in found:
            _kill(pid)
        killed.update(found)
        time.sleep(0.01)
    return len(killed)


class Guard:
    """The guard of one family, and a new one where somebody has ended it.

    keep : descriptors that the guard holds as long as it lives (the lock)
    """

    def __init__(self, mark: str, *, keep: tuple[int, ...]) -> None:
        self._mark, self._keep = mark, keep
        self.pid, self._lifeline = _start_guard(mark, keep=keep)

    def renewed(self) -> bool:
        """Whether it was gone, and another is in its place now."""
        if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            return False
        os.close(self._lifeline)
        self.pid, self._lifeline = _start_guard(self._mark, keep=self._keep)
        return True

    def end(self) -> None:
        """It has ended, and whoever still bore the mark."""
        os.close(self._lifeline)
        os.waitpid(self.pid, 0)


def _start_guard(mark: str, *, keep: tuple[int, ...]) -> tuple[int, int]:
    """Fork the guard; returns its pid and the pipe's writing end, which only the caller holds."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid != 0:
        os.close(reading)
        return pid, writing
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        _keep_only({reading, *keep})
        os.read(reading, 1)
        kill_marked(mark)
    finally:
        os._exit(0)


def _keep_only(kept: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue


def _pids() -> list[int]:
    own = os.getpid()
    return [int(n) for n in os.listdir("/proc") if n.isdecimal() and int(n) != own]


def _environment_of(pid: int) -> tuple[bytes, ...]:
    try:
        return tuple(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return ()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
