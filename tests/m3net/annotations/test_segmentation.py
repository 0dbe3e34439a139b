import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataelem import DataElement

from m3net.annotations.readers import recognise
from m3net.annotations.segmentation import SEGMENTATION_READER
from m3net.errors import AnnotationUnusable
from tests import synthetic
from tests.m3net.annotations.scene import BOX_CENTRE_MM, box, found, planes_of
from tests.m3net.ct.test_series import OBLIQUE, TILTED


def without_sources(seg: Dataset) -> Dataset:
    for frame in seg.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    return seg


def shifted(seg: Dataset, *, x: float = 0.0, z: float = 0.0) -> Dataset:
    for frame in seg.PerFrameFunctionalGroupsSequence:
        plane = frame.PlanePositionSequence[0]
        old = [float(v) for v in plane.ImagePositionPatient]
        plane.ImagePositionPatient = [old[0] + x, old[1], old[2] + z]
    return seg


@pytest.mark.parametrize("kind", ["binary", "fractional", "labelmap"])
def test_a_mask_has_the_same_centre_in_every_encoding(kind: str) -> None:
    ct = synthetic.ct_series()
    mask = box().astype(np.float64) if kind == "fractional" else box()
    options = {} if kind == "binary" else {kind: True}
    seg = synthetic.segmentation(ct, [mask], **options)
    assert recognise(seg) is not None
    result = found(ct, seg)
    assert (result.refused, result.ignored) == ((), ())
    (nodule,) = result.nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.mask is not None
    assert nodule.mask.voxels.shape == (3, 5, 5)
    assert nodule.tracking_uid == synthetic.uid("seg", "tracking", 0)
    assert nodule.tracking_id == "Nodule 1"


def test_half_of_the_maximum_belongs_to_a_fractional_mask_and_less_does_not() -> None:
    ct = synthetic.ct_series()
    share = box() * 0.6
    share[2:5, 3:8, 8] = 0.4
    (nodule,) = found(ct, synthetic.segmentation(ct, [share], fractional=True)).nodules
    assert nodule.mask is not None
    assert nodule.mask.voxels.shape == (3, 5, 4)


@pytest.mark.parametrize(
    "geometry",
    [
        {"orientation": OBLIQUE},
        {"orientation": TILTED, "step_mm": (0.0, 0.0, 2.5)},
        {"orientation": (-1, 0, 0, 0, -1, 0)},
    ],
    ids=["oblique", "tilted", "prone"],
)
def test_a_mask_stands_where_the_ct_stands_in_every_geometry(geometry: dict[str, object]) -> None:
    ct = synthetic.ct_series(**geometry)
    if "step_mm" in geometry:  # highdicom writes no volume of a sheared stack: frames by source
        seg = synthetic.segmentation(ct, [box()])
    else:
        seg = synthetic.segmentation(ct[::-1], [box()[::-1]])
    (nodule,) = found(ct, seg).nodules
    row, col = (
        np.array(ct[0].ImageOrientationPatient[:3]),
        np.array(ct[0].ImageOrientationPatient[3:]),
    )
    position = np.array([float(v) for v in ct[3].ImagePositionPatient])
    assert nodule.centre_mm == pytest.approx(position + 5 * 0.7 * col + 6 * 0.8 * row, abs=1e-3)
    assert nodule.notes == ()


def test_a_nodule_that_skips_a_slice_falls_in_two_at_its_true_places() -> None:
    ct = synthetic.ct_series()
    mask = box()
    mask[3] = False
    result = found(ct, synthetic.segmentation(ct, [mask]))
    assert [n.tracking_id for n in result.nodules] == [
        "Nodule 1, part 1 of 2",
        "Nodule 1, part 2 of 2",
    ]
    assert sorted(n.centre_mm[2] for n in result.nodules) == pytest.approx([-95.0, -90.0])


def test_segments_may_overlap() -> None:
    ct = synthetic.ct_series()
    other = np.zeros_like(box())
    other[3, 3:12, 4:14] = True
    result = found(ct, synthetic.segmentation(ct, [box(), other]))
    assert [n.mask.voxels.shape for n in result.nodules if n.mask] == [(3, 5, 5), (1, 9, 10)]


def test_a_segment_that_is_no_nodule_is_ignored_and_named() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(
        ct,
        [box()],
        property_category=hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
        property_type=hd.sr.CodedConcept("39607008", "SCT", "Lung"),
    )
    result = found(ct, seg)
    assert result.nodules == ()
    (other,) = result.passed_over
    assert (other.place, other.says, other.unsaid) == ("segment 1", "Lung", False)


def test_old_codes_are_understood() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(
        ct,
        [box()],
        property_category=hd.sr.CodedConcept("M-01000", "SRT", "Altered"),
        property_type=hd.sr.CodedConcept("M-03010", "SRT", "Knoten"),
    )
    assert len(found(ct, seg).nodules) == 1


def test_an_empty_segment_is_ignored_and_named() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box(), np.zeros_like(box())])
    result = found(ct, seg)
    assert len(result.nodules) == 1
    assert result.ignored == ("Segment 2 of the segmentation is empty.",)


def test_a_frame_that_stands_elsewhere_than_its_slice_is_refused() -> None:
    ct = synthetic.ct_series()
    mask = box()
    mask[[2, 4]] = False
    (refusal,) = found(ct, shifted(synthetic.segmentation(ct, [mask]), z=2.5)).refused
    assert refusal.reason == (
        "its geometry contradicts its references: a frame stands at (-10.0, -20.0, -90.0) mm and "
        "the CT slice that it names at (-10.0, -20.0, -92.5) mm"
    )


def test_a_rounding_error_is_no_contradiction() -> None:
    ct = synthetic.ct_series()
    seg = shifted(synthetic.segmentation(ct, [box()]), z=0.2)
    (nodule,) = found(ct, seg).nodules
    assert nodule.centre_mm[2] == pytest.approx(-92.3)


def test_frames_on_the_cts_matrix_beside_its_pixels_are_refused() -> None:
    ct = synthetic.ct_series()
    seg = shifted(without_sources(synthetic.segmentation(ct, [box()])), x=3.0)
    (refusal,) = found(ct, seg).refused
    assert "has the CT's matrix of 16 x 20 pixels, but its frames stand at (-7.0" in refusal.reason


def test_a_mask_that_names_no_slices_is_used_and_it_is_said() -> None:
    ct = synthetic.ct_series()
    (nodule,) = found(ct, without_sources(synthetic.segmentation(ct, [box()]))).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.notes == (
        "The segmentation does not name the CT slices that it was drawn on; "
        "its place rests on its own coordinates.",
    )


def test_of_a_mask_that_was_drawn_on_a_pet_it_is_said() -> None:
    ct = synthetic.ct_series()
    pet = synthetic.ct_series(series="pet")
    for ds in pet:
        ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.128", "PT"
    (nodule,) = found(ct, synthetic.segmentation(pet, [box()])).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert (
        "It was drawn on other images than the CT, such as a PET: on the CT it may lie and end "
        "elsewhere."
    ) in nodule.notes
    (on_ct,) = found(ct, synthetic.segmentation(ct, [box()])).nodules
    assert on_ct.notes == ()


def test_a_lost_slice_of_the_ct_leaves_the_mask_in_place() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()])
    (nodule,) = found([*ct[:3], *ct[4:]], seg).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)


def test_two_distant_flat_nodules_do_not_touch() -> None:
    ct = synthetic.ct_series()
    mask = np.zeros_like(box())
    mask[1, 3:8, 4:9] = mask[6, 3:8, 4:9] = True
    result = found(ct, synthetic.segmentation(ct, [mask]))
    assert sorted(n.centre_mm[2] for n in result.nodules) == pytest.approx([-97.5, -85.0])


def test_a_segmentation_refers_to_its_whole_series_and_marks_its_slices() -> None:
    ct = synthetic.ct_series()
    references = SEGMENTATION_READER.references(synthetic.segmentation(ct, [box()]))
    assert references.frame_of_reference_uid == ct[0].FrameOfReferenceUID
    assert references.series_instance_uids == {ct[0].SeriesInstanceUID}
    assert references.sop_instance_uids == {ds.SOPInstanceUID for ds in ct}
    assert references.marked_images == {ds.SOPInstanceUID for ds in ct[2:5]}
    assert references.centres_mm[0] == pytest.approx(BOX_CENTRE_MM)


def test_the_header_alone_is_enough_for_its_references() -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [box()])
    del seg.PixelData
    references = SEGMENTATION_READER.references(seg)
    assert references.marked_images == {ds.SOPInstanceUID for ds in ct[2:5]}
    assert references.centres_mm == ()


def broken(seg: Dataset, what: str) -> Dataset:
    if what == "pixels":
        seg["PixelData"] = DataElement("PixelData", "OB", b"\0")
    elif what == "positions":
        del seg.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    elif what == "frames":
        del seg.PerFrameFunctionalGroupsSequence
    else:
        shared = seg.SharedFunctionalGroupsSequence[0]
        shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 1, 0, 0]
    return seg


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("pixels", "pixels are too few: 1 bytes for 3 x 16 x 20"),
        ("positions", "no PlanePositionSequence"),
        ("frames", "no frames with a place"),
        ("orientation", "no orthonormal orientation"),
    ],
)
def test_an_object_that_makes_no_sense_is_unusable(what: str, reason: str) -> None:
    ct = synthetic.ct_series()
    seg = broken(synthetic.segmentation(ct, [box()]), what)
    with pytest.raises(AnnotationUnusable, match=reason):
        SEGMENTATION_READER.read(seg, planes_of(ct))
