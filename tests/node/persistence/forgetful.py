"""A disk that forgets at a power cut whatever was not synced, as far as it may.

It stands between the spool and `os`.  Everything really happens; beside it is noted what of it is
on the platter: a file's bytes at its last fsync, a directory's names at its own.  Names that are
not synced may be there after a power cut or not: both are looked at.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from node.persistence import spool

STEPS = frozenset({"open", "writev", "link", "unlink", "replace", "fsync"})


class PowerCut(BaseException):
    """Nothing runs after it."""


class ForgetfulDisk:
    """`os` for the spool; the power goes before step number `cut` (from 1), or never."""

    def __init__(self, cut: int = 0) -> None:
        self.cut, self.steps = cut, 0
        self.content: dict[int, bytes] = {}  # by inode, at its last fsync
        self.names: dict[str, int] = {}
        self.pending: list[tuple[str, int | None]] = []
        self._opened: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in STEPS:
            return real

        def step(*arguments: Any, **named: Any) -> Any:
            self.steps += 1
            if self.cut and self.steps >= self.cut:
                raise PowerCut
            result = real(*arguments, **named)
            getattr(self, f"_{name}", lambda *_: None)(result, *arguments)
            return result

        return step

    def _open(self, fd: int, path: Path, *_: Any) -> None:
        self._opened[fd] = str(path)
        if Path(path).is_file():
            self.pending.append((str(path), os.fstat(fd).st_ino))

    def _link(self, _: None, source: Path, target: Path) -> None:
        self.pending.append((str(target), os.stat(source).st_ino))

    def _replace(self, _: None, source: Path, target: Path) -> None:
        self.pending += [(str(target), os.stat(target).st_ino), (str(source), None)]

    def _unlink(self, _: None, path: Path) -> None:
        self.pending.append((str(path), None))

    def _fsync(self, _: None, fd: int) -> None:
        path = Path(self._opened[fd])
        if not path.is_dir():
            self.content[os.fstat(fd).st_ino] = _bytes_of(fd)
            return
        here = [each for each in self.pending if Path(each[0]).parent == path]
        self.pending = [each for each in self.pending if each not in here]
        _apply(self.names, here)

    def left(self) -> Iterator[dict[str, bytes]]:
        """Files after the power cut: with the names that were not synced, and without them."""
        for pending in ([], self.pending):
            names = dict(self.names)
            _apply(names, pending)
            yield {name: self.content.get(inode, b"") for name, inode in names.items()}


def _bytes_of(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _apply(names: dict[str, int], changes: list[tuple[str, int | None]]) -> None:
    for name, inode in changes:
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


@contextmanager
def disk(monkeypatch: pytest.MonkeyPatch, *, cut: int = 0) -> Iterator[ForgetfulDisk]:
    """The spool writes to a forgetful disk."""
    made = ForgetfulDisk(cut)
    with monkeypatch.context() as patched:
        patched.setattr(spool, "os", made)
        yield made


def whole(files: Mapping[str, bytes], path: Path) -> bytes | None:
    """What a file holds after the power cut; None if it is gone."""
    return files.get(str(path))
