"""Parallel planes as one regular stack.

A CT series and the frames of a segmentation are both a heap of planes, each with its own position.
They make a volume only if the positions lie on one straight line at whole multiples of one step.
The step is a vector: a tilted gantry moves it off the planes' normal, which shears the volume.

Positions are held against the line that fits them all.  Distances between neighbours are not: of
positions that were rounded to a tenth of a millimetre two neighbours' errors add up, so that a step
of 1.25 mm reads 1.2 and 1.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

JITTER_MM = 0.1
"""Scanners round positions to a hundredth or a tenth of a millimetre, up, down or towards zero; a
coordinate that is further than this from where it should be is another geometry."""

_ROUNDING = 1e-6
"""Of binary fractions: a tenth of a millimetre is none."""


class IrregularStack(Exception):
    """The planes stand at no common step.

    index       : place in the sorted order, 0-based, of the plane that does not fit
    found_mm    : distance to its predecessor, along the normal
    expected_mm : the step of the others
    aside_mm    : how far it stands beside the line of the others; 0 if the distance is at fault
    """

    def __init__(self, index: int, found_mm: float, expected_mm: float, aside_mm: float) -> None:
        super().__init__(f"plane {index + 1}: {found_mm:.3f} mm, {expected_mm:.3f} mm elsewhere")
        self.index = index
        self.found_mm = found_mm
        self.expected_mm = expected_mm
        self.aside_mm = aside_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where each plane stands in the stack.

    numbers   : (N,) slice number of each plane, in the order given; 0 is the lowest on the normal
    origin_mm : (3,) LPS of the first voxel of slice 0
    step_mm   : (3,) LPS from one slice's first voxel to the next one's
    """

    numbers: NDArray[np.int64]
    origin_mm: NDArray[np.float64]
    step_mm: NDArray[np.float64]

    def affine(
        self,
        *,
        row_direction: ArrayLike,
        col_direction: ArrayLike,
        spacing_mm: Sequence[float],
    ) -> NDArray[np.float64]:
        """(4, 4), index (z, y, x) -> LPS mm (PS3.3 C.7.6.2.1.1, with the true step as third axis).

        spacing_mm : (between rows, between columns), as in Pixel Spacing
        """
        affine = np.eye(4)
        affine[:3, 0] = self.step_mm
        affine[:3, 1] = np.asarray(col_direction, dtype=np.float64) * spacing_mm[0]
        affine[:3, 2] = np.asarray(row_direction, dtype=np.float64) * spacing_mm[1]
        affine[:3, 3] = self.origin_mm
        return affine


def fit_stack(positions_mm: ArrayLike, normal: ArrayLike, *, step_mm: float | None = None) -> Stack:
    """The stack that planes at these positions make; slices may be absent between them.

    positions_mm : (N, 3) LPS, N >= 2, no two at one place
    step_mm      : the step along the normal, where it is known; else it is read from the distances

    Raises IrregularStack if a distance is no whole multiple of the step, or there is no line
    from which every coordinate of every plane is at most JITTER_MM off its place.
    """
    positions = np.asarray(positions_mm, dtype=np.float64)
    heights = positions @ np.asarray(normal, dtype=np.float64)
    order = np.argsort(heights, kind="stable")
    gaps = np.diff(heights[order])
    step = _usual_step(gaps) if step_mm is None else step_mm
    multiples = np.maximum(np.rint(gaps / step), 1)
    uneven = np.abs(gaps - multiples * step)
    # Two positions' errors in each distance; a step that is given may be rounded as well.
    allowed = 2 * JITTER_MM if step_mm is None else np.maximum(multiples, 2) * JITTER_MM
    if np.any(uneven > allowed + _ROUNDING):
        worst = int(np.argmax(uneven))
        raise IrregularStack(worst + 1, float(gaps[worst]), step, 0.0)
    sorted_numbers = np.concatenate(([0], np.cumsum(multiples)))

    design = np.stack([np.ones_like(sorted_numbers), sorted_numbers], axis=1)
    fitted: NDArray[np.float64] = np.linalg.lstsq(design, positions[order], rcond=None)[0]
    solution = np.around(fitted, 9) + np.zeros(1)  # to the nanometre, and no -0
    aside = positions[order] - design @ solution
    # Each coordinate was rounded by itself, and perhaps all to one side: what counts is whether a
    # line exists from which none is further than the jitter.
    middle = (aside.max(axis=0) + aside.min(axis=0)) / 2
    if np.abs(aside - middle).max() > JITTER_MM + _ROUNDING:
        worst = int(np.argmax(np.linalg.norm(aside, axis=1)))
        off_mm = float(np.linalg.norm(aside[worst]))
        raise IrregularStack(worst, float(gaps[max(worst - 1, 0)]), step, off_mm)

    numbers = np.empty(len(positions), dtype=np.int64)
    numbers[order] = sorted_numbers.astype(np.int64)
    return Stack(numbers=numbers, origin_mm=solution[0], step_mm=solution[1])


def mixed_spacing(gaps_mm: ArrayLike) -> tuple[int, float, float] | None:
    """Where planes go over from one step to another; None if they keep to one.

    gaps_mm : (N - 1,) distances of neighbours, ascending along the normal
    returns : place of the first plane after the change, the step before it and the step after it

    Slices lost on the way leave single gaps; `_STRETCH` equal ones in a row were scanned so.
    """
    stretches: list[tuple[int, float]] = []
    gaps = np.asarray(gaps_mm, dtype=np.float64)
    begin = 0
    for index in range(1, len(gaps) + 1):
        if index < len(gaps) and abs(gaps[index] - gaps[begin]) <= 2 * JITTER_MM + _ROUNDING:
            continue
        if index - begin >= _STRETCH:
            stretches.append((begin, float(gaps[begin:index].mean())))
        begin = index
    for (_, before), (first, after) in pairwise(stretches):
        if abs(after - before) > 2 * JITTER_MM:
            return first + 1, before, after
    return None


_STRETCH = 4


def _usual_step(gaps: NDArray[np.float64]) -> float:
    """The mean of the distances that are one step, so that their rounding cancels out."""
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    return float(gaps[np.abs(gaps - usual) <= 2 * JITTER_MM].mean())
