"""Data Sets written byte by byte, as no writer would, and files of them."""

import struct
from pathlib import Path

from node.inbound.encoded import file_head

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_LS = "1.2.840.10008.1.2.4.80"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def element(
    tag: int, vr: str, value: bytes, *, order: str = "<", length: int | None = None
) -> bytes:
    """In Explicit VR; `length` is what is stated, right or not."""
    size = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr.encode("ascii")
    if vr in _LONG:
        return head + struct.pack(f"{order}xxL", size) + value
    return head + struct.pack(f"{order}H", size) + value


def implicit(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    """In Implicit VR, and items and delimiters."""
    size = len(value) if length is None else length
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, size) + value


def sequence(tag: int, *items: bytes) -> bytes:
    """Of undefined length, as are its items."""
    inner = b"".join(
        implicit(ITEM, item + implicit(ITEM_END, b""), length=UNDEFINED) for item in items
    )
    return element(tag, "SQ", inner + implicit(SEQUENCE_END, b""), length=UNDEFINED)


def fragments(*parts: bytes, table: bytes = b"") -> bytes:
    """Encapsulated pixels as an element; each fragment of an even length."""
    value = b"".join(implicit(ITEM, part) for part in (table, *parts))
    return element(0x7FE00010, "OB", value + implicit(SEQUENCE_END, b""), length=UNDEFINED)


def image(
    *,
    rows: int = 2,
    columns: int = 3,
    bits: int = 8,
    frames: int = 1,
    samples: int = 1,
    photometric: bytes = b"MONOCHROME2 ",
    order: str = "<",
    more: bytes = b"",
) -> bytes:
    """The elements that say how pixels lie, ascending."""

    def us(value: int) -> bytes:
        return struct.pack(f"{order}H", value)

    return b"".join(
        (
            element(0x00280002, "US", us(samples), order=order),
            element(0x00280004, "CS", photometric, order=order),
            element(0x00280008, "IS", str(frames).encode().ljust(2), order=order),
            element(0x00280010, "US", us(rows), order=order),
            element(0x00280011, "US", us(columns), order=order),
            element(0x00280100, "US", us(bits), order=order),
            element(0x00280101, "US", us(bits), order=order),
            element(0x00280103, "US", us(0), order=order),
            more,
        )
    )


def write(folder: Path, data: bytes, syntax: str = EXPLICIT) -> Path:
    """The file of such a Data Set."""
    path = folder / "object.dcm"
    path.write_bytes(file_head(SECONDARY_CAPTURE, "1.2.3", syntax) + data)
    return path
