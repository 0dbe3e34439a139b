"""Intervals draw patients, not nodules."""

import numpy as np
import pytest

from training.measure.bootstrap import paired_difference, patient_interval
from training.measure.metrics import roc_auc


def _nodules(
    patients: int, per_patient: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    labels = random.random(patients) < 0.5
    scores = random.normal(size=patients) + 1.5 * labels
    owners = [f"P{number}" for number in range(patients)]
    return (
        np.repeat(labels, per_patient),
        np.repeat(scores, per_patient),
        list(np.repeat(owners, per_patient)),
    )


def test_ten_copies_of_each_nodule_of_a_patient_add_no_certainty() -> None:
    once = _nodules(60, 1)
    often = _nodules(60, 10)
    alone = patient_interval(
        roc_auc, labels=once[0], probabilities=once[1], patients=once[2], resamples=300
    )
    copied = patient_interval(
        roc_auc, labels=often[0], probabilities=often[1], patients=often[2], resamples=300
    )
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert 0.05 < alone.high - alone.low < 0.3


def test_the_same_seed_gives_the_same_interval_and_it_holds_the_estimate() -> None:
    labels, scores, patients = _nodules(80, 2)
    found = [
        patient_interval(
            roc_auc, labels=labels, probabilities=scores, patients=patients, resamples=200, seed=3
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0].low < found[0].estimate < found[0].high


def test_a_better_score_wins_the_paired_bootstrap_and_an_equal_one_does_not() -> None:
    labels, scores, patients = _nodules(150, 1)
    worse = scores + np.random.default_rng(1).normal(scale=2.0, size=len(scores))
    won = paired_difference(
        roc_auc, labels=labels, ours=scores, theirs=worse, patients=patients, resamples=300
    )
    assert won.low > 0
    assert won.p_value < 0.05
    drawn = paired_difference(
        roc_auc, labels=labels, ours=scores, theirs=scores * 2, patients=patients, resamples=100
    )
    assert (drawn.estimate, drawn.low, drawn.high, drawn.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_resamples_with_one_class_only_are_drawn_again() -> None:
    found = patient_interval(
        roc_auc,
        labels=[0, 1, 0],
        probabilities=[0.1, 0.9, 0.2],
        patients=["A", "B", "C"],
        resamples=50,
    )
    assert found.low == pytest.approx(1.0)
