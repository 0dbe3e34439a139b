"""A process shows on disk that it goes on: a file of its own that changes every few seconds.

It is looked at by how it changes and never by its time, which a clock that is set would falsify;
and it needs no database, which may be what everybody else waits for.
"""

import os
import time
from contextlib import suppress
from pathlib import Path


def file(directory: Path, role: str) -> Path:
    """Where the process of that role shows it; its number stands there."""
    return directory / f"m3node.{role}.alive"


def show(directory: Path, role: str) -> None:
    """The file of this process has changed."""
    with suppress(OSError):  # a full disk is told otherwise
        path = file(directory, role)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as alive:
            alive.write(f"{os.getpid()}\n{time.monotonic_ns()}\n")


class Life:
    """Of one process, since somebody began to look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = self._shown()
        self._since_s: float | None = None

    def silent_s(self, now_s: float) -> float:
        """For how long nothing has changed; 0 before the first time: starting may take long."""
        shown = self._shown()
        if shown != self._last:
            self._last, self._since_s = shown, now_s
        return 0.0 if self._since_s is None else now_s - self._since_s

    def _shown(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            return b""
