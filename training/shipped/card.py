"""The model card of the default weights, made of the report."""

from collections.abc import Mapping
from typing import Any

from m3net.card import ModelCard
from m3net.config import SMALL
from training.shipped.report import card_metrics, card_panel

MEANING = (
    "probability that radiologists would rate the nodule above 3 of 5 for suspicion of malignancy "
    "on average; learnt from nodules that at least three of four readers marked; not histology; "
    "of an outlined nodule, a third of the weight is with measurements and a third with how slices "
    "of it look to another encoder, which no heat map shows"
)
IN_SHORT = "as radiologists would rate it, not histology"
TRAINING_DATA = (
    "791 nodules of 430 patients of LIDC-IDRI (318 with a mean rating above 3), cut out with their "
    "outlines; five folds by patient for every number given"
)
ATTRIBUTION = (
    "LIDC-IDRI, CC BY 3.0, doi 10.7937/K9/TCIA.2015.LO9QL9SX; Armato et al. 2011, Medical Physics "
    "38:915; network after Li et al. 2026; encoder of slices: EfficientNet-Lite0, Tan and Le 2019, "
    "as trained on ImageNet for tensorflow/tpu, Apache-2.0"
)


def card_of(report: Mapping[str, Any], *, version: str) -> ModelCard:
    """The card; what belongs to the weights themselves `save_weights` fills in."""
    return ModelCard(
        name="M3Net small",
        version=version,
        preset=SMALL.preset,
        trained=True,
        threshold=0.5,
        meaning=MEANING,
        in_short=IN_SHORT,
        preprocessing="",
        training_data=TRAINING_DATA,
        licence="Apache-2.0",
        metrics=card_metrics(report),
        panel=card_panel(report),
        reliability=report["reliability"],
        attribution=ATTRIBUTION,
        temperature=report["temperature"],
        calibration=report["calibration"],
    )
