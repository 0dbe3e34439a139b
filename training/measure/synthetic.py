"""What a model makes of drawn nodules, with the refusals of the node before it."""

from dataclasses import dataclass

from m3net.errors import NoduleUnusable
from m3net.placed import PlacedNodule
from m3net.surroundings import check_surroundings
from m3net.unlearnt import check_learnt
from training.data.synthetic import Acquisition, Case, drawn
from training.measure.evaluate import Predictor

MAX_DIAMETER_MM = 100.0
"""More than any of the cases has: that bound is a setting of the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """p, or None with the reason for which none is given; whether a radiologist would sign it."""

    p: float | None
    reason: str
    signed: bool


def say(model: Predictor, case: Case, acquired: Acquisition) -> Said:
    """What the node would say of a drawn nodule."""
    volume, nodule = drawn(case, acquired)
    try:
        placed = PlacedNodule(nodule=nodule, volume=volume)
        check_surroundings(placed, max_diameter_mm=MAX_DIAMETER_MM)
        check_learnt(placed, thickness_mm=acquired.slice_mm)
    except NoduleUnusable as error:
        return Said(p=None, reason=str(error), signed=case.expected is None)
    p = model.probability(volume, nodule)
    signed = case.expected is not None and case.expected[0] <= p <= case.expected[1]
    return Said(p=p, reason="", signed=signed)
