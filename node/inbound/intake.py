"""The way of an object from a sender's bytes to the disk; everything that comes in comes this way.

The order is the promise: the file is durable, then its row is committed, and only then does
`accept` return and the sender read 0x0000.  A power cut before that leaves at most a file that no
row knows; the sender saw no success and sends again.

Nothing is decoded but the header.  The Data Set's bytes are stored as they came, behind a File Meta
header of our own: so the same object is the same file, whoever's software wrote its header.
"""

import struct
import zlib
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from node.core.errors import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SOP_CLASS_MISMATCH, Refused
from node.inbound.facts import NONSENSE, needs_whole, read_facts
from node.persistence.rows import Arrival
from node.persistence.spool import Spool
from node.persistence.store import Store
from sr_templates.uids import derive_uid

IMPLEMENTATION_CLASS_UID = derive_uid("m3node", "implementation")
_PREAMBLE = 132
_MAX_INFLATED_BYTES = 4 << 30
"""Of a deflated Data Set; more is a bomb, not a study."""


class Intake:
    """The seam between a sender and the disk; any number of threads may share one."""

    def __init__(
        self,
        *,
        spool: Spool,
        store: Store,
        min_free_bytes: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._spool = spool
        self._store = store
        self._min_free_bytes = min_free_bytes
        self._clock = clock

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

        Raises Refused: 0xA700 too little space, 0xA900 another object than the command says,
        0xC000 cannot be indexed.  Then nothing of it stays.
        """
        self._require_space()
        data = _data_set(encoded)
        head = _head(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        dataset = _read(head, data, sop_class_uid, transfer_syntax_uid)
        facts, identity = read_facts(dataset, transfer_syntax=transfer_syntax_uid)
        if facts.sop_instance_uid != sop_instance_uid or facts.sop_class_uid != sop_class_uid:
            raise Refused(
                SOP_CLASS_MISMATCH, "data set and command differ in SOP Class or Instance"
            )
        file = self._spool.write((head, data))
        return self._store.record_instance(
            facts=facts,
            file=file,
            identity=identity,
            sender_id=sender_id,
            now=self._clock(),
        )

    def accept_file(self, path: Path, *, sender_id: int | None) -> Arrival:
        """As if the file had been received.  Raises Refused(0xC000) if it is not DICOM."""
        encoded = path.read_bytes()
        if encoded[_PREAMBLE - 4 : _PREAMBLE] != b"DICM":
            raise Refused(CANNOT_UNDERSTAND, "not a DICOM file")
        try:
            meta = dcmread(BytesIO(encoded), specific_tags=["SOPClassUID"]).file_meta
            return self.accept(
                encoded,
                sop_class_uid=str(meta.MediaStorageSOPClassUID),
                sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
                transfer_syntax_uid=str(meta.TransferSyntaxUID),
                sender_id=sender_id,
            )
        except NONSENSE as error:
            raise Refused(CANNOT_UNDERSTAND, "the file's header cannot be read") from error

    def _require_space(self) -> None:
        if self._spool.free_bytes() < self._min_free_bytes:
            raise Refused(OUT_OF_RESOURCES, "less than min_free_gb is left on the disk")


def _data_set(encoded: bytes | memoryview) -> memoryview:
    """The bytes behind the File Meta header (PS3.10 7.1), if there is one."""
    view = memoryview(encoded)
    if bytes(view[_PREAMBLE - 4 : _PREAMBLE]) != b"DICM":
        return view
    # (0002,0000) UL, 4 bytes: how many bytes of File Meta follow it.
    if bytes(view[_PREAMBLE : _PREAMBLE + 8]) != b"\x02\x00\x00\x00UL\x04\x00":
        raise Refused(CANNOT_UNDERSTAND, "File Meta Information has no group length")
    (length,) = struct.unpack_from("<L", view, _PREAMBLE + 8)
    return view[_PREAMBLE + 12 + length :]


def _head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and File Meta; the same for the same object, today and after an upgrade."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    buffer = DicomBytesIO()
    buffer.write(b"\0" * (_PREAMBLE - 4) + b"DICM")
    write_file_meta_info(buffer, meta)
    return buffer.getvalue()


def _read(head: bytes, data: memoryview, sop_class_uid: str, transfer_syntax_uid: str) -> Dataset:
    """The header, or the whole object where its content counts."""
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        data = memoryview(_inflated(data))
        head = _head(sop_class_uid, "1", ExplicitVRLittleEndian)
    try:
        return dcmread(
            BytesIO(b"".join((head, data))), stop_before_pixels=not needs_whole(sop_class_uid)
        )
    except NONSENSE as error:
        raise Refused(
            CANNOT_UNDERSTAND, f"the data set cannot be read ({type(error).__name__})"
        ) from error


def _inflated(data: memoryview) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, _MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise Refused(CANNOT_UNDERSTAND, "the data set does not inflate") from error
    if inflater.unconsumed_tail:
        raise Refused(CANNOT_UNDERSTAND, "the data set inflates to more than 4 GiB")
    return inflated
