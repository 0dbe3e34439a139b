"""The way of an object from a sender's bytes to the disk; everything that comes in comes this way.

The order is the promise: the file is durable, then its row is committed, and only then does
`accept` return and the sender read 0x0000.  A power cut before that leaves at most a file that no
row knows; the sender saw no success and sends again.

Nothing is decoded but the header.  The Data Set's bytes are stored as they came, behind a File Meta
header of our own: so the same object is the same file, whoever's software wrote its header.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Protocol

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from m3net.attributes import PARSER_ERRORS
from node.config import ReceiverConfig
from node.core.errors import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SOP_CLASS_MISMATCH, Refused
from node.core.inputs import InstanceFacts, StudyIdentity
from node.inbound.encoded import (
    PREAMBLE,
    Parts,
    Readable,
    looks_like_dicom,
    readable,
    take_apart,
)
from node.inbound.facts import is_uid, needs_whole, read_facts, text_of
from node.logs import event
from node.persistence.rows import Arrival
from node.persistence.spool import Spool, StoredFile
from sr_templates.character_sets import assume
from sr_templates.uids import derive_uid

IMPLEMENTATION_CLASS_UID = derive_uid("m3node", "implementation")
_DEFAULT = ReceiverConfig()


class KeepsInstances(Protocol):
    """What intake asks of the store."""

    def record_instance(
        self,
        *,
        facts: InstanceFacts,
        file: StoredFile,
        identity: StudyIdentity,
        sender_id: int | None,
        now: datetime,
    ) -> Arrival:
        """The row of the instance is committed."""
        ...


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
        self._store = store
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._max_object_bytes = config.max_object_mb << 20
        self._assumed_character_set = config.assumed_character_set

    def accept(
        self,
        encoded: bytes | memoryview,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sender_id: int | None,
    ) -> Arrival:
        """The object is here for good: file and row survive a power cut.

        encoded : the Data Set in its transfer syntax, with or without preamble and File Meta

        Elements of group 0002 at its head are no part of a Data Set and are left out.

        Raises Refused: 0xA700 too little space, 0xA900 another object than the command says,
        0xC000 cannot be indexed.  Then nothing of it stays.
        """
        if not (is_uid(sop_class_uid) and is_uid(sop_instance_uid)):
            raise Refused(CANNOT_UNDERSTAND, "the command's SOP Class or Instance UID is no UID")
        parts = take_apart(encoded)
        facts, identity = self._read(parts.data, transfer_syntax_uid, sop_class_uid)
        if facts.sop_instance_uid != sop_instance_uid or facts.sop_class_uid != sop_class_uid:
            raise Refused(
                SOP_CLASS_MISMATCH, "data set and command differ in SOP Class or Instance"
            )
        if parts.meta and not parts.is_file:
            event(
                "store.file_meta_left_out",
                level=logging.WARNING,
                sop_instance_uid=facts.sop_instance_uid,
                elements=len(parts.meta),
            )
        return self._keep(parts.data, facts, identity, sender_id)

    def accept_file(
        self,
        path: Path,
        *,
        sender_id: int | None,
        remark: Callable[[str], None] | None = None,
    ) -> Arrival:
        """As if the file had been received; what its header lacks is taken from the Data Set.

        remark : told of what was amiss with the header

        Raises Refused as `accept` does.
        """
        encoded = path.read_bytes()
        if not looks_like_dicom(encoded, len(encoded)):
            raise Refused(CANNOT_UNDERSTAND, "not a DICOM file")
        parts = take_apart(encoded)
        syntax = parts.transfer_syntax_uid or parts.guessed_syntax()
        facts, identity = self._read(parts.data, syntax, parts.sop_class_uid)
        for words in _amiss(parts, facts):
            event("store.header_amiss", says=words, sop_instance_uid=facts.sop_instance_uid)
            if remark is not None:
                remark(words)
        return self._keep(parts.data, facts, identity, sender_id)

    def _read(
        self, data: memoryview, syntax: str, announced_class: str
    ) -> tuple[InstanceFacts, StudyIdentity]:
        self._require_space()
        head = readable(
            data,
            syntax=syntax,
            whole=needs_whole(announced_class),
            max_bytes=self._max_object_bytes,
        )
        dataset = _parsed(head)
        if needs_whole(text_of(dataset, "SOPClassUID")) and not needs_whole(announced_class):
            # The header of a file named another class, or none.
            head = readable(data, syntax=syntax, whole=True, max_bytes=self._max_object_bytes)
            dataset = _parsed(head)
        assume(dataset, self._assumed_character_set)
        return read_facts(dataset, data=data, transfer_syntax=syntax, extent=head.extent)

    def _keep(
        self,
        data: memoryview,
        facts: InstanceFacts,
        identity: StudyIdentity,
        sender_id: int | None,
    ) -> Arrival:
        head = _head(facts.sop_class_uid, facts.sop_instance_uid, facts.transfer_syntax_uid)
        file = self._spool.write((head, data))
        return self._store.record_instance(
            facts=facts,
            file=file,
            identity=identity,
            sender_id=sender_id,
            now=self._clock(),
        )

    def _require_space(self) -> None:
        if self._spool.free_bytes() < self._min_free_bytes:
            raise Refused(OUT_OF_RESOURCES, "less than min_free_gb is left on the disk")


def _amiss(parts: Parts, facts: InstanceFacts) -> list[str]:
    if not parts.meta:
        return ["no File Meta Information; taken as the Data Set that follows"]
    words = []
    if not parts.is_file:
        words.append("no preamble")
    if not parts.transfer_syntax_uid:
        words.append("File Meta names no transfer syntax; it was guessed")
    if parts.sop_instance_uid != facts.sop_instance_uid:
        words.append("File Meta names another SOP Instance; the Data Set's was taken")
    if parts.sop_class_uid != facts.sop_class_uid:
        words.append("File Meta names another SOP Class; the Data Set's was taken")
    return words


def _head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and File Meta; the same for the same object, today and after an upgrade."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    buffer = DicomBytesIO()
    buffer.write(b"\0" * (PREAMBLE - 4) + b"DICM")
    write_file_meta_info(buffer, meta)
    return buffer.getvalue()


@lru_cache(maxsize=64)
def _any_head(transfer_syntax_uid: str) -> bytes:
    """A header that tells pydicom the transfer syntax."""
    return _head("1.2", "1.2", transfer_syntax_uid)


def _parsed(readable: Readable) -> Dataset:
    head = _any_head(readable.syntax)
    try:
        return dcmread(BytesIO(b"".join((head, readable.data))))
    except PARSER_ERRORS as error:
        raise Refused(
            CANNOT_UNDERSTAND, f"the data set cannot be read ({type(error).__name__})"
        ) from error
