"""A database and the storage directory whose files it names belong together, and no others.

Two nodes on one database with different directories would each find the other's files missing:
results are lost, and deliveries die.  So both carry the same identity, drawn once, and a node that
sees two different ones does not start.

The directory's stands in the file `identity`.  It is written beside that name first, then into the
database, then it gets the name: a crash between is finished by the next start.
"""

import os
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from node.core.errors import ConfigError
from node.persistence.private import FILE, heir, make_folder
from node.persistence.spool import fsync_directory

FILE_NAME = "identity"
_DRAWN = "identity.new"
_LOOKED_AT = 3


class KnowsStorage(Protocol):
    """What the store knows of its storage directory."""

    def storage_identity(self) -> str | None:
        """Of the directory that holds the files; None if none has been adopted yet."""
        ...

    def adopt_storage(self, identity: str, *, now: datetime) -> str:
        """The database has an identity: this one, unless somebody else was faster."""
        ...

    def newest_files(self, most: int) -> list[str]:
        """Paths in the spool of what came and was made last; empty if there is nothing."""
        ...


def identity_in(directory: Path) -> str | None:
    """The directory's identity; None if it has none.  Raises ConfigError if it is no such word."""
    return _read(directory / FILE_NAME)


def require_same(store: KnowsStorage, directory: Path) -> None:
    """Nothing says that database and directory are strangers.  Raises ConfigError."""
    _compare(store.storage_identity(), _settled(directory, store.storage_identity()), directory)


def adopt(store: KnowsStorage, directory: Path, *, now: datetime) -> None:
    """Database and directory carry the same identity, from now on if neither had one.

    Raises ConfigError if they are strangers: if only one has an identity, if they differ, or if
    neither has one, but the directory lacks what the database names, or the other way round.
    """
    known = store.storage_identity()
    here = _settled(directory, known)
    if known is None and here is None:
        _require_kinship(store, directory)
        drawn = _draw(directory)
        known = store.adopt_storage(drawn, now=now)
        here = _settled(directory, known)
    _compare(known, here, directory)


def own(store: KnowsStorage, directory: Path, *, now: datetime) -> None:
    """The database, which was made from the directory's files, has the directory's identity."""
    here = identity_in(directory)
    if here is None:
        adopt(store, directory, now=now)
    else:
        _compare(store.adopt_storage(here, now=now), here, directory)


def give(directory: Path, identity: str) -> None:
    """The directory has that identity, durably."""
    _write(directory / _DRAWN, identity)
    _name(directory)


def _compare(known: str | None, here: str | None, directory: Path) -> None:
    if known == here:
        return
    file = directory / FILE_NAME
    if known is None:
        raise ConfigError(
            f"{directory} is the storage of another database (identity {here}), and the one that "
            "database.url names has none yet; correct database.url or storage.directory. If the "
            "database was lost: m3node restore, or m3node rebuild. If these two do belong "
            f"together, remove {file} and start again"
        )
    if here is None:
        raise ConfigError(
            f"the database is of another storage directory (identity {known}), and {directory} has "
            "no identity: is storage.directory right, and its disk mounted? One database serves "
            "one storage directory. If these two do belong together, write that identity into "
            f"{file} and start again"
        )
    raise ConfigError(
        f"the database is of the storage with identity {known}, and {directory} has {here}: they "
        "do not belong together; correct database.url or storage.directory"
    )


def _require_kinship(store: KnowsStorage, directory: Path) -> None:
    """Of two without identities, as versions before have left them."""
    spool = directory / "spool"
    named = store.newest_files(_LOOKED_AT)
    if named and not any((spool / path).exists() for path in named):
        raise ConfigError(
            f"the database names files that are not in {spool}: is storage.directory right, and "
            "its disk mounted?"
        )
    if not named and next(_files_below(spool), None) is not None:
        raise ConfigError(
            f"{spool} holds files, and the database knows of none: is database.url right? If the "
            "database was lost: m3node restore, or m3node rebuild"
        )


def _files_below(spool: Path) -> Iterator[Path]:
    return spool.glob("??/*.dcm")


def _settled(directory: Path, known: str | None) -> str | None:
    """The directory's identity, once what a crash has left half done is finished."""
    here = identity_in(directory)
    if here is None and known is not None and _read(directory / _DRAWN) == known:
        _name(directory)
        return identity_in(directory)
    return here


def _draw(directory: Path) -> str:
    """An identity that nobody has; the same for all who start at once, and after a crash."""
    make_folder(directory)
    drawn = _read(directory / _DRAWN)
    if drawn is None:
        _write(directory / _DRAWN, str(uuid.uuid4()))
        drawn = _read(directory / _DRAWN)
    if drawn is None:  # named meanwhile by another process that starts
        drawn = identity_in(directory)
    if drawn is None:
        raise ConfigError(f"{directory / _DRAWN} vanished while it was read; start again")
    return drawn


def _write(path: Path, identity: str) -> None:
    """The file has that content, unless there is one."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, FILE)
    try:
        if (owner := heir(path.parent)) is not None:
            os.fchown(handle, *owner)
        os.write(handle, f"{identity}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
    fsync_directory(path.parent)


def _name(directory: Path) -> None:
    try:
        os.rename(directory / _DRAWN, directory / FILE_NAME)
    except FileNotFoundError:
        return  # another process that starts was faster
    fsync_directory(directory)


def _read(path: Path) -> str | None:
    try:
        said = path.read_text(encoding="ascii", errors="replace").strip()
        return str(uuid.UUID(said))
    except FileNotFoundError:
        return None
    except ValueError:
        raise ConfigError(
            f"{path} does not hold an identity such as 123e4567-e89b-12d3-a456-426614174000; "
            "put it back from a backup, or remove it if the database is new too"
        ) from None
