"""Attributes as strangers write them: a value, nothing, or a reason that repeats no value."""

from io import BytesIO

import pytest
from pydicom import DataElement, Dataset, dcmread
from pydicom.config import IGNORE
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from m3net.annotations import attributes
from m3net.annotations.attributes import integer, items, points, text, uid
from m3net.errors import AnnotationUnusable


def of(keyword: str, vr: str, value: object) -> Dataset:
    dataset = Dataset()
    dataset.add(DataElement(Tag(keyword), vr, value, validation_mode=IGNORE))
    return dataset


def raw(keyword: str, vr: str | None, value: bytes) -> Dataset:
    """As it comes from a file, not yet taken apart."""
    dataset = Dataset()
    tag = Tag(keyword)
    dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, vr is None, True)
    return dataset


def test_a_sequence_has_items_and_what_is_none_is_said_to_be_none() -> None:
    assert items(Dataset(), "ContourSequence") == []
    assert items(of("ContourSequence", "LO", ""), "ContourSequence") == []
    one = Dataset()
    assert items(of("ContourSequence", "SQ", [one]), "ContourSequence") == [one]
    for vr, value in (("LO", "Smith"), ("LO", ["a", "b"]), ("US", 3)):
        with pytest.raises(AnnotationUnusable, match=r"^Contour Sequence is no sequence$"):
            items(of("ContourSequence", vr, value), "ContourSequence")


def test_a_text_is_one_line() -> None:
    assert text(Dataset(), "ROIName") == ""
    assert text(of("ROIName", "LO", " Nodule \t 1\0 \n 2 "), "ROIName") == "Nodule 1 2"
    assert text(of("ROIName", "LO", ["Nodule", "1"]), "ROIName") == "Nodule 1"


def test_a_uid_is_one_or_a_reason_that_does_not_repeat_it() -> None:
    assert uid(Dataset(), "SOPInstanceUID") == ""
    assert uid(of("SOPInstanceUID", "UI", "1.2.3"), "SOPInstanceUID") == "1.2.3"
    with pytest.raises(AnnotationUnusable, match=r"^SOP Instance UID is no UID$"):
        uid(of("SOPInstanceUID", "UI", "Smith"), "SOPInstanceUID")


def test_a_whole_number_is_one_or_a_reason() -> None:
    assert integer(Dataset(), "ROINumber") is None
    assert integer(of("ROINumber", "IS", "7"), "ROINumber") == 7
    assert integer(of("ROINumber", "LO", " -7 "), "ROINumber") == -7
    with pytest.raises(AnnotationUnusable, match=r"^ROI Number is no whole number$"):
        integer(of("ROINumber", "LO", "Smith"), "ROINumber")


DATA = "ContourData"


@pytest.mark.parametrize("vr", ["DS", "UN", None])
def test_points_are_read_as_they_are_written(vr: str | None) -> None:
    written = b"1\\-2.5 \\3e0\\4\\5.000000000000000001\\6 "
    assert points(raw(DATA, vr, written), DATA, width=3).tolist() == [[1, -2.5, 3], [4, 5, 6]]
    assert points(raw(DATA, vr, b" \\ "), DATA, width=3).shape == (0, 3)
    assert points(raw(DATA, vr, b""), DATA, width=2).shape == (0, 2)


def test_points_are_read_of_what_was_taken_apart_and_of_what_went_through_a_file() -> None:
    assert points(of(DATA, "DS", [1, 2, 3]), DATA, width=3).tolist() == [[1, 2, 3]]
    assert points(of("GraphicData", "FL", [1.5, 2.0]), "GraphicData", width=2).tolist() == [
        [1.5, 2]
    ]
    assert points(Dataset(), DATA, width=3).shape == (0, 3)
    assert points(of(DATA, "DS", None), DATA, width=3).shape == (0, 3)
    buffer = BytesIO()
    of(DATA, "DS", ["1", "2", "3"]).save_as(buffer, implicit_vr=True, little_endian=True)
    buffer.seek(0)
    assert points(dcmread(buffer, force=True), DATA, width=3).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"1\\2", "has 2 numbers, expected 3 for each point"),
        (b"1\\2\\3\\4", "has 4 numbers, expected 3 for each point"),
        (b"1\\2\\nan", "holds something that is no finite number"),
        (b"1\\inf\\3", "holds something that is no finite number"),
        (b"1\\Smith\\3", "is no list of numbers"),
        (b"1\\\\3", "is no list of numbers"),
    ],
)
def test_what_is_no_list_of_points_is_a_reason(written: bytes, reason: str) -> None:
    with pytest.raises(AnnotationUnusable, match=f"^Contour Data {reason}$"):
        points(raw(DATA, "DS", written), DATA, width=3)


def test_so_many_bytes_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attributes._LONGEST_BYTES == 16_000_000
    monkeypatch.setattr(attributes, "_LONGEST_BYTES", 6)
    assert len(points(raw(DATA, "DS", b"1\\2\\3 "), DATA, width=3)) == 1
    with pytest.raises(AnnotationUnusable, match=r"^Contour Data is 7 bytes long$"):
        points(raw(DATA, "DS", b"1\\2\\3.0"), DATA, width=3)
