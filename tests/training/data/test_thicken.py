"""Slices averaged to thicker ones: what is kept, and where it stands."""

import numpy as np
import pytest

from training.data.thicken import thicken
from training.data.voi import Cutout, CutoutLabel


def _cutout(values: list[int], *, slice_mm: float, marked: list[int]) -> Cutout:
    """One voxel in plane."""
    mask = np.zeros((len(values), 1, 1), bool)
    mask[marked] = True
    label = CutoutLabel(file="a.nii.gz", patient_id="P", scores=(3,))
    hu = np.array(values, np.int16).reshape(-1, 1, 1)
    return Cutout(label=label, hu=hu, mask=mask, spacing_mm=(slice_mm, 0.7, 0.8))


def test_two_slices_of_2_5_mm_make_one_of_5_mm() -> None:
    thick = thicken(_cutout([-800, -600, 0, 100], slice_mm=2.5, marked=[2, 3]), 5.0)
    assert thick.hu.ravel().tolist() == [-700, 50]
    assert thick.mask.ravel().tolist() == [False, True]
    assert thick.spacing_mm == (5.0, 0.7, 0.8)


def test_a_slice_across_two_thick_ones_gives_to_each_what_lies_in_it() -> None:
    thick = thicken(_cutout([0, 300, 600], slice_mm=2.0, marked=[1]), 3.0)
    assert thick.hu.ravel().tolist() == [100, 500]


def test_a_rest_is_divided_between_the_ends_and_averages_what_is_there() -> None:
    thick = thicken(_cutout([0, 100, 200], slice_mm=1.25, marked=[1]), 5.0)
    assert thick.hu.ravel().tolist() == [100]


def test_a_nodule_too_thin_for_half_a_slice_is_still_marked() -> None:
    thick = thicken(_cutout([0] * 8, slice_mm=1.25, marked=[5]), 5.0)
    assert thick.mask.ravel().tolist() == [False, True]


@pytest.mark.parametrize("slice_mm", [5.0, 6.0])
def test_thick_slices_stay_as_they_are(slice_mm: float) -> None:
    cutout = _cutout([1, 2], slice_mm=slice_mm, marked=[0])
    assert thicken(cutout, 5.0) is cutout
