"""A backup becomes the storage again, and nothing of it happens by itself then.

What was under way when the backup was made may have been reported since: it is held for a person
(`node.persistence.holding`).  A restore that is broken off is done again: until it is whole, no
node serves from it.
"""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from node.core.errors import ConfigError
from node.keeping import identity, manifest
from node.keeping.backup import DATABASE, SPOOL, link_or_copy
from node.persistence.database import files_of_sqlite
from node.persistence.private import FILE, make_file, make_folder, tighten
from node.persistence.spool import FOLDERS, fsync_directory
from node.persistence.store import Store

UNFINISHED = "restore.unfinished"
_COPY = "restore.sqlite"


def require_finished(directory: Path) -> None:
    """Raises ConfigError if a restore into the directory was broken off."""
    if (directory / UNFINISHED).exists():
        raise ConfigError(
            f"a restore into {directory} was broken off; give the same `m3node restore` again"
        )


def require_empty(directory: Path) -> None:
    """Nothing is stored in the directory, or only a part of a backup.  Raises ConfigError."""
    if (directory / UNFINISHED).exists():
        return
    spool = directory / SPOOL
    if identity.identity_in(directory) is not None or any(spool.glob("??/*.dcm")):
        raise ConfigError(
            f"{directory} is not empty: move it away, or choose another storage.directory; nothing "
            "is overwritten"
        )


def restore(
    source: Path,
    directory: Path,
    open_database: Callable[[], Store],
    *,
    by: str,
    now: datetime,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[int, int]:
    """Storage and database are as in the backup; how many files, and how many studies are held.

    open_database : makes the database, which has to be empty
    told          : called with the number of files done, and of all

    Raises ConfigError if anything of the backup is missing or damaged, or the storage is not empty.
    """
    digests = manifest.read(source)
    known = identity.identity_in(source)
    if known is None:
        raise ConfigError(f"{source} holds no whole backup: it has no identity")
    require_empty(directory)
    make_folder(directory)
    tighten(directory)
    make_file(directory / UNFINISHED)
    fsync_directory(directory)
    database = digests.pop(DATABASE, "")
    _require_digest(source / DATABASE, database)
    for folder in FOLDERS:
        make_folder(directory / SPOOL / folder)
    for done, (path, digest) in enumerate(digests.items(), 1):
        _require_digest(source / path, digest)
        link_or_copy(source / path, directory / path)
        told(done, len(digests))
    for folder in FOLDERS:
        fsync_directory(directory / SPOOL / folder)
    made_at = datetime.fromtimestamp(os.stat(source / manifest.NAME).st_mtime, UTC)
    store = open_database()
    try:
        if store.is_empty() or not _is_of(directory, database):
            store.require_empty()
            _note_database(directory, database)
            # A copy of its own: one of an earlier version is upgraded before its rows are read.
            shutil.copyfile(source / DATABASE, directory / _COPY)
            (directory / _COPY).chmod(FILE)
            store.copy_from(directory / _COPY)
        held = store.hold_everything(
            because=f"restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC, and what happened "
            "since is not known here",
            by=by,
            now=now,
        )
    finally:
        store.close()
    identity.give(directory, known)
    for file in files_of_sqlite(directory / _COPY):
        file.unlink(missing_ok=True)
    (directory / UNFINISHED).unlink()
    fsync_directory(directory)
    return len(digests), held


def _is_of(directory: Path, digest: str) -> bool:
    """Whether the rows that are in the database are of this backup.

    The identity does not say so: the database that is in use has the same.
    """
    return (directory / UNFINISHED).read_text(encoding="ascii") == digest


def _note_database(directory: Path, digest: str) -> None:
    """Durable before there are rows, so that a restore that goes on knows whose they are."""
    with (directory / UNFINISHED).open("w", encoding="ascii") as file:
        file.write(digest)
        file.flush()
        os.fsync(file.fileno())


def _require_digest(path: Path, digest: str) -> None:
    try:
        found = manifest.digest_of(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing from the backup") from None
    if found != digest:
        raise ConfigError(
            f"{path} is damaged: its digest is {found}, expected {digest}; use another backup"
        )
