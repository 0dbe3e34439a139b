"""The columns of the paper's tables, computed from what a run said of its test nodules."""

from collections.abc import Mapping

from training.measure import metrics
from training.measure.metrics import Counts
from training.measure.predictions import Predictions


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
