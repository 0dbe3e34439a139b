import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from m3net.annotations.image_references import class_of, frames_named, is_of_ct
from m3net.uids import FrameKey, FrameReference, SOPInstanceUID

IMAGE = SOPInstanceUID("2.25.1")


def reference(frames: object = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPInstanceUID = IMAGE
    if frames is not None:
        item.ReferencedFrameNumber = frames
    return item


@pytest.mark.parametrize(
    ("said", "meant"),
    [(None, [0]), ("", [0]), ([], [0]), (7, [7]), ("7", [7]), ([2, 9], [2, 9])],
)
def test_frames_are_named_by_their_numbers_and_without_numbers_all_are(
    said: object, meant: list[int]
) -> None:
    assert [named.frame for named in frames_named(reference(said))] == meant


@pytest.mark.filterwarnings("ignore:Invalid value for VR IS")
@pytest.mark.parametrize(
    ("written", "meant"),
    [(b"0 ", [-1]), (b"-3", [-1]), (b"4\\0 ", [4, -1]), (b"2A", [-1])],
)
def test_a_number_that_no_frame_has_names_none(written: bytes, meant: list[int]) -> None:
    item = reference()
    item[0x00081160] = RawDataElement(
        BaseTag(0x00081160), "IS", len(written), written, 0, False, True
    )
    assert [named.frame for named in frames_named(item)] == meant


def test_a_reference_without_numbers_names_every_frame() -> None:
    assert FrameReference(IMAGE).names(FrameKey(IMAGE, 12))
    assert FrameReference(IMAGE, 12).names(FrameKey(IMAGE, 12))
    assert not FrameReference(IMAGE, 11).names(FrameKey(IMAGE, 12))
    assert not FrameReference(SOPInstanceUID("2.25.2")).names(FrameKey(IMAGE, 12))


def test_a_reference_is_to_a_ct_or_does_not_say_to_what() -> None:
    for of, is_one in (("1.2.840.10008.5.1.4.1.1.2", True), ("1.2.840.10008.5.1.4.1.1.4", False)):
        item = reference()
        item.ReferencedSOPClassUID = of
        assert (class_of(item), is_of_ct(item)) == (of, is_one)
    assert (class_of(reference()), is_of_ct(reference())) == ("", True)


def test_frames_are_numbered_from_one() -> None:
    assert [named.frame for named in frames_named(reference([1, 0, -1, 2]))] == [1, -1, -1, 2]
