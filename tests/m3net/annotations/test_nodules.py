from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.nodules import Found, derived_uid, find_nodules
from m3net.annotations.types import Annotation, Marking
from m3net.ct.series import read_series
from m3net.nodule import AnnotationSource, Mask
from m3net.uids import SOPClassUID, SOPInstanceUID
from tests import synthetic
from tests.m3net.annotations.scene import BOX_CENTRE_MM, as_received, box, found, outlined


def point_report(ct, points_mm, *, uids, name="sr", diameter_mm=None):
    """One group per LPS point; a UID of None is left out of the object."""
    import highdicom as hd

    groups = [
        synthetic.measurement_group(
            [
                hd.sr.ImageRegion3D(
                    graphic_type="POINT",
                    graphic_data=np.array([point]),
                    frame_of_reference_uid=ct[0].FrameOfReferenceUID,
                )
            ],
            tracking_id=f"Point {number}",
            tracking_uid=uid or "1.2.3",
            diameter_mm=diameter_mm,
        )
        for number, (point, uid) in enumerate(zip(points_mm, uids, strict=True), start=1)
    ]
    report = as_received(synthetic.measurement_report(ct, groups, name=name))
    for item in report.ContentSequence:
        if item.ConceptNameCodeSequence[0].CodeValue != "126010":
            continue
        for group, uid in zip(item.ContentSequence, uids, strict=True):
            if uid is None:
                group.ContentSequence = [
                    child for child in group.ContentSequence if child.ValueType != "UIDREF"
                ]
    return report


def near(offset_mm: float) -> tuple[float, float, float]:
    x, y, z = BOX_CENTRE_MM
    return x + offset_mm, y, z


def test_separate_pieces_are_nodules_of_their_own_and_the_largest_keeps_the_uid() -> None:
    ct = synthetic.ct_series()
    mask = box()
    mask[6:8, 10:13, 12:15] = True  # 2 x 3 x 3 voxels of 1.4 mm³
    result = found(ct, synthetic.segmentation(ct, [mask], tracking_uids=["1.2.3"]))
    assert [(n.tracking_id, n.tracking_uid) for n in result.nodules] == [
        ("Nodule 1, part 1 of 2", "1.2.3"),
        ("Nodule 1, part 2 of 2", derived_uid("piece", "1.2.3", "2")),
    ]
    assert result.nodules[0].centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert result.nodules[1].centre_mm == pytest.approx((-10 + 13 * 0.8, -20 + 11 * 0.7, -83.75))


def test_voxels_that_touch_at_a_corner_are_one_nodule() -> None:
    ct = synthetic.ct_series()
    mask = box()
    mask[5, 8, 9] = True
    assert len(found(ct, synthetic.segmentation(ct, [mask])).nodules) == 1


def test_a_speck_is_ignored_and_it_is_said() -> None:
    ct = synthetic.ct_series()
    mask = box()
    mask[7, 14, 18] = True
    result = found(ct, synthetic.segmentation(ct, [mask]))
    assert [n.tracking_id for n in result.nodules] == ["Nodule 1"]
    assert result.ignored == ("1 piece of segment 1 under 4 mm³ was ignored.",)


def test_a_nodule_that_is_but_a_speck_is_refused_not_forgotten() -> None:
    ct = synthetic.ct_series()
    mask = np.zeros_like(box())
    mask[7, 14, 18] = True
    result = found(ct, synthetic.segmentation(ct, [mask]))
    assert result.nodules == ()
    assert [refusal.reason for refusal in result.refused] == [
        "what is marked is 1.4 mm³ large; no piece of 4 mm³ or more is in it, "
        "so it is too small to be judged"
    ]


def test_a_nodule_without_tracking_uid_derives_one_that_stays() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()], tracking_uids=[None])
    first, again = found(ct, seg), found(ct[::-1], seg)
    (nodule,) = first.nodules
    assert nodule.tracking_uid == derived_uid("nodule", seg.SOPInstanceUID, "segment 1")
    assert nodule.tracking_id == "Nodule 1"
    assert again.nodules[0].tracking_uid == nodule.tracking_uid


def test_derived_uids_are_valid_and_do_not_collide() -> None:
    assert derived_uid("a", "b") != derived_uid("ab", "")
    assert derived_uid("a", "b").startswith("2.25.")
    assert len(derived_uid("a", "b")) <= 64


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom, of what is tried here
def test_what_is_no_uid_is_not_repeated_and_no_tracking_uid() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()])
    seg.SegmentSequence[0].TrackingUID = "Mueller^Hans"
    (nodule,) = found(ct, seg).nodules
    assert nodule.tracking_uid == derived_uid("nodule", seg.SOPInstanceUID, "segment 1")
    seg = without_sources(seg)
    seg.FrameOfReferenceUID = "Mueller^Hans"
    (refusal,) = found(ct, seg).refused
    assert refusal.reason.startswith("it is marked in a foreign frame of reference, (no UID);")


def without_sources(seg: Dataset) -> Dataset:
    for frame in seg.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    return seg


def test_frames_of_reference_that_differ_are_bridged_by_the_slices_that_every_frame_names() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()])
    seg.FrameOfReferenceUID = "1.2.3"
    (nodule,) = found(ct, seg).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.notes == (
        "The segmentation is in another frame of reference than the CT slices that its frames "
        "name and lie on; it was read in theirs.",
    )


def test_a_foreign_frame_on_other_pixels_than_the_slices_is_refused() -> None:
    """Nothing there says where it lies within the slice's plane."""
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()])
    seg.FrameOfReferenceUID = "1.2.3"
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.6, 0.6]
    (refusal,) = found(ct, seg).refused
    assert refusal.reason.startswith("it is marked in a foreign frame of reference, 1.2.3")


def test_a_ct_without_frame_of_reference_is_met_by_references_and_never_by_a_series_uid() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()])
    frame = str(ct[0].FrameOfReferenceUID)
    for ds in ct:
        del ds.FrameOfReferenceUID
    (nodule,) = found(ct, seg).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    (refusal,) = found(ct, without_sources(seg)).refused
    assert refusal.reason == (
        "the CT names no frame of reference, and not everything that is marked names the CT slice "
        f"that it was drawn on; it is marked in the frame of reference {frame}"
    )


def test_a_foreign_frame_of_reference_is_refused() -> None:
    ct = synthetic.ct_series()
    seg = without_sources(synthetic.segmentation(ct, [box()]))
    seg.FrameOfReferenceUID = "1.2.3"
    result = found(ct, seg)
    assert result.nodules == ()
    assert result.refused[0].reason == (
        "it is marked in a foreign frame of reference, 1.2.3; "
        f"the CT's is {ct[0].FrameOfReferenceUID}"
    )


def test_a_centre_outside_the_ct_is_refused_and_the_others_are_kept() -> None:
    ct = synthetic.ct_series()
    outside = (BOX_CENTRE_MM[0], BOX_CENTRE_MM[1], 100.0)
    result = found(ct, point_report(ct, [outside, BOX_CENTRE_MM], uids=["1.1", "1.2"]))
    assert [n.tracking_uid for n in result.nodules] == ["1.2"]
    assert [(r.tracking_uid, r.tracking_id, r.reason) for r in result.refused] == [
        (
            "1.1",
            "Point 1",
            "its centre (-5.2, -16.5, 100.0) mm lies outside the CT, "
            "which spans (-10.0, -20.0, -100.0) to (5.2, -9.5, -82.5) mm",
        )
    ]


def test_the_same_uid_in_a_seg_and_an_sr_is_one_nodule_with_the_segs_mask() -> None:
    ct = synthetic.ct_series()
    uid = synthetic.uid("nodule")
    mask = box()
    mask[2:5, 3:8, 8] = False  # one column narrower than the report's outline
    seg = synthetic.segmentation(ct, [mask], tracking_uids=[uid])
    report = outlined(ct, tracking_uid=uid)
    for objects in ((seg, report), (report, seg)):
        (nodule,) = found(ct, *objects).nodules
        assert nodule.tracking_uid == uid
        assert nodule.mask is not None
        assert nodule.mask.voxels.shape == (3, 5, 4)
        assert nodule.centre_mm == pytest.approx((-5.6, -16.5, -92.5))
        assert len(nodule.sources) == 2
        assert nodule.notes[0].startswith("Marked 2 times, up to 0.4 mm apart, in ")
        assert nodule.notes[0].endswith("; the place in segment 1 was used.")


def test_a_stated_diameter_goes_with_the_other_objects_mask() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()], tracking_uids=["1.2.3"])
    report = point_report(ct, [BOX_CENTRE_MM], uids=["1.2.3"], diameter_mm=9.0)
    (nodule,) = found(ct, seg, report).nodules
    assert nodule.diameter_mm == pytest.approx(9.0)
    assert nodule.mask is not None


def test_one_uid_at_two_places_is_refused() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()], tracking_uids=["1.2.3"])
    result = found(ct, seg, point_report(ct, [near(7.0)], uids=["1.2.3"]))
    assert result.nodules == ()
    assert [r.reason for r in result.refused] == [
        "one tracking UID stands at two places, 7.0 mm apart: segment 1 and measurement group 1; "
        "correct one of them and resend it"
    ]


@pytest.mark.parametrize(("apart_mm", "nodules"), [(4.9, 1), (5.1, 0)])
def test_one_uid_may_stand_five_millimetres_apart(apart_mm, nodules) -> None:
    ct = synthetic.ct_series()
    one = point_report(ct, [BOX_CENTRE_MM], uids=["1.2.3"])
    other = point_report(ct, [near(apart_mm)], uids=["1.2.3"], name="other")
    result = found(ct, one, other)
    assert (len(result.nodules), len(result.refused)) == (nodules, 1 - nodules)


@pytest.mark.parametrize(("apart_mm", "nodules"), [(7.9, 1), (8.1, 0)])
def test_one_uid_may_stand_a_large_nodules_radius_apart(apart_mm, nodules) -> None:
    ct = synthetic.ct_series()
    one = point_report(ct, [BOX_CENTRE_MM], uids=["1.2.3"], diameter_mm=16.0)
    other = point_report(ct, [near(apart_mm)], uids=["1.2.3"], name="other")
    assert len(found(ct, one, other).nodules) == nodules


@pytest.mark.parametrize(("apart_mm", "nodules"), [(2.9, 1), (3.1, 2)])
def test_marks_of_which_one_has_no_uid_are_one_within_three_millimetres(apart_mm, nodules) -> None:
    ct = synthetic.ct_series()
    one = point_report(ct, [BOX_CENTRE_MM], uids=["1.2.3"])
    other = point_report(ct, [near(apart_mm)], uids=[None], name="other")
    assert len(found(ct, one, other).nodules) == nodules


def test_a_mark_of_no_object_but_its_own_is_merged_with_nothing() -> None:
    ct = synthetic.ct_series()
    alone = point_report(ct, [BOX_CENTRE_MM, near(0.5)], uids=[None, None])
    assert len(found(ct, alone).nodules) == 2


def test_a_refused_mark_beside_a_good_one_is_a_note() -> None:
    ct = synthetic.ct_series()
    seg = without_sources(synthetic.segmentation(ct, [box()], tracking_uids=["1.2.3"]))
    seg.FrameOfReferenceUID = "1.9"
    result = found(ct, seg, outlined(ct, tracking_uid="1.2.3"))
    assert result.refused == ()
    (nodule,) = result.nodules
    assert nodule.notes[0].startswith(
        "Also marked in segment 1, which was not used: it is marked in a foreign frame"
    )


def test_marks_without_uid_are_matched_by_distance() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()], tracking_uids=["1.2.3"])
    report = point_report(ct, [near(2.0), near(9.0)], uids=[None, None])
    result = found(ct, seg, report)
    assert [n.centre_mm[0] for n in result.nodules] == pytest.approx([-5.2, 3.8])
    assert result.nodules[0].tracking_uid == "1.2.3"
    assert "2.0 mm apart" in result.nodules[0].notes[0]


def test_two_uids_at_one_place_are_kept_and_say_so() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()], tracking_uids=["1.2.3"])
    result = found(ct, seg, point_report(ct, [near(2.0)], uids=["1.2.4"]))
    assert [n.tracking_uid for n in result.nodules] == ["1.2.3", "1.2.4"]
    assert result.nodules[0].notes == (
        "2.0 mm from here measurement group 1 marks another nodule; it may be the same one.",
    )


def test_outlines_of_two_readers_are_one_nodule_and_say_so() -> None:
    ct = synthetic.ct_series()
    mask = box()
    mask[2:5, 3:8, 8] = False
    one = synthetic.segmentation(ct, [box()], name="one", tracking_uids=["1.2.3"])
    other = synthetic.segmentation(ct, [mask], name="other", tracking_uids=["1.2.4"])
    report = outlined(ct, tracking_uid="1.2.5", name="third")
    for objects in ((one, other), (one, report), (report, other), (one, other, report)):
        result = found(ct, *objects)
        assert result.refused == ()
        (nodule,) = result.nodules
        assert len(nodule.sources) == len(objects)
        assert [note.split(", up to")[0] for note in nodule.notes] == [
            f"Marked {len(objects)} times"
        ]


def test_neighbours_that_do_not_hold_each_others_centre_are_two_nodules() -> None:
    ct = synthetic.ct_series()
    beside = np.zeros_like(box())
    beside[2:5, 3:8, 9:14] = True
    one = synthetic.segmentation(ct, [box()], name="one")
    other = synthetic.segmentation(ct, [beside], name="other")
    assert len(found(ct, one, other).nodules) == 2


def test_a_small_nodule_in_the_sphere_of_a_large_one_is_another_nodule() -> None:
    ct = synthetic.ct_series()
    large = point_report(ct, [BOX_CENTRE_MM], uids=["1.2.3"], diameter_mm=12.0)
    small = point_report(ct, [near(4.0)], uids=["1.2.4"], diameter_mm=3.0, name="small")
    assert len(found(ct, large, small).nodules) == 2


def segment_report(ct, seg, *, number=1, tracking_uid="1.7"):
    import highdicom as hd

    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=tracking_uid, identifier="Lesion 7"),
        finding_type=synthetic.codes.SCT.Nodule,
        measurements=[
            hd.sr.Measurement(
                name=synthetic.codes.SCT.Diameter,
                value=8.0,
                unit=synthetic.codes.UCUM.Millimeter,
            )
        ],
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=number,
            source_images=[
                hd.sr.SourceImageForSegmentation(ct[3].SOPClassUID, ct[3].SOPInstanceUID)
            ],
        ),
    )
    return as_received(synthetic.measurement_report(ct, [group], evidence=[*ct, seg]))


def test_a_report_about_a_segment_speaks_of_that_segments_mask() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()], tracking_uids=[None])
    report = segment_report(ct, seg)
    for objects in ((seg, report), (report, seg)):
        result = found(ct, *objects)
        assert result.refused == ()
        (nodule,) = result.nodules
        assert nodule.tracking_uid == "1.7"
        assert nodule.diameter_mm == pytest.approx(8.0)
        assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
        assert [s.place for s in nodule.sources] == ["segment 1", "measurement group 1"]


def test_a_report_about_a_segment_that_never_came_is_refused() -> None:
    ct = synthetic.ct_series()
    report = segment_report(ct, synthetic.segmentation(ct, [box()]))
    (refusal,) = found(ct, report).refused
    assert refusal.reason == "it is segment 1 of a segmentation, which was not received"
    assert refusal.tracking_uid == "1.7"


def test_a_mask_that_reaches_out_of_the_scan_is_kept_and_says_so() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()])
    (nodule,) = found(ct[3:], seg).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert "33 % of the marked voxels lie outside the CT." in nodule.notes


def test_nodules_come_in_the_order_in_which_they_are_marked() -> None:
    ct = synthetic.ct_series()
    report = point_report(ct, [near(9.0), near(0.0), near(5.0)], uids=["1.3", "1.1", "1.2"])
    assert [n.tracking_uid for n in found(ct, report).nodules] == ["1.3", "1.1", "1.2"]


SCAN = read_series(synthetic.ct_series())


def marked(object_uid: str, name: str = "", *, uid: str | None = None, **shape: object) -> Marking:
    """A mark by itself, without an object about it."""
    return Marking(
        source=AnnotationSource(
            sop_class_uid=SOPClassUID("1"),
            sop_instance_uid=SOPInstanceUID(object_uid),
            place=f"mark of {object_uid}",
        ),
        tracking_uid=uid,
        tracking_id=name,
        frame_of_reference_uid=SCAN.frame_of_reference_uid,
        **shape,
    )


def laid_over(*marks: Marking) -> Found:
    """What objects of one mark each come to."""
    return find_nodules(
        [
            Annotation(
                sop_instance_uid=mark.source.sop_instance_uid,
                markings=(replace(mark, source=replace(mark.source, place=f"mark {number}")),),
            )
            for number, mark in enumerate(marks, start=1)
        ],
        SCAN,
    )


def test_the_largest_of_several_pieces_keeps_the_stated_diameter() -> None:
    pieces = box()
    pieces[6:8, 10:13, 12:15] = True
    said = marked("1.1", mask=Mask(voxels=pieces, affine=SCAN.affine))
    finer = marked("1.2", mask=Mask(voxels=box(), affine=SCAN.affine))
    for diameters, expected in (({"stated_mm": 9.0}, [9.0, 2.8]), ({"drawn_mm": 9.0}, [4.9, 2.8])):
        nodules = laid_over(replace(said, **diameters), finer).nodules
        assert [round(nodule.diameter_mm or 0.0, 1) for nodule in nodules] == expected


def square(z_mm: float, *, half_mm: float = 2.0, aside_mm: float = 0.0) -> np.ndarray:
    x, y, _ = near(aside_mm)
    turns = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    return np.array([(x + u * half_mm, y + v * half_mm, z_mm) for u, v in turns])


@pytest.mark.parametrize(
    ("names", "given"),
    [
        (
            ["", "lung nodule", "Nodule 1", "lung nodule", "Bidirectional"],
            ["Nodule 2", "lung nodule", "Nodule 1", "lung nodule (2)", "Nodule 5"],
        ),
        ([""], ["Nodule 1"]),
        (["", "", "Nodule 1"], ["Nodule 2", "Nodule 3", "Nodule 1"]),
        (["nodule"] * 3, ["nodule", "nodule (2)", "nodule (3)"]),
        (["nodule", "nodule", "nodule (2)"], ["nodule", "nodule (3)", "nodule (2)"]),
    ],
)
def test_what_has_no_name_has_its_number_and_no_name_is_given_twice(
    names: list[str], given: list[str]
) -> None:
    marks = [
        marked(f"1.{n}", name, uid=f"2.{n}", centre_mm=near(3.0 * n - 4))
        for n, name in enumerate(names)
    ]
    assert [nodule.tracking_id for nodule in laid_over(*marks).nodules] == given


def test_outlines_go_before_circles_and_a_mask_before_outlines_whichever_comes_last() -> None:
    circle = marked("1.1", uid="7", centre_mm=near(1.0), drawn_mm=5.0)
    outlines = marked("1.2", uid="7", contours_mm=(square(-92.5),))
    mask = Mask(voxels=box()[2:5, 3:8, 4:9], affine=SCAN.affine.copy())
    mask.affine[:3, 3] = SCAN.to_mm((2, 3, 5))
    masked = marked("1.3", uid="7", mask=mask)
    for marks, x_mm in (
        ((circle, outlines), -5.2),
        ((outlines, circle), -5.2),
        ((masked, outlines), -4.4),
        ((outlines, masked), -4.4),
        ((masked, circle, outlines), -4.4),
    ):
        (nodule,) = laid_over(*marks).nodules
        assert nodule.centre_mm[0] == pytest.approx(x_mm)


def test_only_the_largest_piece_has_the_uid_and_the_diameter_that_are_stated() -> None:
    outlines = (square(-92.5, half_mm=1.5), square(-92.5, half_mm=1.0, aside_mm=6.0))
    pieces = marked("1.1", uid="2.7", contours_mm=outlines, stated_mm=9.5)
    large, small = laid_over(pieces).nodules
    assert (large.tracking_uid, large.diameter_mm) == ("2.7", 9.5)
    assert small.tracking_uid == derived_uid("piece", "2.7", "2")
    assert small.diameter_mm == pytest.approx(2.25, abs=0.01)
    beside = marked("1.2", uid="2.8", centre_mm=near(6.5), stated_mm=4.0)
    _, merged = laid_over(pieces, beside).nodules
    assert (merged.tracking_uid, merged.diameter_mm) == ("2.8", 4.0)
    at_the_largest = marked("1.3", uid="2.9", centre_mm=near(0.5))
    uids = [nodule.tracking_uid for nodule in laid_over(pieces, at_the_largest).nodules]
    assert uids == ["2.7", small.tracking_uid, "2.9"]


def test_what_is_refused_is_named_by_its_place_where_it_has_no_name() -> None:
    away = {"centre_mm": (0.0, 0.0, 500.0)}
    refused = laid_over(
        marked("1.1", **away),
        marked("1.2", "Nodule 4", **away),
        marked("1.3", "Nodule 5", refused="it is nowhere"),
    ).refused
    assert [each.tracking_id for each in refused] == ["Nodule of mark 1", "Nodule 4", "Nodule 5"]
    assert refused[0].tracking_uid == derived_uid("nodule", "1.1", "mark 1")
