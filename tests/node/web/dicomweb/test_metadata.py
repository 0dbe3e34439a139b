"""Metadata are valid for any reader, whatever the object says, and say all of it."""

import json
import random
import struct
import subprocess
import xml.etree.ElementTree as ET
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from node.web.dicomweb import encoded_object
from node.web.dicomweb.element_values import little_endian
from node.web.dicomweb.encoded_object import Element, Unreadable, opened
from node.web.dicomweb.frame_index import index_frames
from node.web.dicomweb.frames import Frames
from node.web.dicomweb.metadata_json import as_json
from node.web.dicomweb.metadata_model import Attribute, attributes
from node.web.dicomweb.metadata_xml import as_xml
from tests import synthetic
from tests.node.web.dicomweb.encoding import (
    BIG_ENDIAN,
    IMPLICIT,
    ITEM,
    ITEM_END,
    JPEG_LS,
    SEQUENCE_END,
    UNDEFINED,
    element,
    fragments,
    image,
    implicit,
    sequence,
    write,
)
from tests.required import require_binary

DEFLATED = "1.2.840.10008.1.2.1.99"


def model(path: Path, *, max_bytes: int = 1 << 20, assumed: str | None = None) -> list[Attribute]:
    with opened(path, max_bytes=max_bytes) as of:
        return attributes(
            of, lambda where: "http://here/" + "/".join(where), assumed_character_set=assumed
        )


def said(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON")

    found: dict[str, Any] = json.loads(as_json(model(path)), parse_constant=refuse)
    return found


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("DS", b"1.50\\-.5\\+2\\1e2 ", [1.5, -0.5, 2, 100.0]),
        ("DS", b"1,25", ["1,25"]),
        ("DS", b"NaN ", ["NaN"]),
        ("DS", b"1e999 ", ["1e999"]),
        ("DS", b"1\\\\3 ", [1, None, 3]),
        ("IS", b"007 ", [7]),
        ("IS", b"12.0", [12]),
        ("IS", b"1.5 ", ["1.5"]),
        ("IS", b"9" * 20, ["9" * 20]),
        ("IS", b"-0", [0]),
        ("FD", struct.pack("<3d", float("nan"), float("inf"), -0.5), ["NaN", "Infinity", -0.5]),
        ("FL", struct.pack("<2f", float("-inf"), 1.5), ["-Infinity", 1.5]),
        ("UV", struct.pack("<2Q", 2**53, 2**64 - 1), [2**53, str(2**64 - 1)]),
        ("SV", struct.pack("<q", -(2**63)), [str(-(2**63))]),
        ("SS", struct.pack("<h", -2000), [-2000]),
        ("AT", struct.pack("<4H", 0x0008, 0x0018, 0x7FE0, 0x0010), ["00080018", "7FE00010"]),
        ("CS", b" A \\B", ["A", "B"]),
        ("UI", b"1.2.3\0", ["1.2.3"]),
        ("LT", b"one\\value \r\n", ["one\\value \r\n"]),
        ("UR", b"http://a/b\\c ", ["http://a/b\\c"]),
        ("LO", b"\x01\x02", ["\x01\x02"]),
    ],
)
def test_values_are_numbers_where_they_are_and_else_as_they_were_written(
    tmp_path: Path, vr: str, value: bytes, expected: list[object]
) -> None:
    path = write(tmp_path, element(0x00189999, vr, value))
    assert said(path)["00189999"] == {"vr": vr, "Value": expected}
    ET.fromstring(as_xml(model(path)))


@pytest.mark.parametrize("vr", ["AE", "DS", "FD", "LO", "OB", "PN", "SQ", "UN", "UI", "US"])
def test_an_empty_value_is_no_value(tmp_path: Path, vr: str) -> None:
    assert said(write(tmp_path, element(0x00189999, vr, b"")))["00189999"] == {"vr": vr}


@pytest.mark.parametrize("vr", ["DS", "PN", "UI", "LO"])
def test_blanks_are_no_value_either(tmp_path: Path, vr: str) -> None:
    assert said(write(tmp_path, element(0x00189999, vr, b"  ")))["00189999"] == {"vr": vr}


@pytest.mark.parametrize("vr", ["US", "FD", "AT", "UL"])
def test_bytes_that_are_no_value_of_their_vr_are_bytes(tmp_path: Path, vr: str) -> None:
    found = said(write(tmp_path, element(0x00189999, vr, b"\x01\x02\x03")))
    assert found["00189999"] == {"vr": "UN", "InlineBinary": "AQID"}


def test_a_vr_that_is_none_is_unknown(tmp_path: Path) -> None:
    found = said(write(tmp_path, element(0x00189999, "ZZ", b"\x01\x02")))
    assert found["00189999"] == {"vr": "UN", "InlineBinary": "AQI="}


def test_person_names_are_in_their_component_groups(tmp_path: Path) -> None:
    names = "Yamada^Tarou=山田^太郎=やまだ^たろう\\^^\\=李".encode()
    character_set = element(0x00080005, "CS", b"ISO_IR 192")
    found = said(write(tmp_path, character_set + element(0x00100010, "PN", names)))
    assert found["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        None,
        {"Ideographic": "李"},
    ]


@pytest.mark.parametrize(
    ("declared", "raw", "text"),
    [
        (b"ISO_IR 100", "Müller".encode("latin-1"), "Müller"),
        (b"\\ISO 2022 IR 149", b"\x1b$)C\xb1\xe8", "김"),
        (b"GB18030", "王小东".encode("gb18030"), "王小东"),
        (b"ISO_IR 192", "Ελένη".encode(), "Ελένη"),
        (b"", b"M\xfcller", "M\ufffdller"),
        (b"ISO_IR 192", b"M\xfcller", "M\ufffdller"),
        (b"KLINGON", b"M\xfcller", "M\ufffdller"),
    ],
)
def test_texts_are_unicode_and_what_is_not_to_be_read_is_seen_as_such(
    tmp_path: Path, declared: bytes, raw: bytes, text: str
) -> None:
    data = element(0x00080005, "CS", declared) if declared else b""
    data += sequence(0x00081140, element(0x0008103E, "LO", raw))
    path = write(tmp_path, data)
    found = said(path)
    assert found["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert found["00081140"]["Value"] == [{"0008103E": {"vr": "LO", "Value": [text]}}]
    assert text in as_xml(model(path)).decode()


@pytest.mark.parametrize(
    ("declared", "text"),
    [(None, "Müller"), (b"", "Müller"), (b"ISO_IR 6", "Müller"), (b"ISO_IR 101", "MĂźller")],
)
def test_a_character_set_is_assumed_where_none_is_declared(
    tmp_path: Path, declared: bytes | None, text: str
) -> None:
    data = b"" if declared is None else element(0x00080005, "CS", declared)
    path = write(tmp_path, data + element(0x0008103E, "LO", b"M\xc3\xbcller"))
    found = json.loads(as_json(model(path, assumed="ISO_IR 192")))
    assert found["0008103E"]["Value"] == [text]


def test_an_item_may_have_a_character_set_of_its_own(tmp_path: Path) -> None:
    inner = element(0x00080005, "CS", b"ISO_IR 144") + element(0x0008103E, "LO", b"\xb8")
    data = sequence(0x00081140, inner, element(0x0008103E, "LO", b"A"))
    found = said(write(tmp_path, data))
    assert found["00081140"]["Value"] == [
        {"0008103E": {"vr": "LO", "Value": ["И"]}},
        {"0008103E": {"vr": "LO", "Value": ["A"]}},
    ]


def test_what_is_large_and_what_is_pixels_is_fetched_by_its_uri(tmp_path: Path) -> None:
    private = element(0x00290010, "LO", b"MAKER ") + element(0x00291001, "OB", bytes(2000))
    data = b"".join(
        (
            sequence(0x00081140, element(0x00420011, "OB", bytes(3000))),
            element(0x00209999, "OB", b"abcd"),
            private,
            element(0x60003000, "OW", b"\1\2"),
            element(0x7FE00010, "OW", b"\1\2"),
        )
    )
    found = said(write(tmp_path, data))
    assert found["00081140"]["Value"][0]["00420011"] == {
        "vr": "OB",
        "BulkDataURI": "http://here/00081140/1/00420011",
    }
    assert found["00209999"] == {"vr": "OB", "InlineBinary": "YWJjZA=="}
    assert found["00291001"]["BulkDataURI"] == "http://here/00291001"
    assert found["60003000"]["BulkDataURI"] == "http://here/60003000"
    assert found["7FE00010"]["BulkDataURI"] == "http://here/7FE00010"


def test_contours_and_comments_are_said_in_full(tmp_path: Path) -> None:
    contour = b"\\".join(b"1.25" for _ in range(20_000))
    long = implicit(0x0040A160, b"word " * 20_000) + implicit(0x30060050, contour + b" ")
    found = said(write(tmp_path, long, IMPLICIT))
    assert len(found["30060050"]["Value"]) == 20_000
    assert len(found["0040A160"]["Value"][0]) == 99_999


def test_group_lengths_and_padding_are_left_out(tmp_path: Path) -> None:
    data = b"".join(
        (
            element(0x00080000, "UL", b"\1\0\0\0"),
            element(0x00080060, "CS", b"CT"),
            element(0xFFFCFFFC, "OB", bytes(8)),
        )
    )
    assert list(said(write(tmp_path, data))) == ["00080005", "00080060"]


def test_attributes_ascend_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    data = element(0x00100020, "LO", b"ID") + element(0x00080060, "CS", b"CT")
    assert list(said(write(tmp_path, data))) == ["00080005", "00080060", "00100020"]


def test_implicit_ones_have_the_vr_of_the_dictionaries(tmp_path: Path) -> None:
    data = b"".join(
        (
            implicit(0x00080060, b"CT"),
            implicit(0x00090010, b"GEMS_IDEN_01"),
            implicit(0x00091002, b"CT01"),
            implicit(0x000910FF, b"\1\2"),
            implicit(0x00280103, b"\1\0"),
            implicit(0x00280106, b"\xff\xff"),
            implicit(0x00281201, b"\1\0"),
            implicit(0x60000010, b"\2\0"),
        )
    )
    found = said(write(tmp_path, data, IMPLICIT))
    assert {tag: each["vr"] for tag, each in found.items()} == {
        "00080005": "CS",
        "00080060": "CS",
        "00090010": "LO",
        "00091002": "SH",
        "000910FF": "UN",
        "00280103": "US",
        "00280106": "SS",
        "00281201": "OW",
        "60000010": "US",
    }
    assert found["00280106"]["Value"] == [-1]


def test_sequences_may_be_unknown_and_implicit_within_explicit(tmp_path: Path) -> None:
    item = implicit(ITEM, implicit(0x00080060, b"CT"))
    unknown = element(0x00091001, "UN", item + implicit(SEQUENCE_END, b""), length=UNDEFINED)
    known = element(0x00081140, "UN", item)
    found = said(write(tmp_path, known + unknown))
    expected = [{"00080060": {"vr": "CS", "Value": ["CT"]}}]
    assert found["00081140"] == {"vr": "SQ", "Value": expected}
    assert found["00091001"] == {"vr": "SQ", "Value": expected}


def test_an_empty_item_is_an_empty_object(tmp_path: Path) -> None:
    assert said(write(tmp_path, sequence(0x00081140, b"")))["00081140"]["Value"] == [{}]


def test_big_endian_is_read_and_its_bytes_are_turned(tmp_path: Path) -> None:
    data = element(0x00189999, "US", b"\x01\x02", order=">") + element(
        0x00281201, "OW", b"\x01\x02\x03\x04", order=">"
    )
    found = said(write(tmp_path, data, BIG_ENDIAN))
    assert found["00189999"]["Value"] == [0x0102]
    assert found["00281201"]["InlineBinary"] == "AgEEAw=="


@pytest.mark.parametrize(
    ("vr", "size"),
    [("AT", 2), ("OW", 2), ("US", 2), ("SS", 2), ("OF", 4), ("OL", 4), ("FL", 4), ("SL", 4),
     ("UL", 4), ("OD", 8), ("OV", 8), ("FD", 8), ("SV", 8), ("UV", 8), ("OB", 1), ("UN", 1)],
)  # fmt: skip
def test_words_are_turned_by_their_size(vr: str, size: int) -> None:
    raw = bytes(range(16))
    big = Element(tag=0x00189999, vr=vr, at=0, length=16, little=False)
    turned = little_endian(big, raw)
    assert turned == b"".join(raw[at : at + size][::-1] for at in range(0, 16, size))
    little = Element(tag=0x00189999, vr=vr, at=0, length=16, little=True)
    assert little_endian(little, raw) == raw


def test_deflated_ones_are_read_up_to_the_limit(tmp_path: Path) -> None:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = element(0x00080060, "CS", b"CT") + element(0x7FE00010, "OB", bytes(100_000))
    path = write(tmp_path, compressor.compress(data) + compressor.flush(), DEFLATED)
    assert said(path)["00080060"]["Value"] == ["CT"]
    with pytest.raises(Unreadable, match="too large"):
        model(path, max_bytes=50_000)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(Unreadable, match="cut off"):
        model(path)


@pytest.mark.parametrize("beyond", range(1, 8))
def test_deflated_ones_are_read_to_the_end_however_many_megabytes_they_have(
    tmp_path: Path, beyond: int
) -> None:
    begin = element(0x7FE00010, "OB", b"", length=(1 << 20) + beyond - 12)
    data = begin.ljust((1 << 20) + beyond, b"\1")
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    path = write(tmp_path, compressor.compress(data) + compressor.flush(), DEFLATED)
    assert model(path, max_bytes=2 << 20)[-1].bulk == "http://here/7FE00010"


def test_behind_compressed_pixels_nothing_is_needed(tmp_path: Path) -> None:
    found = said(write(tmp_path, image() + fragments(b"ab"), JPEG_LS))
    assert found["7FE00010"] == {"vr": "OB", "BulkDataURI": "http://here/7FE00010"}


def test_a_header_costs_no_more_for_gigabytes_of_pixels(tmp_path: Path) -> None:
    path = write(tmp_path, image() + element(0x7FE00010, "OB", b"", length=2 << 30))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + (2 << 30))
    assert said(path)["7FE00010"]["BulkDataURI"]


@pytest.mark.parametrize(
    "data",
    [
        element(0x00080060, "CS", b"CT", length=400),
        element(0x00080060, "CS", b"CT") + b"\x10\x00",
        element(0x00081140, "SQ", implicit(ITEM, b"")[:6]),
        element(0x00081140, "SQ", implicit(ITEM, b"", length=90)),
        element(0x00081140, "SQ", implicit(0x00080060, b"CT")),
        element(0x00081140, "SQ", b"", length=UNDEFINED),
        sequence(0x00081140, b"")[:-8],
        element(0x00420011, "OB", b"", length=20),
        sequence(0x00081140, b"").replace(implicit(ITEM_END, b""), b"") + bytes(8),
        sequence(0x00081140, implicit(ITEM, b"")),
        implicit(ITEM_END, b"") + element(0x00080060, "CS", b"CT"),
        implicit(SEQUENCE_END, b"") + element(0x00080060, "CS", b"CT"),
    ],
)
def test_one_that_is_torn_is_said_to_be_unreadable(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Unreadable):
        model(write(tmp_path, data))


@pytest.mark.parametrize("more", [b"\0", bytes(3), bytes(20)])
def test_zeros_behind_the_last_element_are_no_element(tmp_path: Path, more: bytes) -> None:
    found = said(write(tmp_path, element(0x00080060, "CS", b"CT") + more))
    assert list(found) == ["00080005", "00080060"]


def test_where_only_pixels_are_cut_off_everything_is_said(tmp_path: Path) -> None:
    found = said(write(tmp_path, image() + element(0x7FE00010, "OW", b"12", length=20)))
    assert found["00280010"]["Value"] == [2]
    assert found["7FE00010"]["BulkDataURI"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_broken_in_an_object_it_is_valid_or_unreadable(
    tmp_path: Path, seed: int
) -> None:
    inner = element(0x00080100, "SH", b"121071") + element(0x0040A30A, "DS", b"1.5 ")
    whole = write(
        tmp_path,
        element(0x00080005, "CS", b"ISO_IR 100")
        + element(0x00100010, "PN", b"Doe^Jane")
        + sequence(
            0x0040A730, inner, sequence(0x0040A730, inner) + element(0x00420011, "OB", b"ab")
        )
        + element(0x00540010, "US", b"\1\0\2\0")
        + image(frames=2)
        + fragments(b"ab", b"cd", b"ef"),
    ).read_bytes()
    rng = random.Random(seed)
    path = tmp_path / "broken.dcm"
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.randrange(300, len(broken))
            broken[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(4))
        path.write_bytes(broken)
        with suppress(Unreadable):
            ET.fromstring(as_xml(model(path)))
            said(path)
        with suppress(Unreadable), opened(path, max_bytes=1 << 20) as of:
            frames = Frames(of, index_frames(of))
            for number in range(1, frames.count + 1):
                list(frames.stored(number)[1])


def test_sequences_may_not_be_endless_or_bottomless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = b""
    for _ in range(70):
        deep = sequence(0x00081140, deep)
    with pytest.raises(Unreadable, match="too deep"):
        model(write(tmp_path, deep))
    monkeypatch.setattr(encoded_object, "MAX_ELEMENTS", 1000)
    many = implicit(ITEM, b"") * 1000
    with pytest.raises(Unreadable, match="too many"):
        model(write(tmp_path, element(0x00081140, "SQ", many)))


@pytest.mark.parametrize("content", [b"", b"no DICOM at all" * 20, bytes(128) + b"DICM"])
def test_what_is_no_object_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "object.dcm"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        model(path)


@pytest.mark.peers
def test_xml_is_what_dcmtk_writes(tmp_path: Path) -> None:
    dcm2xml = require_binary("dcm2xml", "dcmtk")
    ct = synthetic.ct_series(shape=(2, 4, 4))
    region = synthetic.scoord(ct[0], "CIRCLE", [[1, 1], [1, 2]])
    group = synthetic.measurement_group([region], tracking_id="one", tracking_uid="1.2.9")
    for number, dataset in enumerate((ct[0], synthetic.measurement_report(ct, [group]))):
        path = tmp_path / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        done = subprocess.run([dcm2xml, "-nat", path], capture_output=True, check=True)
        theirs = {tag: it for tag, it in _content(done.stdout).items() if tag[:4] != "0002"}
        assert _content(as_xml(model(path))) == theirs


def _content(xml: bytes) -> dict[str, object]:
    """What an attribute says, by its tag; numbers as such, since they may be written variously."""

    def plain(node: ET.Element) -> object:
        name = node.tag.rpartition("}")[2]
        if name in ("BulkData", "InlineBinary"):
            return "bytes"
        text = (node.text or "").strip()
        with suppress(ValueError):
            return name, float(text)
        return name, sorted(node.attrib.items()), text, [plain(each) for each in node]

    return {node.attrib["tag"]: plain(node) for node in ET.fromstring(xml)}


def test_xml_names_the_makers_of_private_elements_and_has_no_character_that_xml_lacks(
    tmp_path: Path,
) -> None:
    data = element(0x00290010, "LO", b'A "&" B ') + element(0x00291023, "LO", b"a\x01<b>")
    root = ET.fromstring(as_xml(model(write(tmp_path, data))))
    private = root[2]
    assert private.attrib == {"tag": "00290023", "vr": "LO", "privateCreator": 'A "&" B'}
    assert private[0].text == "a\ufffd<b>"
