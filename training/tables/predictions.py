"""What a run said of its test nodules, read back, and the paper's columns computed from it."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.metrics import Counts

TEST_TABLE = "test.csv"


class PredictionsUnusable(Exception):
    """There are no predictions where they were looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """One output of one run on its test part.

    truth : (N,) bool; p : (N,) probability of malignant
    """

    names: tuple[str, ...]
    truth: NDArray[np.bool_]
    p: NDArray[np.float64]


def outputs_in(run: Path) -> list[str]:
    """What the run predicts: "fused" first, if it does, then its branches."""
    return [key.removeprefix("p_") for key in _rows(run)[0] if key.startswith("p_")]


def read_predictions(run: Path, output: str) -> Predictions:
    """One output of the run folder's test.csv.

    Raises PredictionsUnusable if the folder has none of it.
    """
    rows = _rows(run)
    if f"p_{output}" not in rows[0]:
        raise PredictionsUnusable(
            f"{run / TEST_TABLE} has no output {output}; there are {', '.join(outputs_in(run))}"
        )
    return Predictions(
        names=tuple(row["name"] for row in rows),
        truth=np.array([row["malignant"] == "1" for row in rows]),
        p=np.array([float(row[f"p_{output}"]) for row in rows]),
    )


def _rows(run: Path) -> list[dict[str, str]]:
    try:
        with (run / TEST_TABLE).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise PredictionsUnusable(f"{run} holds no finished run: {error}") from error
    if not rows:
        raise PredictionsUnusable(f"{run / TEST_TABLE} is empty: the run had no test nodules")
    return rows


def counts_of(predictions: Predictions) -> Counts:
    """The confusion matrix at 0.5."""
    return metrics.count(predictions.truth, predictions.p)


def percents(predictions: Predictions, *, bacc_is_recall: bool = True) -> Mapping[str, float]:
    """The columns of Table 3 as the paper evidently computed them, then what they should be.

    bacc_is_recall : as in M³Net's row; else BACC is macro precision, as in the baselines'
    """
    counts = counts_of(predictions)
    computed, standard = metrics.as_computed(counts), metrics.standard(counts)
    bacc = "bacc_of_m3net" if bacc_is_recall else "bacc_of_baselines"
    fractions = {
        **{name: computed[name] for name in ("acc", "pre", "rec", "spec", "f1")},
        "bacc": computed[bacc],
        "roc": metrics.roc_auc(predictions.truth, predictions.p),
        "pr": metrics.weighted_average_precision(predictions.truth, predictions.p),
        "balanced_accuracy": standard["balanced_accuracy"],
        "macro_precision": computed["bacc_of_baselines"],
        "sensitivity": standard["sensitivity"],
        "specificity": standard["specificity"],
    }
    return {name: 100 * value for name, value in fractions.items()}
