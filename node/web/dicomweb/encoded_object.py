"""A stored object, looked into without holding it: its elements, and where their values lie.

Only what is asked for is read from the file, so an object of gigabytes costs no more than its
header.  Nothing is mapped into memory: a file that is cut off while it is read is an error here,
and would end the process there.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from node.core.errors import NodeError, Refused
from node.dicom.elements import MAX_DEPTH, MAX_ELEMENTS, Header, header_at
from node.inbound.encoded import inflated, take_apart
from node.web.dicomweb.element_vr import Known, is_creator, vr_of

_WINDOW = 32 << 10
_CHUNK = 1 << 20
_IN_MEMORY = 8 << 20
_LONGEST_HEAD = 64 << 10
"""Bytes in which preamble and File Meta end; the receiver writes 300."""
UNDEFINED = 0xFFFFFFFF
PIXELS = (0x7FE00010, 0x7FE00008, 0x7FE00009)
"""Pixel Data, Float and Double Float Pixel Data."""
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_REPRESENTATION = 0x00280103
_LONGEST_LO = 64


class Unreadable(NodeError):
    """The stored object cannot be taken apart; UIDs and values stay out of the message."""


@dataclass(slots=True, kw_only=True)
class Element:
    """One element.

    vr     : known of the Standard; of implicit ones by the dictionaries, else UN
    at     : offset of the value in the Data Set's file
    length : bytes; `UNDEFINED` of encapsulated pixels
    items  : of a sequence
    little : byte order of the value
    """

    tag: int
    vr: str
    at: int
    length: int
    little: bool
    items: "list[list[Element]] | None" = None


@dataclass(slots=True)
class _Around:
    """What holds for the elements of a data set or item, and where the walk has come to."""

    implicit: bool
    little: bool
    depth: int
    known: Known


class EncodedObject:
    """One stored object while its file is open; used by one thread at a time."""

    def __init__(self, file: IO[bytes], *, begin: int, size: int, syntax: str) -> None:
        """Of a Data Set that begins there in the file.

        syntax : what it is encoded in there, deflated no more
        """
        self._file = file
        self._begin, self.size = begin, size
        self._base, self._window = 0, memoryview(b"")
        self._left = MAX_ELEMENTS
        self.implicit = syntax == ImplicitVRLittleEndian
        self.little = syntax != ExplicitVRBigEndian
        self.transfer_syntax = UID(syntax)

    def read(self, at: int, length: int) -> bytes:
        """Bytes of the file.  Raises Unreadable if it ends before."""
        self._file.seek(at)
        data = self._file.read(length)
        if len(data) != length:
            raise Unreadable("the stored file ends within an element")
        return data

    def before(self, element: Element) -> bytes:
        """The Data Set as far as that element of a long VR, which is in no sequence."""
        header = 8 if self.implicit else 12
        return self.read(self._begin, element.at - header - self._begin)

    def value(self, element: Element) -> bytes:
        """The whole value of an element that is no sequence."""
        return self.read(element.at, element.length)

    def elements(self) -> list[Element]:
        """All elements, in the order of the file; behind encapsulated pixels nothing is looked for.

        Pixels that are cut off are there, with the length that they should have.

        Raises Unreadable if they cannot be told apart, are too many or too deep in each other.
        """
        self._left = MAX_ELEMENTS
        around = _Around(self.implicit, self.little, 0, Known())
        found, at = self._elements(self._begin, self.size, around)
        last = found[-1] if found else None
        if at != self.size and not (last and last.length == UNDEFINED):
            raise Unreadable("the stored object ends within an element")
        return found

    def header(self, at: int, *, implicit: bool, little: bool) -> Header | None:
        """The element's header there; its value's offset is in the file.  None at its end."""
        offset = at - self._base
        if offset < 0 or offset + 12 > len(self._window):
            self._file.seek(at)
            self._window = memoryview(self._file.read(_WINDOW))
            self._base, offset = at, 0
        found = header_at(self._window, offset, implicit=implicit, little=little)
        return found and found._replace(value=found.value + self._base)

    def _elements(self, at: int, end: int, around: _Around) -> tuple[list[Element], int]:
        """The elements there, as far as the end or the item's delimiter; and where they end."""
        found: list[Element] = []
        while at < end:
            header = self.header(at, implicit=around.implicit, little=around.little)
            if header is None:
                if around.depth == 0 and not any(self.read(at, end - at)):
                    return found, end  # padding that is no element
                raise Unreadable("the stored object ends within an element")
            if header.tag == _ITEM_END:
                return found, header.value
            if header.tag in (_ITEM, _SEQUENCE_END):
                raise Unreadable("an item begins or a sequence ends within an item")
            self._count()
            element, at = self._element(header, end, around)
            if at > end and around.depth == 0 and element.tag in PIXELS:
                return [*found, element], end  # what it says stands before them
            if at > end:
                raise Unreadable("an element goes beyond what it stands in")
            found.append(element)
            if element.length == UNDEFINED and element.items is None:
                break  # encapsulated pixels
            self._note(element, around)
        return found, at

    def _element(self, header: Header, end: int, around: _Around) -> tuple[Element, int]:
        stated = header.vr.decode("ascii") if header.vr else ""
        vr = vr_of(header.tag, stated, around.known)
        element = Element(
            tag=header.tag, vr=vr, at=header.value, length=header.length, little=around.little
        )
        if vr == "SQ" or (vr == "UN" and header.length == UNDEFINED):
            # PS3.5 6.2.2, note 4: what was UN stays in Implicit VR Little Endian.
            was_unknown = stated == "UN"
            inner = _Around(
                around.implicit or was_unknown,
                around.little or was_unknown,
                around.depth + 1,
                around.known,
            )
            element.vr = "SQ"
            element.items, at = self._items(header, end, inner)
            return element, at
        if header.length == UNDEFINED:
            return element, header.value
        return element, header.value + header.length

    def _items(self, header: Header, end: int, around: _Around) -> tuple[list[list[Element]], int]:
        if around.depth > MAX_DEPTH:
            raise Unreadable("its sequences lie too deep in each other")
        at, delimited = header.value, header.length == UNDEFINED
        end = end if delimited else at + header.length
        items: list[list[Element]] = []
        while at < end:
            item = self.header(at, implicit=True, little=around.little)
            if item is None:
                break
            if item.tag == _SEQUENCE_END and delimited:
                return items, item.value
            if item.tag != _ITEM:
                raise Unreadable("what stands in a sequence is no item")
            self._count()
            whole = item.length != UNDEFINED
            within = _Around(
                around.implicit, around.little, around.depth, Known(signed=around.known.signed)
            )
            until = item.value + item.length if whole else end
            if until > end:
                raise Unreadable("an item goes beyond its sequence")
            elements, at = self._elements(item.value, until, within)
            items.append(elements)
        if at != end or delimited:
            raise Unreadable("the stored object ends within a sequence")
        return items, at

    def _note(self, element: Element, around: _Around) -> None:
        """What later elements are read by."""
        if element.tag == _PIXEL_REPRESENTATION and element.length == 2:
            around.known.signed = any(self.value(element))
        elif is_creator(element.tag) and element.items is None and element.length <= _LONGEST_LO:
            creator = self.value(element).decode("ascii", "replace").strip(" \0")
            around.known.creators[element.tag >> 16 << 8 | element.tag & 0xFF] = creator

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unreadable("it has too many elements")


@contextmanager
def opened(path: Path, *, max_bytes: int) -> Iterator[EncodedObject]:
    """The stored object, its file open meanwhile; a deflated one lies inflated beside.

    max_bytes : of what it inflates to

    Raises Unreadable if it is no DICOM object, or inflates to more; OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_LONGEST_HEAD)
        head = take_apart(start)
        syntax = head.transfer_syntax_uid
        if not head.is_file or head.is_torn or not syntax:
            raise Unreadable("the stored file does not begin as a DICOM object does")
        begin = len(start) - len(head.data)
        if syntax != DeflatedExplicitVRLittleEndian:
            yield EncodedObject(file, begin=begin, size=size, syntax=syntax)
            return
        file.seek(begin)
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as beside:
            size = 0
            try:
                for chunk in inflated(iter(partial(file.read, _CHUNK), b"")):
                    size += len(chunk)
                    if size > max_bytes:
                        raise Unreadable("the deflated object is too large")
                    beside.write(chunk)
            except Refused as error:
                raise Unreadable(error.comment) from error
            yield EncodedObject(beside, begin=0, size=size, syntax=ExplicitVRLittleEndian)
