"""One study, all the way: what goes in over C-STORE comes out as a report and captures."""

from pathlib import Path

import pytest

from node.demo.annotations import measurement_report, segmentation
from node.demo.reading import read_report
from node.dicom.compression import plain
from tests import validators
from tests.acceptance import studies
from tests.acceptance.bed import Bed

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]


def test_every_marked_nodule_comes_back_with_a_probability_and_its_picture(node: Bed):
    phantom = studies.phantom("whole")
    study = [*phantom.ct, segmentation(phantom), measurement_report(phantom)]
    report = node.analyse(study)
    assert report.headline == "UNTRAINED, NOT A RESULT. 6 of 6 nodules analysed."
    expected = {n.tracking_uid: n for n in phantom.nodules}
    assert {n.tracking_uid for n in report.nodules} == set(expected)
    for nodule in report.nodules:
        assert nodule.tracking_id == expected[nodule.tracking_uid].tracking_id
        assert nodule.probability is not None
        assert 0 < nodule.probability < 1
        # Drawn on one 5 mm slice in 2.8 mm pixels.
        assert nodule.centre_mm == pytest.approx(expected[nodule.tracking_uid].centre_mm, abs=5)
    captures = {str(ds.SOPInstanceUID) for ds in node.captures(studies.study_uid(phantom))}
    assert len(captures) == 7  # one a nodule, and one of all of them
    of_nodules = {uid for n in report.nodules for uid in n.captures}
    assert len(of_nodules) == 6
    assert of_nodules < captures


def test_what_arrives_is_valid_to_others_and_shown_by_them(node: Bed, tmp_path: Path):
    phantom = studies.phantom("valid")
    node.analyse([*phantom.ct, segmentation(phantom, [studies.NODULE])])
    uid = studies.study_uid(phantom)
    report, capture = tmp_path / "report.dcm", tmp_path / "capture.dcm"
    node.report_objects(uid)[0].save_as(report)
    node.captures(uid)[0].save_as(capture)
    assert validators.dciodvfy(report) == []
    assert validators.dciodvfy(capture) == []
    validators.pixelmed_sr(report)
    assert "1 of 1 nodule analysed" in validators.dsrdump(report)
    plain(node.captures(uid)[0]).save_as(capture)  # dcmj2pnm decodes no JPEG-LS
    assert validators.render(capture, tmp_path / "frame.png").stat().st_size > 50_000


def test_a_result_is_the_ct_patients(node: Bed):
    phantom = studies.phantom("identity")
    node.analyse(studies.marked(phantom))
    uid = studies.study_uid(phantom)
    for ds in [*node.report_objects(uid), *node.captures(uid)]:
        assert str(ds.PatientName) == "PHANTOM^CHEST"
        assert (ds.PatientID, ds.AccessionNumber) == ("PHANTOM-identity", "A-identity")
        assert ds.StudyDescription == "CT CHEST PHANTOM"


def test_sending_everything_twice_changes_nothing(node: Bed):
    phantom = studies.phantom("twice")
    study = studies.marked(phantom)
    node.analyse(study)
    node.send(study)
    shown = node.settle(studies.study_uid(phantom))
    assert len(shown["job_list"]) == 1
    assert len(node.report_objects(studies.study_uid(phantom))) == 1


def test_our_own_results_routed_back_change_nothing(node: Bed):
    phantom = studies.phantom("echo")
    node.analyse(studies.marked(phantom))
    uid = studies.study_uid(phantom)
    node.send(node.report_objects(uid))
    node.send(node.captures(uid), options=("-R", "-xt"))  # JPEG-LS, as they came
    shown = node.settle(uid)
    assert len(shown["job_list"]) == 1
    assert len(node.report_objects(uid)) == 1


def test_a_late_slice_makes_a_new_report_that_names_its_predecessor(node: Bed):
    phantom = studies.phantom("late", slices=90)
    *ct, seg = studies.marked(phantom)
    uid = studies.study_uid(phantom)
    node.send([*ct[:2], *ct[3:], seg])
    (first,) = node.wait_for_reports(uid)
    node.send([ct[2]])
    old, new = node.wait_for_reports(uid, 2)
    assert old.SOPInstanceUID == first.SOPInstanceUID
    assert _predecessor(new) == first.SOPInstanceUID
    assert new.SeriesInstanceUID != first.SeriesInstanceUID
    assert (first.InstanceNumber, new.InstanceNumber) == (1, 2)
    assert "89 of 90" in " ".join(read_report(first, {}).remarks)
    assert "90 of 90" in " ".join(read_report(new, {}).remarks)


def test_a_corrected_name_makes_a_new_report_that_names_its_predecessor(node: Bed):
    phantom = studies.phantom("name")
    study = studies.marked(phantom)
    node.analyse(study)
    node.send(studies.renamed(study, "PHANTOM^CORRECTED"))
    uid = studies.study_uid(phantom)
    old, new = node.wait_for_reports(uid, 2)
    assert _predecessor(new) == old.SOPInstanceUID
    assert str(new.PatientName) == "PHANTOM^CORRECTED"
    corrected = [c for c in node.captures(uid) if str(c.PatientName) == "PHANTOM^CORRECTED"]
    assert len(corrected) == 1


def test_a_gap_through_the_nodule_is_not_analysed_and_says_so(node: Bed):
    phantom = studies.phantom("gap")
    *ct, seg = studies.marked(phantom)
    report = node.analyse([*ct[:31], *ct[34:], seg])
    assert report.headline.startswith("Not analysed: ")
    assert "3" in report.headline
    assert "slices" in report.headline
    assert [n.probability for n in report.nodules] == [None] * len(report.nodules)
    assert report.headline.removeprefix("Not analysed: ").rstrip(".") in node.cli(
        "why", "A-gap"
    ).replace("\n", " ")


def test_an_annotation_of_another_patient_is_refused(node: Bed):
    phantom = studies.phantom("foreign")
    *ct, seg = studies.marked(phantom)
    report = node.analyse([*ct, studies.of_another_patient(seg)])
    assert report.headline.startswith("Not analysed: ")
    assert "another patient" in report.headline
    assert [n.probability for n in report.nodules] == [None] * len(report.nodules)
    assert not node.captures(studies.study_uid(phantom))


def test_a_structure_set_that_names_a_nodule_is_judged_where_it_is_drawn(node: Bed):
    phantom = studies.phantom("rtstruct")
    report = node.analyse([*phantom.ct, studies.structure_set(phantom, roi="Nodule LUL")])
    assert report.headline == "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed."
    (nodule,) = report.nodules
    assert nodule.centre_mm == pytest.approx((-82.0, 34.0, -140.0), abs=5)


def test_a_structure_set_that_names_nothing_is_not_read_as_no_nodule(node: Bed):
    phantom = studies.phantom("roi-1")
    report = node.analyse([*phantom.ct, studies.structure_set(phantom, roi="ROI-1")])
    assert "not read as a nodule" in report.headline
    assert "marks no nodule" not in report.headline
    assert report.nodules == ()


def test_a_study_as_scanners_send_it_is_judged_on_the_marked_series(node: Bed):
    phantom = studies.phantom("scanner")
    report = node.analyse(
        [
            studies.scout(phantom),
            *studies.soft_kernel(phantom),
            *studies.coronal_reformat(phantom),
            studies.dose_report(phantom),
            *studies.marked(phantom),
        ]
    )
    assert report.headline == "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed."
    assert any("60 slices" in said and "kernel LUNG" in said for said in report.remarks)
    centre = (-82.0, 34.0, -140.0)
    assert report.nodules[0].centre_mm == pytest.approx(centre, abs=5)


def _predecessor(report) -> str:
    (study,) = report.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    return instance.ReferencedSOPInstanceUID
