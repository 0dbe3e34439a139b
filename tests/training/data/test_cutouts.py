"""A cut-out becomes the crop that the node would have: a volume with one marked nodule."""

from pathlib import Path

import numpy as np
import pytest

from tests.training import learning
from training.data.cutouts import CutoutFolder, Cutouts, crop_of, nodule_of, volume_of
from training.data.told import ToldAs
from training.data.voi import Cutout, CutoutLabel, read_cutouts

LABEL = CutoutLabel(file="a.nii.gz", patient_id="P1", scores=(4, 2, 3))


def _cutout() -> Cutout:
    mask = np.zeros((4, 6, 8), dtype=bool)
    mask[1:3, 2, 3:6] = True
    hu = np.arange(mask.size, dtype=np.int16).reshape(mask.shape)
    return Cutout(label=LABEL, hu=hu, mask=mask, spacing_mm=(2.5, 0.5, 0.8))


def test_indices_become_millimetres_along_z_y_x() -> None:
    volume = volume_of(_cutout())
    assert volume.to_mm([1, 2, 3]).tolist() == pytest.approx([3 * 0.8, 2 * 0.5, 2.5])
    assert volume.spacing_mm == pytest.approx((2.5, 0.5, 0.8))
    assert volume.hu.shape == (4, 6, 8)


def test_the_centre_is_the_centroid_of_the_mask_and_the_diameter_reaches_to_corners() -> None:
    nodule = nodule_of(_cutout())
    assert nodule.centre_mm == pytest.approx((4 * 0.8, 2 * 0.5, 1.5 * 2.5))
    assert nodule.mask is not None
    assert np.array_equal(nodule.mask.voxels, _cutout().mask)
    assert nodule.diameter_mm == pytest.approx(np.hypot(3 * 0.8, 0.5))


def test_each_marking_tells_less() -> None:
    told = {marking: nodule_of(_cutout(), marking) for marking in ToldAs}
    assert [(n.mask is None, n.diameter_mm is None) for n in told.values()] == [
        (False, False),
        (True, False),
        (True, True),
    ]


def test_a_cutout_ends_where_the_scan_is_taken_to_end() -> None:
    crop = crop_of(_cutout())
    assert crop.ends.all()
    assert (crop.label.name, crop.label.scores) == ("a", (4, 2, 3))


def test_a_folder_of_cutouts_gives_what_they_give_in_memory(tmp_path: Path) -> None:
    directory = learning.write_cutouts(tmp_path / "cutouts", nodules=2)
    lying, held = CutoutFolder(directory), Cutouts(read_cutouts(directory))
    assert list(lying.labels) == list(held.labels)
    for label in lying.labels:
        assert np.array_equal(lying.read(label).volume.hu, held.read(label).volume.hu)
        assert lying.read(label).nodule.centre_mm == held.read(label).nodule.centre_mm


def test_slices_may_be_thickened_as_they_are_read(tmp_path: Path) -> None:
    directory = learning.write_cutouts(tmp_path / "cutouts", nodules=1)
    thick = CutoutFolder(directory, slice_mm=5.0)
    assert thick.read(thick.labels[0]).volume.spacing_mm == pytest.approx((5.0, 0.7, 0.7))
