"""The range of panels' ratings that stands beside a probability."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.model_files import UNTRAINED_CARD, load_card
from m3net.nodule import Mask, Nodule
from m3net.panel import Rated, rated_alike
from m3net.told import CENTRE, DIAMETER, OUTLINE, told_as
from tests.m3net.toys import nodule_at

LOW = {"from": 0.0, "low": 1.0, "middle": 2.25, "high": 3.0, "nodules": 159.0}
HIGH = {"from": 0.4, "low": 2.33, "middle": 3.25, "high": 4.5, "nodules": 174.0}
BARE = nodule_at((0.0, 0.0, 0.0))
ROUND = nodule_at((0.0, 0.0, 0.0), diameter_mm=8.0)
OUTLINED = replace(BARE, mask=Mask(voxels=np.ones((1, 1, 1), dtype=bool), affine=np.eye(4)))


@pytest.mark.parametrize(
    ("p", "high"), [(0.0, 3.0), (0.3999, 3.0), (0.4, 4.5), (1.0, 4.5), (-0.01, None)]
)
def test_the_band_is_the_last_that_begins_at_or_below_the_probability(
    p: float, high: float | None
) -> None:
    card = replace(UNTRAINED_CARD, panel={OUTLINE: (LOW, HIGH)})
    rated = rated_alike(card, OUTLINED, p)
    assert (None if rated is None else rated.high) == high


def test_a_nodule_is_compared_with_those_that_were_told_as_it_is() -> None:
    assert [told_as(each) for each in (OUTLINED, ROUND, BARE)] == [OUTLINE, DIAMETER, CENTRE]
    card = replace(UNTRAINED_CARD, panel={OUTLINE: (LOW,), CENTRE: (HIGH,)})
    assert rated_alike(card, OUTLINED, 0.9) == Rated(low=1.0, middle=2.25, high=3.0)
    assert rated_alike(card, BARE, 0.9) == Rated(low=2.33, middle=3.25, high=4.5)
    assert rated_alike(card, ROUND, 0.9) is None


def test_a_card_without_ranges_gives_none() -> None:
    assert rated_alike(UNTRAINED_CARD, OUTLINED, 0.5) is None


@pytest.mark.parametrize("nodule", [OUTLINED, ROUND, BARE], ids=told_as)
def test_the_shipped_ranges_rise_and_hold_in_nine_of_ten_cases(nodule: Nodule) -> None:
    card = load_card("default")
    bands = [rated_alike(card, nodule, (band + 0.5) / 5) for band in range(5)]
    ends = [(rated.low, rated.middle, rated.high) for rated in bands if rated is not None]
    assert len(ends) == 5
    assert [middle for _, middle, _ in ends] == sorted(middle for _, middle, _ in ends)
    assert all(1 <= low < middle < high <= 5 for low, middle, high in ends)
    assert card.metrics[f"panel_{told_as(nodule)}_coverage"] >= 0.9
    assert card.metrics[f"panel_{told_as(nodule)}_coverage_low"] >= 0.88
