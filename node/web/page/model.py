"""The model card: what the probabilities mean, how good they are, and how well they are meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from m3net.card import ModelCard
from m3net.errors import WeightsError
from m3net.model_files import load_card
from node.web.services import Services
from sr_templates.probability import threshold_text

_TOLD = (
    ("AUC, out of fold, outlined nodules", "auc"),
    ("AUC, told centre and diameter", "auc_centre_and_diameter"),
    ("AUC, told a bare point", "auc_centre"),
    ("AUC of size alone", "auc_of_size_alone"),
    ("Accuracy at the threshold", "accuracy"),
    ("Expected calibration error", "ece"),
)


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
        return {"card": None, "error": str(error), "numbers": [], "others": []}
    told = {key for _, key in _TOLD}
    return {
        "card": card,
        "error": "",
        "threshold": "none" if card.threshold is None else threshold_text(card.threshold),
        "numbers": [
            Number(name=name, value=_value(card, key)) for name, key in _TOLD if key in card.metrics
        ],
        "others": [
            Number(name=name.replace("_", " "), value=f"{value:g}")
            for name, value in card.metrics.items()
            if name not in told
        ],
    }


def _value(card: ModelCard, key: str) -> str:
    value = f"{card.metrics[key]:.3f}"
    low, high = card.metrics.get(f"{key}_low"), card.metrics.get(f"{key}_high")
    return value if low is None or high is None else f"{value} [{low:.3f}, {high:.3f}]"
