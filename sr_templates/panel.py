"""One square panel: a part of a CT slice in lung window, with what is laid over it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sr_templates.colour_map import colours, opacity

WINDOW_CENTRE_HU, WINDOW_WIDTH_HU = -600.0, 1500.0

Colour = tuple[int, int, int]
Pixels = NDArray[np.float32]
"""(size, size, 3) in [0, 255]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The square of the slice that a panel shows.

    left, top  : its corner in columns and rows, where pixel i reaches from i to i + 1
    side_mm    : of the square
    spacing_mm : (between rows, between columns)
    """

    left: float
    top: float
    side_mm: float
    spacing_mm: tuple[float, float]

    @classmethod
    def around(
        cls,
        rows: tuple[float, float],
        columns: tuple[float, float],
        spacing_mm: tuple[float, float],
    ) -> "Field":
        """The smallest square field that holds these rows and columns (from, to) in its middle."""
        height, width = (
            (rows[1] - rows[0]) * spacing_mm[0],
            (columns[1] - columns[0]) * spacing_mm[1],
        )
        side = max(height, width)
        return cls(
            left=sum(columns) / 2 - side / 2 / spacing_mm[1],
            top=sum(rows) / 2 - side / 2 / spacing_mm[0],
            side_mm=side,
            spacing_mm=spacing_mm,
        )

    def pixel(self, row: float, column: float, size: int) -> tuple[float, float]:
        """Where a place of the slice lies in a panel of `size` pixels, as (x, y)."""
        zoom = size / self.side_mm
        return (
            (column - self.left) * self.spacing_mm[1] * zoom,
            (row - self.top) * self.spacing_mm[0] * zoom,
        )

    def sample(self, values: NDArray[np.generic], size: int, *, smooth: bool = True) -> Pixels:
        """The field as (size, size) float32; 0 outside the slice."""
        step = self.side_mm / size
        image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
        matrix = (step / self.spacing_mm[1], 0, self.left, 0, step / self.spacing_mm[0], self.top)
        how = Image.Resampling.BICUBIC if smooth else Image.Resampling.BILINEAR
        sampled = image.transform((size, size), Image.Transform.AFFINE, matrix, how)
        return np.asarray(sampled, dtype=np.float32)


def grey(hu: NDArray[np.int16], field: Field, size: int) -> Pixels:
    """The CT in lung window; black outside the slice."""
    low = WINDOW_CENTRE_HU - WINDOW_WIDTH_HU / 2
    above = field.sample(hu.astype(np.float32) - low, size)
    level = np.clip(above / WINDOW_WIDTH_HU, 0, 1) * 255
    return np.repeat(level[..., None], 3, axis=-1).astype(np.float32)


def add_heat(pixels: Pixels, heat: NDArray[np.float32], field: Field) -> Pixels:
    """The heat map over the CT, clear where it is low."""
    size = pixels.shape[0]
    sampled = np.clip(field.sample(np.nan_to_num(heat), size, smooth=False), 0, 1)
    cover = opacity(sampled)[..., None]
    return np.asarray(pixels * (1 - cover) + colours(sampled) * cover, dtype=np.float32)


def add_outline(
    pixels: Pixels,
    mask: NDArray[np.bool_],
    field: Field,
    *,
    colour: Colour,
    width: float,
    strength: float,
) -> Pixels:
    """The mask's edge as a line of `width` pixels with a dark hem, anti-aliased."""
    size = pixels.shape[0]
    inside = _soften(field.sample(mask.astype(np.float32), size), field, size)
    down, right = np.gradient(inside)
    slope = np.hypot(down, right)
    steep = slope > 1e-3
    distance = np.where(steep, np.abs(inside - 0.5) / np.where(steep, slope, 1), np.inf)
    hem = np.clip(width / 2 + 1.75 - distance, 0, 1)[..., None] * (0.55 * strength)
    line = np.clip(width / 2 + 0.5 - distance, 0, 1)[..., None] * strength
    darkened = pixels * (1 - hem)
    return np.asarray(darkened * (1 - line) + np.array(colour) * line, dtype=np.float32)


def _soften(inside: Pixels, field: Field, size: int) -> Pixels:
    """Round off the voxels' corners: a moving mean of one voxel, twice along each axis."""
    voxel = min(field.spacing_mm) * size / field.side_mm
    reach = max(1, round(voxel / 2))
    for axis in (0, 1, 0, 1):
        padded = np.concatenate(
            [
                np.zeros_like(inside.take(range(reach + 1), axis)),
                inside,
                np.zeros_like(inside.take(range(reach), axis)),
            ],
            axis=axis,
        )
        total = np.cumsum(padded, axis=axis, dtype=np.float64)
        window = 2 * reach + 1
        upper = total.take(range(window, total.shape[axis]), axis)
        lower = total.take(range(total.shape[axis] - window), axis)
        inside = ((upper - lower) / window).astype(np.float32)
    return inside
