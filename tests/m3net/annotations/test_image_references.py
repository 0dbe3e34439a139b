import pytest
from pydicom import Dataset

from m3net.annotations.image_references import frames_named
from m3net.errors import AnnotationUnusable
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


@pytest.mark.parametrize("said", [0, -3, [4, 0]])
def test_frame_numbers_begin_at_1(said: object) -> None:
    with pytest.raises(AnnotationUnusable, match="expected 1 or more"):
        frames_named(reference(said))


def test_a_reference_without_numbers_names_every_frame() -> None:
    assert FrameReference(IMAGE).names(FrameKey(IMAGE, 12))
    assert FrameReference(IMAGE, 12).names(FrameKey(IMAGE, 12))
    assert not FrameReference(IMAGE, 11).names(FrameKey(IMAGE, 12))
    assert not FrameReference(SOPInstanceUID("2.25.2")).names(FrameKey(IMAGE, 12))
