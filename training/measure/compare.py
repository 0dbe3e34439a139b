"""Whether one model is better than another: both judged on the same nodules, pair by pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from training.measure import metrics
from training.measure.bootstrap import Difference, Statistic, paired_difference
from training.measure.predictions import Predictions, PredictionsUnusable

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The first model against the second.

    auc, accuracy    : first minus second, under resampling of whole patients
    only_first_right : nodules that the first alone calls rightly, and the second alone
    mcnemar_p        : two-sided and exact (McNemar 1947), of these; it takes nodules of one patient
                       for independent, which the intervals do not
    """

    nodules: int
    auc: Difference
    accuracy: Difference
    only_first_right: int
    only_second_right: int
    mcnemar_p: float


def compare(first: Predictions, second: Predictions, *, resamples: int = 2000) -> Comparison:
    """The first model against the second.

    Raises PredictionsUnusable unless both were asked about the same nodules, of both classes.
    """
    _check_same([first, second])
    truth = first.truth
    if not 0 < truth.sum() < len(truth):
        raise PredictionsUnusable("nodules of one class: there is nothing to compare")

    def difference(statistic: Statistic) -> Difference:
        return paired_difference(
            statistic,
            labels=truth,
            ours=first.p,
            theirs=second.p,
            patients=first.patients,
            resamples=resamples,
        )

    right = [(each.p >= THRESHOLD) == truth for each in (first, second)]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return Comparison(
        nodules=len(truth),
        auc=difference(metrics.roc_auc),
        accuracy=difference(_accuracy),
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p that pairs fall so unevenly, if either model were as often right."""
    if not only_first + only_second:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def averaged(every: Sequence[Predictions]) -> Predictions:
    """The mean probability over runs that differ in their seeds.

    Raises PredictionsUnusable unless all were asked about the same nodules.
    """
    _check_same(every)
    first = every[0]
    return Predictions(
        names=first.names,
        patients=first.patients,
        truth=first.truth,
        p=np.mean([each.p for each in every], axis=0),
    )


def _check_same(every: Sequence[Predictions]) -> None:
    first = every[0]
    for each in every[1:]:
        if each.names != first.names or not np.array_equal(each.truth, first.truth):
            raise PredictionsUnusable(
                f"these are predictions of other nodules: {len(first.names)} and "
                f"{len(each.names)}, {len({*first.names} & {*each.names})} of them the same; "
                "run both on the same data and split"
            )


def _accuracy(truth: NDArray[np.bool_], p: NDArray[np.float64]) -> float:
    return float(((p >= THRESHOLD) == truth).mean())
