"""Ranges of panels' ratings, made of nodules whose scatter is known, and how often they hold."""

import numpy as np

from training.shipped.panel import coverage, panel_bands


def _nodules(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Estimates, and means that lie about 1 + 4 of them with a spread of half a point."""
    random = np.random.default_rng(0)
    estimates = random.uniform(0, 1, number)
    return estimates, 1 + 4 * estimates + random.normal(0, 0.5, number)


def test_a_band_leaves_a_twentieth_of_its_nodules_beyond_either_end() -> None:
    estimates, means = _nodules(1000)
    bands = panel_bands(estimates, means)
    assert [band["from"] for band in bands] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert sum(band["nodules"] for band in bands) == 1000
    own = (estimates >= 0.4) & (estimates < 0.6)
    beyond = [(means[own] < bands[2]["low"] - 0.01).mean(), (means[own] > bands[2]["high"]).mean()]
    assert 0.03 < min(beyond) <= max(beyond) < 0.05
    assert bands[2]["middle"] == np.round(np.median(means[own]), 2)


def test_a_band_of_too_few_nodules_says_nothing() -> None:
    """The 19th of 19 would be the most extreme; of 18 there is none so extreme."""
    means = np.linspace(2, 4, 19)
    (first, *others) = panel_bands(np.full(19, 0.1), means)
    assert (first["low"], first["high"]) == (2.0, 4.0)
    assert (others[0]["low"], others[0]["high"], others[0]["nodules"]) == (1.0, 5.0, 0.0)
    (few, *_) = panel_bands(np.full(18, 0.1), means[:18])
    assert (few["low"], few["high"]) == (1.0, 5.0)


def test_of_nodules_that_were_not_counted_nine_in_ten_lie_within() -> None:
    estimates, means = _nodules(1000)
    held = coverage(
        estimates,
        means,
        folds=np.arange(1000) % 5,
        patients=[f"P{i // 2}" for i in range(1000)],
        long_axes_mm=np.linspace(4, 20, 1000),
    )
    assert 0.88 < held.all.low < held.all.estimate < held.all.high < 0.94
    assert list(held.by_size) == [0.0, 6.0, 8.0, 10.0, 15.0]
    assert all(0.84 < share < 0.96 for share in held.by_size.values())
    assert 1.8 < held.width < 2.0
