"""The numbers of a nodule are those that one would measure by hand."""

import numpy as np
import pytest

from m3net.description import NAMES, describe

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
