"""Files that survive a power cut, named by their content.

A file is written as .part, linked to `<aa>/<sha256>.dcm`, and file and directory are fsynced: only
then is it durable.  The same content is the same file.  No name comes from outside.

The link comes before the fsync, so that one commit of the file system's journal covers both; what
a power cut between them leaves is a file that no row knows.  A file of that name that is there
already may be one that a row knows: it is replaced only by one that is durable.
"""

import ctypes
import errno
import hashlib
import itertools
import math
import os
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO

from node.core.errors import OUT_OF_RESOURCES, Refused
from node.persistence.private import FILE, heir, make_folder, tighten

FOLDERS = [f"{number:02x}" for number in range(256)]
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""How a system says that a disk is full."""
_BEGIN_WRITEBACK = 2
"""SYNC_FILE_RANGE_WRITE."""
_WRITEBACK_BYTES = 8 << 20
"""Bytes of a large object that are sent to the disk while others come; for a slice it does not pay
(a sixth of the receiver's CPU time, and no image a second more)."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One durable file; `path` is relative to the spool."""

    path: str
    sha256: str
    size: int


class Spool:
    """A directory of content-addressed files; any number of processes and threads write to it."""

    def __init__(self, directory: Path) -> None:
        """Make the directory, and those in it, if they are missing; all are closed to others."""
        self.directory = directory
        self._parts = directory / "parts"
        for folder in (directory, self._parts, *(directory / name for name in FOLDERS)):
            make_folder(folder)
            tighten(folder)
        self._heir = heir(directory)
        fsync_directory(directory)
        self._count = itertools.count()
        self._syncs = _Syncs()

    def begin(self) -> "Part":
        """A file that grows; nothing of it stays if it is not kept.

        Raises Refused(0xA700) if the disk is full.
        """
        name = f"{os.getpid()}-{threading.get_ident()}-{next(self._count)}.part"
        return Part(self._parts / name, self.directory, self._syncs, heir=self._heir)

    def require(self, file: StoredFile) -> None:
        """The file is there.  Raises FileNotFoundError: it may have been removed just before it
        was said that it is needed again.
        """
        os.stat(self.locate(file.path))

    def scratch(self) -> IO[bytes]:
        """A file without a name, gone when it is closed and no longer mapped."""
        return tempfile.TemporaryFile(dir=self._parts)

    def write(self, chunks: Iterable[bytes | memoryview]) -> StoredFile:
        """The content is durable under its own digest.

        Raises Refused(0xA700) if the disk is full; nothing half-written stays.
        """
        with _FullIsRefused(), self.begin() as part:
            for chunk in chunks:
                part.write(chunk)
            return part.keep()

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
                continue  # its writer has just kept it
        return swept

    def remove(self, marked: Iterable[tuple[str, datetime]]) -> int:
        """The files are gone, durably, but for those written since they were marked; how many were.

        marked : path in the spool, and when it was marked
        """
        folders = set()
        removed = 0
        for path, since in marked:
            file = self.locate(path)
            with suppress(FileNotFoundError):
                folders.add(file.parent)
                if file.stat().st_mtime <= since.timestamp():
                    file.unlink()
                    removed += 1
        for folder in folders:
            if folder.is_dir():
                fsync_directory(folder)
        return removed

    def files_in(self, folder: str, *, older_than: datetime | None = None) -> list[str]:
        """Paths of the files in one of the `FOLDERS`; `older_than`: only those written before."""
        found = []
        with os.scandir(self.directory / folder) as entries:
            for entry in entries:
                if entry.name.endswith(".dcm") and (
                    older_than is None or _written(entry) < older_than.timestamp()
                ):
                    found.append(f"{folder}/{entry.name}")
        return sorted(found)

    def free_bytes(self) -> int:
        """What an unprivileged process may still write."""
        disk = os.statvfs(self.directory)
        return disk.f_bavail * disk.f_frsize


def _written(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf  # just removed


class Part:
    """One file of the spool while it is written; used by one thread, and as a context manager."""

    def __init__(
        self, path: Path, spool: Path, syncs: "_Syncs", *, heir: tuple[int, int] | None
    ) -> None:
        self._path = path
        self._spool = spool
        self._syncs = syncs
        self._digest = hashlib.sha256()
        self._kept = False
        self._under_way = 0
        self.size = 0
        with _FullIsRefused():
            self._fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE)
        if heir is not None:
            os.fchown(self._fd, *heir)

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def fileno(self) -> int:
        """For reading what has been written."""
        return self._fd

    def write(self, *chunks: bytes | bytearray | memoryview) -> None:
        """The chunks are at the end of the file, and will be on their way to the disk.

        Raises Refused(0xA700) if the disk is full.
        """
        for chunk in chunks:
            if chunk:
                self._digest.update(chunk)
        wanted = sum(map(len, chunks))
        try:
            written = os.writev(self._fd, chunks)
            if written < wanted:
                self._write_rest(b"".join(chunks)[written:])
        except OSError as error:
            if error.errno in FULL:
                raise _full() from error
            raise
        self.size += wanted
        if self.size - self._under_way >= _WRITEBACK_BYTES:
            _libc.sync_file_range(
                self._fd, self._under_way, self.size - self._under_way, _BEGIN_WRITEBACK
            )
            self._under_way = self.size

    def _write_rest(self, rest: bytes) -> None:
        """What a disk that is nearly full, or a signal, has left over."""
        view = memoryview(rest)
        while view:
            view = view[os.write(self._fd, view) :]

    def keep(self) -> StoredFile:
        """The content is durable under its own digest.  Raises Refused(0xA700) as `write` does."""
        name = self._digest.hexdigest()
        with _FullIsRefused():
            folder = self._spool / name[:2]
            target = folder / f"{name}.dcm"
            try:
                os.link(self._path, target)
            except FileExistsError:
                # Equal, or one that a power cut or the disk has damaged; a row may know it.
                os.fsync(self._fd)
                os.replace(self._path, target)
                fsync_directory(folder)
            else:
                os.unlink(self._path)
                self._syncs.sync(self._fd, folder)
            self._kept = True
        return StoredFile(path=f"{name[:2]}/{name}.dcm", sha256=name, size=self.size)

    def close(self) -> None:
        """Nothing of it stays if it was not kept."""
        os.close(self._fd)
        if not self._kept:
            self._path.unlink(missing_ok=True)


class _Syncs:
    """How a file and the directory that it has just got its name in are made durable.

    By one who syncs while nobody else does, both at one time: a disk flushes once for both, and a
    single sender waits for less.  Of several each does it alone: they overlap all the same, and
    handing over to another thread costs more than that saves.
    """

    def __init__(self) -> None:
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._nobody_else = threading.Lock()

    def sync(self, file: int, folder: Path) -> None:
        """Both are durable.  Raises OSError."""
        if not self._nobody_else.acquire(blocking=False):
            os.fsync(file)
            fsync_directory(folder)
            return
        try:
            synced = self._beside.submit(os.fsync, file)
            try:
                fsync_directory(folder)
            finally:
                synced.result()  # it uses the descriptor
        finally:
            self._nobody_else.release()


class _FullIsRefused:
    """A disk that is full is Refused(0xA700)."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError) and error.errno in FULL:
            raise _full() from error


def _full() -> Refused:
    return Refused(OUT_OF_RESOURCES, "no space left on the storage directory")


def fsync_directory(directory: Path) -> None:
    """Names in the directory are durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
