"""Finished runs as one set of weights: their networks decide together, calibrated.

What the runs said of their validation part fits the temperature.  What they said of their test
part, averaged and calibrated, is measured for the card.  No image is read.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from m3net.card import ModelCard
from m3net.config import M3NetConfig
from m3net.model_files import config_of, load_card
from m3net.weights import save_weights
from training.learn.engine import FUSED
from training.measure.bootstrap import patient_interval
from training.measure.calibration import expected_calibration_error, fit_temperature
from training.measure.metrics import roc_auc
from training.measure.predictions import (
    TEST_TABLE,
    VALIDATION_TABLE,
    Predictions,
    read_predictions,
)
from training.shipped.committee import CommitteeFiles, load_committee

WEIGHTS = "weights.safetensors"
SUREST = 1e-6
"""A probability that was written as 0 or 1 is taken to be this far from it."""


class ExportUnusable(Exception):
    """These runs do not make one model."""


def export(runs: Sequence[Path], path: Path, *, version: str, name: str | None = None) -> ModelCard:
    """Write `path` (.safetensors) and its card (.json): the runs' networks as one model.

    The runs are of one config and one split, and differ in their seeds.

    Raises ExportUnusable, PredictionsUnusable (a few-shot run has no validation part: its
    weights.safetensors is what there is), and WeightsError if a run's weights are altered.
    """
    cards = [load_card(run / WEIGHTS) for run in runs]
    config = _common_config(runs, cards)
    output = FUSED if config.fusion.kind != "branch" else config.scales[0].value
    validation, logits = _together(runs, output, table=VALIDATION_TABLE)
    calibration = fit_temperature(validation.truth, logits)
    test, logits = _together(runs, output, table=TEST_TABLE)
    p = calibration(logits)
    auc = patient_interval(roc_auc, labels=test.truth, probabilities=p, patients=test.patients)
    members = f"{len(runs)} networks averaged; " if len(runs) > 1 else ""
    card = replace(
        cards[0],
        name=name or cards[0].name,
        version=version,
        training_data=(
            f"{cards[0].training_data}; {members}temperature fitted on {len(validation.names)} "
            f"validation nodules, metrics on {len(test.names)} test nodules"
        ),
        temperature=1 / calibration.slope,
        metrics={
            "auc": auc.estimate,
            "auc_low": auc.low,
            "auc_high": auc.high,
            "accuracy": float(((p >= 0.5) == test.truth).mean()),
            "ece": expected_calibration_error(test.truth, p),
        },
    )
    files = CommitteeFiles(members=[run / WEIGHTS for run in runs])
    return save_weights(load_committee(config, files), card, path)


def _common_config(runs: Sequence[Path], cards: Sequence[ModelCard]) -> M3NetConfig:
    """What all runs trained."""
    configs = [config_of(card) for card in cards]
    for run, card, config in zip(runs, cards, configs, strict=True):
        if not card.trained:
            raise ExportUnusable(f"{run}: {card.meaning}; export runs of stage 2 or of one branch")
        if config.members != 1 or config.remembered:
            raise ExportUnusable(f"{run} holds a committee already")
        if config != configs[0]:
            raise ExportUnusable(
                f"{run} trained another network than {runs[0]}: export runs that differ in their "
                "seeds alone"
            )
    return configs[0]


def _together(
    runs: Sequence[Path], output: str, *, table: str
) -> tuple[Predictions, NDArray[np.float64]]:
    """The first run's table, and the mean of all runs' logits of its nodules: (N,)."""
    every = [read_predictions(run, output, table=table) for run in runs]
    for run, each in zip(runs, every, strict=True):
        if each.names != every[0].names:
            raise ExportUnusable(f"{run} and {runs[0]} have other nodules in {table}: one split")
    logits = np.mean([logit(np.clip(each.p, SUREST, 1 - SUREST)) for each in every], axis=0)
    return every[0], logits
