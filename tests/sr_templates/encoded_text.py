"""A patient's name in every character set of PS3.3 C.12.1.1.2, as bytes and as what they say."""

import struct
from dataclasses import dataclass
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from tests.synthetic import uid


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of Specific Character Set, a name's bytes, and the name."""

    character_set: str
    encoded: bytes
    name: str


def _single(number: int, codec: str, name: str, final: bytes) -> tuple[Sample, Sample]:
    escape = b"\x1b-" + final
    parts = [part.encode(codec) for part in name.split("^")]
    return (
        Sample(f"ISO_IR {number}", name.encode(codec), name),
        Sample(f"ISO 2022 IR 6\\ISO 2022 IR {number}", escape + (b"^" + escape).join(parts), name),
    )


DEFINED_TERMS = [
    Sample("", b"Doe^Jane", "Doe^Jane"),
    Sample("ISO_IR 6", b"Doe^Jane", "Doe^Jane"),
    *_single(100, "iso8859_1", "Buc^Jérôme", b"A"),
    *_single(101, "iso8859_2", "Wałęsa^Łukasz", b"B"),
    *_single(109, "iso8859_3", "Ĉapelisto^Ġorġ", b"C"),
    *_single(110, "iso8859_4", "Bērziņš^Jānis", b"D"),
    *_single(144, "iso8859_5", "Люксембург^Анна", b"L"),
    *_single(127, "iso8859_6", "قباني^لنزار", b"G"),
    *_single(126, "iso8859_7", "Διονυσιος^Άννα", b"F"),
    *_single(138, "iso8859_8", "שרון^דבורה", b"H"),
    *_single(148, "iso8859_9", "Çavuşoğlu^Işıl", b"M"),
    *_single(203, "iso8859_15", "Œuvré^Žan", b"b"),
    *_single(166, "iso8859_11", "นามสกุล^ชื่อ", b"T"),
    Sample("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    Sample(
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"
        b"=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    Sample(
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    Sample(
        "\\ISO 2022 IR 87\\ISO 2022 IR 159",
        b"Ueki^T=\x1b$(D0\x21\x1b$B;3\x1b(B^\x1b$BB@\x1b(B",
        "Ueki^T=" + b"\x8f\xb0\xa1".decode("euc_jp") + "山^太",
    ),
    Sample(
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    Sample(
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东",
    ),
    Sample(
        "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
        b"\xc4neas^\x1b-L\xb0\xdd\xdd\xd0=^\x1b-F\xc1\xe2\xe3",
        "Äneas^Анна=^Αβγ",
    ),
    Sample("ISO_IR 192", "Wang^XiaoDong=王^小東=".encode(), "Wang^XiaoDong=王^小東"),
    Sample("GB18030", "Wang^XiaoDong=王^小东=".encode("gb18030"), "Wang^XiaoDong=王^小东"),
    Sample("GBK", "Wang^XiaoDong=王^小东=誠乗".encode("gbk"), "Wang^XiaoDong=王^小东=誠乗"),
]
"""Chinese in GBK holds a second byte that is a backslash in ASCII."""


def ct_with(character_set: str | None, **texts: bytes) -> Dataset:
    """A CT header as it was read, its texts exactly these bytes; None: none is declared."""
    return dcmread(BytesIO(file_with(character_set, **texts)))


def file_with(character_set: str | None, **texts: bytes) -> bytes:
    """The same as a file; pydicom would encode the texts anew."""
    declared = {} if character_set is None else {"SpecificCharacterSet": character_set.encode()}
    values = {
        "SOPClassUID": CTImageStorage.encode(),
        "SOPInstanceUID": uid("encoded text").encode(),
        "StudyInstanceUID": uid("study").encode(),
        "SeriesInstanceUID": uid("series").encode(),
        "Modality": b"CT",
        "StudyDate": b"20260301",
        **declared,
        **texts,
    }
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(uid("encoded text"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    elements = sorted((tag_for_keyword(keyword) or 0, value) for keyword, value in values.items())
    encoded = b"".join(element(tag, value) for tag, value in elements)
    return b"\0" * 128 + b"DICM" + buffer.getvalue() + encoded


def element(tag: int, value: bytes) -> bytes:
    """A short element in Explicit VR Little Endian, its VR from the dictionary."""
    vr = dictionary_VR(tag)
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def sequence(tag: int, *items: bytes) -> bytes:
    """A sequence of such items."""
    framed = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"SQ", 0, len(framed)) + framed
