"""The numbers of a nodule are those that one would measure by hand."""

import numpy as np
import pytest

from m3net.description import BASIC, NAMES, describe, describe_basic
from m3net.description.cubes import cubes_of

SPACING = (1.0, 0.5, 0.5)


def _ball(radius_mm: float, hu_inside: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A ball in the middle of 31 x 61 x 61 voxels of lung."""
    index = np.indices((31, 61, 61)) - np.array([15, 30, 30]).reshape(3, 1, 1, 1)
    away = np.linalg.norm(index * np.array(SPACING).reshape(3, 1, 1, 1), axis=0)
    mask = away <= radius_mm
    return np.where(mask, hu_inside, -850).astype(np.int16), mask


def _numbers(hu: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, describe(hu, mask, SPACING).tolist(), strict=True))


def test_a_ball_has_its_diameter_and_is_a_sphere() -> None:
    found = _numbers(*_ball(6.0))
    assert found["equivalent_diameter_mm"] == pytest.approx(12.0, rel=0.02)
    assert found["log_volume_mm3"] == pytest.approx(np.log(4 / 3 * np.pi * 6**3), abs=0.05)
    assert found["height_mm"] == 13.0
    assert found["axis_ratio_short"] == pytest.approx(1.0, abs=0.03)
    assert found["sphericity"] == pytest.approx(1.0, abs=0.1)


def test_density_and_contrast_are_in_hu() -> None:
    found = _numbers(*_ball(6.0))
    assert found["mean_hu"] == 40
    assert found["sd_hu"] == 0
    assert found["rim_mean_hu"] == -850
    assert found["contrast_hu"] == 890
    assert found["fraction_below_minus_300"] == 0


def test_a_ground_glass_nodule_has_a_soft_edge() -> None:
    solid, glass = _numbers(*_ball(6.0)), _numbers(*_ball(6.0, hu_inside=-600))
    assert glass["fraction_below_minus_300"] == 1
    assert glass["edge_gradient_hu_per_mm"] < solid["edge_gradient_hu_per_mm"] / 2


def test_a_calcified_core_shows() -> None:
    hu, mask = _ball(6.0)
    hu[_ball(3.0)[1]] = 400
    found = _numbers(hu, mask)
    assert found["fraction_above_200"] == pytest.approx((3 / 6) ** 3, abs=0.02)
    assert found["core_minus_edge_hu"] > 50


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 1), (2, 2, 2)])
def test_the_smallest_nodules_have_finite_numbers(shape: tuple[int, int, int]) -> None:
    mask = np.zeros((3, 9, 9), dtype=bool)
    mask[tuple(slice(1, 1 + n) for n in shape)] = True
    assert np.isfinite(describe(np.zeros(mask.shape, np.int16), mask, SPACING)).all()


def test_an_image_that_is_only_nodule_has_finite_numbers() -> None:
    mask = np.ones((2, 4, 4), dtype=bool)
    assert np.isfinite(describe(np.zeros(mask.shape, np.int16), mask, SPACING)).all()


def test_a_ball_of_voxels_nearly_fills_its_hull() -> None:
    found = _numbers(*_ball(8.0))
    assert found["convexity"] == pytest.approx(0.87, abs=0.01)
    assert found["hull_roundness"] == pytest.approx(1.02, abs=0.01)
    assert found["slice_convexity"] == pytest.approx(0.95, abs=0.01)
    assert found["slice_roundness"] == pytest.approx(0.93, abs=0.01)
    assert found["slice_perimeter_to_hull"] == pytest.approx(1.0, abs=0.01)
    assert found["log_slice_area_mm2"] == pytest.approx(np.log(np.pi * 8**2), abs=0.03)


def test_a_spike_makes_the_outline_less_convex_and_less_round() -> None:
    hu, mask = _ball(6.0)
    spiked = mask.copy()
    spiked[14:17, 28:33, 30:58] = True
    plain, found = _numbers(hu, mask), _numbers(hu, spiked)
    assert found["convexity"] < plain["convexity"] - 0.1
    assert found["slice_convexity"] < plain["slice_convexity"] - 0.1
    assert found["slice_roundness"] < plain["slice_roundness"] - 0.2


def test_fractions_are_of_the_nodule_and_of_three_millimetres_about_it() -> None:
    hu, mask = _ball(6.0)
    hu[:15] = np.where(mask[:15], 250, -400)
    found = _numbers(hu, mask)
    # all of it but for voxels that the nodule partly fills
    assert found["fraction_above_0_hu"] == pytest.approx(0.9, abs=0.02)
    assert found["fraction_above_200_hu"] == pytest.approx(0.4, abs=0.05)
    assert found["fraction_above_300_hu"] == 0.0
    assert found["near_fraction_above_-500_hu"] == pytest.approx(0.5, abs=0.1)
    assert found["near_fraction_above_-100_hu"] < 0.2


def test_a_vessel_that_ends_in_the_nodule_is_one_attachment() -> None:
    hu, mask = _ball(6.0)
    free = _numbers(hu, mask)
    hu[14:17, 28:33, 44:] = 20
    found = _numbers(hu, mask)
    assert (free["attachments"], found["attachments"]) == (0.0, 1.0)
    assert 0.0 == free["largest_attachment"] < found["largest_attachment"] < 0.1
    assert found["dense_beyond"] > free["dense_beyond"]


def test_something_dense_is_a_blob_and_has_an_edge() -> None:
    solid, glass = _numbers(*_ball(3.0)), _numbers(*_ball(3.0, hu_inside=-600))
    assert solid["blob_mean_1_mm"] < glass["blob_mean_1_mm"] < 0
    assert solid["edge_mean_1_mm"] > 2 * glass["edge_mean_1_mm"] > 0


def test_slices_of_another_thickness_measure_alike() -> None:
    """What lies on cubes of 1 mm hardly depends on the CT's voxels."""
    hu, mask = _ball(8.0)
    fine = dict(zip(NAMES, describe(hu, mask, SPACING), strict=True))
    thick = dict(zip(NAMES, describe(hu[1::2], mask[1::2], (2.0, 0.5, 0.5)), strict=True))
    for name in ("convexity", "hull_roundness", "near_fraction_above_-700_hu"):
        assert thick[name] == pytest.approx(fine[name], abs=0.15)
    for name in ("edge_mean_2_mm", "blob_sd_2_mm"):
        assert thick[name] == pytest.approx(fine[name], rel=0.25)


def test_of_a_sphere_that_nobody_drew_only_the_basic_numbers_are_known() -> None:
    found = describe_basic(*_ball(6.0), SPACING)
    assert np.isfinite(found[: len(BASIC)]).all()
    assert np.isnan(found[len(BASIC) :]).all()
    assert (len(BASIC), len(NAMES), len(set(NAMES))) == (25, 66, 66)


@pytest.mark.parametrize("column", range(20))
def test_a_line_of_voxels_finer_than_a_millimetre_is_not_lost(column: int) -> None:
    mask = np.zeros((3, 40, 40), dtype=bool)
    mask[1, 10:14, 10 + column] = True
    inside = cubes_of(np.zeros(mask.shape, np.int16), mask, (1.0, 0.4, 0.4)).inside
    assert 0 < inside.sum() < 20
