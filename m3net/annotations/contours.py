"""Outlines in the patient as voxels of the CT.

A voxel belongs to the nodule if at least half of its area in the slice lies inside the outline.
Outlines are taken to run along the nodule's border.  LIDC's run through the first pixels outside
of it: taken as they are, the nodule comes out about half a pixel larger all around, about the same
centre.  Several outlines on one slice are united.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3net.errors import NoduleUnusable
from m3net.volume import CTVolume

LINES_PER_PIXEL = 16
"""Scan lines per row of pixels; along a line the covered length is exact."""

FLAT = 0.5
"""An outline whose points differ by more slices than this is not drawn on a CT slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of each voxel the outlines cover.

    share : (Z, Y, X) in [0, 1], on the CT's grid
    first : (z, y, x) index in the CT of share[0, 0, 0]; may lie outside the scan; z is no whole
            number where the outlines stand between the CT's slices
    """

    share: NDArray[np.float64]
    first: tuple[float, int, int]


def rasterise(contours_mm: Sequence[NDArray[np.float64]], volume: CTVolume) -> Coverage | None:
    """The outlines on the CT's grid; None if one of them is not parallel to its slices.

    contours_mm : (N, 3) LPS each, closed implicitly

    Where the outlines stand on every n-th slice only (drawn on a thicker series), each also covers
    the slices nearest to it, so that the nodule does not fall apart.

    Raises NoduleUnusable if the outlines are larger than the CT.
    """
    outlines = [volume.to_index(contour) for contour in contours_mm]
    if any(np.ptp(outline[:, 0]) > FLAT for outline in outlines):
        return None
    heights = [float(outline[:, 0].mean()) for outline in outlines]
    reach = _half_distance(heights)
    spans = [(int(np.ceil(z - reach)), int(np.floor(z + reach))) for z in heights]
    spans = [
        (a, b) if a <= b else (round(z), round(z)) for z, (a, b) in zip(heights, spans, strict=True)
    ]
    everything = np.concatenate(outlines)
    low = np.floor(everything.min(axis=0) + 0.5).astype(int)[1:]
    high = np.ceil(everything.max(axis=0) - 0.5).astype(int)[1:] + 1
    first = (min(a for a, _ in spans), int(low[0]), int(low[1]))
    shape = (
        max(b for _, b in spans) - first[0] + 1,
        max(int(high[0]) - first[1], 1),
        max(int(high[1]) - first[2], 1),
    )
    if np.any(np.array(shape) > np.array(volume.shape) + 2):
        raise NoduleUnusable("its outline is larger than the CT")
    share = np.zeros(shape)
    for outline, (a, b) in zip(outlines, spans, strict=True):
        area = _covered(outline[:, 1:] - first[1:], shape[1:])
        for number in range(a, b + 1):
            np.maximum(share[number - first[0]], area, out=share[number - first[0]])
    between = np.mean([z - (a + b) / 2 for z, (a, b) in zip(heights, spans, strict=True)])
    return Coverage(share=share, first=(first[0] + round(float(between), 3), *first[1:]))


def _half_distance(heights: Sequence[float]) -> float:
    """Half the least distance between outlined slices; half a slice for a single one."""
    places = np.unique(np.round(heights, 2))
    gaps = np.diff(places)
    gaps = gaps[gaps > FLAT]
    return max(float(gaps.min()) if len(gaps) else 1.0, 1.0) / 2 - 1e-6


def _covered(polygon: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Share of each pixel inside a polygon (even-odd); pixel (r, c) spans r +- 0.5, c +- 0.5.

    polygon : (N, 2) as (row, column)
    """
    area = np.zeros(shape)
    starts, ends = polygon, np.roll(polygon, -1, axis=0)
    left_edges = np.arange(shape[1]) - 0.5
    for line in range(shape[0] * LINES_PER_PIXEL):
        row = (line + 0.5) / LINES_PER_PIXEL - 0.5
        crosses = (starts[:, 0] <= row) != (ends[:, 0] <= row)
        a, b = starts[crosses], ends[crosses]
        at = np.sort(a[:, 1] + (row - a[:, 0]) / (b[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]))
        for enter, leave in zip(at[::2], at[1::2], strict=True):
            length = np.minimum(leave, left_edges + 1) - np.maximum(enter, left_edges)
            area[line // LINES_PER_PIXEL] += np.clip(length, 0, 1)
    return area / LINES_PER_PIXEL
