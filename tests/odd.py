"""DICOM objects whose attributes say odd things, as their bytes would come from the network."""

from io import BytesIO

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
