"""What a nodule's number must be read with, in short clauses, the gravest first."""

import math

from m3net.borders import Border, ends_beside
from m3net.card import ModelCard
from m3net.grid import GridBox
from m3net.measurements import Measured
from m3net.nodule import Nodule
from m3net.placed import PlacedNodule
from m3net.volume import CTVolume
from sr_templates.spoken import counted

THIN_MM = 1.5
"""Slices that are thicker are named: the Fleischner Society asks for 1.5 mm at most."""
FEW_SLICES = 2
LEAST_AXIS, MOST_AXIS = "long_axis_mm_least", "long_axis_mm_most"
"""Of a card's metrics: the long axes of the nodules that the model learnt from."""


def limits_of(
    placed: PlacedNodule,
    measured: Measured,
    *,
    card: ModelCard,
    doubt: str | None,
    needed: GridBox,
    thickness_mm: float | None,
    not_received: int,
) -> tuple[str, ...]:
    """The limits that hold for one nodule.

    doubt        : why it may be none in the lung; None if nothing speaks against it
    needed       : the voxels that judging it needs; they may lie beyond the scan
    thickness_mm : of the CT's slices; None: not stated
    not_received : instances that the annotation refers to and that never came
    """
    found = (
        doubt,
        _no_outline(placed.nodule),
        outside_learnt_sizes(measured, card),
        _cut(measured),
        _beside(ends_beside(needed, placed.volume) - measured.cut_by),
        _incomplete(placed.volume, not_received),
        _slices(placed, thickness_mm),
        "the CT was compressed with loss" if placed.volume.lossy else None,
        None if placed.nodule.mask is None else "one annotation's outline",
    )
    return tuple(limit for limit in found if limit is not None)


def _no_outline(nodule: Nodule) -> str | None:
    if nodule.mask is not None:
        return None
    return "a point, no outline" if nodule.diameter_mm is None else "a circle, no outline"


def outside_learnt_sizes(measured: Measured, card: ModelCard) -> str | None:
    """That it is smaller or larger than whatever the model learnt from; None if it is not."""
    least, most = card.metrics.get(LEAST_AXIS), card.metrics.get(MOST_AXIS)
    long_mm = measured.long_axis_mm
    if long_mm is None or least is None or most is None:
        return None
    if long_mm < least:
        which = "smaller"
    elif long_mm > most:
        which = "larger"
    else:
        return None
    return f"{which} than any nodule that the model learnt from ({least:.0f} to {most:.0f} mm)"


def _slices(placed: PlacedNodule, thickness_mm: float | None) -> str | None:
    between_mm = placed.volume.spacing_mm[0]
    thick = max(thickness_mm or between_mm, between_mm)
    on = len(placed.voxels().slices()) if placed.nodule.mask is not None else None
    if on is not None and on <= FEW_SLICES:
        return f"on {counted(on, 'slice')} of {thick:.3g} mm"
    return f"slices of {thick:.3g} mm" if thick > THIN_MM + 0.01 else None


def _cut(measured: Measured) -> str | None:
    """Of what is cut off nothing is measured, and its number rests on the part that is there."""
    if not measured.cut_by:
        return None
    said = f"{_end(measured.cut_by)} in it"
    if measured.at_least_mm is None:
        return said
    return f"{said}: it is {math.floor(measured.at_least_mm)} mm or longer"


def _beside(borders: frozenset[Border]) -> str | None:
    return f"{_end(borders)} beside it" if borders else None


def _end(borders: frozenset[Border]) -> str:
    """ "the scan ends", "the scan and the image end"."""
    names = " and ".join(f"the {border}" for border in Border if border in borders)
    return f"{names} {'ends' if len(borders) == 1 else 'end'}"


def _incomplete(volume: CTVolume, not_received: int) -> str | None:
    absent = max(len(volume.missing), not_received)
    if not absent:
        return None
    return f"incomplete series: {counted(absent, 'slice')} not received"
