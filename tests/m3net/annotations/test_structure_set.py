from collections.abc import Callable

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.readers import recognise
from m3net.annotations.structure_set import STRUCTURE_SET_READER
from m3net.errors import AnnotationUnusable
from m3net.uids import FrameReference, SOPInstanceUID
from tests import synthetic
from tests.encodings import ROI, Contour, item, structure_set, to_mm
from tests.m3net.annotations.scene import BOX_CENTRE_MM, as_received, box, found, planes_of

CT = synthetic.ct_series()
EDGE = [[3.5, 2.5], [8.5, 2.5], [8.5, 7.5], [3.5, 7.5]]
"""The box's outer edge as (column, row), pixels' centres being whole numbers."""


def outline(z: int, *, image: bool = True, points: list[list[float]] = EDGE) -> Contour:
    return Contour(points_mm=to_mm(CT[z], points), image=CT[z] if image else None)


def nodule(*contours: Contour, name: str = "Nodule 1") -> ROI:
    return ROI(name=name, contours=contours or [outline(z) for z in (2, 3, 4)])


def test_a_nodule_is_read_where_it_was_drawn() -> None:
    rt = as_received(structure_set(CT, [nodule()]))
    assert recognise(rt) is not None
    result = found(CT, rt)
    (got,) = result.nodules
    assert (result.refused, result.ignored) == ((), ())
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert got.mask is not None
    assert np.array_equal(got.mask.voxels, box()[2:5, 3:8, 4:9])
    assert [source.place for source in got.sources] == ["ROI 1"]


def test_it_refers_to_the_slices_of_its_nodules_and_waits_for_the_series() -> None:
    organ = ROI(name="Heart", contours=[outline(6)])
    references = STRUCTURE_SET_READER.references(as_received(structure_set(CT, [nodule(), organ])))
    assert references.marked == {
        FrameReference(SOPInstanceUID(str(CT[z].SOPInstanceUID))) for z in (2, 3, 4)
    }
    assert references.sop_instance_uids == {ds.SOPInstanceUID for ds in CT}
    assert references.frame_of_reference_uid == CT[0].FrameOfReferenceUID
    assert references.centres_mm == (pytest.approx(BOX_CENTRE_MM),)


def test_what_is_no_nodule_is_listed_and_its_name_is_not() -> None:
    rois = [
        ROI(name="Mueller external", contours=[outline(1)], interpreted_type="EXTERNAL"),
        nodule(),
        ROI(name="ROI-3", contours=[outline(1)]),
        ROI(name="PTV Mueller", contours=[outline(2)]),
        ROI(name="ROI-5", contours=[]),
    ]
    result = found(CT, as_received(structure_set(CT, rois)))
    assert len(result.nodules) == 1
    assert [source.place for source in result.nodules[0].sources] == ["ROI 2"]
    assert [(other.place, other.says, other.unsaid) for other in result.passed_over] == [
        ("ROI 1", "of type EXTERNAL", False),
        ("ROI 3", "", True),
        ("ROI 4", "a treatment volume", False),
    ]
    assert result.ignored == ("ROI 5 of the structure set is empty.",)
    assert "Mueller" not in repr(result)


def test_a_code_says_what_an_unnamed_region_is() -> None:
    code = item(CodeValue="27925004", CodingSchemeDesignator="SCT", CodeMeaning="Nodule")
    roi = ROI(name="ROI-1", contours=[outline(3)], code=code)
    assert len(found(CT, as_received(structure_set(CT, [roi]))).nodules) == 1


def test_contours_on_one_plane_are_pieces_and_holes() -> None:
    inner = [[4.5, 3.5], [7.5, 3.5], [7.5, 6.5], [4.5, 6.5]]
    pair = [outline(3), outline(3, points=inner)]
    (got,) = found(CT, as_received(structure_set(CT, [nodule(*pair)]))).nodules
    assert got.mask is not None
    assert got.mask.voxels.sum() == 25 - 9
    assert got.mask.voxels[0, 2, 2] == np.False_


def test_a_contour_written_twice_is_no_hole_in_itself() -> None:
    (got,) = found(CT, as_received(structure_set(CT, [nodule(outline(3), outline(3))]))).nodules
    assert got.mask is not None
    assert got.mask.voxels.sum() == 25


def test_contours_need_no_images_and_the_object_no_frame_of_its_own() -> None:
    drawn = [outline(z, image=False) for z in (2, 3, 4)]
    rt = structure_set(CT, [nodule(*drawn)], images=False)
    assert "FrameOfReferenceUID" not in rt
    (got,) = found(CT, as_received(rt)).nodules
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    references = STRUCTURE_SET_READER.references(rt)
    assert (references.marked, references.sop_instance_uids) == (frozenset(), frozenset())


def test_a_region_without_a_frame_of_reference_is_in_the_only_one_that_is_named() -> None:
    rt = structure_set(CT, [nodule(*[outline(3, image=False)])])
    del rt.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    assert len(found(CT, as_received(rt)).nodules) == 1


def test_of_contours_that_were_drawn_on_a_pet_it_is_said() -> None:
    contours = [outline(z) for z in (2, 3, 4)]
    rt = structure_set(CT, [nodule(*contours)])
    for roi in rt.ROIContourSequence:
        for contour in roi.ContourSequence:
            (image,) = contour.ContourImageSequence
            image.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.128"
            image.ReferencedSOPInstanceUID = "1.2.3"
    (read,) = found(CT, as_received(rt)).nodules
    assert read.centre_mm == pytest.approx(BOX_CENTRE_MM, abs=0.1)
    assert read.notes == (
        "It was drawn on other images than the CT, such as a PET: on the CT it may lie and end "
        "elsewhere.",
    )


def test_a_frame_of_its_own_gives_way_to_the_slices_that_its_contours_name() -> None:
    own = ROI(name="Nodule", contours=[outline(z) for z in (2, 3, 4)], frame_of_reference="1.2.3.4")
    (got,) = found(CT, as_received(structure_set(CT, [own]))).nodules
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert got.notes == (
        "The ROI is in a frame of reference of its own; it was read in that of the CT slices that "
        "its contours name and lie on.",
    )


@pytest.mark.parametrize("unnamed", [0, 1])
def test_a_frame_of_its_own_stands_where_one_contour_names_no_slice(unnamed: int) -> None:
    drawn = [outline(z, image=n != unnamed) for n, z in enumerate((2, 3))]
    own = ROI(name="Nodule", contours=drawn, frame_of_reference="1.2.3.4")
    result = found(CT, as_received(structure_set(CT, [own])))
    assert (len(result.nodules), len(result.refused)) == (0, 1)


def test_a_foreign_frame_of_reference_is_refused_where_no_slice_is_named() -> None:
    foreign = ROI(name="Nodule", contours=[outline(3, image=False)], frame_of_reference="1.2.3.4")
    (refusal,) = found(CT, as_received(structure_set(CT, [foreign]))).refused
    assert refusal.reason.startswith("it is marked in a foreign frame of reference, 1.2.3.4")


def test_a_contour_may_lie_as_far_as_5_mm_from_the_slice_that_it_names() -> None:
    for steps, refused in ((2, 0), (3, 1)):  # of 2.5 mm
        beside = Contour(points_mm=to_mm(CT[4], EDGE), image=CT[4 - steps])
        result = found(CT, as_received(structure_set(CT, [nodule(beside)])))
        assert len(result.refused) == refused


def test_a_contour_far_from_the_slice_that_it_names_is_refused() -> None:
    lying = Contour(points_mm=to_mm(CT[7], EDGE), image=CT[2])
    (refusal,) = found(CT, as_received(structure_set(CT, [nodule(lying)]))).refused
    assert refusal.reason == (
        "its geometry contradicts its references: a contour lies 12.5 mm from the CT slice that it "
        "names"
    )


def test_a_single_point_is_a_place_without_extent() -> None:
    point = Contour(points_mm=[BOX_CENTRE_MM], shape="POINT")
    (got,) = found(CT, as_received(structure_set(CT, [nodule(point)]))).nodules
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert (got.mask, got.diameter_mm) == (None, None)


def test_contours_between_the_slices_keep_their_place() -> None:
    between = np.array([0, 0, 1.1])  # of 2.5 mm
    drawn = [Contour(points_mm=to_mm(CT[z], EDGE) + between) for z in (2, 3, 4)]
    (got,) = found(CT, as_received(structure_set(CT, [nodule(*drawn)]))).nodules
    assert got.centre_mm == pytest.approx(np.add(BOX_CENTRE_MM, between), abs=0.01)


def test_numbers_longer_than_the_standard_allows_are_read() -> None:
    received = as_received(structure_set(CT, [nodule(*[outline(3, image=False)])]))
    long = "\\".join(f"{value:.25f}" for value in to_mm(CT[3], EDGE).reshape(-1)).encode()
    with_raw(long)(received.ROIContourSequence[0].ContourSequence[0])
    (got,) = found(CT, received).nodules
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)


def damaged(change: Callable[[Dataset], None]) -> Dataset:
    rt = as_received(structure_set(CT, [nodule(), nodule(outline(6), name="Nodule 2")]))
    change(rt.ROIContourSequence[0].ContourSequence[0])
    return rt


def with_raw(value: bytes) -> Callable[[Dataset], None]:
    def change(contour: Dataset) -> None:
        raw = contour.get_item("ContourData")
        contour["ContourData"] = raw._replace(value=value, length=len(value))

    return change


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"1\\2\\x\\4\\5\\6", "Contour Data is no list of numbers"),
        (b"1,5\\2\\3\\4\\5\\6", "Contour Data is no list of numbers"),
        (b"1\\2\\nan\\4\\5\\6", "Contour Data holds something that is no finite number"),
        (b"1\\2\\3\\4\\5", "Contour Data has 5 numbers, expected 3 for each point"),
        (b"1\\2\\3\\" * 300_000, "its contours have more than 250,000 points"),
        (b"1.00000\\" * 2_100_000, "Contour Data is 16800000 bytes long"),
    ],
)
def test_a_region_of_nonsense_is_refused_and_the_others_stand(value: bytes, reason: str) -> None:
    result = found(CT, damaged(with_raw(value)))
    assert len(result.nodules) == 1
    assert [refusal.reason for refusal in result.refused] == [reason]


@pytest.mark.parametrize(
    ("contours", "reason"),
    [
        ([], "it has no contours"),
        (
            [Contour(points_mm=to_mm(CT[3], EDGE), shape="OPEN_PLANAR")],
            "it is drawn as open lines, which enclose nothing",
        ),
        (
            [Contour(points_mm=[(0, 0, 0)], shape="POINT"), Contour(points_mm=[(0, 0, 1)])],
            "it is marked by 2 points, and which is its centre is not said",
        ),
    ],
)
def test_a_nodule_without_an_area_or_a_place_is_refused(
    contours: list[Contour], reason: str
) -> None:
    rt = structure_set(CT, [ROI(name="Nodule", contours=contours)])
    (refusal,) = found(CT, as_received(rt)).refused
    assert refusal.reason == reason


def test_two_regions_of_one_number_are_refused() -> None:
    rt = structure_set(CT, [nodule(), nodule(outline(6))])
    rt.StructureSetROISequence[1].ROINumber = 1
    with pytest.raises(AnnotationUnusable, match="two ROIs of the structure set have one"):
        STRUCTURE_SET_READER.read(as_received(rt), planes_of(CT))


def test_a_region_that_is_drawn_and_not_described_is_told() -> None:
    rt = structure_set(CT, [nodule(), nodule(outline(6))])
    rt.ROIContourSequence[1].ReferencedROINumber = 7
    result = found(CT, as_received(rt))
    assert [refusal.reason for refusal in result.refused] == ["it has no contours"]
    assert [(each.place, each.says, each.unsaid) for each in result.passed_over] == [
        ("ROI 7", "not described in Structure Set ROI Sequence", True)
    ]


def test_images_of_another_study_are_not_waited_for() -> None:
    rt = structure_set(CT, [nodule(*[outline(3, image=False)])])
    study = rt.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.ReferencedSOPInstanceUID = "1.2.3"
    assert STRUCTURE_SET_READER.references(as_received(rt)).sop_instance_uids == frozenset()
