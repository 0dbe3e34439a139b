"""A block on disk is what it was in memory; a folder that is not whole says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from m3net.nodule import Mask, Nodule
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume
from training.data.crops import BlockSize, CropFolder, CropLabel, cut_block, read_crop, write_crop
from training.data.errors import CropsUnusable

AFFINE = np.array([[0.0, 0, 0.5, -10], [0, 0.5, 0, -20], [2, 0, 0, -100], [0, 0, 0, 1]])
LABEL = CropLabel(name="P/0", patient_id="P", scores=(3, 4))
SIZE = BlockSize(depth=4, side=6, extent_mm=0.0)


def _volume() -> CTVolume:
    hu = np.arange(10 * 20 * 20, dtype=np.int16).reshape(10, 20, 20)
    return CTVolume(
        hu=hu,
        affine=AFFINE,
        study_instance_uid=StudyInstanceUID("1.2"),
        series_instance_uid=SeriesInstanceUID("1.2.3"),
        frame_of_reference_uid=FrameOfReferenceUID("1.2.4"),
        frames=[None] * 10,
        missing=frozenset({4, 9}),
    )


def _nodule(z: float, y: float, x: float, *, mask: bool = True) -> Nodule:
    at = AFFINE.copy()
    centre = AFFINE @ (z, y, x, 1)
    at[:, 3] = centre
    return Nodule(
        centre_mm=(centre[0], centre[1], centre[2]),
        mask=Mask(voxels=np.array([[[True, False, True]]]), affine=at) if mask else None,
        diameter_mm=4.5 if mask else None,
        tracking_uid="2.25.1",
        tracking_id="Nodule 1",
        sources=(),
    )


def test_the_nodules_voxel_is_the_blocks_middle() -> None:
    crop = cut_block(_volume(), _nodule(5, 10, 8), LABEL, SIZE)
    assert crop.volume.shape == (5, 7, 7)
    assert crop.volume.hu[2, 3, 3] == 5 * 400 + 10 * 20 + 8
    assert crop.volume.to_mm((2, 3, 3)).tolist() == list(crop.nodule.centre_mm)
    assert crop.volume.missing == {1}
    assert not crop.ends.any()


def test_millimetres_count_where_they_are_more_than_voxels() -> None:
    crop = cut_block(_volume(), _nodule(5, 10, 8), LABEL, BlockSize(depth=4, side=6, extent_mm=6.0))
    assert crop.volume.shape == (5, 13, 13)


def test_a_block_says_where_it_ends_because_the_scan_does() -> None:
    crop = cut_block(_volume(), _nodule(1, 10, 19), LABEL, SIZE)
    # it begins further in, so that a window which shifts inwards finds all that it needs
    assert crop.volume.shape == (5, 7, 7)
    assert crop.volume.hu[0, 0, -1] == 0 * 400 + 7 * 20 + 19
    assert crop.ends.tolist() == [[True, False], [False, False], [False, True]]
    truncated = cut_block(_volume(), _nodule(1, 10, 19), LABEL, SIZE, whole_ends=(False, True))
    assert truncated.ends.tolist() == [[False, False], [False, False], [False, True]]


@pytest.mark.parametrize("mask", [True, False])
def test_a_crop_is_read_as_it_was_written(tmp_path: Path, mask: bool) -> None:
    crop = cut_block(_volume(), _nodule(5, 10, 8, mask=mask), LABEL, SIZE)
    again = read_crop(tmp_path / "crops" / write_crop(tmp_path, crop))
    assert again.label == LABEL
    assert again.volume.hu.dtype == np.int16
    assert np.array_equal(again.volume.hu, crop.volume.hu)
    assert np.array_equal(again.volume.affine, crop.volume.affine)
    assert again.volume.missing == {1}
    assert again.volume.series_instance_uid == "1.2.3"
    assert np.array_equal(again.ends, crop.ends)
    assert again.nodule.centre_mm == crop.nodule.centre_mm
    assert again.nodule.diameter_mm == (4.5 if mask else None)
    assert (again.nodule.mask is not None) is mask
    if again.nodule.mask is not None:
        assert again.nodule.mask.voxels.tolist() == [[[True, False, True]]]


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    name = write_crop(tmp_path, cut_block(_volume(), _nodule(5, 10, 8), LABEL, SIZE))
    path = tmp_path / "crops" / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CropsUnusable, match=f"{name} cannot be read"):
        read_crop(path)


def test_names_that_differ_in_a_sign_do_not_share_a_file(tmp_path: Path) -> None:
    files = {
        write_crop(
            tmp_path,
            cut_block(
                _volume(),
                _nodule(5, 10, 8),
                CropLabel(name=name, patient_id="P", scores=(1,)),
                SIZE,
            ),
        )
        for name in ("../P/0", "__/P_0", ".._P_0")
    }
    assert len(files) == 3
    assert sorted(each.name for each in (tmp_path / "crops").iterdir()) == sorted(files)


def _manifest(directory: Path, *lines: object) -> None:
    (directory / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


HEAD = {"format": 1}
DONE = {"finished": True}
ROW = {"name": "P/0", "patient_id": "P", "scores": [3, 4], "file": "f.npz"}


def test_a_later_line_about_a_unit_replaces_an_earlier_one(tmp_path: Path) -> None:
    early = {"unit": "u", "crops": [], "skipped": [{"name": "P/0", "reason": "absent"}]}
    late = {"unit": "u", "crops": [ROW], "skipped": []}
    _manifest(tmp_path, HEAD, early, DONE, late, DONE)
    folder = CropFolder(tmp_path)
    assert folder.labels == [LABEL]
    assert folder.skipped == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "holds no prepared crops"),
        ([HEAD], "was cut short"),
        ([HEAD, DONE, {"unit": "u", "crops": [], "skipped": []}], "was cut short"),
        ([{"format": 99}, DONE], "is not of format 1"),
        (
            [HEAD, *({"unit": u, "crops": [ROW], "skipped": []} for u in "ab"), DONE],
            "two nodules named P/0",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(
    tmp_path: Path, lines: list[object], reason: str
) -> None:
    _manifest(tmp_path, *lines)
    with pytest.raises(CropsUnusable, match=reason):
        CropFolder(tmp_path)
