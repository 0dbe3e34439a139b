"""From margins to probabilities that mean what they say, for each way of telling a nodule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from m3net.card import ModelCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """log odds = slope x margin + shift (Platt 1999); a temperature T is slope 1 / T, shift 0.

    A margin is the logit of malignant minus that of benign.
    """

    slope: float
    shift: float = 0.0

    def __call__(self, margins: ArrayLike) -> NDArray[np.float64]:
        """p(malignant) of margins, in [0, 1]."""
        return np.asarray(expit(self.slope * np.asarray(margins) + self.shift), dtype=np.float64)


def calibration_of(card: ModelCard, told: str) -> Calibration:
    """What the card has for nodules that were told so (`m3net.told`), else its temperature."""
    if (found := card.calibration.get(told)) is not None:
        return Calibration(slope=found["slope"], shift=found["shift"])
    return Calibration(slope=1 / card.temperature)
