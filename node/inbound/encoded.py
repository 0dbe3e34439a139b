"""Encoded objects taken apart as far as needed: preamble, File Meta, Data Set, deflated or not.

What a file says of itself may be missing or wrong (PS3.10 7.1); what pydicom would read is read.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.values import converters

from node.core.errors import CANNOT_UNDERSTAND, Refused, TooLarge
from node.dicom.elements import Extent, Header, has_repeated, header_at, walk
from sr_templates.uids import derive_uid

IMPLEMENTATION_CLASS_UID = derive_uid("m3node", "implementation")
PREAMBLE = 132
_CLASS, _INSTANCE, _SYNTAX = 0x00020002, 0x00020003, 0x00020010
_CHUNK = 1 << 20
MOST_PARSED_BYTES = 128 << 20
"""Of an object that is larger, only what is before its Pixel Data is given to a parser."""
_KNOWN_VRS = frozenset(str(vr).encode() for vr in converters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """An encoded object in its parts.

    is_file : whether it begins with preamble and prefix
    meta    : values of group 0002, by tag; of a Data Set that came alone they should be none
    data    : the Data Set
    is_torn : whether the bytes may end before the Data Set begins
    """

    is_file: bool
    meta: Mapping[int, bytes]
    data: memoryview
    is_torn: bool

    @property
    def sop_class_uid(self) -> str:
        """What the File Meta says; empty if nothing."""
        return _uid(self.meta.get(_CLASS, b""))

    @property
    def sop_instance_uid(self) -> str:
        """What the File Meta says; empty if nothing."""
        return _uid(self.meta.get(_INSTANCE, b""))

    @property
    def transfer_syntax_uid(self) -> str:
        """What the File Meta says; empty if nothing."""
        return _uid(self.meta.get(_SYNTAX, b""))

    def guessed_syntax(self) -> str:
        """The transfer syntax that the first element is written in."""
        if bytes(self.data[4:6]) not in _KNOWN_VRS:
            return ImplicitVRLittleEndian
        big = bytes(self.data[:2]) == b"\0\x08"
        return ExplicitVRBigEndian if big else ExplicitVRLittleEndian


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")


def take_apart(encoded: bytes | memoryview) -> Parts:
    """The parts; group 0002 goes as far as its elements do, whatever its group length says."""
    view = memoryview(encoded)
    is_file = bytes(view[PREAMBLE - 4 : PREAMBLE]) == b"DICM"
    at = PREAMBLE if is_file else 0
    meta: dict[int, bytes] = {}
    for header in _group_2(view, at):
        at = header.value + header.length
        meta[header.tag] = bytes(view[header.value : at])
    data = view[at:]
    group = bytes(data[:2])
    return Parts(
        is_file=is_file,
        meta=meta,
        data=data,
        is_torn=len(data) < 2 or group in (b"\2\0", b"\0\2"),
    )


def _group_2(view: memoryview, at: int) -> Iterator[Header]:
    little = bytes(view[at : at + 2]) != b"\0\x02"
    while header := header_at(view, at, implicit=False, little=little):
        at = header.value + header.length
        if header.tag >> 16 != 0x0002 or at > len(view):
            return
        yield header


def looks_like_dicom(start: bytes | memoryview, size: int) -> bool:
    """Whether a file that starts so can be a DICOM object, with a preamble or without one.

    size : of the whole file, bytes
    """
    if bytes(start[PREAMBLE - 4 : PREAMBLE]) == b"DICM":
        return True
    for implicit, little in ((False, True), (True, True), (False, False)):
        header = header_at(memoryview(start), 0, implicit=implicit, little=little)
        if header and header.tag >> 16 in (0x0002, 0x0008) and header.value + header.length <= size:
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """The beginning of a Data Set, as far as it may be given to a parser.

    syntax : what `data` is encoded in: of a deflated Data Set, that which it inflates to
    is_cut : whether it ends before the Pixel Data although all of it was asked for
    """

    data: memoryview
    syntax: str
    extent: Extent
    is_cut: bool


def readable(data: memoryview, *, syntax: str, whole: bool, max_bytes: int) -> Readable:
    """The Data Set as far as its Pixel Data, or all of it: not of one that is larger than
    `MOST_PARSED_BYTES`, of which a parser would make copies.

    Less if it has too many elements, or is cut off within one: then what is before that.

    Raises Refused(0xC000) if it, inflated, is larger than `max_bytes`, or does not inflate.
    """
    if len(data) > max_bytes:
        raise TooLarge("the object is larger than receiver.max_object_mb")
    if syntax == DeflatedExplicitVRLittleEndian:
        data = _inflated(data, whole=whole, max_bytes=max_bytes)
        syntax = ExplicitVRLittleEndian
    is_cut = whole and len(data) > MOST_PARSED_BYTES
    whole = whole and not is_cut
    extent = _walked(data, syntax, whole=whole)
    if extent.over or extent.torn:
        data = data[: extent.end]
    elif extent.pixels is not None and not whole:
        # whoever reads the pixels later has to take apart what is behind them as well
        behind = _walked(data[extent.pixels :], syntax, whole=True)
        extent = replace(extent, over=behind.over)
        data = data[: extent.pixels]
    return Readable(data=data, syntax=syntax, extent=extent, is_cut=is_cut)


def _walked(data: memoryview, syntax: str, *, whole: bool) -> Extent:
    return walk(
        data,
        implicit=syntax == ImplicitVRLittleEndian,
        little=syntax != ExplicitVRBigEndian,
        through_pixels=whole,
    )


def _inflated(data: memoryview, *, whole: bool, max_bytes: int) -> memoryview:
    """As much of it as is parsed, or what is before the Pixel Data; the rest is only counted."""
    kept, size, wanted, look_at = bytearray(), 0, True, _CHUNK
    for chunk in inflated(data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)):
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge("it inflates to more than receiver.max_object_mb")
        if wanted:
            kept += chunk
            if whole:
                wanted = len(kept) <= MOST_PARSED_BYTES
            elif len(kept) >= look_at:
                look_at *= 4
                start = memoryview(bytes(kept))
                extent = _walked(start, ExplicitVRLittleEndian, whole=False)
                wanted = extent.pixels is None and not extent.over
    return memoryview(bytes(kept))


def parsed(data: memoryview, syntax: str) -> Dataset:
    """The elements of a Data Set that is not deflated, none of their values read.

    Raises Refused(0xC000) if one stands twice, as two Patient IDs do: a PACS may file the object
    by the one and its result by the other.  Raises one of m3net.attributes.PARSER_ERRORS.
    """
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    if has_repeated(data, implicit=implicit, little=little):
        raise Refused(CANNOT_UNDERSTAND, "an element stands twice in the data set")
    return dcmread(BytesIO(b"".join((_any_head(syntax), data))))


def file_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and File Meta; the same for the same object, today and after an upgrade."""
    elements = (
        _meta_element(_META_VERSION, b"OB", b"\0\1")
        + _meta_element(_CLASS, b"UI", sop_class_uid.encode("ascii"))
        + _meta_element(_INSTANCE, b"UI", sop_instance_uid.encode("ascii"))
        + _meta_element(_SYNTAX, b"UI", transfer_syntax_uid.encode("ascii"))
        + _meta_element(_META_IMPLEMENTATION, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii"))
    )
    length = _meta_element(_META_LENGTH, b"UL", struct.pack("<L", len(elements)))
    return _START + length + elements


_START = bytes(PREAMBLE - 4) + b"DICM"
_META_VERSION, _META_IMPLEMENTATION, _META_LENGTH = 0x00020001, 0x00020012, 0x00020000


def _meta_element(tag: int, vr: bytes, value: bytes) -> bytes:
    """An element of File Meta, in Explicit VR Little Endian (PS3.10 7.1)."""
    value += b"\0" * (len(value) % 2)
    start = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    length = struct.pack("<xxL" if vr == b"OB" else "<H", len(value))
    return start + length + value


@lru_cache(maxsize=64)
def _any_head(transfer_syntax_uid: str) -> bytes:
    """A header that tells pydicom the transfer syntax."""
    return file_head("1.2", "1.2", transfer_syntax_uid)


def inflated(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """What a deflated Data Set is, in chunks of a megabyte at most (PS3.5 A.5).

    Raises Refused if it does not inflate, or is cut off.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for rest in pieces:
            # Of bytes that have all been taken in there may still be more to come out.
            while not inflater.eof and (chunk := inflater.decompress(rest, _CHUNK)):
                rest = inflater.unconsumed_tail
                yield chunk
    except zlib.error as error:
        raise Refused(CANNOT_UNDERSTAND, "the data set does not inflate") from error
    if not inflater.eof:
        raise Refused(CANNOT_UNDERSTAND, "the deflated data set is cut off")
