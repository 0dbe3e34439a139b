"""Results for those who do not take the richest form, derived from the finished ones."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from sr_templates.findings import ImageReference, PredecessorReference
from sr_templates.objects.measurement_report import build_report
from sr_templates.objects.poorer import frame_alone, frames_alone, report_in
from sr_templates.objects.secondary_capture import build_capture
from sr_templates.pictures.overlay import render_capture
from tests import validators
from tests.sr_templates.examples import ALGORITHM, CT, FULL, SLICE, identity, legend, view

COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
COMPREHENSIVE = "1.2.840.10008.5.1.4.1.1.88.33"
SINGLE_FRAME = "1.2.840.10008.5.1.4.1.1.7"
FRAMES = render_capture(view(), legend())
BEFORE = PredecessorReference(
    study_instance_uid=str(SLICE.StudyInstanceUID),
    series_instance_uid="2.25.70",
    sop_class_uid=COMPREHENSIVE_3D,
    sop_instance_uid="2.25.71",
)


def capture() -> Dataset:
    return build_capture(
        frames=FRAMES,
        subject=SLICE,
        identity=identity(10_001, uid="2.25.90", series="2.25.61"),
        algorithm=ALGORITHM,
        shows="HiResCAM",
        tracking_id="Nodule 1",
        patient_orientation=("L", "P"),
    )


def report(picture: Dataset) -> Dataset:
    return build_report(
        content=FULL,
        evidence=[SLICE],
        subject=SLICE,
        algorithm=ALGORITHM,
        identity=identity(),
        sop_class_uid=COMPREHENSIVE_3D,
        captures={FULL.nodules[0].tracking_uid: [picture]},
        predecessor=BEFORE,
        tracking_uid_of_study="2.25.74",
    )


def poorest(picture: Dataset) -> Dataset:
    """The report in its poorest form, which refers to two single frames."""
    return report_in(
        report(picture),
        sop_class_uid=COMPREHENSIVE,
        sop_instance_uid="2.25.95",
        instead={
            str(picture.SOPInstanceUID): [
                ImageReference(sop_class_uid=SINGLE_FRAME, sop_instance_uid=f"2.25.9{n}")
                for n in (6, 7)
            ]
        },
        predecessor=ImageReference(sop_class_uid=COMPREHENSIVE, sop_instance_uid="2.25.72"),
    )


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def referred(item: Dataset) -> list[str]:
    """Every object that the tree names, as often as it does."""
    found = [str(each.ReferencedSOPInstanceUID) for each in item.get("ReferencedSOPSequence", [])]
    for child in item.get("ContentSequence", []):
        found += referred(child)
    return found


def test_overview_and_key_slice_stand_alone() -> None:
    assert frames_alone(capture()) == [1, capture().RepresentativeFrameNumber]


def test_a_frame_alone_is_a_secondary_capture_of_what_it_shows() -> None:
    picture = capture()
    key = int(picture.RepresentativeFrameNumber)
    alone = dcmread(BytesIO(encoded(frame_alone(picture, key, sop_instance_uid="2.25.96"))))
    assert (alone.SOPClassUID, alone.SOPInstanceUID) == (SINGLE_FRAME, "2.25.96")
    assert alone.file_meta.MediaStorageSOPInstanceUID == "2.25.96"
    assert np.array_equal(alone.pixel_array, FRAMES[key - 1].rgb)
    assert alone.InstanceNumber == 10_000 + key
    assert alone.ImageComments == f"Nodule 1, {FRAMES[key - 1].label}"
    (source,) = alone.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == CT[1].SOPInstanceUID
    assert not {"NumberOfFrames", "FrameLabelVector", "RepresentativeFrameNumber"} & set(
        alone.dir()
    )
    assert alone.SeriesInstanceUID == picture.SeriesInstanceUID
    assert alone.PatientName == picture.PatientName


def test_a_report_in_another_class_has_the_same_tree_and_refers_to_its_own_pictures() -> None:
    picture = capture()
    richest, other = report(picture), poorest(picture)
    assert (other.SOPClassUID, other.SOPInstanceUID) == (COMPREHENSIVE, "2.25.95")
    before, after = referred(richest), referred(other)
    assert before.count(str(picture.SOPInstanceUID)) == 1
    where = before.index(str(picture.SOPInstanceUID))
    assert after == [*before[:where], "2.25.96", "2.25.97", *before[where + 1 :]]
    evidence = {
        item.ReferencedSOPInstanceUID
        for study in other.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert evidence == {SLICE.SOPInstanceUID, "2.25.96", "2.25.97"}
    (series,) = other.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.72"


def test_what_is_derived_twice_is_the_same_and_leaves_its_source_alone() -> None:
    picture = capture()
    untouched = encoded(picture)
    assert encoded(poorest(picture)) == encoded(poorest(picture))
    assert encoded(frame_alone(picture, 1, sop_instance_uid="2.25.96")) == encoded(
        frame_alone(picture, 1, sop_instance_uid="2.25.96")
    )
    assert encoded(picture) == untouched


@pytest.mark.peers
def test_validators_find_no_error_in_what_is_derived(tmp_path: Path) -> None:
    picture = capture()
    alone, other = tmp_path / "alone.dcm", tmp_path / "report.dcm"
    alone.write_bytes(encoded(frame_alone(picture, 1, sop_instance_uid="2.25.96")))
    other.write_bytes(encoded(poorest(picture)))
    assert validators.dciodvfy(alone) == []
    assert validators.dciodvfy(other) == []
    validators.pixelmed_sr(other)
    drawn = validators.render(alone, tmp_path / "alone.png", frame=1)
    with Image.open(drawn) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), FRAMES[0].rgb)
