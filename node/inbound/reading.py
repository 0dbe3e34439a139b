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

from m3net.annotations.kinds import READABLE, UNSUPPORTED
from m3net.uids import StudyInstanceUID
from node.config import ReceiverConfig
from node.core.digest import NO_PATIENT
from node.core.errors import Refused
from node.core.inputs import InstanceFacts, Role
from node.core.uids import is_own_series
from node.dicom.described import described
from node.dicom.searchable import NOTHING_SAID, Described
from node.inbound.received import header_of_file, received_file
from node.logs import event
from node.persistence.rows import NotDescribed, ReadInstance, UnreadInstance
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

    def note_facts(
        self,
        read: Mapping[UnreadInstance, ReadInstance],
        *,
        out_of_reach: Collection[UnreadInstance],
    ) -> None:
        """What they say is known."""
        ...

    def not_described(
        self, *, most: int, apart_from: Collection[NotDescribed] = ()
    ) -> Sequence[NotDescribed]:
        """What versions before have stored and no search finds yet."""
        ...

    def note_described(
        self,
        read: Mapping[NotDescribed, tuple[Described, str]],
        *,
        out_of_reach: Collection[NotDescribed],
    ) -> None:
        """They are found."""
        ...


class Reading:
    """Reads what stored objects say; one at a time is enough, more do no harm."""

    def __init__(self, store: KeepsUnread, spool: Spool, *, config: ReceiverConfig) -> None:
        self._store = store
        self._spool = spool
        self._config = config
        self._survived: set[str] = set()
        self._all_described = False

    def read(self, study: StudyInstanceUID | None = None, *, within_s: float) -> int:
        """For so long objects are read, of one study or of all, the oldest first; how many were.

        If nothing is left of all, what versions before have stored is described for searches.

        Raises OSError, at the end, if a file does not answer; those behind it are read.
        """
        until, number = time.monotonic() + within_s, 0
        silent: dict[UnreadInstance, OSError] = {}
        while unread := self._store.unread(study, most=AT_ONCE, apart_from=_numbers(silent)):
            silent |= self._read(unread)
            number += len(unread)
            if time.monotonic() > until:
                break
        else:
            if study is None and not self._all_described:
                self._describe(until)
        if silent:
            raise next(iter(silent.values()))
        return number

    def _read(self, unread: Sequence[UnreadInstance]) -> dict[UnreadInstance, OSError]:
        """They are read, but for those whose files do not answer: which, and why."""
        read: dict[UnreadInstance, ReadInstance] = {}
        silent: dict[UnreadInstance, OSError] = {}
        try:
            for each in unread:
                try:
                    read[each] = self._read_one(each)
                except OSError as error:
                    silent[each] = error
        finally:
            rest = [each for each in unread if each not in read]
            # Should the database not take it now, that is no fault of the objects.
            survived = {each.path for each in read}
            self._survived |= survived
            self._store.note_facts(read, out_of_reach=rest)
            self._survived -= survived
        return silent

    def _read_one(self, unread: UnreadInstance) -> ReadInstance:
        if unread.tries >= MOST_TRIES and unread.path not in self._survived:
            return _damaged(unread, "content that cannot be read")
        encoded = _mapped(self._spool.locate(unread.path))
        try:
            received = received_file(encoded, config=self._config)
            says = described(received.header)
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
        facts = received.facts
        said = (
            facts.study_instance_uid,
            facts.series_instance_uid,
            facts.sop_instance_uid,
            facts.sop_class_uid,
        )
        if said != filed_under:
            return _damaged(unread, "identifiers that differ")
        return ReadInstance(facts=facts, says=says)

    def _describe(self, until: float) -> None:
        """What versions before have stored is found by searches, as far as time allows."""
        silent: list[NotDescribed] = []
        while found := self._store.not_described(most=AT_ONCE, apart_from=silent):
            read: dict[NotDescribed, tuple[Described, str]] = {}
            try:
                for each in found:
                    try:
                        read[each] = self._says(each)
                    except OSError:
                        silent.append(each)
            finally:
                rest = [each for each in found if each not in read]
                self._store.note_described(read, out_of_reach=rest)
            if time.monotonic() > until:
                return
        self._all_described = not silent

    def _says(self, stored: NotDescribed) -> tuple[Described, str]:
        if stored.tries >= MOST_TRIES:
            return NOTHING_SAID, ""
        encoded = _mapped(self._spool.locate(stored.path))
        try:
            header, syntax = header_of_file(
                encoded,
                assumed_character_set=self._config.assumed_character_set,
                max_bytes=self._config.max_object_mb << 20,
            )
            return described(header), syntax
        except Refused:
            return NOTHING_SAID, ""
        except Exception as error:
            # An outer loop: one object that nobody expected must not hold up the others.
            event("instance.not_described", level=logging.ERROR, error=error)
            return NOTHING_SAID, ""


def _numbers(instances: Collection[UnreadInstance]) -> list[int]:
    return [each.number for each in instances]


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


def _damaged(unread: UnreadInstance, what: str) -> ReadInstance:
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
    elif sop_class in READABLE or sop_class in UNSUPPORTED:
        role = Role.UNSUPPORTED_ANNOTATION
    else:
        role = Role.OTHER
    facts = InstanceFacts(
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
    return ReadInstance(facts=facts)
