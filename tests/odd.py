"""DICOM objects whose attributes say odd things, as their bytes would come from the network."""

import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

ODD_VALUES: tuple[tuple[str, bytes], ...] = (
    ("", b""),
    ("", b"1,25"),
    ("", b"8A"),
    ("", b"1\\2 "),
    ("", b"1\\1 "),
    ("", b"1.0 HU"),
    ("", b"NaN "),
    ("", b"inf "),
    ("", b"-1e400"),
    ("", b"text"),
    ("", b"\\ "),
    ("", b"0 "),
    ("", b"-7"),
    ("", b"1e9 "),
    ("", b"9" * 40),
    ("", b"\0\0"),
    ("", b"\xff\xfe\xfd\xfc"),
    ("", b"\x1b$)C\xb1\xe8"),
    ("", b"1.2.3\\4.5.6 "),
    ("UN", b"\x01\x02\x03"),
    ("UN", b""),
    ("FD", b"\0\0\0\0\0\0\x80\x40"),  # 512.0
    ("FD", b"\0\0\0\0\0\0\xf8\x7f"),  # NaN
    ("US", b"\x01\0\x02\0"),
    ("US", b"\x01"),
    ("SS", b"\x30\xf8"),  # -2000
    ("LO", b"512 "),
    ("SQ", b""),
    ("OB", b"\x01\x02\x03\x04"),
    ("AT", b"\x08\0\x18\0"),
)
"""VR (the attribute's own where empty) and bytes of values that occur, or might."""


def says(dataset: Dataset, keyword: str, value: bytes, vr: str = "") -> Dataset:
    """`dataset`, in which the attribute's bytes are these; only read when somebody asks."""
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    vr = vr or dictionary_VR(tag)[:2]
    raw = RawDataElement(tag, vr, len(value), value, 0, False, True, True)
    dataset._dict[tag] = raw  # pydicom keeps what it has read and not converted here
    return dataset


def as_received(dataset: Dataset) -> Dataset:
    """Written and read back."""
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    file.seek(0)
    return dcmread(file)


def write(path: Path, dataset: Dataset, odd: Mapping[str, tuple[str, bytes]]) -> None:
    """The dataset as a file in which these attributes say what no writer would write.

    odd : per keyword the VR (the attribute's own where empty) and the bytes of the value
    """
    clean = as_received(dataset)
    elements = {}
    for tag, element in clean.items():
        value = element.value
        elements[int(tag)] = element.VR, value.encode() if isinstance(value, str) else value
    for keyword, (vr, value) in odd.items():
        tag = tag_for_keyword(keyword) or 0
        elements[tag] = (vr or dictionary_VR(tag)[:2], value)
    only_meta = Dataset()
    only_meta.file_meta = clean.file_meta
    file = BytesIO()
    only_meta.save_as(file, enforce_file_format=True)
    body = (_encoded(tag, *elements[tag]) for tag in sorted(elements))
    path.write_bytes(file.getvalue() + b"".join(body))


def _encoded(tag: int, vr: str, value: bytes) -> bytes:
    """Explicit VR little endian (PS3.5 7.1.2)."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value
