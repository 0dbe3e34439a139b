"""What stored objects say, read once from their files, in a process that answers no sender.

An object is filed by its identifiers alone when it comes.  Its facts (`node.inbound.facts`) are
read here; until they are, its study is not judged.  One that cannot be read is kept, and known for
what it is: nothing that a sender may send keeps a study waiting for ever, not even an object that
kills whoever reads it.
"""

import errno
import logging
import mmap
import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pydicom.uid import UID

from m3net.annotations import READERS, UNSUPPORTED
from m3net.uids import StudyInstanceUID
from node.config import ReceiverConfig
from node.core.digest import NO_PATIENT
from node.core.errors import Refused
from node.core.inputs import InstanceFacts, Role
from node.core.uids import is_own_series
from node.inbound.received import received_file
from node.logs import event
from node.persistence.rows import UnreadInstance
from node.persistence.spool import Spool

AT_ONCE = 16
MOST_TRIES = 3
"""So often an object may kill whoever reads it, or be out of reach of the disk."""


class KeepsUnread(Protocol):
    """What reading asks of the store."""

    def unread(
        self,
        study: StudyInstanceUID | None = None,
        *,
        most: int,
        apart_from: Collection[int] = (),
    ) -> Sequence[UnreadInstance]:
        """Instances that are still to be read."""
        ...

    def note_facts(self, read: Mapping[int, InstanceFacts], *, out_of_reach: Sequence[int]) -> None:
        """What they say is known."""
        ...


class Reading:
    """Reads what stored objects say; one at a time is enough, more do no harm."""

    def __init__(self, store: KeepsUnread, spool: Spool, *, config: ReceiverConfig) -> None:
        self._store = store
        self._spool = spool
        self._config = config
        self._survived: set[int] = set()

    def read(self, study: StudyInstanceUID | None = None, *, within_s: float) -> int:
        """For so long objects are read, of one study or of all, the oldest first; how many were.

        Raises OSError, at the end, if a file does not answer; those behind it are read.
        """
        until, number = time.monotonic() + within_s, 0
        silent: dict[int, OSError] = {}
        while unread := self._store.unread(study, most=AT_ONCE, apart_from=silent):
            silent |= self._read(unread)
            number += len(unread)
            if time.monotonic() > until:
                break
        if silent:
            raise next(iter(silent.values()))
        return number

    def _read(self, unread: Sequence[UnreadInstance]) -> dict[int, OSError]:
        """They are read, but for those whose files do not answer: which, and why."""
        read: dict[int, InstanceFacts] = {}
        silent: dict[int, OSError] = {}
        try:
            for each in unread:
                try:
                    read[each.number] = self._facts(each)
                except OSError as error:
                    silent[each.number] = error
        finally:
            rest = [each.number for each in unread if each.number not in read]
            # Should the database not take it now, that is no fault of the objects.
            self._survived |= read.keys()
            self._store.note_facts(read, out_of_reach=rest)
            self._survived -= read.keys()
        return silent

    def _facts(self, unread: UnreadInstance) -> InstanceFacts:
        if unread.tries >= MOST_TRIES and unread.number not in self._survived:
            return _damaged(unread, "content that cannot be read")
        encoded = _mapped(self._spool.locate(unread.path))
        try:
            facts = received_file(encoded, config=self._config).facts
        except Refused:
            return _damaged(unread, "a damaged header")
        except Exception as error:
            # An outer loop: one object that nobody expected must not hold up its study for ever.
            event("instance.not_read", level=logging.ERROR, error=error)
            return _damaged(unread, "content that cannot be read")
        filed_under = (
            unread.study_instance_uid,
            unread.series_instance_uid,
            unread.sop_instance_uid,
            unread.sop_class_uid,
        )
        said = (
            facts.study_instance_uid,
            facts.series_instance_uid,
            facts.sop_instance_uid,
            facts.sop_class_uid,
        )
        return facts if said == filed_under else _damaged(unread, "identifiers that differ")


def _mapped(path: Path) -> memoryview:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        gone = f"{error.strerror}; send the study again"
        raise FileNotFoundError(error.errno, gone, error.filename) from error
    with file:
        if not os.fstat(file.fileno()).st_size:
            empty = "the stored file is empty; send the study again"
            raise OSError(errno.EIO, empty, str(path))
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _damaged(unread: UnreadInstance, what: str) -> InstanceFacts:
    """What is known of one that cannot be read: enough to report it, if it marks something."""
    event(
        "instance.unreadable",
        level=logging.WARNING,
        study=unread.study_instance_uid,
        sop_instance_uid=unread.sop_instance_uid,
        because=what,
    )
    sop_class = unread.sop_class_uid
    name = UID(sop_class).name.removesuffix(" Storage")
    if is_own_series(unread.study_instance_uid, unread.series_instance_uid):
        role = Role.OWN_RESULT
    elif sop_class in READERS or sop_class in UNSUPPORTED:
        role = Role.UNSUPPORTED_ANNOTATION
    else:
        role = Role.OTHER
    return InstanceFacts(
        study_instance_uid=unread.study_instance_uid,
        series_instance_uid=unread.series_instance_uid,
        sop_instance_uid=unread.sop_instance_uid,
        sop_class_uid=sop_class,
        transfer_syntax_uid=unread.transfer_syntax_uid,
        role=role,
        kind=f"{'object of an unknown kind' if name == sop_class else name} with {what}",
        patient_key=NO_PATIENT,
        identity_digest="",
        content_digest=Path(unread.path).stem,
    )
