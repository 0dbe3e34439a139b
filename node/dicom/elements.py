"""The elements of an encoded Data Set, walked over without building any of them (PS3.5 7).

A parser spends tens of microseconds and a kilobyte on an element, so an object of 26 MB in which a
million items stand would hold a thread for a minute and 2 GB.  Here an element costs a few
microseconds and nothing stays: so it is known what a parser may be given before it is given it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydicom._dicom_dict import DicomDictionary
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

MAX_ELEMENTS = 300_000
"""Elements and items of an object that is read; a CT slice has 150, a SEG some 30 a frame."""
MAX_DEPTH = 64
"""Sequences within sequences of an object that is read; the deepest reports have 20."""

_LONG_VRS = frozenset(vr.encode() for vr in EXPLICIT_VR_LENGTH_32)
_SHORT_VRS = frozenset(vr.encode() for vr in EXPLICIT_VR_LENGTH_16)
_SEQUENCES = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_ITEMS = 0xFFFE
_UNDEFINED = 0xFFFFFFFF
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What was walked over.

    end      : offset behind the last top-level element that was walked over whole
    elements : how many elements, items and fragments those have
    pixels   : offset of the Pixel Data at top level; None if the walk did not come so far
    over     : whether the walk ended because there are too many elements, or too deep ones
    torn     : whether the bytes end within an element
    """

    end: int
    elements: int
    pixels: int | None = None
    over: bool = False
    torn: bool = False


class Header(NamedTuple):
    """An element's tag, VR (empty where it is implicit), offset of its value, and length."""

    tag: int
    vr: bytes
    value: int
    length: int


_EXPLICIT = {True: struct.Struct("<HH2sH"), False: struct.Struct(">HH2sH")}
_EXPLICIT_BYTES = 8
_LENGTH = {True: struct.Struct("<L"), False: struct.Struct(">L")}


def header_at(data: memoryview, at: int, *, implicit: bool, little: bool) -> Header | None:
    """The header there; None if the bytes end before it does.

    Within Explicit VR an element without a VR is taken as implicit, as pydicom takes it.
    """
    try:
        group, element, vr, length = _EXPLICIT[little].unpack_from(data, at)
        tag = group << 16 | element
        if implicit or group == _ITEMS or not (vr.isalpha() and vr.isupper()):
            return Header(tag, b"", at + 8, _LENGTH[little].unpack_from(data, at + 4)[0])
        if vr in _LONG_VRS:
            return Header(tag, vr, at + 12, _LENGTH[little].unpack_from(data, at + 8)[0])
        return Header(tag, vr, at + 8, length)
    except struct.error:
        return None


def top_level(
    data: memoryview, *, implicit: bool, little: bool
) -> Iterator[tuple[int, int, int, int | None]]:
    """Tag, offset, offset of the value, and offset behind it, of one element after the other.

    The last may end behind the bytes, or have no end that can be seen: None.  Of nearly every
    object that comes some sixty are asked for, so the common ones cost as little as they can.
    """
    unpack, at, end = _EXPLICIT[little].unpack_from, 0, 0
    short = frozenset() if implicit else _SHORT_VRS
    while at + _EXPLICIT_BYTES <= len(data):
        group, element, vr, length = unpack(data, at)
        if vr in short and group != _ITEMS:
            yield group << 16 | element, at, at + 8, (end := at + 8 + length)
        elif (header := header_at(data, at, implicit=implicit, little=little)) is None:
            return
        elif header.length != _UNDEFINED:
            yield header.tag, at, header.value, (end := header.value + header.length)
        else:
            inner = walk(data[at:], implicit=implicit, little=little, first_only=True).end
            yield header.tag, at, header.value, at + inner if inner else None
            if not inner:
                return
            end = at + inner
        at = end


def walk(
    data: memoryview,
    *,
    implicit: bool,
    little: bool,
    through_pixels: bool = False,
    first_only: bool = False,
    max_elements: int = MAX_ELEMENTS,
    max_depth: int = MAX_DEPTH,
) -> Extent:
    """The extent of a Data Set as far as its Pixel Data, or of all of it (`through_pixels`).

    Or of its first element alone (`first_only`).  Less if there are too many elements, items and
    fragments, or sequences in too many others.
    """
    at = end = elements = counted = 0
    pixels: int | None = None
    ends: list[int] = []  # of the open sequences and items, no later than those around them
    sequences: list[bool] = []  # whether it is a sequence whose length is stated
    while True:
        while ends and at >= ends[-1]:
            end_of_it = ends.pop()
            if sequences.pop():
                at = end_of_it  # whatever overran it
        if not ends and at <= len(data) and counted <= max_elements:
            end, elements = at, counted
        if counted > max_elements or len(ends) > 2 * max_depth:
            return Extent(end=end, elements=elements, pixels=pixels, over=True)
        if first_only and end:
            return Extent(end=end, elements=elements)
        if at >= len(data):
            torn = at > len(data) or bool(ends)
            return Extent(end=end, elements=elements, pixels=pixels, torn=torn)
        header = header_at(data, at, implicit=implicit, little=little)
        if header is None:
            return Extent(end=end, elements=elements, pixels=pixels, torn=True)
        if not ends and header.tag in PIXELS:
            pixels = at
            if not through_pixels:
                return Extent(end=end, elements=elements, pixels=at)
        counted += 1
        at = header.value
        if header.tag in (_ITEM_END, _SEQUENCE_END):
            if ends:
                ends.pop()
                sequences.pop()
        elif header.tag == _ITEM or _is_sequence(header):
            stated = header.length != _UNDEFINED
            around = ends[-1] if ends else _NEVER
            ends.append(min(around, at + header.length) if stated else around)
            sequences.append(stated and header.tag != _ITEM)
        elif header.length == _UNDEFINED:
            at, fragments = _behind_fragments(data, at, little=little, at_most=max_elements)
            counted += fragments
        else:
            at += header.length


def has_repeated(data: memoryview, *, implicit: bool, little: bool) -> bool:
    """Whether an element of the Standard stands twice at top level, which PS3.5 7.1 forbids.

    Of two, some readers take the first and others the last: they would not see the same object.
    """
    seen: set[int] = set()
    at = 0
    while header := header_at(data, at, implicit=implicit, little=little):
        if header.tag in seen:
            return True
        if not header.tag >> 16 & 1:
            seen.add(header.tag)
        if header.length == _UNDEFINED or _is_sequence(header):
            end = walk(data[at:], implicit=implicit, little=little, first_only=True).end
        else:
            end = header.value + header.length - at
        if not end:
            break
        at += end
    return False


def _is_sequence(header: Header) -> bool:
    if header.vr == b"SQ":
        return True
    if header.vr in (b"", b"UN"):
        return header.tag in _SEQUENCES or header.length == _UNDEFINED
    return False


def _behind_fragments(data: memoryview, at: int, *, little: bool, at_most: int) -> tuple[int, int]:
    """Where an encapsulated value ends, and how many fragments it has."""
    for fragments in range(at_most):
        header = header_at(data, at, implicit=True, little=little)
        if header is None:
            return len(data) + 1, fragments
        at = header.value
        if header.tag != _ITEM:
            return at, fragments
        at += header.length
    return at, at_most
