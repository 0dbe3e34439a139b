"""Any weights on any folder of nodules: the numbers, with intervals over patients."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.volume import CTVolume
from training.data.crops import Crop
from training.data.errors import CropsUnusable
from training.data.labels import Label
from training.data.told import ToldAs, retold
from training.measure import metrics
from training.measure.bootstrap import Interval, patient_interval
from training.measure.calibration import expected_calibration_error, reliability
from training.measure.metrics import Counts

Report = dict[str, object]
"""Plain numbers, strings, lists and dicts, ready for JSON."""


class OneClass(ValueError):
    """All nodules are benign, or all malignant: most of what is measured has no meaning."""


class Predictor(Protocol):
    """What is asked of a model here: the node's classifier without its maps."""

    def probability(self, volume: CTVolume, nodule: Nodule) -> float:
        """p(malignant) of one nodule."""
        ...

    def box_needed(self, volume: CTVolume, nodule: Nodule) -> GridBox:
        """The voxels that judge it; they may lie beyond the volume."""
        ...


def predict(
    model: Predictor,
    crops: Iterable[Crop],
    *,
    marking: ToldAs = ToldAs.MASK,
    on_nodule: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """p(malignant) of each nodule: (N,); with the node's classifier, what the node would say.

    Raises CropsUnusable if a block is too small for what the model looks at.
    """
    probabilities = []
    for crop in crops:
        nodule = retold(crop.nodule, marking)
        _check_whole(crop, model.box_needed(crop.volume, nodule))
        probabilities.append(model.probability(crop.volume, nodule))
        on_nodule()
    return np.array(probabilities)


def _check_whole(crop: Crop, needed: GridBox) -> None:
    """What is looked at may lie beyond the block only where the scan itself ends."""
    first = np.array(needed.first)
    last = first + needed.shape
    beyond = np.column_stack([first < 0, last > np.array(crop.volume.shape)])  # (3, 2)
    if np.any(beyond & ~crop.ends):
        raise CropsUnusable(
            f"{crop.label.name}: the model looks beyond the block of "
            f"{' x '.join(map(str, crop.volume.shape))} voxels; prepare larger blocks"
        )


def assess(
    labels: Sequence[Label],
    probabilities: NDArray[np.float64],
    *,
    threshold: float = 0.5,
    resamples: int = 2000,
) -> Report:
    """Everything that is said of a set of predictions; fractions, malignant is positive."""
    truth = np.array([label.malignant for label in labels])
    patients = [label.patient_id for label in labels]
    counts = metrics.count(truth, probabilities, threshold=threshold)
    clear = np.array([sum(label.scores) != 3 * len(label.scores) for label in labels])

    def accuracy(labels: NDArray[np.bool_], p: NDArray[np.float64]) -> float:
        return float(((p >= threshold) == labels).mean())

    def interval(statistic: Callable[[NDArray[np.bool_], NDArray[np.float64]], float]) -> Interval:
        return patient_interval(
            statistic,
            labels=truth,
            probabilities=probabilities,
            patients=patients,
            resamples=resamples,
        )

    if not 0 < truth.sum() < len(truth):
        raise OneClass(
            f"all {len(truth)} nodules are {'malignant' if truth.any() else 'benign'}; "
            "an AUC needs both"
        )
    auc, accurate = interval(metrics.roc_auc), interval(accuracy)
    return {
        "nodules": len(truth),
        "malignant": int(truth.sum()),
        "patients": len(set(patients)),
        "auc": auc.estimate,
        "auc_95": [auc.low, auc.high],
        "accuracy": accurate.estimate,
        "accuracy_95": [accurate.low, accurate.high],
        "ece": expected_calibration_error(truth, probabilities),
        "average_precision": metrics.average_precision(truth, probabilities),
        "threshold": threshold,
        "confusion": asdict(counts),
        "standard": dict(metrics.standard(counts)),
        "paper_as_printed": _as_printed(truth, probabilities, counts),
        "paper_as_computed": dict(metrics.as_computed(counts)),
        "without_mean_3": _without_mean_3(truth[clear], probabilities[clear], threshold=threshold),
        "reliability": [asdict(each) for each in reliability(truth, probabilities)],
    }


def _as_printed(
    truth: NDArray[np.bool_], probabilities: NDArray[np.float64], counts: Counts
) -> Report:
    """Eq. 19 to 22."""
    return {
        **metrics.as_printed(counts),
        "roc_auc": metrics.roc_auc(truth, probabilities),
        "pr_auc": metrics.weighted_average_precision(truth, probabilities),
    }


def _without_mean_3(
    truth: NDArray[np.bool_], probabilities: NDArray[np.float64], *, threshold: float
) -> Report:
    """The nodules on which the readers did not come out exactly undecided; no AUC of one class."""
    both = 0 < truth.sum() < len(truth)
    return {
        "nodules": len(truth),
        "auc": metrics.roc_auc(truth, probabilities) if both else None,
        "accuracy": float(((probabilities >= threshold) == truth).mean()) if len(truth) else None,
    }
