"""One square panel: a part of a CT slice in lung window, with what is laid over it.

Slices are windowed and lines are smoothed on the CT's own grid, and only then brought to the
panel's pixels: of 512 rows a panel shows a few dozen.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from sr_templates.pictures.colour_map import COVER, DIMMED, HEAT

WINDOW_CENTRE_HU, WINDOW_WIDTH_HU = -600.0, 1500.0

Colour = tuple[int, int, int]
Window = tuple[int, int, int, int]
"""Left, top, right and bottom pixel of a part of a panel, the last two outside it."""

_HATCHED = 0.45
_DASHES = 12
_HATCH_STEP, _HATCH_COLOUR = 9, (64, 68, 74)


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

    def sample(
        self,
        values: NDArray[np.generic],
        size: int,
        *,
        how: Image.Resampling = Image.Resampling.BICUBIC,
        window: Window | None = None,
    ) -> Image.Image:
        """The field as a picture of (size, size) pixels, or a window of it; 0 outside the values.

        values : (rows, columns) uint8 or float32, which the picture's mode follows
        """
        rows, columns = values.shape
        x_first, y_first, x_end, y_end = window or (0, 0, size, size)
        left, top = self.pixel(0, 0, size)
        right, bottom = self.pixel(rows, columns, size)
        x0, y0 = max(x_first, round(left)), max(y_first, round(top))
        x1, y1 = min(x_end, round(right)), min(y_end, round(bottom))
        image = Image.fromarray(np.ascontiguousarray(values))
        sampled = Image.new(image.mode, (x_end - x_first, y_end - y_first))
        if x1 <= x0 or y1 <= y0:
            return sampled
        per_column = self.side_mm / self.spacing_mm[1] / size
        per_row = self.side_mm / self.spacing_mm[0] / size
        box = (
            max(0.0, self.left + x0 * per_column),
            max(0.0, self.top + y0 * per_row),
            min(float(columns), self.left + x1 * per_column),
            min(float(rows), self.top + y1 * per_row),
        )
        sampled.paste(image.resize((x1 - x0, y1 - y0), how, box=box), (x0 - x_first, y0 - y_first))
        return sampled


def windowed(hu: NDArray[np.generic]) -> NDArray[np.uint8]:
    """HU in lung window, of any shape; NaN is black."""
    low = WINDOW_CENTRE_HU - WINDOW_WIDTH_HU / 2
    level = (np.nan_to_num(np.asarray(hu, dtype=np.float32), nan=low) - low) / WINDOW_WIDTH_HU
    return np.asarray(np.clip(level, 0, 1) * 255 + 0.5, dtype=np.uint8)


def grey(shades: NDArray[np.uint8], field: Field, size: int) -> Image.Image:
    """The CT, `windowed`; black outside the slice."""
    return field.sample(shades, size).convert("RGB")


def with_heat(
    shades: NDArray[np.uint8], heat: NDArray[np.float32], field: Field, size: int
) -> Image.Image:
    """The CT, `windowed` and dimmed, under the heat map, which is clear where it is low or NaN."""
    panel = field.sample(shades, size).point(_DIMMER).convert("RGB")
    level = (np.clip(np.nan_to_num(heat), 0, 1) * 255 + 0.5).astype(np.uint8)
    if level.any():
        over = field.sample(level, size, how=Image.Resampling.BILINEAR)
        colour = Image.merge("RGB", [over.point(channel) for channel in _CHANNELS])
        panel.paste(colour, mask=over.point(_COVER))
    return panel


def hatch(panel: Image.Image, shown: NDArray[np.bool_], field: Field) -> None:
    """Where the network was shown nothing, the panel is dimmed and hatched, in place."""
    if shown.all():
        return
    size = panel.size[0]
    seen = shown.astype(np.uint8) * np.uint8(255)
    hidden = ImageChops.invert(field.sample(seen, size, how=Image.Resampling.NEAREST))
    panel.paste(panel.point(_DARKER), mask=hidden)
    panel.paste(_HATCH_COLOUR, mask=ImageChops.darker(hidden, hatching(size)))


@cache
def hatching(size: int) -> Image.Image:
    """Diagonal lines: 255 on them, else 0."""
    rows, columns = np.ogrid[:size, :size]
    lines = ((rows + columns) % _HATCH_STEP == 0) * 255
    return Image.fromarray(lines.astype(np.uint8))


def add_line(
    panel: Image.Image,
    values: NDArray[np.float32],
    field: Field,
    *,
    level: float,
    colour: Colour,
    width: float,
    strength: float = 1.0,
    dashed: bool = False,
) -> None:
    """Where the values pass the level, a line of `width` pixels with a dark hem, in place."""
    window = _about(values > level, field, panel.size[0])
    if window is None:
        return
    sampled = np.asarray(field.sample(values, panel.size[0], window=window), dtype=np.float32)
    down, right = np.gradient(sampled)
    slope = np.maximum(np.hypot(down, right), 1e-6)
    distance = np.abs(sampled - level) / slope
    distance[slope <= 1e-3] = np.inf
    hem = np.clip(width / 2 + 1.75 - distance, 0, 1) * (0.55 * strength)
    line = np.clip(width / 2 + 0.5 - distance, 0, 1) * strength
    if dashed:
        gaps = _gaps(sampled > level)
        hem[gaps] = line[gaps] = 0
    for cover, ink in ((hem, (0, 0, 0)), (line, colour)):
        mask = Image.fromarray((cover * 255 + 0.5).astype(np.uint8))
        panel.paste(ink, window, mask)


def _gaps(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Every other of `_DASHES` sectors about the middle of the body: where its outline is left out.

    Dashes that are counted lie alike on every panel, however large the body is on it.
    """
    rows, columns = np.nonzero(body)
    down, right = np.ogrid[: body.shape[0], : body.shape[1]]
    turn = np.arctan2(down - rows.mean(), right - columns.mean()) / (2 * np.pi)
    odd: NDArray[np.bool_] = np.floor(turn * 2 * _DASHES) % 2 == 1
    return odd


def softened(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mask with its voxels' corners rounded off; passes 0.5 at its edge."""
    soft = np.pad(mask.astype(np.float32), 1)
    for axis in (0, 1):
        soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) / np.float32(4)
    return np.asarray(soft[1:-1, 1:-1], dtype=np.float32)


def _about(above: NDArray[np.bool_], field: Field, size: int) -> Window | None:
    """The part of the panel that can hold the line about these voxels; None: there is none."""
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    if not len(rows):
        return None
    x0, y0 = field.pixel(float(rows[0]) - 2, float(columns[0]) - 2, size)
    x1, y1 = field.pixel(float(rows[-1]) + 3, float(columns[-1]) + 3, size)
    left, top = max(0, int(x0)), max(0, int(y0))
    right, bottom = min(size, int(x1) + 1), min(size, int(y1) + 1)
    return (left, top, right, bottom) if right - left > 1 and bottom - top > 1 else None


_DIMMER = [round(shade * DIMMED) for shade in range(256)]
_DARKER = [round(shade * _HATCHED) for shade in range(256)] * 3
_CHANNELS = [HEAT[:, channel].tolist() for channel in range(3)]
_COVER = COVER.tolist()
