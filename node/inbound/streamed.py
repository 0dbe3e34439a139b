"""A DICOM file that comes in pieces, as DICOMweb sends it: nobody has said which object it is.

What it is stands at its beginning, in its File Meta and the first elements of its Data Set.  Once
that has come it is an object like any other (`node.inbound.intake`).  Where it cannot be seen so
soon - a deflated Data Set, elements out of order - the bytes are kept as they come, and what they
are is found out when they are all here.
"""

import mmap
from collections.abc import Callable
from contextlib import ExitStack

from pydicom.uid import DeflatedExplicitVRLittleEndian

from node.core.errors import CANNOT_UNDERSTAND, Refused
from node.inbound.encoded import looks_like_dicom, take_apart
from node.inbound.identifiers import Identifiers, amiss
from node.inbound.intake import LEADING, Incoming, Intake
from node.logs import event
from node.persistence.spool import Part

FRONT = 64 << 10
"""Bytes that are held until it is known what comes."""
_FIRST_LOOK = 1 << 10
_LOOK_AT_SPACE_EVERY = 64 << 20
_ANY_SIZE = 1 << 62
_CHUNK = 1 << 20

Judge = Callable[[Identifiers, str], None]
"""Raises Refused if an object, in that transfer syntax, is not taken."""


class StreamedFile:
    """One file while it comes; used by one thread at a time, and as a context manager.

    ids : which object it is, as soon as that is known

    What is wrong with it is said by `finish`: the bytes of one that is lost are dropped.
    """

    def __init__(self, intake: Intake, judge: Judge, *, syntax: str = "") -> None:
        """`syntax` is the transfer syntax of one whose File Meta names none; empty: guessed."""
        self._intake = intake
        self._judge = judge
        self._otherwise = syntax
        self._front = bytearray()
        self._look_at = _FIRST_LOOK
        self._incoming: Incoming | None = None
        self._raw: Part | None = None
        self._failure: Exception | None = None
        self._held = ExitStack()
        self.ids: Identifiers | None = None

    def __enter__(self) -> "StreamedFile":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def write(self, data: memoryview) -> None:
        """The bytes are written, or the object is lost already and they are dropped."""
        if self._failure is not None:
            return
        try:
            self._write(data)
        except (Refused, OSError) as failure:
            self._lose(failure)

    def finish(self) -> Identifiers:
        """All of it has come; which object it is.

        Raises Refused: 0xA700 too little space, 0xC000 no DICOM, cannot be indexed, or too large,
        and what the judge says; or what the disk raises.
        """
        if self._failure is not None:
            raise self._failure
        if self._incoming is not None and self.ids is not None:
            return self.ids
        try:
            return self._finish()
        except (Refused, OSError) as failure:
            self._lose(failure)
            raise

    def _finish(self) -> Identifiers:
        encoded: bytes | mmap.mmap = bytes(self._front)
        if self._raw is not None:
            encoded = mmap.mmap(self._raw.fileno(), 0, access=mmap.ACCESS_READ)
        file = self._intake.taken_apart(memoryview(encoded), otherwise=self._otherwise)
        self._known(file.ids, file.syntax, file.amiss)
        self._begin(file.ids, file.syntax, file.data)
        return file.ids

    def keep(self, sender_id: int | None) -> None:
        """The object is here for good, once it is finished: file and row survive a power cut.

        Raises Refused as `finish` does, or whatever disk and database raise.
        """
        self.finish()
        if self._incoming is not None:
            self._incoming.keep(sender_id)

    def close(self) -> None:
        """Nothing of it stays if it was not kept."""
        self._lose(ValueError("the object is closed"))

    def _lose(self, failure: Exception) -> None:
        self._failure = failure
        self._front = bytearray()
        self._held.close()

    def _write(self, data: memoryview) -> None:
        if self._incoming is not None:
            self._incoming.write(data)
        elif self._raw is not None:
            self._write_raw(self._raw, data)
        else:
            self._front += data
            if len(self._front) >= self._look_at:
                self._look()

    def _write_raw(self, raw: Part, data: memoryview) -> None:
        size = raw.size + len(data)
        self._intake.require_size(size)
        if size // _LOOK_AT_SPACE_EVERY > raw.size // _LOOK_AT_SPACE_EVERY:
            self._intake.require_space()
        raw.write(data)

    def _look(self) -> None:
        """What it is, if that can be seen; twice as much is waited for if not."""
        front = memoryview(bytes(self._front))
        if not looks_like_dicom(front, _ANY_SIZE):
            raise Refused(CANNOT_UNDERSTAND, "not a DICOM file")
        parts = take_apart(front)
        syntax = parts.transfer_syntax_uid or self._otherwise or parts.guessed_syntax()
        ids = None
        if not parts.is_torn and syntax != DeflatedExplicitVRLittleEndian:
            # Of few bytes first: among pixels, much looks like an element.
            ids = self._intake.identify_leading(
                parts.data[:LEADING], syntax
            ) or self._intake.identify_leading(parts.data[:FRONT], syntax)
        if ids is not None:
            self._known(ids, syntax, amiss(parts, ids))
            self._begin(ids, syntax, parts.data)
        elif len(front) >= FRONT:
            self._raw = self._held.enter_context(self._intake.begin_part())
            self._write_raw(self._raw, front)
        else:
            self._look_at = 2 * len(front)
            return
        self._front = bytearray()

    def _begin(self, ids: Identifiers, syntax: str, data: memoryview) -> None:
        """From here on it is an object that is announced."""
        self._incoming = self._held.enter_context(self._intake.begin_known(ids, syntax))
        for at in range(0, len(data), _CHUNK):
            self._incoming.write(data[at : at + _CHUNK])

    def _known(self, ids: Identifiers, syntax: str, amiss: tuple[str, ...]) -> None:
        self.ids = ids
        for words in amiss:
            event("store.header_amiss", says=words, sop_instance_uid=ids.sop_instance_uid)
        self._judge(ids, syntax)
