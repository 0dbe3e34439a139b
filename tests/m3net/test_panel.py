"""The range of panels' ratings that stands beside a probability."""

from dataclasses import replace

import pytest

from m3net.model_files import UNTRAINED_CARD, load_card
from m3net.panel import Rated, rated_alike

LOW = {"from": 0.0, "low": 1.0, "middle": 2.25, "high": 3.0, "nodules": 159.0}
HIGH = {"from": 0.4, "low": 2.33, "middle": 3.25, "high": 4.5, "nodules": 174.0}


@pytest.mark.parametrize(
    ("estimate", "high"), [(0.0, 3.0), (0.3999, 3.0), (0.4, 4.5), (1.0, 4.5), (-0.01, None)]
)
def test_the_band_is_the_last_that_begins_at_or_below_the_estimate(
    estimate: float, high: float | None
) -> None:
    rated = rated_alike(replace(UNTRAINED_CARD, panel=(LOW, HIGH)), estimate)
    assert (None if rated is None else rated.high) == high


def test_a_card_without_ranges_gives_none_nor_does_an_expert_that_abstains() -> None:
    assert rated_alike(UNTRAINED_CARD, 0.5) is None
    assert rated_alike(replace(UNTRAINED_CARD, panel=(LOW,)), None) is None


def test_the_shipped_ranges_rise_and_hold_in_nine_of_ten_cases() -> None:
    card = load_card("default")
    bands = [rated_alike(card, (band + 0.5) / 5) for band in range(5)]
    assert None not in bands
    ends = [(rated.low, rated.middle, rated.high) for rated in bands if rated is not None]
    assert ends == sorted(ends)
    assert all(1 <= low < middle < high <= 5 for low, middle, high in ends)
    assert rated_alike(card, 0.95) == Rated(low=3.0, middle=4.5, high=5.0)
    assert card.metrics["panel_coverage_low"] >= 0.9
    by_size = [value for key, value in card.metrics.items() if "panel_coverage_from" in key]
    assert len(by_size) == 5
    assert min(by_size) >= 0.88
