"""A cut-out becomes the volume and the nodule that the node would have."""

import numpy as np
import pytest

from training.data.as_served import Marking, longest_axial_mm, nodule_of, volume_of
from training.data.voi import Cutout, CutoutLabel

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


def test_the_centre_is_the_centroid_of_the_mask() -> None:
    nodule = nodule_of(_cutout())
    assert nodule.centre_mm == pytest.approx((4 * 0.8, 2 * 0.5, 1.5 * 2.5))
    assert nodule.mask is not None
    assert np.array_equal(nodule.mask.voxels, _cutout().mask)


def test_the_longest_diameter_reaches_to_the_voxels_corners() -> None:
    assert longest_axial_mm(_cutout()) == pytest.approx(np.hypot(3 * 0.8, 0.5))


def test_each_marking_tells_less() -> None:
    told = {marking: nodule_of(_cutout(), marking) for marking in Marking}
    assert [(n.mask is None, n.diameter_mm is None) for n in told.values()] == [
        (False, False),
        (True, False),
        (True, True),
    ]
