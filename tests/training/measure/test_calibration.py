"""Calibration is measured over ten equal bins and mended by other folds."""

import numpy as np
import pytest
from scipy.special import expit

from training.measure.calibration import (
    calibrate_across_folds,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    reliability,
)


def test_ece_of_two_hand_made_bins() -> None:
    # Bin [0.2, 0.3): 4 nodules at 0.25, one malignant: gap 0.  Bin [0.9, 1]: 1 at 0.95, benign.
    labels, p = [1, 0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25, 0.95]
    assert expected_calibration_error(labels, p) == pytest.approx(0.95 / 5)
    assert [(b.low, b.high, b.nodules) for b in reliability(labels, p)] == [
        (0.2, 0.3, 4),
        (0.9, 1.0, 1),
    ]


def test_a_probability_of_one_is_in_the_last_bin() -> None:
    assert reliability([1], [1.0])[0].low == 0.9


def test_reliability_refuses_logits() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\], found -2 to 3"):
        reliability([0, 1], [-2.0, 3.0])


def _sample(slope: float, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels whose true logit is slope * logit + shift."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=20_000)
    return random.random(len(logits)) < expit(slope * logits + shift), logits


def test_platt_finds_slope_and_shift() -> None:
    found = fit_platt(*_sample(0.5, -1.0))
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.shift == pytest.approx(-1.0, abs=0.03)


def test_temperature_finds_the_slope_and_leaves_one_half_where_it_is() -> None:
    found = fit_temperature(*_sample(2.0, 0.0))
    assert found.slope == pytest.approx(2.0, abs=0.06)
    assert found([0.0])[0] == 0.5


def test_separable_logits_get_a_finite_calibration() -> None:
    p = fit_platt([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0])([-1.0, 1.0])
    assert np.all(np.isfinite(p))
    assert p[0] < 0.5 < p[1]


def test_a_fold_is_not_calibrated_by_its_own_labels() -> None:
    labels, logits = _sample(1.0, 0.0)
    folds = np.arange(len(labels)) % 5
    before = calibrate_across_folds(labels, logits, folds)
    flipped = labels.copy()
    flipped[folds == 0] = ~flipped[folds == 0]
    after = calibrate_across_folds(flipped, logits, folds)
    assert before[folds == 0] == pytest.approx(after[folds == 0], abs=1e-9)
    assert not np.allclose(before[folds == 1], after[folds == 1])
