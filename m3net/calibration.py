"""From a network's margin to a probability that means what it says, for each way of telling."""

import math
from dataclasses import dataclass

from m3net.card import ModelCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """log odds = slope x margin + shift (Platt 1999); a temperature T is slope 1 / T, shift 0."""

    slope: float
    shift: float = 0.0

    def log_odds(self, margin: float) -> float:
        """Of a margin: the logit of malignant minus that of benign."""
        return self.slope * margin + self.shift

    def probability(self, margin: float) -> float:
        """In [0, 1]."""
        odds = self.log_odds(margin)
        return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))


def calibration_of(card: ModelCard, told: str) -> Calibration:
    """What the card has for nodules that were told so (`m3net.told`), else its temperature."""
    if (found := card.calibration.get(told)) is not None:
        return Calibration(slope=found["slope"], shift=found["shift"])
    return Calibration(slope=1 / card.temperature)
