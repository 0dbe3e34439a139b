"""On which side a probability lies, and the band in which it lies on none.

There is no "benign": a low probability of what radiologists would find suspicious excludes nothing,
and 43 % is no finding either way.
"""

from dataclasses import dataclass
from enum import StrEnum

from sr_templates.probability import threshold_text, whole_percent


class Call(StrEnum):
    """Where a probability lies; absent with untrained weights or a model without a threshold."""

    BELOW = "below"
    WITHIN = "within"
    """Indeterminate."""
    ABOVE = "above"


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Probabilities in [0, 1] from `low` to `high`, both included, are indeterminate."""

    low: float
    high: float

    @classmethod
    def about(cls, threshold: float, *, half_width: float) -> "Band":
        """The band about a model's threshold."""
        low, high = max(0.0, threshold - half_width), min(1.0, threshold + half_width)
        return cls(low=round(low, 6), high=round(high, 6))

    def call(self, probability: float) -> Call:
        """Where the probability lies, in whole percents as it is told."""
        told = whole_percent(probability)
        if told < round(100 * self.low, 4):
            return Call.BELOW
        return Call.ABOVE if told > round(100 * self.high, 4) else Call.WITHIN

    def in_words(self, probability: float) -> str:
        """The same for people: "above the indeterminate band of 35 % to 65 %"."""
        ends = f"{threshold_text(self.low)} to {threshold_text(self.high)}"
        call = self.call(probability)
        if call is Call.WITHIN:
            return f"indeterminate: within {ends}"
        return f"{call.value} the indeterminate band of {ends}"
