"""The way of an object from a sender's bytes to the disk; everything that comes in comes this way.

The order is the promise: the file is durable, then its row is committed, and only then does
`keep` return and the sender read 0x0000.  A power cut before that leaves at most a file that no
row knows; the sender saw no success and sends again.

Bytes go to the disk as they come, so an object of any size passes through the same memory, and no
more is read of it here than which object it is.  The Data Set is stored as it came, behind a File
Meta header of our own: so the same object is the same file, whoever's software wrote its header.
What it says is read afterwards, from the stored file (`node.inbound.reading`).
"""

import logging
import mmap
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydicom.uid import DeflatedExplicitVRLittleEndian

from m3net.attributes import PARSER_ERRORS
from node.config import ReceiverConfig
from node.core.errors import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    SOP_CLASS_MISMATCH,
    DatabaseLost,
    NotNow,
    Refused,
    TooLarge,
)
from node.dicom.header_text import is_uid
from node.dicom.sop_classes import names_study
from node.inbound.encoded import (
    PREAMBLE,
    Parts,
    file_head,
    looks_like_dicom,
    parsed,
    readable,
    take_apart,
)
from node.inbound.identifiers import Identifiers, amiss, identifiers_of, leading_identifiers
from node.logs import event
from node.persistence.group_commit import GroupCommit
from node.persistence.rows import Arrival, ReceivedInstance
from node.persistence.spool import Part, Spool

_DEFAULT = ReceiverConfig()
_SMALL = 8 << 10
_GATHERED = 64 << 10
"""Shorter fragments are gathered to so many bytes before they are written."""
LEADING = 16 << 10
"""Bytes in which the identifiers of nearly every object stand."""
_MOST_FILE_META = 1 << 20
_CHUNK = 1 << 20
_AT_ONCE = 16 << 20
"""Of a file that somebody else may change, so much is held in memory."""
_LOOK_AT_SPACE_EVERY = 64 << 20


class KeepsInstances(Protocol):
    """What intake asks of the store."""

    def record_instances(self, received: Sequence[ReceivedInstance]) -> list[Arrival]:
        """The rows of the instances are committed, all of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeFile:
    """A file that is here whole.

    data  : its Data Set
    amiss : a sentence for each thing that is wrong with its header
    """

    ids: Identifiers
    syntax: str
    data: memoryview
    amiss: tuple[str, ...]


class Intake:
    """The seam between a sender and the disk; any number of threads may share one."""

    def __init__(
        self,
        *,
        spool: Spool,
        store: KeepsInstances,
        min_free_bytes: int,
        clock: Callable[[], datetime],
        config: ReceiverConfig = _DEFAULT,
    ) -> None:
        self._spool = spool
        self._rows = GroupCommit(store.record_instances)
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._max_object_bytes = config.max_object_mb << 20
        self._assumed_character_set = config.assumed_character_set

    def begin(
        self, *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> "Incoming":
        """An object that is announced; its bytes follow."""
        return Incoming(
            self,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
        )

    def begin_known(self, ids: Identifiers, syntax: str) -> "Incoming":
        """An object of which it has been read already which one it is; its Data Set follows."""
        return Incoming(
            self,
            sop_class_uid=ids.sop_class_uid,
            sop_instance_uid=ids.sop_instance_uid,
            transfer_syntax_uid=syntax,
            ids=ids,
        )

    def accept(
        self,
        encoded: bytes | memoryview,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sender_id: int | None,
    ) -> Arrival:
        """The object, which is here whole, is kept: `begin`, `write` and `keep`."""
        with self.begin(
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
        ) as incoming:
            view = memoryview(encoded)
            for at in range(0, len(view), _CHUNK):
                incoming.write(view[at : at + _CHUNK])
            return incoming.keep(sender_id)

    def accept_file(
        self,
        path: Path,
        *,
        sender_id: int | None,
        remark: Callable[[str], None] | None = None,
    ) -> Arrival:
        """As if the file had been received; what its header lacks is taken from the Data Set.

        remark : told of what was amiss with the header

        Raises Refused as `Incoming.keep` does.
        """
        file = self.taken_apart(self._copied(path))
        for words in file.amiss:
            event("store.header_amiss", says=words, sop_instance_uid=file.ids.sop_instance_uid)
            if remark is not None:
                remark(words)
        return self.accept(
            file.data,
            sop_class_uid=file.ids.sop_class_uid,
            sop_instance_uid=file.ids.sop_instance_uid,
            transfer_syntax_uid=file.syntax,
            sender_id=sender_id,
        )

    def _copied(self, path: Path) -> memoryview:
        """The file's bytes as they are now: a small file's in memory, a large one's on our disk.

        It is not mapped where it lies: should somebody cut it short meanwhile, or a network share
        go away, whoever touched the map would be killed (SIGBUS).
        """
        with path.open("rb") as file:
            small = file.read(_AT_ONCE)
            if not looks_like_dicom(small, os.fstat(file.fileno()).st_size):
                raise Refused(CANNOT_UNDERSTAND, "not a DICOM file")
            if len(small) < _AT_ONCE:
                return memoryview(small)
            with self._spool.scratch() as copy:
                size, chunk = 0, small
                while chunk:
                    size += len(chunk)
                    self.require_size(size - _MOST_FILE_META)
                    self.require_space()
                    copy.write(chunk)
                    chunk = file.read(_AT_ONCE)
                copy.flush()
                return memoryview(mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ))

    def taken_apart(self, encoded: memoryview, *, otherwise: str = "") -> "WholeFile":
        """What a whole file is; what its header lacks is taken from the Data Set.

        otherwise : the transfer syntax, if the header names none; empty: it is guessed

        Raises Refused(0xC000) as `identify` does, or if it is no DICOM.
        """
        if not looks_like_dicom(encoded, len(encoded)):
            raise Refused(CANNOT_UNDERSTAND, "not a DICOM file")
        parts = take_apart(encoded)
        syntax = parts.transfer_syntax_uid or otherwise or parts.guessed_syntax()
        ids = self.identify(parts.data, syntax)
        return WholeFile(ids=ids, syntax=syntax, data=parts.data, amiss=amiss(parts, ids))

    def identify(self, data: memoryview, syntax: str) -> Identifiers:
        """Which object the Data Set is.

        Raises Refused(0xC000) if it cannot be read as far as that, if it lacks an identifier, or
        if it inflates to more than the largest object.
        """
        head = readable(data, syntax=syntax, whole=False, max_bytes=self._max_object_bytes)
        try:
            return identifiers_of(parsed(head.data, head.syntax), self._assumed_character_set)
        except PARSER_ERRORS as error:
            raise Refused(
                CANNOT_UNDERSTAND, f"the data set cannot be read ({type(error).__name__})"
            ) from error

    def identify_leading(self, leading: memoryview, syntax: str) -> Identifiers | None:
        """The same of the first bytes of a Data Set that is not deflated; None if they are few."""
        return leading_identifiers(
            leading, syntax=syntax, assumed_character_set=self._assumed_character_set
        )

    def begin_part(self) -> Part:
        """A file of the spool, while there is space.  Raises Refused(0xA700)."""
        self.require_space()
        return self._spool.begin()

    def require_space(self) -> None:
        """Raises Refused(0xA700) if less than is to stay free is left."""
        if self._spool.free_bytes() < self._min_free_bytes:
            raise Refused(OUT_OF_RESOURCES, "less than min_free_gb is left on the disk")

    def require_size(self, size: int) -> None:
        """Raises Refused(0xC000) if an object is larger than is taken."""
        if size > self._max_object_bytes:
            raise TooLarge("the object is larger than receiver.max_object_mb")

    def record(
        self, part: Part, ids: Identifiers, *, syntax: str, sender_id: int | None
    ) -> Arrival:
        """File and row survive a power cut.  Raises Refused(0xA700) if the database is lost."""

        def received() -> ReceivedInstance:
            at = self._clock()
            file = part.keep()
            return ReceivedInstance(
                study_instance_uid=ids.study_instance_uid,
                series_instance_uid=ids.series_instance_uid,
                sop_instance_uid=ids.sop_instance_uid,
                sop_class_uid=ids.sop_class_uid,
                transfer_syntax_uid=syntax,
                identity=ids.identity,
                names_study=names_study(ids.sop_class_uid),
                file=file,
                require=lambda: self._spool.require(file),
                sender_id=sender_id,
                at=at,
            )

        try:
            return self._rows.submit(received)
        except DatabaseLost as lost:
            raise NotNow(lost) from lost


class Incoming:
    """One object while it comes; used by one thread, and as a context manager.

    `write` takes its bytes as they come, with or without preamble and File Meta; elements of group
    0002 at the head of a Data Set are no part of it and are left out.  What is wrong with it is
    said by `keep`: so a sender is answered after the last byte, in its turn.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        ids: Identifiers | None = None,
    ) -> None:
        self._intake = intake
        self._class, self._instance = sop_class_uid, sop_instance_uid
        self._syntax = transfer_syntax_uid
        self._head_bytes = 0
        self._front = bytearray()
        self._look_at_front_at = PREAMBLE
        self._small = bytearray()
        self._begun = False
        self._ids = ids
        self._look_at_space_at = _LOOK_AT_SPACE_EVERY
        self._part: Part | Exception  # an object that is lost is why it is
        try:
            if not (is_uid(sop_class_uid) and is_uid(sop_instance_uid)):
                raise Refused(
                    CANNOT_UNDERSTAND, "the command's SOP Class or Instance UID is no UID"
                )
            self._part = intake.begin_part()
        except (Refused, OSError) as failure:
            self._part = failure

    def __enter__(self) -> "Incoming":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def write(self, data: memoryview) -> None:
        """The bytes are written, or the object is lost already and they are dropped."""
        part = self._part
        if isinstance(part, Exception):
            return
        try:
            if self._begun:
                self._write(part, data)
            else:
                self._write_first(part, data)
        except (Refused, OSError) as failure:
            self._lose(failure)

    def keep(self, sender_id: int | None) -> Arrival:
        """The object is here for good: file and row survive a power cut.

        Raises Refused: 0xA700 too little space, 0xA900 another object than the command says,
        0xC000 cannot be indexed, or too large; or whatever disk and database raise.
        """
        part = self._part
        if isinstance(part, Exception):
            raise part
        if not self._begun:
            self._begin(part, take_apart(bytes(self._front)))  # nothing more comes
        self._flush(part)
        ids = self._identified(part)
        if ids.sop_instance_uid != self._instance or ids.sop_class_uid != self._class:
            raise Refused(
                SOP_CLASS_MISMATCH, "data set and command differ in SOP Class or Instance"
            )
        return self._intake.record(part, ids, syntax=self._syntax, sender_id=sender_id)

    def close(self) -> None:
        """Nothing of it stays if it was not kept."""
        self._lose(ValueError("the object is closed"))

    def _lose(self, failure: Exception) -> None:
        """Nothing more of it is taken; `keep` will say why."""
        part, self._part = self._part, failure
        if isinstance(part, Part):
            part.close()

    def _write_first(self, part: Part, data: memoryview) -> None:
        """Gathered until it can be told where the Data Set begins.

        What is gathered is taken apart again only when there is twice as much of it, so that many
        small fragments of a long File Meta cost no more than a few long ones.
        """
        if self._front or len(data) < PREAMBLE:
            self._front += data
            if len(self._front) < self._look_at_front_at:
                return
            data = memoryview(bytes(self._front))
        parts = take_apart(data)
        if not parts.is_torn:
            self._begin(part, parts)
            return
        if len(data) > _MOST_FILE_META:
            raise Refused(CANNOT_UNDERSTAND, "its File Meta Information has no end")
        self._look_at_front_at = 2 * len(data)
        self._front[:] = data

    def _begin(self, part: Part, parts: Parts) -> None:
        if parts.meta and not parts.is_file:
            event(
                "store.file_meta_left_out",
                level=logging.WARNING,
                sop_instance_uid=self._instance,
                elements=len(parts.meta),
            )
        self._begun = True
        self._front = bytearray()
        if self._ids is None and self._syntax != DeflatedExplicitVRLittleEndian:
            # Now, while the sender is at work; nearly always they are among the first bytes.
            self._ids = self._intake.identify_leading(parts.data[:LEADING], self._syntax)
        head = file_head(self._class, self._instance, self._syntax)
        self._head_bytes = len(head)
        self._small += head
        self._write(part, parts.data)

    def _write(self, part: Part, data: memoryview) -> None:
        size = part.size + len(self._small) + len(data) - self._head_bytes
        self._intake.require_size(size)
        if size > self._look_at_space_at:
            self._look_at_space_at = size + _LOOK_AT_SPACE_EVERY
            self._intake.require_space()
        if len(data) < _SMALL:
            self._small += data
            if len(self._small) >= _GATHERED:
                self._flush(part)
        else:
            self._flush(part, data)

    def _flush(self, part: Part, *more: memoryview) -> None:
        part.write(self._small, *more)
        self._small = bytearray()

    def _identified(self, part: Part) -> Identifiers:
        if self._ids is not None:
            return self._ids
        if self._syntax != DeflatedExplicitVRLittleEndian:
            leading = os.pread(part.fileno(), LEADING, self._head_bytes)
            ids = self._intake.identify_leading(memoryview(leading), self._syntax)
            if ids is not None:
                return ids
        whole = memoryview(mmap.mmap(part.fileno(), 0, access=mmap.ACCESS_READ))
        return self._intake.identify(whole[self._head_bytes :], self._syntax)
