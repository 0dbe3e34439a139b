"""Nodules of the six margins that a radiologist tells apart, as functions of millimetres.

A shape is scaled and shifted so that its stated centre is its centroid and its stated diameter
that of the ball of equal volume: what the annotations say of the phantom is literally true.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from node.demo.grid import Field, Grid

Distance = Callable[[Field, Field, Field], Field]
"""(x, y, z) offsets from the centre in mm -> signed distance in mm, negative inside."""

SOLID_HU = 38.0


class Margin(StrEnum):
    """How the edge of a nodule looks."""

    SMOOTH = "smooth"
    LOBULATED = "lobulated"
    SPICULATED = "spiculated"
    PART_SOLID = "part-solid"
    GROUND_GLASS = "ground glass"
    JUXTAPLEURAL = "juxtapleural"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomNodule:
    """One nodule of the phantom, and where it is known to be.

    centre_mm    : LPS, centroid
    diameter_mm  : of the ball of equal volume, spicules not counted
    """

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    margin: Margin
    tracking_id: str
    tracking_uid: str
    seed: int


def shape(nodule: PhantomNodule) -> Distance:
    """The signed distance of the nodule's body, centred and scaled to the literal truth."""
    raw = _raw_shape(nodule)
    reach = 1.1 * nodule.diameter_mm
    step = nodule.diameter_mm / 40
    line = np.arange(-reach, reach, step, dtype=np.float32)
    x, y, z = line[None, None, :], line[None, :, None], line[:, None, None]
    inside = raw(x, y, z) < 0
    volume = float(inside.sum()) * step**3
    weights = [inside.sum(axis=axes) for axes in ((0, 1), (0, 2), (1, 2))]
    shift = [float((w * line).sum() / w.sum()) for w in weights]
    scale = nodule.diameter_mm / (6 * volume / np.pi) ** (1 / 3)

    def placed(x: Field, y: Field, z: Field) -> Field:
        inner = raw(x / scale + shift[0], y / scale + shift[1], z / scale + shift[2])
        return np.asarray(inner * scale, dtype=np.float32)

    return placed


def _raw_shape(nodule: PhantomNodule) -> Distance:
    rng = np.random.default_rng(nodule.seed)
    r = nodule.diameter_mm / 2
    if nodule.margin is Margin.LOBULATED:
        lobes = rng.normal(size=(9, 3))
        lobes *= 0.74 * r / np.linalg.norm(lobes, axis=1, keepdims=True)
        sizes = r * rng.uniform(0.34, 0.5, 9)
        return lambda x, y, z: _smooth_union(
            [_ball(x, y, z, (0, 0, 0), 0.68 * r)]
            + [_ball(x, y, z, tuple(c), s) for c, s in zip(lobes, sizes, strict=True)]
        )
    if nodule.margin is Margin.JUXTAPLEURAL:
        return lambda x, y, z: (
            (np.sqrt((x / (0.72 * r)) ** 2 + (y / r) ** 2 + (z / r) ** 2) - 1) * 0.8 * r
        )
    rough = {Margin.SMOOTH: 0.02, Margin.SPICULATED: 0.11}.get(nodule.margin, 0.08)
    waves = rng.normal(size=(9, 3)) * rng.uniform(1.5, 3.2, size=(9, 1))
    phases = rng.uniform(0, 2 * np.pi, 9)

    def uneven(x: Field, y: Field, z: Field) -> Field:
        length = np.sqrt(x * x + y * y + z * z)
        unit = 1 / np.maximum(length, 1e-3)
        ripple = sum(
            np.sin((w[0] * x + w[1] * y + w[2] * z) * unit + p)
            for w, p in zip(waves, phases, strict=True)
        )
        return np.asarray(length - r * (1 + rough * ripple / 2.1), dtype=np.float32)

    return uneven


def _ball(x: Field, y: Field, z: Field, centre: tuple[float, ...], radius: float) -> Field:
    return np.asarray(
        np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2) - radius
    )


def _smooth_union(distances: list[Field], blend_mm: float = 0.5) -> Field:
    total = sum(np.exp(-np.clip(d, -8, 8) / blend_mm) for d in distances)
    return np.asarray(-blend_mm * np.log(total))


def paint_nodule(hu: Field, nodule: PhantomNodule, grid: Grid) -> None:
    """Lay the nodule over the lung in `hu` (Z, Y, X); ground glass lets vessels shine through."""
    box, offsets = _around(nodule, grid)
    distance = shape(nodule)(*offsets)
    part = hu[box]
    soft = max(grid.pixel_mm, 0.7)
    body = np.clip(0.5 - distance / soft, 0, 1)
    match nodule.margin:
        case Margin.GROUND_GLASS:
            part += np.clip(0.5 - distance / 3.2, 0, 1) * np.clip(-part - 330, 0, 290)
        case Margin.PART_SOLID:
            part += np.clip(0.5 - distance / 2.6, 0, 1) * np.clip(-part - 380, 0, 270)
            x, y, z = offsets
            core = _ball(x, y, z, (1.6, -1.2, 0.8), 0.24 * nodule.diameter_mm)
            core += 0.7 * np.sin(1.1 * x + 0.7 * y) * np.cos(0.9 * z - 0.5 * y)
            part += np.clip(0.5 - core / soft, 0, 1) * (SOLID_HU - 20 - part)
        case Margin.SPICULATED:
            halo = np.clip(1 - distance / 4.0, 0, 1) * np.clip(-part - 700, 0, 130)
            part += halo
            part += body * (SOLID_HU - part)
            _spicules(part, nodule, offsets, grid)
        case _:
            part += body * (SOLID_HU - part)


def _spicules(
    part: Field, nodule: PhantomNodule, offsets: tuple[Field, Field, Field], grid: Grid
) -> None:
    rng = np.random.default_rng(nodule.seed + 1)
    x, y, z = offsets
    r = nodule.diameter_mm / 2
    for _ in range(44):
        ux, uy, uz = _unit(rng)
        length = r * rng.uniform(1.5, 2.6)
        along = np.clip((x * ux + y * uy + z * uz) / length, 0, 1)
        bend = 0.9 * np.sin(3 * along + rng.uniform(0, 6))
        off = np.sqrt(
            (x - along * ux * length + bend * uy) ** 2
            + (y - along * uy * length - bend * ux) ** 2
            + (np.maximum(np.abs(z - along * uz * length) - grid.slice_mm * 0.3, 0)) ** 2
        )
        thick = 1.3 * (1 - 0.7 * along)
        cover = np.clip(0.5 + (thick - off) / max(grid.pixel_mm, 0.7), 0, 1)
        part += 0.8 * cover * np.clip(SOLID_HU - 60 - part, 0, None)


def _unit(rng: np.random.Generator) -> tuple[float, float, float]:
    v = rng.normal(size=3) * np.array([1.0, 1.0, 0.4])
    v /= np.linalg.norm(v)
    return float(v[0]), float(v[1]), float(v[2])


def mask(nodule: PhantomNodule, grid: Grid) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(Z, Y, X) voxels whose centre lies in the nodule's body."""
    voxels = np.zeros((grid.slices, grid.size, grid.size), dtype=bool)
    box, offsets = _around(nodule, grid)
    voxels[box] = shape(nodule)(*offsets) < 0
    return voxels


def _around(
    nodule: PhantomNodule, grid: Grid
) -> tuple[tuple[slice, ...], tuple[Field, Field, Field]]:
    centre = np.array(nodule.centre_mm)
    reach = 1.25 * nodule.diameter_mm
    box = grid.box(centre - reach, centre + reach)
    x, y, z = grid.coordinates(box)
    return box, (
        (x - centre[0]).astype(np.float32),
        (y - centre[1]).astype(np.float32),
        (z - centre[2]).astype(np.float32),
    )
