"""What panels of radiologists said of nodules that measure alike: the scatter behind a probability.

A probability of 87 % reads as if the nodule were known so well.  What the model learnt from are the
means of three or four readers' ratings, from 1 (highly unlikely) to 5 (highly suspicious), and they
scatter widely about nodules of the same size, shape and density.  So a range stands beside it: of
nodules whose measurements gave the expert (`m3net.expert`) a like estimate, the means of at least
nine in ten panels lay within.  It is of the measurements alone: no image and no network is in it,
and there is none without an outline.

The card holds the bands (split conformal prediction within each band of the estimate: Vovk et al.
2005, *Algorithmic Learning in a Random World*, 4.5), each from nodules that the expert had not
seen, told by one reader's outline (`m3train panel`).
"""

from dataclasses import dataclass

from m3net.card import ModelCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """Mean ratings of panels, 1 to 5: nine in ten lay from `low` to `high`, half to `middle`."""

    low: float
    middle: float
    high: float


def rated_alike(card: ModelCard, estimate: float | None) -> Rated | None:
    """The range of nodules that measure alike; None of a card without one, or of no estimate.

    estimate : the expert's own p in [0, 1]
    """
    if estimate is None:
        return None
    found = None
    for band in card.panel:
        if estimate >= band["from"]:
            found = Rated(low=band["low"], middle=band["middle"], high=band["high"])
    return found
