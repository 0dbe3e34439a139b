from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.chest_cad import CHEST_CAD_READER
from m3net.annotations.readers import recognise
from m3net.uids import FrameReference, SOPInstanceUID
from tests import synthetic
from tests.encodings import ABNORMAL_OPACITY, NODULE, Composite, Finding, chest_cad
from tests.m3net.annotations.scene import BOX_CENTRE_MM, OUTLINE, as_received, found
from tests.validators import dciodvfy, dsrdump, pixelmed_sr
from tests.viewer_reports import number

CT = synthetic.ct_series()
PRIOR = synthetic.ct_series(study="prior", series="prior", frame_of_reference="prior")
ON_SLICE_3 = (-5.2, -16.5, -92.5)


def outline(z: int = 3, **how: object) -> Finding:
    return Finding(image=CT[z], outline=OUTLINE, **how)


def cad(*features: Finding | Composite, priors: list[Dataset] | None = None) -> Dataset:
    return as_received(chest_cad(CT, features, priors=priors or []))


def test_findings_of_one_composite_feature_are_one_nodule() -> None:
    report = cad(Composite(parts=[outline(2), outline(3), outline(4)], tracking_uid="1.2.3"))
    assert recognise(report) is not None
    result = found(CT, report)
    (got,) = result.nodules
    assert (result.refused, result.passed_over) == ((), ())
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert got.mask is not None
    assert got.mask.voxels.sum() == 75
    assert got.tracking_uid == "1.2.3"
    assert [source.place for source in got.sources] == ["CAD finding 1"]


def test_single_findings_are_nodules_of_their_own() -> None:
    result = found(CT, cad(outline(2), Finding(image=CT[6], centre=(12, 12))))
    assert len(result.nodules) == 2
    assert result.nodules[1].centre_mm == pytest.approx((-0.8, -11.95, -85.0))
    assert result.nodules[1].diameter_mm is None


def test_a_nested_composite_is_part_of_the_topmost() -> None:
    inner = Composite(parts=[outline(2), outline(3)])
    (got,) = found(CT, cad(Composite(parts=[inner, outline(4)]))).nodules
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)


def test_an_outline_goes_before_a_centre() -> None:
    (got,) = found(CT, cad(outline(3, centre=(12, 12)))).nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3)


def test_centres_on_several_slices_are_one_nodule_in_their_middle() -> None:
    parts = [Finding(image=CT[z], centre=(6.5, 5.5)) for z in (2, 3, 4)]
    (got,) = found(CT, cad(Composite(parts=parts))).nodules
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert got.diameter_mm is None


def test_centres_further_apart_than_a_nodule_is_large_are_refused() -> None:
    wide = synthetic.ct_series(spacing_mm=(10.0, 0.7, 0.8))
    parts = [Finding(image=wide[z], centre=(6.5, 5.5)) for z in (0, 4)]
    (refusal,) = found(wide, as_received(chest_cad(wide, [Composite(parts=parts)]))).refused
    assert refusal.reason == "its 2 centres lie up to 40 mm apart, which is no nodule"
    parts[1] = Finding(image=wide[3], centre=(6.5, 5.5))  # 30 mm
    assert len(found(wide, as_received(chest_cad(wide, [Composite(parts=parts)]))).nodules) == 1


def test_a_stated_diameter_goes_before_what_was_drawn() -> None:
    report = chest_cad(CT, [outline(3), Finding(image=CT[6], centre=(12, 12))])
    for feature, mm in zip(report.ContentSequence[2].ContentSequence, ("7.5", "6"), strict=True):
        feature.ContentSequence.append(number(("81827009", "SCT", "Diameter"), value=mm))
    one, other = found(CT, as_received(report)).nodules
    assert (one.diameter_mm, other.diameter_mm) == (7.5, 6.0)
    drawn, point = found(CT, cad(outline(3), Finding(image=CT[6], centre=(12, 12)))).nodules
    assert drawn.diameter_mm == pytest.approx(4.88, abs=0.1)
    assert point.diameter_mm is None


def test_a_finding_that_a_composite_names_by_reference_is_counted_once() -> None:
    # 1.3 is the summary, 1.3.1 its first finding.
    report = chest_cad(CT, [outline(3), Composite(parts=[], by_reference=[[1, 3, 1]])])
    result = found(CT, as_received(report))
    assert len(result.nodules) == 1
    assert result.passed_over == ()


def test_a_modifier_makes_an_opacity_a_nodule_and_alone_it_says_nothing_of_one() -> None:
    opacity = outline(2, kind=ABNORMAL_OPACITY, modifier=NODULE)
    assert len(found(CT, cad(opacity)).nodules) == 1
    texture = outline(2, kind=("112064", "DCM", "Abnormal texture"))
    result = found(CT, cad(texture))
    assert result.nodules == ()
    assert [each.place for each in result.passed_over] == ["CAD finding 1"]


def test_a_finding_in_another_organ_is_passed_over() -> None:
    heart = outline(3, site=("80891009", "SCT", "Heart"))
    result = found(CT, cad(heart))
    assert (len(result.nodules), len(result.passed_over)) == (0, 1)


def test_of_what_kind_a_finding_is_counts_as_unsaid_only_of_one_on_the_ct() -> None:
    tissue = ("85756007", "SCT", "Tissue")
    texture = ("112064", "DCM", "Abnormal texture")
    findings = [
        outline(3, kind=tissue),
        outline(3, kind=texture),
        Finding(image=PRIOR[3], outline=OUTLINE, kind=tissue),
        outline(3, kind=tissue, render="never"),
        outline(3, kind=texture, render="never"),
    ]
    passed_over = found(CT, cad(*findings, priors=PRIOR)).passed_over
    assert [each.unsaid for each in passed_over] == [True, False, False, False, False]


def test_outlines_in_two_frames_of_reference_are_of_no_one_nodule() -> None:
    report = chest_cad(CT, [Composite(parts=[outline(2), outline(3)])])
    drawn = [
        each
        for part in report.ContentSequence[2].ContentSequence[0].ContentSequence
        for each in part.get("ContentSequence", [])
        if each.ValueType == "SCOORD"
    ]
    square = [(0.0, 0.0, 9.0), (4.0, 0.0, 9.0), (4.0, 4.0, 9.0), (0.0, 4.0, 9.0)]
    assert len(drawn) == 2
    drawn[1].ValueType = "SCOORD3D"
    drawn[1].ReferencedFrameOfReferenceUID = "1.2.3"
    drawn[1].GraphicType, drawn[1].GraphicData = "POLYGON", np.ravel(square).tolist()
    del drawn[1].ContentSequence
    (refusal,) = found(CT, as_received(report)).refused
    assert refusal.reason == "it is marked in 2 frames of reference"


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_not_to_be_rendered_is_skipped(whole: bool) -> None:
    hidden = Finding(image=CT[6], outline=OUTLINE, render="never")
    shown = Composite(parts=[outline(3), hidden])
    features = (hidden, outline(3)) if whole else (shown,)
    result = found(CT, cad(*features))
    (got,) = result.nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3)
    said = [(each.place, each.says) for each in result.passed_over]
    hidden_says = ("CAD finding 1", "the device says that it is not to be rendered")
    assert said == ([hidden_says] if whole else [])


def test_the_prior_s_findings_of_a_composite_are_left_out() -> None:
    prior = Finding(image=PRIOR[3], outline=OUTLINE)
    report = cad(Composite(parts=[outline(3), prior]), priors=PRIOR)
    (got,) = found(CT, report).nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3)
    alone = found(CT, cad(prior, priors=PRIOR))
    assert [each.says for each in alone.passed_over] == ["it is on an image of another study"]


def test_a_finding_on_a_radiograph_is_passed_over_and_not_waited_for() -> None:
    report = chest_cad(CT, [outline(3)])
    for image in report.ContentSequence[1].ContentSequence:
        image.ReferencedSOPSequence[0].ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    report = as_received(report)
    assert [each.says for each in found(CT, report).passed_over] == [
        "it is on an image that is no CT"
    ]
    references = CHEST_CAD_READER.references(report)
    assert (references.sop_instance_uids, references.marked) == (frozenset(), frozenset())


def test_certainty_is_told() -> None:
    (got,) = found(CT, cad(outline(3, certainty=87))).nodules
    assert got.notes == ("The device that found it gives its certainty as 87 %.",)


def test_it_refers_to_the_images_of_its_library_and_marks_those_of_its_nodules() -> None:
    references = CHEST_CAD_READER.references(cad(outline(3), priors=PRIOR))
    assert references.sop_instance_uids == {ds.SOPInstanceUID for ds in CT}
    assert references.series_instance_uids == {CT[0].SeriesInstanceUID}
    assert references.marked == {FrameReference(SOPInstanceUID(str(CT[3].SOPInstanceUID)))}
    assert references.nodules


def test_a_report_without_findings_marks_nothing() -> None:
    result = found(CT, cad())
    assert (result.nodules, result.refused, result.passed_over) == ((), (), ())
    assert not CHEST_CAD_READER.references(cad()).nodules


def test_references_that_go_round_end() -> None:
    loop = Composite(parts=[outline(3)], by_reference=[[1], [1, 3], [1, 3, 1], [1, 9, 9]])
    assert len(found(CT, cad(loop)).nodules) == 1


@pytest.mark.peers
def test_other_people_s_validators_accept_the_reports_of_these_tests(tmp_path: Path) -> None:
    report = chest_cad(
        CT,
        [Composite(parts=[outline(2), outline(3, certainty=87, centre=(6.5, 5.5))]), outline(6)],
        priors=PRIOR,
    )
    path = tmp_path / "cad.dcm"
    report.save_as(path, enforce_file_format=True)
    assert dciodvfy(path) == []
    pixelmed_sr(path, knows_template=False)
    assert "Single Image Finding" in dsrdump(path)
