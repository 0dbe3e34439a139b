"""Text of every defined term is what dcmtk reads, and what is no such text is never guessed at."""

import contextlib
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.tag import BaseTag

from sr_templates.character_sets import (
    Undecodable,
    assume,
    character_set_of,
    decode,
    decode_texts,
    is_known,
)
from tests.required import require_binary
from tests.sr_templates.encoded_text import (
    DEFINED_TERMS,
    Sample,
    ct_with,
    element,
    file_with,
    sequence,
)

BY_TERM = pytest.mark.parametrize("sample", DEFINED_TERMS, ids=lambda s: s.character_set or "none")


def terms(sample: Sample) -> tuple[str, ...]:
    return tuple(sample.character_set.split("\\"))


@BY_TERM
def test_text_of_every_defined_term_is_decoded(sample: Sample) -> None:
    assert decode(sample.encoded, terms(sample), vr="PN").rstrip("=") == sample.name


NOT_DCMTKS = ("203", "87", "159")
"""What Debian's dcmtk 3.6.7 cannot convert: it has glibc's iconv, which lacks these."""


@pytest.mark.peers
@pytest.mark.parametrize(
    "sample",
    [sample for sample in DEFINED_TERMS if not sample.character_set.endswith(NOT_DCMTKS)],
    ids=lambda s: s.character_set or "none",
)
def test_dcmtk_reads_the_same(sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "ct.dcm"
    path.write_bytes(file_with(sample.character_set, PatientName=sample.encoded))
    said = subprocess.run(
        [require_binary("dcmdump", "dcmtk"), "+U8", "+L", "+P", "PatientName", path],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert said.partition("[")[2].partition("]")[0].rstrip("=") == sample.name


@pytest.mark.parametrize(
    ("character_set", "value"),
    [
        ((), "Müller".encode()),
        ((), "Müller".encode("latin-1")),
        ((), "王".encode("gb18030")),
        (("ISO_IR 6",), "Müller".encode("latin-1")),
        (("ISO_IR 192",), "Müller".encode("latin-1")),
        (("ISO_IR 192",), b"\x1b$B;3ED\x1b(B"),
        (("GB18030",), b"\xff"),
        (("ISO_IR 166",), b"\xdb"),
        (("", "ISO 2022 IR 87"), b"\x1b$)C\xfb\xf3"),
        (("", "ISO 2022 IR 87"), b"\x1b$B;"),
        (("", "ISO 2022 IR 149"), b"\xfb\xf3"),
        (("", "ISO 2022 IR 149"), b"\x1b$)C\xfb^"),
        (("ISO_IR 999",), b"\xe9"),
        (("nonsense",), b"\xe9"),
    ],
)
def test_what_is_no_text_of_its_character_set_is_not_guessed_at(
    character_set: tuple[str, ...], value: bytes
) -> None:
    with pytest.raises(Undecodable):
        decode(value, character_set, vr="PN")


@pytest.mark.parametrize(
    "term", ["ISO IR 100", "ISO-IR 100", "iso_ir 100", "ISO_IR_100", "ISO_IR 100 "]
)
def test_a_term_that_is_spelt_wrongly_is_understood(term: str) -> None:
    assert is_known(term)
    assert decode(b"M\xfcller", (term,), vr="PN") == "Müller"


def test_extensions_end_where_the_standard_ends_them() -> None:
    greek = ("ISO 2022 IR 100", "ISO 2022 IR 126")
    assert decode(b"\x1b-F\xe1^\xe4", greek, vr="PN") == "α^ä"
    assert decode(b"\x1b-F\xe1\\\xe4", greek, vr="LO") == "α\\ä"
    assert decode(b"\x1b-F\xe1\\\xe1", greek, vr="LT") == "α\\α"
    assert decode(b"\x1b-F\xe1\r\n\xe4", greek, vr="LT") == "α\r\nä"
    assert decode(b"\x1b-F\xe1^\xe1", greek, vr="LO") == "α^α"


def test_ascii_is_the_same_in_every_character_set() -> None:
    assert decode(b"Doe^Jane", ("nonsense",), vr="PN") == "Doe^Jane"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([terms(sample) for sample in DEFINED_TERMS] + [("nonsense",), ()]),
    st.binary(max_size=40) | st.text("\x1b$()-ABCDFGHIJLMTb^=\\é", max_size=20).map(str.encode),
    st.sampled_from(["PN", "LO", "LT"]),
)
def test_any_bytes_are_text_or_undecodable(
    character_set: tuple[str, ...], value: bytes, vr: str
) -> None:
    with contextlib.suppress(Undecodable):
        assert isinstance(decode(value, character_set, vr=vr), str)


def test_an_items_own_character_set_goes_before_that_around_it() -> None:
    russian = element(0x00080005, b"ISO_IR 144") + element(0x00100020, b"\xb0")
    as_around = element(0x00100020, b"\xfc")
    file = file_with("ISO_IR 100", PatientName=b"M\xfcller")
    read = dcmread(BytesIO(file + sequence(0x00101002, russian, as_around)))
    decode_texts(read)
    assert read.PatientName == "Müller"
    assert [item.PatientID for item in read.OtherPatientIDsSequence] == ["А", "ü"]


def test_what_is_undecodable_stays_as_it_came_while_the_rest_is_decoded() -> None:
    image = ct_with("ISO_IR 192", PatientName=b"M\xfcller", StudyDescription="Müll".encode())
    decode_texts(image)
    assert image.get_item(BaseTag(0x00100010)).value == b"M\xfcller"
    assert image.StudyDescription == "Müll"


def test_an_assumed_character_set_holds_only_where_none_is_declared_and_all_text_is_of_it() -> None:
    undeclared = ct_with(None, PatientName="王".encode("gb18030"))
    assume(undeclared, "GB18030")
    assert character_set_of(undeclared) == ("GB18030",)
    declared = ct_with("ISO_IR 100", PatientName=b"M\xfcller")
    assume(declared, "GB18030")
    assert character_set_of(declared) == ("ISO_IR 100",)
    other = ct_with(None, PatientName=b"M\xfcller")
    assume(other, "ISO_IR 192")
    assert character_set_of(other) == ()
    assume(other, None)
    assert character_set_of(other) == ()
