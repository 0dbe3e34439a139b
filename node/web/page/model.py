"""The model card: what the probabilities mean, how good they are, and how well they are meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from m3net.card import ModelCard
from m3net.errors import WeightsError
from m3net.model_files import load_card
from m3net.told import IN_WORDS
from node.web.services import Services
from sr_templates.probability import threshold_text

_TOLD = (
    ("AUC, out of fold, told one reader's outline", "auc_outline_of_one"),
    ("AUC, told all readers' outlines in one", "auc"),
    ("AUC, told a centre and a diameter", "auc_centre_and_diameter"),
    ("AUC, told a bare centre", "auc_centre"),
    ("AUC of size alone", "auc_of_size_alone"),
    ("Accuracy at the threshold, told one reader's outline", "accuracy_outline_of_one"),
    ("Expected calibration error, told one reader's outline", "ece_outline_of_one"),
)

_SURE = 1.96
"""Standard deviations on either side that hold 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenth:
    """A point of a reliability curve, in percent: what was said, what was so, of how many nodules.

    low, high : 95 % interval of what was so (Wilson 1927)
    radius    : of its circle, in the same hundred units
    """

    said: float
    was: float
    low: float
    high: float
    nodules: int
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One reliability curve, and how its nodules were told."""

    words: str
    tenths: Sequence[Tenth]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of the card, with its name."""

    name: str
    value: str


def model(services: Services) -> Mapping[str, Any]:
    """What the page of the model shows; a card that cannot be read is said."""
    try:
        card = load_card(services.config.model.weights)
    except (WeightsError, OSError) as error:
        return {"card": None, "error": str(error), "numbers": [], "others": [], "curves": []}
    told = {key for _, key in _TOLD}
    return {
        "card": card,
        "error": "",
        "threshold": "none" if card.threshold is None else threshold_text(card.threshold),
        "numbers": [
            Number(name=name, value=_value(card, key)) for name, key in _TOLD if key in card.metrics
        ],
        "calibration": [
            (IN_WORDS[key], each["slope"], each["shift"]) for key, each in card.calibration.items()
        ],
        "others": [
            Number(name=name.replace("_", " "), value=f"{value:g}")
            for name, value in card.metrics.items()
            if name not in told
        ],
        "curves": [
            Curve(words=f"told {IN_WORDS[key]}", tenths=[_tenth(each) for each in tenths])
            for key, tenths in card.reliability.items()
        ],
    }


def _tenth(each: Mapping[str, float]) -> Tenth:
    nodules, was = each["nodules"], each["was"]
    spread = 1 + _SURE**2 / nodules
    middle = (was + _SURE**2 / (2 * nodules)) / spread
    away = sqrt(was * (1 - was) / nodules + (_SURE / (2 * nodules)) ** 2) * _SURE / spread
    return Tenth(
        said=100 * each["said"],
        was=100 * was,
        low=100 * max(middle - away, 0.0),
        high=100 * min(middle + away, 1.0),
        nodules=int(nodules),
        radius=0.6 + sqrt(nodules) / 6,
    )


def _value(card: ModelCard, key: str) -> str:
    value = f"{card.metrics[key]:.3f}"
    low, high = card.metrics.get(f"{key}_low"), card.metrics.get(f"{key}_high")
    return value if low is None or high is None else f"{value} [{low:.3f}, {high:.3f}]"
