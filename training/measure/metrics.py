"""What the paper's numbers are made of: as printed, as evidently computed, and as is usual.

The paper (Li et al. 2026, Sec. 4.2) averages over the two classes, so its "recall" is the accuracy
and its "specificity" no specificity.  Three dialects stand side by side here:

    as_printed   Eq. 19 to 22 and the formulas before them, to the letter
    as_computed  what the tables' columns evidently are (solved from the printed figures)
    standard     malignant is the positive class: sensitivity, specificity, PPV, NPV, ...

All are fractions in [0, 1]; malignant is class 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A confusion matrix; malignant is positive."""

    tn: int
    fp: int
    fn: int
    tp: int

    @property
    def total(self) -> int:
        """Number of nodules."""
        return self.tn + self.fp + self.fn + self.tp


def count(labels: ArrayLike, probabilities: ArrayLike, *, threshold: float = 0.5) -> Counts:
    """The confusion matrix of calling p >= threshold malignant."""
    truth = np.asarray(labels, dtype=bool)
    called = np.asarray(probabilities) >= threshold
    return Counts(
        tn=int((~truth & ~called).sum()),
        fp=int((~truth & called).sum()),
        fn=int((truth & ~called).sum()),
        tp=int((truth & called).sum()),
    )


def _ratio(part: float, whole: float) -> float:
    """part / whole; 0 where nothing is there to count, as in the usual libraries."""
    return part / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class _PerClass:
    """The two classes as the paper sees them: each is positive in its turn, benign first."""

    weight: tuple[float, float]
    precision: tuple[float, float]
    recall: tuple[float, float]
    specificity: tuple[float, float]
    f1: tuple[float, float]


def _per_class(counts: Counts) -> _PerClass:
    tn, fp, fn, tp = counts.tn, counts.fp, counts.fn, counts.tp
    precision = (_ratio(tn, tn + fn), _ratio(tp, tp + fp))
    recall = (_ratio(tn, tn + fp), _ratio(tp, tp + fn))
    benign, malignant = (_ratio(2 * p * r, p + r) for p, r in zip(precision, recall, strict=True))
    return _PerClass(
        weight=(_ratio(tn + fp, counts.total), _ratio(tp + fn, counts.total)),
        precision=precision,
        recall=recall,
        specificity=(recall[1], recall[0]),
        f1=(benign, malignant),
    )


def _weighted(weight: tuple[float, float], value: tuple[float, float]) -> float:
    return weight[0] * value[0] + weight[1] * value[1]


def as_printed(counts: Counts) -> Mapping[str, float]:
    """Sec. 4.2 to the letter.

    Eq. 20 has the class weight outside of its sum; read as inside, which is the only way that it
    means anything, it is half the accuracy.
    """
    each = _per_class(counts)
    return {
        "acc": _ratio(counts.tp + counts.tn, counts.total),
        "pre": _weighted(each.weight, each.precision),
        "rec": _weighted(each.weight, each.recall),
        "spec": _weighted(each.weight, each.specificity),
        "f1": _weighted(each.weight, each.f1),
        "bacc": _weighted(each.weight, each.recall) / 2,
    }


def as_computed(counts: Counts) -> Mapping[str, float]:
    """The columns of Table 3 as they evidently came about.

    Spec is micro-averaged over both classes and so equals the accuracy in every row.  BACC is macro
    precision in the baselines' rows and balanced accuracy in M3Net's: both are given.
    """
    each = _per_class(counts)
    accuracy = _ratio(counts.tp + counts.tn, counts.total)
    return {
        "acc": accuracy,
        "pre": _weighted(each.weight, each.precision),
        "rec": accuracy,
        "spec": accuracy,
        "f1": _weighted(each.weight, each.f1),
        "bacc_of_baselines": sum(each.precision) / 2,
        "bacc_of_m3net": sum(each.recall) / 2,
    }


def standard(counts: Counts) -> Mapping[str, float]:
    """What a radiologist would ask for: malignant is positive, nothing is averaged over classes."""
    each = _per_class(counts)
    return {
        "accuracy": _ratio(counts.tp + counts.tn, counts.total),
        "balanced_accuracy": sum(each.recall) / 2,
        "sensitivity": each.recall[1],
        "specificity": each.recall[0],
        "ppv": each.precision[1],
        "npv": each.precision[0],
        "f1": each.f1[1],
    }


def name_of_bacc(counts: Counts, printed_percent: float) -> str:
    """What a printed BACC is: "balanced accuracy", "macro precision" or "neither" (to 0.01)."""
    computed = as_computed(counts)
    for name, key in (
        ("balanced accuracy", "bacc_of_m3net"),
        ("macro precision", "bacc_of_baselines"),
    ):
        if abs(100 * computed[key] - printed_percent) <= 0.0051:
            return name
    return "neither"


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve; ties count one half.  Both classes must be there.

    Eq. 21 weighs the two classes' curves; with two classes each has this same area.
    """
    truth = np.asarray(labels, dtype=bool)
    values = np.asarray(scores, dtype=np.float64)
    positive, negative = np.sort(values[truth]), np.sort(values[~truth])
    if not len(positive) or not len(negative):
        raise ValueError(f"ROC needs both classes, found {len(positive)} malignant of {len(truth)}")
    below = np.searchsorted(negative, positive, side="left")
    up_to = np.searchsorted(negative, positive, side="right")
    return float((below + up_to).mean() / 2 / len(negative))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the precision-recall steps of the malignant class; equal scores are one step."""
    truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    precision, recall, _ = precision_recall_curve(truth, values)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def weighted_average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Eq. 22: average precision of each class, weighted by its share."""
    truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    share = float(truth.mean())
    malignant, benign = average_precision(truth, values), average_precision(~truth, -values)
    return share * malignant + (1 - share) * benign


Curve = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _running_counts(
    truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """True and false positives at each distinct threshold, highest first."""
    order = np.argsort(-scores, kind="stable")
    last_of_a_tie = np.append(np.diff(scores[order]) != 0, True)
    tp = np.cumsum(truth[order])[last_of_a_tie].astype(np.float64)
    fp = np.cumsum(~truth[order])[last_of_a_tie].astype(np.float64)
    return tp, fp, scores[order][last_of_a_tie]


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """False positive rate, true positive rate and threshold, from (0, 0) at +inf to (1, 1)."""
    truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    tp, fp, thresholds = _running_counts(truth, values)
    return (
        np.concatenate([[0.0], fp / (~truth).sum()]),
        np.concatenate([[0.0], tp / truth.sum()]),
        np.concatenate([[np.inf], thresholds]),
    )


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Precision, recall and threshold at each distinct score, highest first."""
    truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    tp, fp, thresholds = _running_counts(truth, values)
    return tp / (tp + fp), tp / truth.sum(), thresholds
