"""Branching vessels and airways: trees that fill the lungs, and tubes that are painted as volumes.

A tree is grown from its hilum by splitting the points that it must reach in two, again and again;
its radii follow Murray's law (the flow of the branches is that of the trunk), so it tapers as a
lung's vessels do, and lobe by lobe, so no vessel crosses a fissure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from node.demo.grid import Field, Grid

Vector = NDArray[np.float64]
LEAF_RADIUS_MM = 0.50
MURRAY = 2.55


@dataclass(frozen=True, slots=True)
class Tube:
    """A tapering piece of pipe.

    start, end : LPS mm
    radii_mm   : at start and end
    leaves     : how many end twigs it feeds; 0 for great vessels
    """

    start: Vector
    end: Vector
    radii_mm: tuple[float, float]
    leaves: int = 0


def polyline(points: Sequence[tuple[float, float, float]], radii_mm: Sequence[float]) -> list[Tube]:
    """Tubes along a line of points, each with its radius."""
    ends = [np.array(p, dtype=np.float64) for p in points]
    return [
        Tube(ends[i], ends[i + 1], (radii_mm[i], radii_mm[i + 1])) for i in range(len(ends) - 1)
    ]


def grow(root: Vector, targets: NDArray[np.float64], rng: Generator) -> list[Tube]:
    """A tree from `root` to every one of `targets` (N, 3), LPS mm."""
    tubes: list[Tube] = []
    waiting = [(root, targets)]
    while waiting:
        node, reach = waiting.pop()
        if len(reach) == 1:
            tubes += _bent(node, reach[0], 1, 1, rng)
            continue
        for part in _halves(reach, rng):
            middle = part.mean(axis=0)
            share = 1.0 if len(part) == 1 else rng.uniform(0.38, 0.58)
            fork = node + share * (middle - node)
            tubes += _bent(node, fork, len(part), max(1, len(part) * 3 // 4), rng)
            if len(part) > 1:
                waiting.append((fork, part))
    return tubes


def _halves(points: NDArray[np.float64], rng: Generator) -> tuple[Vector, Vector]:
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    order = np.argsort(centred @ axis)
    cut = int(np.clip(round(len(points) * rng.uniform(0.32, 0.68)), 1, len(points) - 1))
    return points[order[:cut]], points[order[cut:]]


def radius_mm(leaves: float) -> float:
    """Murray's law."""
    return float(LEAF_RADIUS_MM * leaves ** (1 / MURRAY))


def _bent(a: Vector, b: Vector, feeds: int, ends_with: int, rng: Generator) -> list[Tube]:
    length = float(np.linalg.norm(b - a))
    if length < 1e-3:
        return []
    sway = rng.normal(size=3)
    sway -= (sway @ (b - a)) / length**2 * (b - a)
    middle = (a + b) / 2 + 0.09 * length * sway / max(float(np.linalg.norm(sway)), 1e-6)
    first, last = radius_mm(feeds), radius_mm(ends_with) * (0.6 if feeds == 1 else 1.0)
    half = (first + last) / 2
    return [Tube(a, middle, (first, half), feeds), Tube(middle, b, (half, last), feeds)]


def beside(tubes: Sequence[Tube], *, at_least: int) -> list[Tube]:
    """The bronchi that accompany an arterial tree's branches feeding `at_least` twigs."""
    shift = np.array([0.62, 0.55, 0.56])
    return [
        Tube(
            t.start + shift * 2.0 * t.radii_mm[0],
            t.end + shift * 2.0 * t.radii_mm[1],
            (0.95 * t.radii_mm[0], 0.95 * t.radii_mm[1]),
            t.leaves,
        )
        for t in tubes
        if t.leaves >= at_least
    ]


def paint_tubes(
    hu: Field, tubes: Sequence[Tube], grid: Grid, value_hu: float, *, shrink_mm: float = 0.0
) -> None:
    """Paint tubes into `hu` (Z, Y, X); what is thinner than a voxel is fainter, as in a scanner."""
    for tube in tubes:
        r0, r1 = (max(r - shrink_mm, 0.0) for r in tube.radii_mm)
        if max(r0, r1) > 0:
            _paint_tube(hu, tube, (r0, r1), grid, value_hu)


def _paint_tube(
    hu: Field, tube: Tube, radii: tuple[float, float], grid: Grid, value_hu: float
) -> None:
    margin = max(radii) + np.array([grid.pixel_mm, grid.pixel_mm, grid.slice_mm / 2])
    low = np.minimum(tube.start, tube.end) - margin
    high = np.maximum(tube.start, tube.end) + margin
    box = grid.box(low, high)
    x, y, z = grid.coordinates(box)
    if x.size == 0 or y.size == 0 or z.size == 0:
        return
    ax, ay, az = (float(v) for v in tube.end - tube.start)
    x = x - np.float32(tube.start[0])
    y = y - np.float32(tube.start[1])
    z = z - np.float32(tube.start[2])
    along = np.clip((x * ax + y * ay + z * az) / (ax * ax + ay * ay + az * az), 0, 1)
    radius = radii[0] + (radii[1] - radii[0]) * along
    # A slice averages over its thickness: only what is farther than that is out of it.
    dz = z - along * az
    thick = grid.slice_mm * 0.35
    dz = np.sign(dz) * np.maximum(np.abs(dz) - thick, 0)
    distance = np.sqrt((x - along * ax) ** 2 + (y - along * ay) ** 2 + dz * dz)
    cover = np.clip(0.5 + (radius - distance) / grid.pixel_mm, 0, 1)
    cover *= np.minimum(1, 1.7 * radius / np.sqrt(grid.pixel_mm * grid.slice_mm))
    part = hu[box]
    part += cover * (value_hu - part)
