"""What is said of the default weights: out of fold, against baselines, less told, outlined anew.

Every number is of nodules that neither the network nor its calibration was fitted on.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from m3net.axes import axes_mm
from m3net.config import M3NetConfig
from training.baselines import classical
from training.data.cutouts import Cutouts
from training.data.shown import ShownNodules
from training.data.told import ToldAs
from training.data.voi import Cutout
from training.measure import metrics
from training.measure.bootstrap import paired_difference, patient_interval
from training.measure.calibration import (
    Calibration,
    calibrate_across_folds,
    expected_calibration_error,
    fit_temperature,
)
from training.shipped.committee import CommitteeFiles, out_of_fold_margins

Floats = NDArray[np.float64]

OURS = "ours"
"""The key of the shipped weights' row; `ours_...` are the same weights, told less or on fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """The members of each fold and what is known of the nodules.

    committees  : per fold, the networks that did not see it, and their expert
    margins     : (N,) of each nodule, by its committee
    descriptions: (N, 66) `m3net.description.NAMES`
    config      : of a member, as it is served
    """

    cutouts: Sequence[Cutout]
    folds: NDArray[np.int_]
    committees: Mapping[int, CommitteeFiles]
    margins: Floats
    descriptions: NDArray[np.float32]
    config: M3NetConfig

    @property
    def labels(self) -> NDArray[np.bool_]:
        """The paper's."""
        return np.array([cutout.label.malignant for cutout in self.cutouts])

    @property
    def patients(self) -> list[str]:
        """One per nodule."""
        return [cutout.label.patient_id for cutout in self.cutouts]

    def calibration(self, fold: int) -> Calibration:
        """Fitted on the other folds."""
        other = self.folds != fold
        return fit_temperature(self.labels[other], self.margins[other])


def accuracy(labels: NDArray[np.bool_], p: Floats) -> float:
    """At 0.5."""
    return float(((p >= 0.5) == labels).mean())


def row(found: OutOfFold, p: Floats) -> dict[str, object]:
    """One line of the table: AUC and accuracy with intervals over patients, and ECE."""
    shared = {"labels": found.labels, "probabilities": p, "patients": found.patients}
    return {
        "auc": asdict(patient_interval(metrics.roc_auc, **shared)),  # type: ignore[arg-type]
        "accuracy": asdict(patient_interval(accuracy, **shared)),  # type: ignore[arg-type]
        "ece": expected_calibration_error(found.labels, p),
    }


def against_baselines(
    found: OutOfFold, others: Mapping[str, Floats]
) -> dict[str, dict[str, object]]:
    """The rows of OURS, the baselines, and `others`: key -> (N,) logits on the same folds."""
    labels, features = found.labels, found.descriptions.astype(np.float64)
    theirs = {
        name: classical.out_of_fold_logits(
            name, features=features, labels=labels, folds=found.folds
        )
        for name in classical.BASELINES
    }
    ours = calibrate_across_folds(labels, found.margins, found.folds, platt=False)
    rows = {OURS: row(found, ours)}
    for name, logits in {**theirs, **others}.items():
        p = calibrate_across_folds(labels, logits, found.folds, platt=False)
        # Ranks are compared before calibration, which differs between folds.
        difference = paired_difference(
            metrics.roc_auc,
            labels=labels,
            ours=found.margins,
            theirs=logits,
            patients=found.patients,
        )
        rows[name] = {**row(found, p), "auc_of_ours_minus_this": asdict(difference)}
    return rows


def write_margins(found: OutOfFold, file: Path) -> None:
    """A row a nodule: what was said of it before calibration, and by which fold's committee."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(["name", "patient_id", "fold", "malignant", "margin"])
        for cutout, fold, margin in zip(found.cutouts, found.folds, found.margins, strict=True):
            label = cutout.label
            writer.writerow(
                [label.name, label.patient_id, fold, int(label.malignant), f"{margin:.6f}"]
            )


def predict_out_of_fold(
    found: OutOfFold,
    *,
    cutouts: Sequence[Cutout] | None = None,
    marking: ToldAs = ToldAs.MASK,
) -> Floats:
    """p of each nodule by the committee that did not see it: (N,).

    cutouts : the same nodules, otherwise outlined; None: as they are
    marking : what is told of each
    """
    nodules = ShownNodules(
        Cutouts(found.cutouts if cutouts is None else cutouts, marking), config=found.config
    )
    margins = out_of_fold_margins(
        nodules, folds=found.folds, committees=found.committees, config=found.config
    )
    p = np.full(len(found.folds), np.nan)
    for fold in found.committees:
        here = found.folds == fold
        p[here] = found.calibration(fold)(margins[here])
    return p


def one_slice_less(cutout: Cutout, *, first: bool) -> Cutout:
    """The outline without its first or last slice; as it is if no other slice were left."""
    (slices,) = np.nonzero(cutout.mask.any(axis=(1, 2)))
    if len(slices) < 2:
        return cutout
    mask = cutout.mask.copy()
    mask[slices[0 if first else -1]] = False
    return replace(cutout, mask=mask)


def one_slice_more(cutout: Cutout, *, first: bool) -> Cutout:
    """The outline with its first or last slice once more beyond it; as it is where none is cut."""
    (slices,) = np.nonzero(cutout.mask.any(axis=(1, 2)))
    edge, beyond = (slices[0], slices[0] - 1) if first else (slices[-1], slices[-1] + 1)
    if not 0 <= beyond < len(cutout.mask):
        return cutout
    mask = cutout.mask.copy()
    mask[beyond] = mask[edge]
    return replace(cutout, mask=mask)


def moved_by_a_slice(found: OutOfFold) -> dict[str, dict[str, float]]:
    """How far p moves when the outline loses or gains a slice at either end."""
    before = predict_out_of_fold(found)
    moved = {}
    for name, change in (("less", one_slice_less), ("more", one_slice_more)):
        ends = []
        for first in (True, False):
            cutouts = [change(cutout, first=first) for cutout in found.cutouts]
            changed = [a is not b for a, b in zip(cutouts, found.cutouts, strict=True)]
            after = predict_out_of_fold(found, cutouts=cutouts)
            ends.append((after - before)[changed])
        moved[name] = _spread(np.concatenate(ends))
    return moved


def _spread(moved: Floats) -> dict[str, float]:
    away = np.abs(moved)
    return {
        "outlines": float(len(moved)),
        "median": float(np.median(away)),
        "percentile_90": float(np.percentile(away, 90)),
        "percentile_99": float(np.percentile(away, 99)),
        "mean_signed": float(moved.mean()),
    }


def long_axes_mm(found: OutOfFold) -> list[float]:
    """The long axis of every nodule, on the slice where most of it is marked."""
    axes = []
    for cutout in found.cutouts:
        widest = int(np.argmax(cutout.mask.sum(axis=(1, 2))))
        axes.append(axes_mm(cutout.mask[widest], cutout.spacing_mm[1:])[0])
    return axes
