"""Whether 70 % means 70 %: calibration measured, and mended with numbers from other folds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from m3net.calibration import Calibration

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Nodules whose probability lies in [low, high) (the last bin includes 1)."""

    low: float
    high: float
    nodules: int
    mean_probability: float
    malignant_fraction: float


def reliability(
    labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 10
) -> list[ReliabilityBin]:
    """The reliability curve over equal bins of p(malignant); empty bins are left out."""
    truth, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"probabilities must lie in [0, 1], found {p.min():.4g} to {p.max():.4g}")
    place = np.minimum((p * bins).astype(int), bins - 1)
    return [
        ReliabilityBin(
            low=index / bins,
            high=(index + 1) / bins,
            nodules=int(here.sum()),
            mean_probability=float(p[here].mean()),
            malignant_fraction=float(truth[here].mean()),
        )
        for index in range(bins)
        if (here := place == index).any()
    ]


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 10
) -> float:
    """Mean gap between p(malignant) and the malignant fraction, weighted by the bins' nodules."""
    curve = reliability(labels, probabilities, bins=bins)
    gaps = [each.nodules * abs(each.mean_probability - each.malignant_fraction) for each in curve]
    return sum(gaps) / sum(each.nodules for each in curve)


def fit_temperature(labels: ArrayLike, logits: ArrayLike) -> Calibration:
    """The temperature with the highest likelihood (Guo et al. 2017)."""
    return _fit(np.asarray(labels, dtype=np.float64), np.asarray(logits), with_shift=False)


def fit_platt(labels: ArrayLike, logits: ArrayLike) -> Calibration:
    """Slope and shift with the highest likelihood (Platt 1999, without his prior)."""
    return _fit(np.asarray(labels, dtype=np.float64), np.asarray(logits), with_shift=True)


def _fit(truth: Floats, logits: Floats, *, with_shift: bool) -> Calibration:
    """Maximum likelihood over log-slope (and shift): a slope stays positive, ranks stay."""

    def loss(parameters: Floats) -> float:
        score = np.exp(parameters[0]) * logits + (parameters[1] if with_shift else 0.0)
        return float(np.mean(np.logaddexp(0.0, score) - truth * score))

    start = np.zeros(2 if with_shift else 1)
    # Separable logits have no finite optimum: the bound keeps p away from exact 0 and 1.
    bounds = [(-5.0, 3.0), (-20.0, 20.0)][: len(start)]
    # to the last digits, so that what is rounded afterwards is the same on every machine
    exactly = {"ftol": 0.0, "gtol": 1e-12, "maxiter": 1000}
    best = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options=exactly).x
    return Calibration(slope=float(np.exp(best[0])), shift=float(best[1]) if with_shift else 0.0)


def calibrate_across_folds(
    labels: ArrayLike, logits: ArrayLike, folds: ArrayLike, *, fitted_on: ArrayLike | None = None
) -> Floats:
    """Out-of-fold logits to probabilities; each fold is calibrated by the other folds alone.

    fitted_on : what was said of the same nodules when they were told otherwise; None: the logits
    """
    truth, scores, fold = np.asarray(labels), np.asarray(logits), np.asarray(folds)
    known = scores if fitted_on is None else np.asarray(fitted_on)
    probabilities = np.full(len(truth), np.nan)
    for each in np.unique(fold):
        here = fold == each
        probabilities[here] = fit_platt(truth[~here], known[~here])(scores[here])
    return probabilities
