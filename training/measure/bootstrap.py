"""Intervals and comparisons that respect patients: nodules of one patient are drawn together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import ArrayLike, NDArray

Statistic = Callable[[NDArray[np.bool_], NDArray[np.float64]], float]
"""(labels, probabilities) -> number, for example `metrics.roc_auc`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate from the sample itself, and the percentiles of its resamples."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Ours minus theirs on the same resamples.

    p_value : two-sided, twice the smaller share of resamples on one side of zero
    """

    estimate: float
    low: float
    high: float
    p_value: float


def _resamples(
    patients: Sequence[str], labels: NDArray[np.bool_], *, resamples: int, seed: int
) -> Iterator[NDArray[np.intp]]:
    """Nodule indices of patients drawn with replacement; draws without both classes are redrawn.

    Raises ValueError if there is one class alone.
    """
    if not 0 < labels.sum() < len(labels):
        raise ValueError(f"all {len(labels)} nodules are of one class: nothing to resample")
    made = 0
    for drawn in patient_resamples(patients, seed=seed):
        if 0 < labels[drawn].sum() < len(drawn):
            yield drawn
            made += 1
        if made == resamples:
            return


def patient_resamples(
    patients: Sequence[str], *, resamples: int | None = None, seed: int = 0
) -> Iterator[NDArray[np.intp]]:
    """Nodule indices of as many patients as there are, drawn with replacement; None: for ever."""
    _, owner = np.unique(np.asarray(patients), return_inverse=True)
    number, nodules = int(owner.max()) + 1, np.arange(len(owner))
    random = np.random.default_rng(seed)
    for _ in range(resamples) if resamples is not None else count():
        times = np.bincount(random.integers(number, size=number), minlength=number)
        yield np.repeat(nodules, times[owner])


def patient_interval(
    statistic: Statistic,
    *,
    labels: ArrayLike,
    probabilities: ArrayLike,
    patients: Sequence[str],
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic under resampling of whole patients."""
    truth, p = np.asarray(labels, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    values = [
        statistic(truth[drawn], p[drawn])
        for drawn in _resamples(patients, truth, resamples=resamples, seed=seed)
    ]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate=statistic(truth, p), low=float(low), high=float(high))


def paired_difference(
    statistic: Statistic,
    *,
    labels: ArrayLike,
    ours: ArrayLike,
    theirs: ArrayLike,
    patients: Sequence[str],
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Ours minus theirs, both judged on the same resampled patients."""
    truth = np.asarray(labels, dtype=bool)
    first, second = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    values = np.array(
        [
            statistic(truth[drawn], first[drawn]) - statistic(truth[drawn], second[drawn])
            for drawn in _resamples(patients, truth, resamples=resamples, seed=seed)
        ]
    )
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Difference(
        estimate=statistic(truth, first) - statistic(truth, second),
        low=float(low),
        high=float(high),
        p_value=float(min(1.0, 2 * min((values <= 0).mean(), (values >= 0).mean()))),
    )
