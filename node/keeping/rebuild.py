"""A database is made again from the stored objects, when it is lost and there is no backup.

Objects are found again as they were received, in the order in which they were written.  What this
node made is found too, and kept as what it is: results, which are neither sent nor judged.  No
study is judged by itself: what was reported, and to whom, stood in the database that is lost, and
a second report beside the first could differ.
"""

import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.errors import ConfigError, Refused
from node.core.inputs import StudyIdentity
from node.core.uids import is_own_series
from node.dicom.sop_classes import names_study
from node.keeping.manifest import digest_of
from node.persistence.rows import ReceivedInstance
from node.persistence.spool import FOLDERS, Spool, StoredFile
from node.persistence.store import Store

_AT_ONCE = 64


class Identified(Protocol):
    """Which object a file is."""

    @property
    def study_instance_uid(self) -> StudyInstanceUID:
        """Of the study."""
        ...

    @property
    def series_instance_uid(self) -> SeriesInstanceUID:
        """Of the series."""
        ...

    @property
    def sop_instance_uid(self) -> SOPInstanceUID:
        """Of the object."""
        ...

    @property
    def sop_class_uid(self) -> SOPClassUID:
        """Of its class."""
        ...

    @property
    def identity(self) -> StudyIdentity:
        """Whom the study is of."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came of it.

    objects : found again
    results : those of them that this node made
    held    : studies that nothing happens to by itself
    left    : files that are damaged or no objects, each with a sentence; no row knows them
    """

    objects: int
    results: int
    held: int
    left: tuple[tuple[str, str], ...]


def rebuild(
    store: Store,
    spool: Spool,
    identify: Callable[[memoryview], tuple[Identified, str]],
    *,
    by: str,
    now: datetime,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Rebuilt:
    """The database, which is new, knows every whole object of the spool; nothing is sent.

    One that was broken off goes on; it is whole once the database has an identity (`identity.own`).

    identify : which object a file is, and its transfer syntax; raises Refused
    told     : called with the number of files looked at, and of all

    Raises ConfigError if the database knows anything.
    """
    if store.storage_identity() is not None and store.newest_files(1):
        raise ConfigError(
            "the database knows stored objects: it is made again from the spool only if it is lost"
        )
    files = sorted(_files(spool))
    left: list[tuple[str, str]] = []
    batch: list[ReceivedInstance] = []
    objects = results = 0
    for done, (_, path) in enumerate(files, 1):
        try:
            found = _received(spool.locate(path), path, identify)
        except (Refused, OSError) as error:
            says = error.comment if isinstance(error, Refused) else error.strerror
            left.append((path, str(says)))
        else:
            objects += 1
            results += is_own_series(found.study_instance_uid, found.series_instance_uid)
            batch.append(found)
        if len(batch) >= _AT_ONCE:
            _record(store, batch)
        told(done, len(files))
    _record(store, batch)
    held = store.hold_everything(
        because="the database was made again from the stored objects, and what was reported of "
        "them is not known here",
        by=by,
        now=now,
    )
    return Rebuilt(objects=objects, results=results, held=held, left=tuple(left))


def _files(spool: Spool) -> Iterator[tuple[float, str]]:
    for folder in FOLDERS:
        for path in spool.files_in(folder):
            yield os.stat(spool.locate(path)).st_mtime, path


def _received(
    file: Path, path: str, identify: Callable[[memoryview], tuple[Identified, str]]
) -> ReceivedInstance:
    digest = digest_of(file)
    if digest != file.stem:
        raise OSError(None, "damaged: its bytes are not those of its name", str(file))
    with file.open("rb") as opened:
        status = os.fstat(opened.fileno())
        ids, syntax = identify(memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)))
    return ReceivedInstance(
        study_instance_uid=ids.study_instance_uid,
        series_instance_uid=ids.series_instance_uid,
        sop_instance_uid=ids.sop_instance_uid,
        sop_class_uid=ids.sop_class_uid,
        transfer_syntax_uid=syntax,
        identity=ids.identity,
        names_study=names_study(ids.sop_class_uid),
        file=StoredFile(path=path, sha256=digest, size=status.st_size),
        sender_id=None,
        at=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _record(store: Store, batch: list[ReceivedInstance]) -> None:
    if batch:
        store.record_instances(batch)
        batch.clear()
