"""One encoded object and what the node knows of it, whether a sender sent it or a file holds it.

The Data Set's bytes stay as they came, and get a File Meta header of our own: so the same object is
the same file, whoever's software wrote its header.
"""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from m3net.attributes import PARSER_ERRORS
from node.config import ReceiverConfig
from node.core.errors import CANNOT_UNDERSTAND, Refused
from node.core.inputs import InstanceFacts, StudyIdentity
from node.inbound.encoded import (
    PREAMBLE,
    Parts,
    Readable,
    looks_like_dicom,
    readable,
    take_apart,
)
from node.inbound.facts import needs_whole, read_facts, text_of
from sr_templates.character_sets import assume
from sr_templates.uids import derive_uid

IMPLEMENTATION_CLASS_UID = derive_uid("m3node", "implementation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One object.

    data  : the Data Set, encoded as it came
    amiss : of a file: one sentence for each thing that is wrong with its header
    """

    data: memoryview
    facts: InstanceFacts
    identity: StudyIdentity
    amiss: tuple[str, ...] = ()

    def head(self) -> bytes:
        """Preamble and File Meta; the same for the same object, today and after an upgrade."""
        facts = self.facts
        return _head(facts.sop_class_uid, facts.sop_instance_uid, facts.transfer_syntax_uid)


def received(
    data: memoryview, *, syntax: str, announced_class: str, config: ReceiverConfig
) -> Received:
    """What the node knows of a Data Set.

    announced_class : the SOP Class that a command or a header names; empty if none

    Raises Refused(0xC000) if it cannot be indexed.
    """
    max_bytes = config.max_object_mb << 20
    head = readable(data, syntax=syntax, whole=needs_whole(announced_class), max_bytes=max_bytes)
    dataset = _parsed(head)
    if needs_whole(text_of(dataset, "SOPClassUID")) and not needs_whole(announced_class):
        # The header of a file named another class, or none.
        head = readable(data, syntax=syntax, whole=True, max_bytes=max_bytes)
        dataset = _parsed(head)
    assume(dataset, config.assumed_character_set)
    facts, identity = read_facts(dataset, data=data, transfer_syntax=syntax, extent=head.extent)
    return Received(data=data, facts=facts, identity=identity)


def received_file(encoded: bytes | memoryview, *, config: ReceiverConfig) -> Received:
    """The same of a whole file; what its header lacks is taken from the Data Set.

    Raises Refused(0xC000) if it is no DICOM, or cannot be indexed.
    """
    if not looks_like_dicom(encoded, len(encoded)):
        raise Refused(CANNOT_UNDERSTAND, "not a DICOM file")
    parts = take_apart(encoded)
    made = received(
        parts.data,
        syntax=parts.transfer_syntax_uid or parts.guessed_syntax(),
        announced_class=parts.sop_class_uid,
        config=config,
    )
    return Received(
        data=made.data,
        facts=made.facts,
        identity=made.identity,
        amiss=_amiss(parts, made.facts),
    )


def _amiss(parts: Parts, facts: InstanceFacts) -> tuple[str, ...]:
    if not parts.meta:
        return ("no File Meta Information; taken as the Data Set that follows",)
    words = []
    if not parts.is_file:
        words.append("no preamble")
    if not parts.transfer_syntax_uid:
        words.append("File Meta names no transfer syntax; it was guessed")
    if parts.sop_instance_uid != facts.sop_instance_uid:
        words.append("File Meta names another SOP Instance; the Data Set's was taken")
    if parts.sop_class_uid != facts.sop_class_uid:
        words.append("File Meta names another SOP Class; the Data Set's was taken")
    return tuple(words)


def _head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
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
