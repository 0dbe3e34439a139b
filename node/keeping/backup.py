"""A backup while the node runs: the database at one moment, and every file that it names.

Files are linked, or copied onto another disk; a file of the spool is never changed in place, so a
link is as good as a copy against all but the disk's own end.  They are linked before the database
is copied, so that none is missing that is freed meanwhile, and after it, so that none is missing
that came meanwhile.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from node.core.errors import ConfigError, DatabaseBehind
from node.keeping import identity, manifest
from node.persistence.database import files_of_sqlite
from node.persistence.private import FILE, make_file, make_folder, tighten
from node.persistence.spool import FOLDERS, FULL, Spool, fsync_directory
from node.persistence.store import Store, open_store
from node.persistence.upgrading import Change

DATABASE = "m3node.sqlite"
SPOOL = "spool"


def back_up(
    store: Store, spool: Spool, target: Path, *, told: Callable[[int], None] = lambda _files: None
) -> int:
    """The folder, which is empty or not there, holds a whole backup; how many files of the spool.

    told : called with the number of files done so far

    Raises ConfigError if the folder is not empty, its disk is full, or a file is missing that the
    database names.  One that was broken off leaves nothing, lest it fills a disk and reads as one.
    """
    if target.exists() and any(target.iterdir()):
        raise ConfigError(f"{target} is not empty; choose a folder that is not there yet")
    known = store.storage_identity()
    if known is None:
        raise ConfigError("the storage has no identity yet; start `m3node serve` once")
    try:
        return _written(store, spool, target, known=known, told=told)
    except BaseException as error:
        _empty(target)
        if isinstance(error, OSError) and error.errno in FULL:
            raise ConfigError(
                f"the disk of {target} is full, and nothing is saved: make room there, or name a "
                "folder on another disk"
            ) from error
        raise


def _empty(target: Path) -> None:
    """What was written is gone, as far as the disk lets it go."""
    if target.is_dir():
        for each in target.iterdir():
            if each.is_dir():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)


def _written(
    store: Store, spool: Spool, target: Path, *, known: str, told: Callable[[int], None]
) -> int:
    make_folder(target)
    tighten(target)
    for folder in FOLDERS:
        make_folder(target / SPOOL / folder)
        for path in spool.files_in(folder):
            _take(spool, path, target)
    store.copy_to(target / DATABASE)
    digests: dict[str, str] = {}
    missing = []
    with _rows_of(target / DATABASE) as copy:
        for file in copy.kept_files():
            if not (target / SPOOL / file.path).exists() and not _take(spool, file.path, target):
                missing.append(file.path)
            digests[f"{SPOOL}/{file.path}"] = file.sha256
            told(len(digests))
    if missing:
        raise ConfigError(
            f"{len(missing)} files are missing that the database names, {missing[0]} among them; "
            "m3node verify names all"
        )
    for folder in FOLDERS:
        for file_there in (target / SPOOL / folder).iterdir():
            if f"{SPOOL}/{folder}/{file_there.name}" not in digests:
                file_there.unlink()  # nothing names it at that moment
        fsync_directory(target / SPOOL / folder)
    identity.give(target, known)
    manifest.write(target, {DATABASE: manifest.digest_of(target / DATABASE), **digests})
    return len(digests)


@contextmanager
def _rows_of(copy: Path) -> Iterator[Store]:
    """The copy is read, and stays of the version that it is of: that one restores it too."""
    upgraded = copy.with_suffix(".upgraded")
    try:
        store = open_store(f"sqlite:///{copy}", change=Change.NONE)
    except DatabaseBehind:
        make_file(upgraded)
        shutil.copyfile(copy, upgraded)
        store = open_store(f"sqlite:///{upgraded}")
    try:
        yield store
    finally:
        store.close()
        for file in files_of_sqlite(upgraded):
            file.unlink(missing_ok=True)


def _take(spool: Spool, path: str, target: Path) -> bool:
    """The file is in the backup; False if it is gone."""
    into = target / SPOOL / path
    try:
        link_or_copy(spool.locate(path), into)
    except FileNotFoundError:
        return False
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """The same bytes are under both names; on one disk they are one file."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        part = target.with_suffix(".part")
        try:
            shutil.copyfile(source, part)
        except OSError as failed:
            if failed.errno in FULL:  # of both files it names the one that was read
                raise OSError(failed.errno, failed.strerror, str(target)) from failed
            raise
        part.chmod(FILE)
        with part.open("rb") as copied:
            os.fsync(copied.fileno())
        part.rename(target)
