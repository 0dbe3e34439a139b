from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from m3net.predict import TorchClassifier
from m3net.uids import SOPInstanceUID, StudyInstanceUID
from m3net.weights import load_classifier
from node.core.inputs import StudyInputs
from node.core.objects import ResultSettings, Stamp
from node.core.pipeline import analyse, report_failure
from node.core.results import ArtifactKind, Results
from node.core.selection import select
from node.inbound.facts import read_facts
from sr_templates.findings import Outcome, PredecessorReference
from tests import synthetic

SHAPE = (60, 24, 24)
SETTINGS = ResultSettings(
    report_series_number=9101,
    capture_series_number=9102,
    max_frames=4,
    max_capture_bytes=100_000_000,
    indeterminate_half_width=0.15,
    manufacturer="m3node",
    device_model="m3node",
    device_serial="1",
    software_version="0.1.0",
)


@dataclass(frozen=True)
class Files:
    inputs: StudyInputs
    paths: dict[SOPInstanceUID, Path]
    stamp: Stamp


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("untrained", device="cpu")


def mask(z: slice, y: slice = slice(10, 14), x: slice = slice(6, 10)) -> np.ndarray:
    marked = np.zeros(SHAPE, bool)
    marked[z, y, x] = True
    return marked


def files(folder: Path, ct: list[Dataset], *annotations: Dataset) -> Files:
    facts, paths = [], {}
    for number, dataset in enumerate([*ct, *annotations]):
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        read = dcmread(path)
        fact, _ = read_facts(read, transfer_syntax=str(read.file_meta.TransferSyntaxUID))
        facts.append(fact)
        paths[fact.sop_instance_uid] = path
    study = StudyInstanceUID(str(ct[0].StudyInstanceUID))
    selection = select(study, facts)
    assert selection is not None
    stamp = Stamp(
        study_instance_uid=study,
        input_digest="digest",
        analysis_id="analysis",
        revision=3,
        at=datetime(2026, 5, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=2))),
    )
    return Files(selection.inputs, paths, stamp)


def run(given: Files, classifier: TorchClassifier) -> Results:
    return analyse(
        given.inputs,
        paths=given.paths,
        classifier=classifier,
        stamp=given.stamp,
        settings=SETTINGS,
    )


def report_of(results: Results) -> Dataset:
    (report,) = [a.dataset for a in results.artifacts if a.kind is ArtifactKind.REPORT]
    return report


def in_bytes(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def codes_in(item: Dataset) -> list[str]:
    found = []
    for child in item.get("ContentSequence", []):
        if "ConceptCodeSequence" in child:
            found.append(child.ConceptCodeSequence[0].CodeMeaning)
        found += codes_in(child)
    return found


def test_every_marked_nodule_has_a_probability_where_it_lies(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    seg = synthetic.segmentation(ct, [mask(slice(20, 23)), mask(slice(40, 42), x=slice(14, 18))])
    results = run(files(tmp_path, ct, seg), classifier)
    assert results.outcome is Outcome.ANALYSED
    assert [n.tracking_id for n in results.nodules] == ["Nodule 1", "Nodule 2"]
    assert results.nodules[0].centre_index == pytest.approx((21, 11.5, 7.5))
    # 21 slices of 2.5 mm above -100; 11.5 rows of 0.7 mm from -20; 7.5 columns of 0.8 from -10
    assert results.nodules[0].centre_mm == pytest.approx((-4.0, -11.95, -47.5))
    assert results.nodules[1].centre_index == pytest.approx((40.5, 11.5, 15.5))
    assert all(0 < n.probability < 1 for n in results.nodules if n.probability is not None)
    captures = [a for a in results.artifacts if a.kind is ArtifactKind.CAPTURE]
    of_all, *of_nodules = (a.dataset for a in captures)
    assert [a.tracking_uid for a in captures] == [
        None,
        *(nodule.tracking_uid for nodule in results.nodules),
    ]
    assert of_all.ImageComments == "UNTRAINED, NOT A RESULT: all 2 nodules"
    assert of_all.DerivationDescription.endswith("untrained-1 over CT, all 2 nodules")
    assert (of_all.NumberOfFrames, of_all.InstanceNumber) == (1, 300001)
    assert len(of_all.SourceImageSequence) == 2
    assert [dataset.InstanceNumber for dataset in of_nodules] == [300101, 300201]
    assert "60 of 60 slices of the CT series were received" in results.remarks[1]


def test_untrained_weights_make_no_result(tmp_path: Path, classifier: TorchClassifier) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    results = run(
        files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))])), classifier
    )
    assert results.headline == "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed."
    report = report_of(results)
    assert report.ContentSequence[0].TextValue == results.headline
    assert not {"Malignant", "Benign"} & set(codes_in(report))


def test_a_rebuild_is_the_same_object(tmp_path: Path, classifier: TorchClassifier) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    given = files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))]))
    first, second = run(given, classifier), run(given, classifier)
    assert [in_bytes(a.dataset) for a in first.artifacts] == [
        in_bytes(a.dataset) for a in second.artifacts
    ]


def test_dates_are_the_jobs_and_the_number_is_its_revision(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    report = report_of(
        run(files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))])), classifier)
    )
    assert (report.ContentDate, report.ContentTime[:6]) == ("20260506", "070809")
    assert report.TimezoneOffsetFromUTC == "+0200"
    assert report.InstanceNumber == 3


def test_another_analysis_has_other_uids_in_the_same_series(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    given = files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))]))
    one = report_of(run(given, classifier))
    other = report_of(
        run(replace(given, stamp=replace(given.stamp, analysis_id="better")), classifier)
    )
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.SeriesInstanceUID == other.SeriesInstanceUID


def test_the_report_refers_to_its_slices_and_its_captures(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    results = run(
        files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))])), classifier
    )
    assert [a.kind for a in results.artifacts] == [ArtifactKind.CAPTURE, ArtifactKind.REPORT]
    capture, report = (a.dataset for a in results.artifacts)
    referred = {
        item.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert referred - {dataset.SOPInstanceUID for dataset in ct} == {capture.SOPInstanceUID}


def test_results_are_numbered_behind_the_ct(tmp_path: Path, classifier: TorchClassifier) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    given = files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))]))
    stamp = replace(given.stamp, numbered_above=3_000_566)
    results = run(replace(given, stamp=stamp), classifier)
    assert [int(a.dataset.SeriesNumber) for a in results.artifacts] == [9_999_102, 9_999_101]


def test_a_gap_through_the_nodule_is_not_analysed(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    seg = synthetic.segmentation(ct, [mask(slice(28, 33))])
    results = run(files(tmp_path, [*ct[:29], *ct[32:]], seg), classifier)
    assert results.outcome is Outcome.NOT_ANALYSED
    assert results.headline == (
        "Not analysed: 3 of the 5 CT slices about the nodule are missing, the nearest 0.0 mm "
        "from its centre; resend the series."
    )
    assert not [a for a in results.artifacts if a.kind is ArtifactKind.CAPTURE]


def test_a_gap_far_from_one_nodule_leaves_it_analysed(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=(120, 24, 24))
    masks = np.zeros((2, 120, 24, 24), bool)
    masks[0, 20:23, 10:14, 6:10] = True
    masks[1, 90:93, 10:14, 6:10] = True
    seg = synthetic.segmentation(ct, list(masks))
    results = run(files(tmp_path, [*ct[:89], *ct[92:]], seg), classifier)
    assert results.outcome is Outcome.PARTLY_ANALYSED
    assert results.headline.startswith(
        "UNTRAINED, NOT A RESULT. 1 of 2 nodules analysed. NOT analysed: Nodule 2: 2 of the 3 CT"
    )
    assert [n.probability is None for n in results.nodules] == [False, True]


def test_a_scan_that_ends_at_the_nodule_is_not_analysed_if_slices_are_known_to_be_missing(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    seg = synthetic.segmentation(ct, [mask(slice(28, 33))])
    results = run(files(tmp_path, ct[:31], seg), classifier)
    assert results.outcome is Outcome.NOT_ANALYSED
    assert "29 instances that the annotation refers to were not received" in results.headline


@pytest.mark.parametrize("lost", [slice(50, 60), slice(38, 40)], ids=["at the end", "inside"])
def test_slices_that_the_model_does_not_look_at_are_missed_and_hinder_nothing(
    tmp_path: Path, classifier: TorchClassifier, lost: slice
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    seg = synthetic.segmentation(ct, [mask(slice(28, 33))])
    (tmp_path / "whole").mkdir()
    whole = run(files(tmp_path / "whole", ct, seg), classifier)
    del ct[lost]
    results = run(files(tmp_path, ct, seg), classifier)
    assert results.outcome is Outcome.ANALYSED
    assert results.nodules[0].probability == pytest.approx(whole.nodules[0].probability, abs=1e-6)
    count = lost.stop - lost.start
    assert any(
        f"{count} instances that the annotation refers to were not received" in remark
        for remark in results.remarks
    )


def test_an_annotation_of_another_patient_gives_no_probability(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    theirs = synthetic.ct_series(shape=SHAPE, patient_id="SOMEBODY-ELSE")
    seg = synthetic.segmentation(theirs, [mask(slice(20, 23))])
    results = run(files(tmp_path, ct, seg), classifier)
    assert results.headline == "Not analysed: the annotation names another patient than the CT."
    assert results.nodules == []


def test_a_nodule_outside_the_ct_is_refused_and_the_other_analysed(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    good = synthetic.segmentation(ct, [mask(slice(20, 23))], name="good")
    elsewhere = synthetic.ct_series(shape=SHAPE, origin_mm=(500, -20, -100), series="far")
    bad = synthetic.segmentation(elsewhere, [mask(slice(20, 23))], name="bad")
    results = run(files(tmp_path, ct, good, bad), classifier)
    assert results.outcome is Outcome.PARTLY_ANALYSED
    assert [n.probability is None for n in results.nodules] == [False, True]
    assert "1 of 2 nodules analysed" in results.headline


def two_acquisitions(*, aside_mm: float = 0.0) -> tuple[list[Dataset], list[Dataset]]:
    """The same places twice in one series, or half a step aside; the second has one nodule."""
    first = synthetic.ct_series(shape=SHAPE)
    hu = np.where(mask(slice(20, 23)), 40, -800)
    second = synthetic.ct_series(shape=SHAPE, hu=hu, origin_mm=(-10, -20, -100 + aside_mm))
    for number, dataset in enumerate(second):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.7{number}"
        dataset.AcquisitionNumber = 2
    return first, second


@pytest.mark.parametrize("aside_mm", [0.0, 1.25])
def test_of_two_acquisitions_in_one_series_the_marked_one_is_analysed(
    tmp_path: Path, classifier: TorchClassifier, aside_mm: float
) -> None:
    first, second = two_acquisitions(aside_mm=aside_mm)
    seg = synthetic.segmentation(second, [mask(slice(20, 23))])
    results = run(files(tmp_path, [*first, *second], seg), classifier)
    assert results.outcome is Outcome.ANALYSED
    assert results.nodules[0].centre_mm == pytest.approx((-4.0, -11.95, -47.5 + aside_mm))
    assert results.remarks[0].startswith("CT series 2 (60 slices, 2.50 mm apart, kernel STANDARD)")
    assert "60 of 60 slices of the CT series were received" in results.remarks[1]
    assert (
        "The CT series holds 2 acquisitions, told apart by Acquisition Number; the one that is "
        "marked was used, 60 of 120 images."
    ) in results.remarks


def test_a_nodule_on_the_other_acquisition_is_refused(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    first, second = two_acquisitions(aside_mm=1.25)
    one = synthetic.segmentation(first, [mask(slice(20, 24))])
    other = synthetic.segmentation(second, [mask(slice(40, 42))], name="other")
    results = run(files(tmp_path, [*first, *second], one, other), classifier)
    assert results.outcome is Outcome.PARTLY_ANALYSED
    assert [nodule.reason for nodule in results.nodules] == [
        None,
        "it is drawn on another acquisition of the CT series than the one that was analysed; "
        "send each acquisition as a series of its own",
    ]


def test_a_correction_that_came_by_halves_is_said(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    seg = synthetic.segmentation(ct, [mask(slice(20, 23))])
    for dataset in ct[:30]:
        del dataset.PatientName
        dataset.PatientName = "Corrected^Name"
    results = run(files(tmp_path, ct, seg), classifier)
    assert any("do not all name patient and study alike" in each for each in results.remarks)


def test_a_tracking_identifier_that_names_the_patient_stays_in_the_report(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE, patient_name="Quintessa^Zebulon")
    masks = [mask(slice(20, 23)), mask(slice(40, 42))]
    seg = synthetic.segmentation(ct, masks)
    for segment in seg.SegmentSequence:
        segment.TrackingID = f"Quintessa nodule {segment.SegmentNumber}"
    results = run(files(tmp_path, ct, seg), classifier)
    assert "uintessa" not in results.headline
    assert [n.tracking_id for n in results.nodules] == ["Nodule 1", "Nodule 2"]
    for artifact in results.artifacts:
        if artifact.kind is ArtifactKind.CAPTURE:
            assert "uintessa" not in str(artifact.dataset.get("ImageComments"))


def test_a_dead_job_is_reported_as_a_technical_failure(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    given = files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))]))
    results = report_failure(
        given.inputs,
        reason="the process died four times",
        paths=given.paths,
        card=classifier.card,
        fingerprint=classifier.fingerprint,
        stamp=given.stamp,
        settings=replace(SETTINGS, companions=frozenset({ArtifactKind.PDF})),
    )
    document, _ = results.artifacts
    # the first of the third revision
    assert (document.kind, document.dataset.InstanceNumber) == (ArtifactKind.PDF, 30_001)
    assert results.headline == (
        "Technical failure, nothing was assessed: the process died four times."
    )
    assert report_of(results).CompletionFlag == "PARTIAL"
    assert report_of(results).SOPInstanceUID != report_of(run(given, classifier)).SOPInstanceUID


def test_a_newer_report_names_its_predecessor(tmp_path: Path, classifier: TorchClassifier) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    given = files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))]))
    before = PredecessorReference(
        study_instance_uid=given.stamp.study_instance_uid,
        series_instance_uid="2.25.5",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
        sop_instance_uid="2.25.6",
        in_words="revision 1 of 27 Nov 2026 14:12",
    )
    stamp = replace(given.stamp, predecessor=before, revision=2)
    report = report_of(run(replace(given, stamp=stamp), classifier))
    told = report.ContentSequence[1].TextValue
    assert told.startswith("Revision 2 of ")
    assert told.endswith(", replaces revision 1 of 27 Nov 2026 14:12.")
    assert report.SeriesDescription == "AI nodule report, revision 2 (research use)"
    assert report.InstanceNumber == 2
    series = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.6"


@pytest.mark.parametrize(
    ("assumed", "declared"), [(None, ""), ("GB18030", "ISO_IR 192"), ("ISO_IR 192", "")]
)
def test_an_undeclared_name_is_carried_as_it_is_or_decoded_as_the_setting_says(
    tmp_path: Path, classifier: TorchClassifier, assumed: str | None, declared: str
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    given = files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(28, 31))]))
    sent = "王^小东".encode("gb18030")
    for path in given.paths.values():
        data = path.read_bytes().replace(b"\x08\0\5\0CS\n\0ISO_IR 192", b"")
        path.write_bytes(data.replace(b"Phantom^Small ", sent.ljust(14)))
    results = analyse(
        given.inputs,
        paths=given.paths,
        classifier=classifier,
        stamp=given.stamp,
        settings=replace(SETTINGS, assumed_character_set=assumed),
    )
    assert results.outcome is Outcome.ANALYSED
    for artifact in results.artifacts:
        read = dcmread(BytesIO(in_bytes(artifact.dataset)))
        assert read.get("SpecificCharacterSet", "") == declared
        assert read.get_item("PatientName").value.rstrip() == (
            "王^小东".encode() if declared else sent
        )
