"""What panels of radiologists said of nodules of a like probability: the scatter behind the number.

A probability of 87 % reads as if the nodule were known so well.  What the model learnt from are the
means of three or four readers' ratings, from 1 (highly unlikely) to 5 (highly suspicious), and they
scatter widely about nodules that the model judges alike.  So a range stands beside it: of nodules
that were told in the same way and given a like probability, the means of at least nine in ten
panels lay within.

The card holds the bands (split conformal prediction within each band of the probability: Vovk et
al. 2005, *Algorithmic Learning in a Random World*, 4.5), each from nodules whose patient the model
had not seen (`training.shipped.panel`).
"""

from dataclasses import dataclass

from m3net.card import ModelCard
from m3net.nodule import Nodule
from m3net.told import told_as


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """Mean ratings of panels, 1 to 5: nine in ten lay from `low` to `high`, half to `middle`."""

    low: float
    middle: float
    high: float


def rated_alike(card: ModelCard, nodule: Nodule, probability: float) -> Rated | None:
    """The range of nodules of a like probability, told as this one; None of a card without one.

    probability : in [0, 1], as the report has it
    """
    found = None
    for band in card.panel.get(told_as(nodule), ()):
        if probability >= band["from"]:
            found = Rated(low=band["low"], middle=band["middle"], high=band["high"])
    return found
