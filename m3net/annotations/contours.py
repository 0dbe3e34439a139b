"""Outlines in the patient as voxels of the CT.

A voxel belongs to the nodule if at least half of its area in the slice lies inside the outline.
Outlines are taken to run along the nodule's border.  LIDC's run through the first pixels outside
of it: taken as they are, the nodule comes out about half a pixel larger all around, about the same
centre.  What several outlines on one slice come to depends on who drew them: see `Overlap`.

One outline may run over itself (a keyhole: an outer border, a channel of no width, an inner border
the other way round): what it winds around twice is outside, as everywhere here (even-odd rule).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3net.annotations.types import Overlap
from m3net.errors import NoduleUnusable
from m3net.volume import CTVolume

LINES_PER_PIXEL = 16
"""Scan lines per row of pixels; along a line the covered length is exact."""

FLAT = 0.5
"""An outline whose points differ by more slices than this is not drawn on a CT slice."""

COARSEST_MM = 10.0
"""Outlines further apart than this are of several nodules, not of one on a coarser series."""

SAME_HEIGHT = 0.1
"""Slices; outlines that stand closer than this are drawn on one plane."""

TIE = 0.2
"""Slices; what rounding may add to a distance: tenths of a millimetre on slices of half a one."""

MOST_CROSSINGS = 5_000_000
"""Of the outlines of a slice with the scan lines: some 600 times round a nodule of 100 mm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of each voxel the outlines cover.

    share : (Z, Y, X) in [0, 1], on the CT's grid
    first : (z, y, x) index in the CT of share[0, 0, 0]; may lie outside the scan; z is no whole
            number where the outlines stand between the CT's slices
    """

    share: NDArray[np.float64]
    first: tuple[float, int, int]


def rasterise(
    contours_mm: Sequence[NDArray[np.float64]],
    volume: CTVolume,
    *,
    overlap: Overlap = Overlap.UNITED,
) -> Coverage | None:
    """The outlines on the CT's grid; None if one of them is not parallel to its slices.

    contours_mm : (N, 3) LPS each, closed implicitly

    Where the outlines stand on every n-th slice only (drawn on a thicker series), each also covers
    the slices nearest to it, so that the nodule does not fall apart.

    Raises NoduleUnusable if the outlines are larger than the CT, or endless.
    """
    outlines = [volume.to_index(contour) for contour in contours_mm]
    if any(np.ptp(outline[:, 0]) > FLAT for outline in outlines):
        return None
    heights = [float(outline[:, 0].mean()) for outline in outlines]
    spans = _spans(heights, most=COARSEST_MM / volume.spacing_mm[0])
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
    for together in _drawn_together(heights, overlap):
        area = _covered([outlines[i][:, 1:] - first[1:] for i in together], shape[1:])
        for number in range(spans[together[0]][0], spans[together[0]][1] + 1):
            np.maximum(share[number - first[0]], area, out=share[number - first[0]])
    between = np.mean([z - (a + b) / 2 for z, (a, b) in zip(heights, spans, strict=True)])
    return Coverage(share=share, first=(first[0] + round(float(between), 3), *first[1:]))


def _spans(heights: Sequence[float], *, most: float) -> list[tuple[int, int]]:
    """The slices, first and last, that each outline covers: its own, or those up to midway.

    Planes one step apart part at one place between them, so that the rounding of their positions
    leaves no slice to neither.  A slice just midway is the upper one's; the block as a whole is put
    where the outlines are, so the centre stays.

    most : slices; planes further apart are of several nodules
    """
    at = np.asarray(heights)
    order = np.argsort(at)
    plane_of = np.empty(len(at), dtype=np.int64)
    plane_of[order] = np.cumsum(np.diff(at[order], prepend=at[order[0]]) > FLAT)
    planes = np.bincount(plane_of, weights=at) / np.bincount(plane_of)
    gaps = np.diff(planes)
    step = _step(gaps[gaps <= max(most, 1.0) + TIE])
    near = gaps <= step + FLAT
    below, above, middle = planes - step / 2, planes + step / 2, planes[:-1] + gaps / 2
    below[1:][near] = np.minimum(middle, planes[1:] - 0.5)[near]
    above[:-1][near] = np.maximum(middle, planes[:-1] + 0.5)[near]
    first = np.ceil(below - TIE).astype(int)[plane_of].tolist()
    behind = np.ceil(above - TIE).astype(int)[plane_of].tolist()
    return [(begin, end - 1) for begin, end in zip(first, behind, strict=True)]


def _step(gaps: NDArray[np.float64]) -> float:
    """The distance of neighbouring planes, one slice or more; the mean of those that are one."""
    if not len(gaps):
        return 1.0
    return max(float(gaps[gaps <= gaps.min() + FLAT].mean()), 1.0)


def _drawn_together(heights: Sequence[float], overlap: Overlap) -> Iterator[list[int]]:
    """The numbers of the outlines that are filled at once; the results are united."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    if overlap is Overlap.UNITED:
        yield from ([i] for i in order)
        return
    plane: list[int] = []
    for i in order:
        if plane and heights[i] - heights[plane[0]] > SAME_HEIGHT:
            yield plane
            plane = []
        plane.append(i)
    if plane:
        yield plane


def _covered(
    polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Share of each pixel inside the polygons (even-odd); pixel (r, c) spans r +- 0.5, c +- 0.5.

    polygons : (N, 2) each, as (row, column)

    Along each scan line the crossings with all edges are sorted; what lies between the first and
    the second, the third and the fourth ... is inside.
    """
    rows, columns = shape
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, 1, axis=0) for polygon in polygons])
    line_of = np.ceil((np.stack([starts[:, 0], ends[:, 0]]) + 0.5) * LINES_PER_PIXEL - 0.5)
    begin, end = np.clip(np.sort(line_of, axis=0), 0, rows * LINES_PER_PIXEL).astype(np.int64)
    count = end - begin
    if count.sum() > MOST_CROSSINGS:
        raise NoduleUnusable("its outline is longer than that of any nodule")
    edge = np.repeat(np.arange(len(starts)), count)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + begin[edge]
    a, b = starts[edge], ends[edge]
    at_row = (line + 0.5) / LINES_PER_PIXEL - 0.5
    column = a[:, 1] + (at_row - a[:, 0]) / (b[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    order = np.lexsort((column, line))
    row, column = line[order] // LINES_PER_PIXEL, column[order]
    # An interval [enter, leave) covers a part of enter's pixel, then whole pixels, then lacks a
    # part of leave's: a step of +1 at the one and of -1 at the other, summed along the row.
    sign = np.where(np.arange(len(order)) % 2 == 0, 1.0, -1.0)
    pixel = np.clip(np.floor(column + 0.5).astype(np.int64), 0, columns - 1)
    part = sign * (pixel + 0.5 - column)
    steps = np.zeros((rows, columns + 1))
    np.add.at(steps, (row, pixel), part)
    np.add.at(steps, (row, pixel + 1), sign - part)
    covered: NDArray[np.float64] = np.cumsum(steps[:, :-1], axis=1) / LINES_PER_PIXEL
    return covered.clip(min=0.0)  # rounding
