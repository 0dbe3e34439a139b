"""One attribute of a stranger's object: read, or it says nothing; never an exception."""

import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID

from m3net.attributes import holds, is_encapsulated, items, number, numbers, text, texts, whole
from tests import synthetic
from tests.odd import ODD_VALUES, says


def of(keyword: str, value: bytes, vr: str = "") -> Dataset:
    return says(Dataset(), keyword, value, vr)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("SliceThickness", b"1.25", 1.25),
        ("SliceThickness", b" +1.25e0 ", 1.25),
        ("SliceThickness", b"1.00000000000000000001", 1.0),
        ("SliceThickness", b"1,25", None),
        ("SliceThickness", b"1.0 mm", None),
        ("SliceThickness", b"1\\1 ", None),
        ("SliceThickness", b"NaN ", None),
        ("SliceThickness", b"inf ", None),
        ("SliceThickness", b"", None),
        ("PatientName", b"3 ", 3.0),
    ],
)
def test_a_number_is_one_finite_number(keyword: str, value: bytes, expected: float | None) -> None:
    assert number(of(keyword, value), keyword) == expected


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("value", "vr", "expected"),
    [
        (b"12", "", 12),
        (b"12.0", "", 12),
        (b"12.5", "", None),
        (b"8A", "", None),
        (b"1\\2 ", "", None),
        (b"\x01\0\x02\0", "US", None),
        (b"\x01\0", "US", 1),
        (b"\x01", "US", None),
        (b"\x30\xf8", "SS", -2000),
        (b"\0\0\0\0\0\0\x80\x40", "FD", 512),
    ],
)
def test_a_whole_number_is_one_whole_number_in_whatever_dress(
    value: bytes, vr: str, expected: int | None
) -> None:
    assert whole(of("InstanceNumber", value, vr), "InstanceNumber") == expected


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_several_numbers_are_all_numbers_or_none_is() -> None:
    assert numbers(of("PixelSpacing", b"0.7\\0.8 "), "PixelSpacing") == (0.7, 0.8)
    assert numbers(of("PixelSpacing", b"0.7\\0,8 "), "PixelSpacing") == ()
    assert numbers(of("PixelSpacing", b"0.7\\ "), "PixelSpacing") == ()
    assert numbers(of("PixelSpacing", b"0.7"), "PixelSpacing") == (0.7,)


def test_texts_lose_their_padding_and_several_are_several() -> None:
    ds = of("ImageType", b"ORIGINAL\\PRIMARY \\AXIAL\0")
    assert texts(ds, "ImageType") == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert text(ds, "ImageType") == "ORIGINAL\\PRIMARY\\AXIAL"
    assert (text(ds, "RescaleType"), texts(ds, "RescaleType")) == ("", ())


def test_what_holds_something_is_told_from_what_is_absent_or_empty() -> None:
    assert holds(of("SliceThickness", b"1,25"), "SliceThickness")
    assert not holds(of("SliceThickness", b"  "), "SliceThickness")
    assert not holds(Dataset(), "SliceThickness")
    assert holds(synthetic.ct_series()[0], "SliceThickness")
    empty = Dataset()
    empty.SliceThickness = None
    assert not holds(empty, "SliceThickness")


def test_a_binary_number_that_looks_like_padding_is_a_number() -> None:
    assert holds(of("Rows", b" \0"), "Rows")  # 32 in US
    assert holds(of("PixelPaddingValue", b"\0\0", "US"), "PixelPaddingValue")
    assert not holds(of("Rows", b""), "Rows")


@pytest.mark.parametrize(
    ("keyword", "vr", "holds_it"),
    [
        ("Rows", None, True),  # implicit VR: as the dictionary has it
        ("SliceThickness", None, False),
        ("Rows", "LO", False),
        ("SliceThickness", "US", True),
    ],
)
def test_whether_a_blank_is_a_number_is_said_by_the_vr_that_is_written(
    keyword: str, vr: str | None, holds_it: bool
) -> None:
    ds, tag = Dataset(), Tag(keyword)
    ds[tag] = RawDataElement(tag, vr, 2, b" \0", 0, vr is None, True)
    assert holds(ds, keyword) is holds_it


@pytest.mark.parametrize(
    ("syntax", "encapsulated"),
    [
        ("1.2.840.10008.1.2", False),
        ("1.2.840.10008.1.2.1", False),
        ("1.2.840.10008.1.2.1.99", False),  # deflated
        ("1.2.840.10008.1.2.4.70", True),
        ("1.2.840.10008.1.2.5", True),  # RLE
        ("1.2.840.10008.1.2.999", True),  # newer than pydicom
    ],
)
def test_pixels_are_in_fragments_unless_the_syntax_is_known_to_have_none(
    syntax: str, encapsulated: bool
) -> None:
    ds = Dataset()
    assert not is_encapsulated(ds)
    ds.file_meta = FileMetaDataset()
    assert not is_encapsulated(ds)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    assert is_encapsulated(ds) is encapsulated


def test_items_are_items_and_nothing_else_is() -> None:
    ds = Dataset()
    ds.RequestAttributesSequence = Sequence([Dataset(), Dataset()])
    assert len(items(ds, "RequestAttributesSequence")) == 2
    assert items(of("RequestAttributesSequence", b"text", "LO"), "RequestAttributesSequence") == ()
    assert items(Dataset(), "RequestAttributesSequence") == ()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("keyword", ["SliceThickness", "ImageType", "Rows", "PixelPaddingValue"])
@pytest.mark.parametrize(("vr", "value"), ODD_VALUES)
def test_nothing_odd_raises_anything(keyword: str, vr: str, value: bytes) -> None:
    for read in (number, numbers, whole, text, texts, items, holds):
        read(of(keyword, value, vr), keyword)
