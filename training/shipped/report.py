"""What is said of the default weights: out of fold, against baselines, less told, outlined anew.

Every number is of nodules that neither the network nor its calibration was fitted on, and follows
from the table of `training.shipped.out_of_fold` alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from m3net.calibration import Calibration
from m3net.card import ModelCard
from m3net.told import CENTRE, DIAMETER, OUTLINE
from training.measure import metrics
from training.measure.bootstrap import paired_difference, patient_interval
from training.measure.calibration import (
    calibrate_across_folds,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    reliability,
)
from training.shipped.out_of_fold import MOVED, OURS, SIZES_MM, Floats, OutOfFold
from training.shipped.panel import coverage, panel_bands

WITHOUT_MEAN_3 = f"{OURS}_without_mean_3"
OTHERS = ("map_", "acquired_")
"""Before the card's numbers that are not of this table: `m3train maps`, `robustness`."""
AS_SERVED = {
    OUTLINE: f"{OURS}_outline_of_one",
    DIAMETER: f"{OURS}_centre_and_diameter",
    CENTRE: f"{OURS}_centre",
}
"""How a node gets its nodules, each by one reader, and the key of what was said of them so."""
CARDS_BASELINES = ("size_alone", "gradient_boosting", "plain_resnet18")
"""Of the rows beside ours, those that the model card tells."""


def report_of(found: OutOfFold) -> dict[str, Any]:
    """The table with intervals, ours by size, what is lost when less is told or a slice is."""
    table: dict[str, dict[str, object]] = {}
    p = calibrated(found, OURS)
    for key, margins in found.margins.items():
        if key.startswith(MOVED):
            continue
        table[key] = _row(found, key)
        if not key.startswith(OURS):
            difference = paired_difference(
                metrics.roc_auc,
                labels=found.labels,
                ours=found.margins[OURS],
                theirs=margins,
                patients=found.patients,
            )
            table[key]["auc_of_ours_minus_this"] = asdict(difference)
    table[WITHOUT_MEAN_3] = _row(found, OURS, where=~found.undecided)
    keys = served_keys(found)
    served = {told: calibrated(found, key) for told, key in keys.items()}
    return {
        "table": table,
        "panel": {told: _panel(found, said) for told, said in served.items()},
        "reliability": {told: _reliability(found, said) for told, said in served.items()},
        "by_size": _by_size(found, served[OUTLINE]),
        "moved_by_a_slice": _moved_by_a_slice(found, p),
        "long_axes_mm": found.long_axes_mm.tolist(),
        "temperature": 1 / fit_temperature(found.labels, found.margins[OURS]).slope,
        "calibration": {
            told: _rounded(fit_platt(found.labels, found.margins[key]))
            for told, key in keys.items()
        },
    }


def calibrated(found: OutOfFold, key: str) -> Floats:
    """p of each nodule, calibrated by the other folds: (N,).

    Ours as the node does: by nodules that were told as it gets them, whatever it is told.
    """
    by = key
    if key.startswith(OURS):
        told = served_keys(found)
        by = key if key in told.values() else told[OUTLINE]
    return calibrate_across_folds(
        found.labels, found.margins[key], found.folds, fitted_on=found.margins[by]
    )


def served_keys(found: OutOfFold) -> dict[str, str]:
    """Per way in which a node is told a nodule, the key of what was said of it so.

    Where no reader's own outline was at hand, all readers' together stands for it.
    """
    known = {told: key for told, key in AS_SERVED.items() if key in found.margins}
    return {OUTLINE: OURS, **known}


def card_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of the model card, rounded as it has them; those of the maps are others'."""
    table, moved = report["table"], report["moved_by_a_slice"]
    found: dict[str, float] = {}
    for key, values in table.items():
        if key.startswith(OURS):
            suffix = key.removeprefix(OURS)
        elif key in CARDS_BASELINES:
            suffix = f"_of_{key}"
        else:
            continue
        found[f"auc{suffix}"] = round(values["auc"]["estimate"], 4)
        found[f"accuracy{suffix}"] = round(values["accuracy"]["estimate"], 4)
        found[f"ece{suffix}"] = round(values["ece"], 4)
    found["long_axis_mm_least"] = round(min(report["long_axes_mm"]), 1)
    found["long_axis_mm_most"] = round(max(report["long_axes_mm"]), 1)
    for key in {OURS, AS_SERVED[OUTLINE]} & table.keys():
        for end in ("low", "high"):
            found[f"auc{key.removeprefix(OURS)}_{end}"] = round(table[key]["auc"][end], 4)
    for told, panel in report["panel"].items():
        held = panel["coverage"]
        found[f"panel_{told}_coverage"] = round(held["all"]["estimate"], 4)
        found[f"panel_{told}_coverage_low"] = round(held["all"]["low"], 4)
        found[f"panel_{told}_coverage_high"] = round(held["all"]["high"], 4)
        found[f"panel_{told}_width"] = round(held["width"], 4)
        for start, share in held["by_size"].items():
            found[f"panel_{told}_coverage_from_{start:g}_mm"] = round(share, 4)
    for change, spread in moved.items():
        for key in ("outlines", "median", "percentile_90", "percentile_99"):
            found[f"moved_by_a_slice_{change}_{key}"] = round(spread[key], 4)
    return found


def card_panel(report: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, float]]]:
    """The ranges of the model card."""
    return {told: panel["bands"] for told, panel in report["panel"].items()}


def differing(report: Mapping[str, Any], card: ModelCard) -> Sequence[str]:
    """Each number of a card that the report does not give, in a sentence; others' are left out."""
    ours = card_metrics(report)
    theirs = {key: value for key, value in card.metrics.items() if not key.startswith(OTHERS)}
    sentences = [
        f"{what}: the card has other bands than the table gives"
        for what, held, given in (
            ("panel", card.panel, card_panel(report)),
            ("reliability", card.reliability, report["reliability"]),
        )
        if held != given
    ]
    for key in sorted({*ours, *theirs}):
        if ours.get(key) != theirs.get(key):
            sentences.append(
                f"{key}: the card has {theirs.get(key, 'nothing')}, the table gives "
                f"{ours.get(key, 'nothing')}"
            )
    return sentences


def _accuracy(labels: NDArray[np.bool_], p: Floats) -> float:
    """At 0.5."""
    return float(((p >= 0.5) == labels).mean())


def _row(found: OutOfFold, key: str, *, where: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """One line of the table: AUC and accuracy with intervals over patients, and ECE.

    Ranks are those before calibration, which differs between folds.
    """
    p = calibrated(found, key)
    here = np.ones(len(p), dtype=bool) if where is None else where
    labels, patients = found.labels[here], np.array(found.patients)[here].tolist()
    auc, accuracy = (
        patient_interval(statistic, labels=labels, probabilities=said[here], patients=patients)
        for statistic, said in (
            (metrics.roc_auc, expit(found.margins[key])),
            (_accuracy, p),
        )
    )
    return {
        "auc": asdict(auc),
        "accuracy": asdict(accuracy),
        "ece": expected_calibration_error(labels, p[here]),
    }


def _panel(found: OutOfFold, p: Floats) -> dict[str, Any]:
    """The ranges of panels' ratings beside these probabilities, and how often they hold."""
    held = coverage(
        p,
        found.means,
        folds=found.folds,
        patients=found.patients,
        long_axes_mm=found.long_axes_mm,
    )
    return {"bands": panel_bands(p, found.means), "coverage": asdict(held)}


def _reliability(found: OutOfFold, p: Floats) -> list[dict[str, float]]:
    """By tenths of the probability: what was said, and what was so."""
    return [
        {
            "from": each.low,
            "said": round(each.mean_probability, 4),
            "was": round(each.malignant_fraction, 4),
            "nodules": float(each.nodules),
        }
        for each in reliability(found.labels, p)
    ]


def _rounded(fitted: Calibration) -> dict[str, float]:
    """So that a card holds what is found again."""
    return {"slope": round(fitted.slope, 3), "shift": round(fitted.shift, 3)}


def _by_size(found: OutOfFold, p: Floats) -> list[dict[str, Any]]:
    """Sensitivity and specificity at 0.5 of nodules of each size that there is."""
    size = np.digitize(found.long_axes_mm, SIZES_MM) - 1
    rows: list[dict[str, Any]] = []
    for number, start in enumerate(SIZES_MM):
        here = size == number
        labels, called = found.labels[here], p[here] >= 0.5
        rows.append(
            {
                "from_mm": start,
                "nodules": int(here.sum()),
                "above_3": int(labels.sum()),
                "sensitivity": float(called[labels].mean()) if labels.any() else None,
                "specificity": float((~called[~labels]).mean()) if (~labels).any() else None,
            }
        )
    return rows


def _moved_by_a_slice(found: OutOfFold, p: Floats) -> dict[str, dict[str, float]]:
    """How far p moves when the outline loses or gains a slice at either end."""
    ends: dict[str, list[Floats]] = {}
    for key in found.margins:
        if key.startswith(MOVED):
            change = key.removeprefix(MOVED).partition("_")[0]
            away = calibrated(found, key) - p
            ends.setdefault(change, []).append(away[~np.isnan(away)])
    return {change: _spread(np.concatenate(away)) for change, away in ends.items()}


def _spread(moved: Floats) -> dict[str, float]:
    away = np.abs(moved)
    return {
        "outlines": float(len(moved)),
        "median": float(np.median(away)),
        "percentile_90": float(np.percentile(away, 90)),
        "percentile_99": float(np.percentile(away, 99)),
        "mean_signed": float(moved.mean()),
    }
