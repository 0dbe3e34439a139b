"""Files that survive a power cut, named by their content.

A file is written as .part, fsynced, renamed to `<aa>/<sha256>.dcm` and its directory fsynced: only
then does `write` return.  The same content is the same file.  No name comes from outside.
"""

import errno
import hashlib
import itertools
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from node.core.errors import OUT_OF_RESOURCES, Refused

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One durable file; `path` is relative to the spool."""

    path: str
    sha256: str
    size: int


class Spool:
    """A directory of content-addressed files; any number of processes and threads write to it."""

    def __init__(self, directory: Path) -> None:
        """Make the directory if it is missing."""
        self.directory = directory
        self._parts = directory / "parts"
        self._parts.mkdir(parents=True, exist_ok=True)
        fsync_directory(directory)
        self._count = itertools.count()
        self._made: set[Path] = set()

    def write(self, chunks: Iterable[bytes | memoryview]) -> StoredFile:
        """The content is durable under its own digest.

        Raises Refused(0xA700) if the disk is full; nothing half-written stays.
        """
        part = self._parts / f"{os.getpid()}-{threading.get_ident()}-{next(self._count)}.part"
        digest = hashlib.sha256()
        size = 0
        try:
            with open(part, "wb", buffering=0) as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    _write_all(file, chunk)
                os.fsync(file.fileno())
            name = digest.hexdigest()
            folder = self.directory / name[:2]
            self._make(folder)
            # Replacing an equal file is harmless, and cures one that the disk has damaged.
            os.replace(part, folder / f"{name}.dcm")
            fsync_directory(folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            if error.errno in _FULL:
                raise Refused(OUT_OF_RESOURCES, "no space left on the storage directory") from error
            raise
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return StoredFile(path=f"{name[:2]}/{name}.dcm", sha256=name, size=size)

    def open(self, path: str) -> BinaryIO:
        """The stored file, for reading."""
        return open(self.locate(path), "rb")

    def locate(self, path: str) -> Path:
        """Where a stored file lies on disk."""
        return self.directory / path

    def sweep_parts(self, older_than: datetime) -> int:
        """Remove what writers that died left behind; the number of files removed.

        The sender of such a file saw no success and sends again.
        """
        swept = 0
        for part in self._parts.glob("*.part"):
            try:
                if part.stat().st_mtime < older_than.timestamp():
                    part.unlink()
                    swept += 1
            except FileNotFoundError:
                continue  # its writer has just renamed it
        return swept

    def free_bytes(self) -> int:
        """What an unprivileged process may still write."""
        disk = os.statvfs(self.directory)
        return disk.f_bavail * disk.f_frsize

    def _make(self, folder: Path) -> None:
        if folder not in self._made:
            folder.mkdir(exist_ok=True)
            fsync_directory(self.directory)
            self._made.add(folder)


def fsync_directory(directory: Path) -> None:
    """Names in the directory are durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(file: BinaryIO, chunk: bytes | memoryview) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]
