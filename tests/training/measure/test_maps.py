"""What is measured of a map, on maps whose answer is known."""

import numpy as np
import pytest

from m3net.patches import Patch
from m3net.prediction import HeatMap
from training.measure.maps import MapQuality, _highest, _quality

SHAPE = (8, 8, 8)


def cube(first: int, last: int) -> np.ndarray:
    inside = np.zeros(SHAPE, dtype=np.bool_)
    inside[first:last, first:last, first:last] = True
    return inside


NODULE = cube(3, 5)
SHOWN = cube(1, 7)


def heat(values: np.ndarray) -> HeatMap:
    return HeatMap(
        values=values.astype(np.float32),
        shown=np.ones(values.shape, bool),
        affine=np.eye(4),
        has_depth=True,
    )


def quality_of(values: np.ndarray, *, blind: np.ndarray | None = None) -> MapQuality:
    patch = Patch(
        hu=np.zeros(SHAPE, dtype=np.float32),
        valid=SHOWN,
        mask=NODULE.astype(np.float32),
        affine=np.eye(4),
    )
    return _quality(
        heat(values),
        patch=patch,
        aside=heat(values),
        blind=heat(values if blind is None else blind),
        log_odds=lambda cold: float((~cold & NODULE).sum()),
        rng=np.random.default_rng(0),
    )


def test_a_map_of_the_nodule_alone_is_as_good_as_can_be() -> None:
    quality = quality_of(NODULE.astype(float))
    assert quality.heat_on_nodule == 1.0
    assert quality.nodule_share == pytest.approx(8 / 216)
    assert (quality.peak_on_nodule, quality.peak_at_border) == (1.0, 0.0)
    assert (quality.heat_at_border, quality.border_share) == (0.0, pytest.approx(152 / 216))
    assert quality.deletion == quality.insertion == 8.0
    assert quality.random_deletion < 8.0
    assert quality.random_insertion < 8.0
    assert quality.moved_aside == pytest.approx(1.0)


def test_a_map_whose_maximum_lies_at_the_border_is_told() -> None:
    values = NODULE.astype(float)
    values[1, 4, 4] = 3.0
    quality = quality_of(values)
    assert (quality.peak_on_nodule, quality.peak_at_border) == (0.0, 1.0)
    assert quality.heat_on_nodule == pytest.approx(8 / 11)
    assert quality.heat_at_border == pytest.approx(3 / 11)


def test_random_weights_that_draw_the_same_map_are_told() -> None:
    values = np.random.default_rng(1).random(SHAPE)
    assert quality_of(values).random_weights == pytest.approx(1.0)
    assert quality_of(values, blind=np.ones(SHAPE)).random_weights == 0.0


def test_a_twentieth_of_what_was_shown_is_taken_away_and_nothing_else() -> None:
    hottest = _highest(np.where(SHOWN, NODULE, 9.0), SHOWN)
    assert hottest.sum() == 11  # of 216
    assert not (hottest & ~SHOWN).any()
    assert (hottest & NODULE).sum() == 8
