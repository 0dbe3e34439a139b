"""The metrics give the paper's figures, and the usual ones."""

import numpy as np
import pytest

from training.measure.metrics import (
    Counts,
    as_computed,
    as_printed,
    average_precision,
    count,
    name_of_bacc,
    precision_recall_curve,
    roc_auc,
    roc_curve,
    standard,
    weighted_average_precision,
)
from training.published import PublishedRow, published_rows

M3NET = Counts(tn=478, fp=34, fn=54, tp=109)
ROWS = published_rows()


def _name(row: PublishedRow) -> str:
    return f"{row.dataset} table {row.table} {row.model}"


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_every_published_accuracy_precision_and_f1_follows_from_its_confusion_matrix(
    row: PublishedRow,
) -> None:
    found = as_printed(row.counts)
    assert 100 * found["acc"] == pytest.approx(row.acc_percent, abs=0.0051)
    assert 100 * found["pre"] == pytest.approx(row.pre_percent, abs=0.0051)
    assert 100 * found["f1"] == pytest.approx(row.f1_percent, abs=0.0051)


def test_published_bacc_is_balanced_accuracy_for_m3net_alone() -> None:
    kinds = {
        _name(row): name_of_bacc(row.counts, row.bacc_percent)
        for row in ROWS
        if row.bacc_percent is not None
    }
    assert len(kinds) == 21
    assert [name for name, kind in kinds.items() if kind == "balanced accuracy"] == [
        "LIDC-IDRI table 3 M3Net",
        "USTC-FHLN table 3 M3Net",
    ]
    assert [name for name, kind in kinds.items() if kind == "neither"] == [
        "LIDC-IDRI table 3 M3D-LaMed"
    ]


@pytest.mark.parametrize(
    ("model", "true_percent"),
    [
        ("ResNet-18", 72.27),
        ("ResNet-34", 72.18),
        ("DeepLung", 75.67),
        ("3D-CNN", 71.44),
        ("NASLung", 75.25),
        ("MVCS", 71.50),
        ("MLSL-Net", 71.85),
        ("ViT-B", 71.62),
        ("DINOv2", 70.70),
        ("DINOv3", 73.80),
        ("3DINO-ViT", 74.93),
    ],
)
def test_true_balanced_accuracy_of_the_baselines(model: str, true_percent: float) -> None:
    (row,) = [r for r in ROWS if (r.dataset, r.table, r.model) == ("LIDC-IDRI", 3, model)]
    assert 100 * standard(row.counts)["balanced_accuracy"] == pytest.approx(true_percent, abs=0.006)


def test_the_published_matrices_have_675_and_184_nodules() -> None:
    assert {(row.dataset, row.counts.total) for row in ROWS} == {
        ("LIDC-IDRI", 675),
        ("USTC-FHLN", 184),
    }


def test_specificity_as_printed_is_not_the_accuracy_that_the_tables_show() -> None:
    assert 100 * as_computed(M3NET)["spec"] == pytest.approx(86.96, abs=0.005)
    assert 100 * as_printed(M3NET)["spec"] == pytest.approx(73.27, abs=0.005)
    assert 100 * standard(M3NET)["specificity"] == pytest.approx(93.36, abs=0.005)
    assert 100 * standard(M3NET)["sensitivity"] == pytest.approx(66.87, abs=0.005)


def test_bacc_as_printed_is_half_the_accuracy() -> None:
    assert as_printed(M3NET)["bacc"] == pytest.approx(as_printed(M3NET)["acc"] / 2)


def test_a_probability_on_the_threshold_is_called_malignant() -> None:
    assert count([0, 0, 1, 1], [0.4, 0.5, 0.5, 0.2]) == Counts(tn=1, fp=1, fn=1, tp=1)


def test_a_class_that_is_never_called_has_precision_zero() -> None:
    assert standard(Counts(tn=5, fp=0, fn=3, tp=0))["ppv"] == 0.0


def test_roc_auc_counts_pairs_and_half_of_the_ties() -> None:
    # Of 2 x 3 pairs: 4 in order, 1 tie, 1 reversed.
    assert roc_auc([1, 1, 0, 0, 0], [0.9, 0.4, 0.1, 0.4, 0.5]) == pytest.approx(4.5 / 6)


def test_roc_auc_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="0 malignant of 2"):
        roc_auc([0, 0], [0.1, 0.2])


def test_roc_auc_is_the_area_under_the_roc_curve() -> None:
    random = np.random.default_rng(0)
    labels = random.random(200) < 0.4
    scores = np.round(random.normal(size=200) + labels, 1)
    false_positive, true_positive, _ = roc_curve(labels, scores)
    area = np.trapezoid(true_positive, false_positive)
    assert roc_auc(labels, scores) == pytest.approx(float(area))


def test_average_precision_of_a_hand_counted_ranking() -> None:
    # Precision at the two malignant: 1/1 and 2/3.
    assert average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_are_one_step_of_the_precision_recall_curve() -> None:
    precision, recall, thresholds = precision_recall_curve([1, 0, 1], [0.5, 0.5, 0.5])
    assert precision.tolist() == [pytest.approx(2 / 3)]
    assert recall.tolist() == [1.0]
    assert thresholds.tolist() == [0.5]


def test_weighted_average_precision_weighs_both_classes_by_their_share() -> None:
    labels, scores = [1, 0, 0, 0], [0.2, 0.9, 0.1, 0.05]
    malignant = 1 / 2
    benign = (1 / 1 + 2 / 2 + 3 / 4) / 3
    expected = malignant / 4 + benign * 3 / 4
    assert weighted_average_precision(labels, scores) == pytest.approx(expected)
