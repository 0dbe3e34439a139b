"""Which segments of a segmentation are nodules: by number, by meaning, and before any pixel."""

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence

from m3net.annotations.segmentation import SEGMENTATION_READER
from m3net.annotations.types import NO_PLANES
from m3net.errors import AnnotationUnusable
from m3net.nodule import Side, Site
from tests import synthetic
from tests.m3net.annotations.scene import BOX_CENTRE_MM, box, found

CT = synthetic.ct_series()
TISSUE = hd.sr.CodedConcept("85756007", "SCT", "Tissue")
OHIF_TISSUE = hd.sr.CodedConcept("T-D0050", "SRT", "Tissue")
ORGAN = hd.sr.CodedConcept("113343008", "SCT", "Organ")
LIVER = hd.sr.CodedConcept("10200004", "SCT", "Liver")
RIGHT = hd.sr.CodedConcept("24028007", "SCT", "Right")


def other() -> np.ndarray:
    mask = np.zeros_like(box())
    mask[5:7, 10:13, 10:14] = True
    return mask


def called(label: str, code: hd.sr.CodedConcept = OHIF_TISSUE, *, site=None) -> Dataset:
    """A segment as a viewer's brush writes it."""
    seg = synthetic.segmentation(
        CT, [box()], tracking_uids=[None], property_category=TISSUE, property_type=code
    )
    seg.SegmentSequence[0].SegmentLabel = label
    if site is not None:
        seg.SegmentSequence[0].AnatomicRegionSequence = DicomSequence([site])
    return seg


def numbered_from_zero(seg: Dataset) -> Dataset:
    """As careless writers number the segments of a BINARY object."""
    for segment in seg.SegmentSequence:
        segment.SegmentNumber -= 1
    for frame in seg.PerFrameFunctionalGroupsSequence:
        frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber -= 1
    return seg


def undecodable(seg: Dataset) -> Dataset:
    seg.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.106"
    seg.PixelData = b"\0\1" * 20
    return seg


def passed_over(seg: Dataset) -> list[tuple[str, str, bool]]:
    return [(other.place, other.says, other.unsaid) for other in found(CT, seg).passed_over]


@pytest.mark.parametrize("code", [OHIF_TISSUE, TISSUE, ORGAN])
@pytest.mark.parametrize("label", ["Nodule 1", "Rundherd", "RUL nodule", "Lesion 2"])
def test_of_a_generic_code_the_label_decides(code, label) -> None:
    (nodule,) = found(CT, called(label, code)).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("LN 4R", ("segment 1", "lymph node", False)),
        ("Mrs Smith's liver", ("segment 1", "liver", False)),
        ("Segment 1", ("segment 1", "Tissue", True)),
        ("Mrs Smith", ("segment 1", "Tissue", True)),
    ],
)
def test_what_a_label_makes_something_else_is_told_in_our_words(label, expected) -> None:
    assert passed_over(called(label)) == [expected]


def test_a_site_with_a_side_is_a_site() -> None:
    lung = hd.sr.CodedConcept("39607008", "SCT", "Lung")
    lung.AnatomicRegionModifierSequence = DicomSequence([RIGHT])
    (nodule,) = found(CT, called("Nodule", site=lung)).nodules
    assert nodule.site == Site(side=Side.RIGHT)
    assert passed_over(called("Nodule", site=LIVER)) == [
        ("segment 1", "a finding in: Liver", False)
    ]


def test_segment_0_of_a_binary_object_is_a_segment() -> None:
    result = found(CT, numbered_from_zero(synthetic.segmentation(CT, [box(), other()])))
    assert [nodule.sources[0].place for nodule in result.nodules] == ["segment 0", "segment 1"]
    assert result.nodules[0].centre_mm == pytest.approx(BOX_CENTRE_MM)


def test_of_a_label_map_only_pixel_padding_value_names_the_background() -> None:
    seg = synthetic.segmentation(CT, [box(), other()], labelmap=True)
    # every voxel one lower: the first nodule is 0, the background 255
    pixels = np.frombuffer(seg.PixelData, np.uint8) - np.uint8(1)
    seg.PixelData = pixels.tobytes()
    seg.PixelPaddingValue = 255
    seg.SegmentSequence = [s for s in seg.SegmentSequence if s.SegmentNumber > 0]
    for segment in seg.SegmentSequence:
        segment.SegmentNumber -= 1
    result = found(CT, seg)
    assert [nodule.sources[0].place for nodule in result.nodules] == ["segment 0", "segment 1"]
    assert result.nodules[0].centre_mm == pytest.approx(BOX_CENTRE_MM)


def test_a_designated_background_is_never_a_nodule() -> None:
    seg = synthetic.segmentation(CT, [box()], labelmap=True)
    background = seg.SegmentSequence[0] if seg.SegmentSequence[0].SegmentNumber == 0 else None
    if background is None:
        background = Dataset()
        background.update(seg.SegmentSequence[0])
        background.SegmentNumber = 0
        seg.SegmentSequence.insert(0, background)
    background.SegmentLabel = "Nodule"
    background.SegmentedPropertyTypeCodeSequence = DicomSequence(
        [hd.sr.CodedConcept("27925004", "SCT", "Nodule")]
    )
    seg.PixelPaddingValue = 0
    result = found(CT, seg)
    assert [nodule.sources[0].place for nodule in result.nodules] == ["segment 1"]
    assert result.passed_over == ()


def test_a_value_that_is_no_background_and_not_described_is_said() -> None:
    seg = synthetic.segmentation(CT, [box()], labelmap=True)
    seg.SegmentSequence = [s for s in seg.SegmentSequence if s.SegmentNumber == 1]
    seg.PixelPaddingValue = 255
    assert passed_over(seg) == [("segment 0", "not described in Segment Sequence", True)]


def test_without_pixel_padding_value_0_is_background_unless_it_is_described() -> None:
    seg = synthetic.segmentation(CT, [box()], labelmap=True)
    del seg.PixelPaddingValue
    (nodule,) = [segment for segment in seg.SegmentSequence if segment.SegmentNumber == 1]
    seg.SegmentSequence = DicomSequence([nodule])
    assert [each.sources[0].place for each in found(CT, seg).nodules] == ["segment 1"]
    assert passed_over(seg) == []
    nodule.SegmentNumber = 0
    assert [each.sources[0].place for each in found(CT, seg).nodules] == ["segment 0"]
    assert passed_over(seg) == [("segment 1", "not described in Segment Sequence", True)]


def test_a_segment_that_all_frames_share_may_be_named_once() -> None:
    seg = synthetic.segmentation(CT, [box()])
    assert "SegmentIdentificationSequence" in seg.SharedFunctionalGroupsSequence[0]
    drawn_on = {frame.sop_instance_uid for frame in SEGMENTATION_READER.references(seg).marked}
    assert drawn_on == {CT[z].SOPInstanceUID for z in (2, 3, 4)}
    seg.SegmentSequence[0].SegmentNumber = 2
    assert passed_over(seg) == [("segment 1", "not described in Segment Sequence", True)]


def test_a_segmentation_of_a_pet_waits_for_nothing_and_says_what_it_is_drawn_on() -> None:
    seg = synthetic.segmentation(CT, [box()])
    pet = "1.2.840.10008.5.1.4.1.1.128"
    for frame in seg.PerFrameFunctionalGroupsSequence:
        for source in frame.DerivationImageSequence[0].SourceImageSequence:
            source.ReferencedSOPClassUID = pet
    for series in seg.ReferencedSeriesSequence:
        for instance in series.ReferencedInstanceSequence:
            instance.ReferencedSOPClassUID = pet
    references = SEGMENTATION_READER.references(seg)
    assert references.sop_instance_uids == frozenset()
    assert references.image_classes == {pet}


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
def test_a_segment_that_is_drawn_and_not_described_is_said(kind) -> None:
    seg = synthetic.segmentation(CT, [box(), other()], labelmap=kind == "labelmap")
    seg.SegmentSequence = [s for s in seg.SegmentSequence if s.SegmentNumber != 2]
    assert len(found(CT, seg).nodules) == 1
    assert passed_over(seg) == [("segment 2", "not described in Segment Sequence", True)]


def test_a_segment_without_a_code_goes_by_its_label() -> None:
    seg = called("Nodule 1")
    del seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence
    del seg.SegmentSequence[0].SegmentedPropertyCategoryCodeSequence
    assert len(found(CT, seg).nodules) == 1
    seg.SegmentSequence[0].SegmentLabel = "Segment 1"
    assert passed_over(seg) == [("segment 1", "", True)]


def test_two_segments_of_one_number_are_none() -> None:
    seg = synthetic.segmentation(CT, [box(), other()])
    seg.SegmentSequence[1].SegmentNumber = 1
    with pytest.raises(AnnotationUnusable, match="describes 1 of its segments twice"):
        SEGMENTATION_READER.read(seg, NO_PLANES)


def test_an_organ_that_cannot_be_decoded_is_told_apart_all_the_same() -> None:
    for seg in (called("Liver"), called("Segment 1"), called("x", LIVER)):
        (passed,) = found(CT, undecodable(seg)).passed_over
        assert passed.place == "segment 1"
        assert not SEGMENTATION_READER.references(seg).nodules


def test_a_nodule_that_cannot_be_decoded_has_one_reason_of_one_line_without_a_plugin() -> None:
    seg = undecodable(synthetic.segmentation(CT, [box()]))
    with pytest.raises(AnnotationUnusable) as error:
        SEGMENTATION_READER.read(seg, NO_PLANES)
    assert str(error.value) == (
        "the segmentation's pixels cannot be decoded from transfer syntax MPEG-4 AVC/H.264 "
        "Stereo High Profile / Level 4.2 (1.2.840.10008.1.2.4.106)"
    )


def test_a_report_makes_a_nodule_of_a_segment_that_nobody_named() -> None:
    from tests.m3net.annotations.test_nodules import segment_report

    seg = called("Segment 1")
    for objects in ((seg, segment_report(CT, seg)), (segment_report(CT, seg), seg)):
        result = found(CT, *objects)
        (nodule,) = result.nodules
        assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
        assert nodule.diameter_mm == pytest.approx(8.0)
        assert result.passed_over == ()


def test_a_report_makes_no_nodule_of_a_liver() -> None:
    from tests.m3net.annotations.test_nodules import segment_report

    seg = called("x", LIVER)
    result = found(CT, seg, segment_report(CT, seg))
    assert result.nodules == ()
    (refusal,) = result.refused
    assert refusal.reason == ("it is segment 1 of a segmentation, which is no nodule there: Liver")


def test_a_segments_lung_is_what_its_regions_agree_upon() -> None:
    left = hd.sr.CodedConcept("44029006", "SCT", "Left lung")
    right = hd.sr.CodedConcept("3341006", "SCT", "Right lung")
    seg = called("Nodule 1", site=left)
    assert found(CT, seg).nodules[0].site == Site(side=Side.LEFT)
    for structure, site in ((left, Site(side=Side.LEFT)), (right, None)):
        seg.SegmentSequence[0].PrimaryAnatomicStructureSequence = DicomSequence([structure])
        assert found(CT, seg).nodules[0].site == site
