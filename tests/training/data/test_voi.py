"""Cut-outs are read as they lie on disk: HU, mask, spacing and every reader's score."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from training.data.errors import CutoutsUnusable
from training.data.voi import read_cutouts, read_labels

HEADER = "file,patient_id,malignancy_scores\n"


def _write(path: Path, voxels: np.ndarray) -> None:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.8, 2.5))
    path.parent.mkdir(exist_ok=True)
    sitk.WriteImage(image, str(path))


def _folder(directory: Path, *, mask: np.ndarray | None = None) -> Path:
    hu = np.full((3, 5, 7), -800, np.int16)
    hu[1, 2, 3] = 40
    _write(directory / "image" / "a.nii.gz", hu)
    _write(directory / "mask" / "a.nii.gz", (hu > 0).astype(np.uint8) if mask is None else mask)
    (directory / "labels.csv").write_text(HEADER + "a.nii.gz,P1,4 3 2 4\n")
    return directory


def test_a_cutout_has_its_axes_as_z_y_x_and_its_spacing_alike(tmp_path: Path) -> None:
    (cutout,) = read_cutouts(_folder(tmp_path))
    assert cutout.hu.shape == (3, 5, 7)
    assert cutout.spacing_mm == pytest.approx((2.5, 0.8, 0.7))
    assert np.argwhere(cutout.mask).tolist() == [[1, 2, 3]]
    assert cutout.hu[1, 2, 3] == 40
    assert cutout.label.name == "a"


@pytest.mark.parametrize(
    ("scores", "malignant"), [("3 3 3", False), ("3 3 4", True), ("5 1", False), ("4", True)]
)
def test_a_mean_above_three_is_malignant(tmp_path: Path, scores: str, malignant: bool) -> None:
    (tmp_path / "labels.csv").write_text(HEADER + f"a.nii.gz,P1,{scores}\n")
    assert read_labels(tmp_path)[0].malignant is malignant


def test_a_folder_without_labels_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(CutoutsUnusable, match=r"labels\.csv is missing"):
        read_labels(tmp_path)


def test_a_table_without_scores_names_the_column(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,patient_id\na.nii.gz,P1\n")
    with pytest.raises(CutoutsUnusable, match="lacks the columns malignancy_scores"):
        read_labels(tmp_path)


def test_an_empty_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CutoutsUnusable, match="marks no voxel"):
        read_cutouts(_folder(tmp_path, mask=np.zeros((3, 5, 7), np.uint8)))


def test_a_mask_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CutoutsUnusable, match=r"\(3, 5, 7\) voxels .* mask \(3, 5, 6\)"):
        read_cutouts(_folder(tmp_path, mask=np.ones((3, 5, 6), np.uint8)))
