"""Annotated studies as the node gets them, labelled by a table, become crops."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from m3net.errors import StudyError
from tests import lidc, synthetic
from training.data.annotated import find_studies, read_label_table
from training.data.crops import BlockSize
from training.data.errors import LabelsUnusable
from training.data.prepare import Cut

SHAPE = (8, 16, 20)
SIZE = BlockSize(depth=4, side=8, extent_mm=0.0)
UID = synthetic.uid("seg", "tracking", 0)


def _mask(z: int, y: int, x: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = True
    return mask


def _table(folder: Path, *lines: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _cut(tmp_path: Path, objects: Sequence[Dataset], *labels: str) -> Cut:
    folder = tmp_path / "dicom"
    for number, ds in enumerate(objects):
        (folder / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        ds.save_as(folder / f"{number % 3}/{number}", enforce_file_format=True)
    (unit,) = find_studies(folder, read_label_table(_table(tmp_path, *labels)))
    return unit.cut(SIZE)


def test_a_segmented_nodule_is_a_crop_with_the_tables_label(tmp_path: Path) -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [_mask(3, 7, 8)])
    (crop,) = _cut(tmp_path, [*ct, seg], "tracking_uid,label", f"{UID},malignant").crops
    assert crop.label.name == UID
    assert crop.label.malignant
    assert crop.label.scores == (5,)
    assert crop.nodule.mask is not None
    assert crop.nodule.mask.voxels.sum() == 27
    middle = np.array(crop.volume.shape) // 2
    assert crop.volume.hu[tuple(middle)] == ct[3].pixel_array[7, 8] - 1024


def test_a_crop_holds_a_digest_of_the_patient_id_alone(tmp_path: Path) -> None:
    ct = synthetic.ct_series(patient_id="HOSPITAL-77")
    seg = synthetic.segmentation(ct, [_mask(3, 7, 8)])
    (crop,) = _cut(tmp_path, [*ct, seg], "tracking_uid,label", f"{UID},0").crops
    assert crop.label.patient_id == hashlib.sha256(b"HOSPITAL-77").hexdigest()[:16]
    assert not crop.label.malignant


def test_an_identifier_and_readers_scores_do_as_well(tmp_path: Path) -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [_mask(3, 7, 8), _mask(5, 12, 14)])
    cut = _cut(tmp_path, [*ct, seg], "tracking_id,malignancy_scores", "Nodule 2,3 4 5")
    assert [crop.label.scores for crop in cut.crops] == [(3, 4, 5)]
    assert [(each.name, each.reason) for each in cut.skipped] == [
        (UID, "the table of labels does not name it")
    ]


def test_the_series_that_is_drawn_on_is_cut(tmp_path: Path) -> None:
    ct, sharp = synthetic.ct_series(), synthetic.ct_series(series="sharp")
    seg = synthetic.segmentation(sharp, [_mask(3, 7, 8)])
    (crop,) = _cut(tmp_path, [*ct, seg, *sharp], "tracking_uid,label", f"{UID},1").crops
    assert crop.volume.series_instance_uid == sharp[0].SeriesInstanceUID


def test_an_annotation_of_another_patient_is_refused(tmp_path: Path) -> None:
    ct = synthetic.ct_series()
    seg = synthetic.segmentation(ct, [_mask(3, 7, 8)])
    seg.PatientID = "SYN-2"
    with pytest.raises(StudyError, match="name different patients"):
        _cut(tmp_path, [*ct, seg], "tracking_uid,label", f"{UID},1")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("tracking_uid,label", "1.2,maybe"), "line 2 .* has the label 'maybe'"),
        (("tracking_uid,malignancy_scores", "1.2,3 9"), "has the label '3 9'"),
        (("tracking_uid,label", "1.2,1", "1.2,0"), "line 3 .* repeats a nodule"),
        (("name,label", "1.2,1"), "names no tracking_uid or tracking_id"),
    ],
)
def test_a_table_that_says_something_else_is_refused(
    tmp_path: Path, lines: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(LabelsUnusable, match=reason):
        read_label_table(_table(tmp_path, *lines))


def test_one_identifier_in_two_studies_is_told_apart(tmp_path: Path) -> None:
    table = _table(
        tmp_path, "study_instance_uid,tracking_id,label", "1.1,Nodule 1,0", "1.2,Nodule 1,1"
    )
    assert read_label_table(table).scores == {("1.1", "Nodule 1"): (1,), ("1.2", "Nodule 1"): (5,)}


@pytest.mark.lidc
def test_a_real_ct_with_a_report_gives_its_four_nodules(
    lidc_0003: lidc.LidcStudy, tmp_path: Path
) -> None:
    (tmp_path / "dicom").mkdir()
    for number, path in enumerate(lidc_0003.ct):
        (tmp_path / "dicom" / f"{number}.dcm").symlink_to(path)
    report = lidc.measurement_report(lidc_0003)
    report.save_as(tmp_path / "dicom" / "sr.dcm", enforce_file_format=True)
    rows = [f"{nodule.tracking_uid},{int(nodule.number > 1)}" for nodule in lidc_0003.nodules]
    labels = read_label_table(_table(tmp_path, "tracking_uid,label", *rows))
    (unit,) = find_studies(tmp_path / "dicom", labels)
    cut = unit.cut(BlockSize())
    assert not cut.skipped
    assert [crop.label.malignant for crop in cut.crops] == [False, True, True, True]
    for crop, nodule in zip(cut.crops, lidc_0003.nodules, strict=True):
        first = lidc_0003.headers[0].ImagePositionPatient
        at = np.array(crop.nodule.centre_mm) - np.array(first, dtype=float)
        column, row, z = at / (0.820312, 0.820312, 2.5)
        assert np.abs(np.array((z, row, column)) - nodule.centre_index).max() < 1.5
