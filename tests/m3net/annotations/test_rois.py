"""ROIs of a structure set: which contours are one's outlines, and which its place."""

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations import rois
from m3net.annotations.meaning import Meaning, Reading
from m3net.annotations.rois import ROI, contoured, drawn_of, middle_of, rois_of
from m3net.errors import AnnotationUnusable, NoduleUnusable
from m3net.uids import FrameOfReferenceUID

SQUARE = [0, 0, 0, 4, 0, 0, 4, 4, 0, 0, 4, 0]
TRIANGLE = [0, 0, 2, 4, 0, 2, 4, 4, 2]


def contour(shape: str, data: list[float]) -> Dataset:
    dataset = Dataset()
    dataset.ContourGeometricType = shape
    dataset.ContourData = data
    return dataset


def drawn(*contours: Dataset) -> list[list[list[float]]]:
    roi = ROI(
        number=1,
        reading=Reading(meaning=Meaning.NODULE, says=""),
        frame_of_reference_uid=FrameOfReferenceUID("3.1"),
        contours=contours,
    )
    return [points.tolist() for points in drawn_of(roi)]


@pytest.mark.parametrize("shape", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_closed_contours_are_outlines(shape: str) -> None:
    found = drawn(contour(shape, SQUARE), contour(shape, TRIANGLE))
    assert [len(outline) for outline in found] == [4, 3]
    assert found[1] == [[0, 0, 2], [4, 0, 2], [4, 4, 2]]


def test_a_contour_written_twice_is_one() -> None:
    assert len(drawn(contour("CLOSED_PLANAR", SQUARE), contour("CLOSED_PLANAR", SQUARE))) == 1


def test_outlines_go_before_points_lines_and_what_encloses_nothing() -> None:
    found = drawn(
        contour("POINT", [9, 9, 9]),
        contour("OPEN_PLANAR", TRIANGLE),
        contour("CLOSED_PLANAR", [0, 0, 0, 1, 1, 1]),
        contour("CLOSED_PLANAR", []),
        contour("CLOSED_PLANAR", SQUARE),
    )
    assert [len(outline) for outline in found] == [4]


def test_one_point_however_often_it_is_written_is_a_place() -> None:
    assert drawn(contour("POINT", [1, 2, 3])) == [[[1, 2, 3]]]
    assert drawn(contour("POINT", [1, 2, 3]), contour("CLOSED_PLANAR", [1, 2, 3])) == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("contours", "reason"),
    [
        ([contour("POINT", [1, 2, 3]), contour("POINT", [1, 2, 4])], "marked by 2 points"),
        ([contour("CLOSED_PLANAR", [1, 2, 3, 1, 2, 4])], "marked by 2 points"),
        ([contour("OPEN_PLANAR", TRIANGLE)], "open lines, which enclose nothing"),
        ([contour("OPEN_PLANAR", [])], "has no contours"),
        ([], "has no contours"),
    ],
)
def test_what_encloses_nothing_and_is_no_one_point_is_refused(
    contours: list[Dataset], reason: str
) -> None:
    with pytest.raises(NoduleUnusable, match=reason):
        drawn(*contours)


def test_so_many_points_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rois.MOST_POINTS == 250_000
    monkeypatch.setattr(rois, "MOST_POINTS", 7)
    square, triangle = contour("CLOSED_PLANAR", SQUARE), contour("CLOSED_PLANAR", TRIANGLE)
    assert len(drawn(square, triangle)) == 2
    with pytest.raises(NoduleUnusable, match="its contours have more than 7 points"):
        drawn(square, square)


def test_the_middle_is_the_mean_of_all_points() -> None:
    outlines = [np.array([[0.0, 0, 0], [4, 0, 0]]), np.array([[2.0, 6, 3]])]
    assert middle_of(outlines) == (2.0, 2.0, 1.0)


def structure_set(*numbers: int | None, frames: tuple[str, ...] = ("3.1",)) -> Dataset:
    dataset = Dataset()
    described = []
    for number in numbers:
        roi = Dataset()
        if number is not None:
            roi.ROINumber = number
        roi.ROIName = "GTV nodule"
        described.append(roi)
    dataset.StructureSetROISequence = described
    named = []
    for frame in frames:
        reference = Dataset()
        reference.FrameOfReferenceUID = frame
        named.append(reference)
    dataset.ReferencedFrameOfReferenceSequence = named
    return dataset


def test_an_roi_is_in_the_only_frame_of_reference_that_is_named() -> None:
    assert rois_of(structure_set(1))[0].frame_of_reference_uid == "3.1"
    assert rois_of(structure_set(1, frames=("3.1", "3.2")))[0].frame_of_reference_uid == ""
    alone = structure_set(1, frames=())
    assert rois_of(alone)[0].frame_of_reference_uid == ""
    alone.FrameOfReferenceUID = "3.9"
    assert rois_of(alone)[0].frame_of_reference_uid == "3.9"
    several = structure_set(1, frames=("3.1", "3.2"))
    several.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "3.2"
    assert rois_of(several)[0].frame_of_reference_uid == "3.2"


def test_rois_have_numbers_of_their_own() -> None:
    assert [roi.number for roi in rois_of(structure_set(1, 2))] == [1, 2]
    with pytest.raises(AnnotationUnusable, match="has no ROI Number"):
        rois_of(structure_set(1, None))
    with pytest.raises(AnnotationUnusable, match="have one ROI Number"):
        rois_of(structure_set(1, 1))


def test_what_has_contours_and_a_number_is_drawn() -> None:
    dataset = Dataset()
    dataset.ROIContourSequence = []
    for number, contours in (
        (1, [contour("POINT", [1, 2, 3])]),
        (2, []),
        (None, [contour("", [])]),
    ):
        of_roi = Dataset()
        if number is not None:
            of_roi.ReferencedROINumber = number
        of_roi.ContourSequence = contours
        dataset.ROIContourSequence.append(of_roi)
    assert contoured(dataset) == {1}
