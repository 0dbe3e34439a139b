"""The nodule in the whole patient: the slice that it is on, and the coronal plane through it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sr_templates.pictures import pen as ink
from sr_templates.pictures.capture_view import Direction, Locator, NoduleView
from sr_templates.pictures.orientation import edge_letters
from sr_templates.pictures.panel import Field, windowed
from sr_templates.pictures.pen import Pen

_LEAST_BOX = 14
"""Pixels; a smaller box would hide what it points to."""

_RIGHT_LEFT: Direction = (1.0, 0.0, 0.0)
_HEAD_FEET: Direction = (0.0, 0.0, -1.0)


def draw_slice(
    picture: Image.Image,
    view: NoduleView,
    locator: Locator,
    corner: tuple[int, int],
    size: int,
    *,
    letters: int = 13,
) -> None:
    """The whole key slice as acquired, with a box about what the large panel shows."""
    height, width = locator.slice_hu.shape
    field = Field.around((0, height), (0, width), view.spacing_mm)
    _paste(picture, field, windowed(locator.slice_hu), corner, size)
    rows, columns = view.slab_hu.shape[1:]
    top, left = locator.first
    x0, y0 = field.pixel(top, left, size)
    x1, y1 = field.pixel(top + rows, left + columns, size)
    edges = edge_letters(view.row_direction, view.col_direction)
    _finish(picture, corner, size, (x0, y0, x1, y1), edges, letters)


def draw_coronal(
    picture: Image.Image,
    view: NoduleView,
    locator: Locator,
    corner: tuple[int, int],
    size: int,
    *,
    letters: int = 13,
) -> None:
    """The coronal plane through the nodule, with a box of the same side about it."""
    rows, columns = locator.coronal_hu.shape
    spacing = (locator.coronal_mm, locator.coronal_mm)
    field = Field.around((0, rows), (0, columns), spacing)
    _paste(picture, field, windowed(locator.coronal_hu), corner, size)
    side_mm = max(n * mm for n, mm in zip(view.slab_hu.shape[1:], view.spacing_mm, strict=True))
    x, y = field.pixel(*locator.centre, size)
    half = side_mm / field.side_mm * size / 2
    edges = edge_letters(_RIGHT_LEFT, _HEAD_FEET)
    _finish(picture, corner, size, (x - half, y - half, x + half, y + half), edges, letters)


def _paste(
    picture: Image.Image,
    field: Field,
    shades: NDArray[np.uint8],
    corner: tuple[int, int],
    size: int,
) -> None:
    picture.paste(field.sample(shades, size, how=Image.Resampling.BOX), corner)


def _finish(
    picture: Image.Image,
    corner: tuple[int, int],
    size: int,
    box: tuple[float, float, float, float],
    edges: Mapping[str, str],
    letters: int,
) -> None:
    """Frame, box about the nodule and letters of that size at the edges."""
    pen, (x, y) = Pen(picture), corner
    grow = max(0.0, (_LEAST_BOX - (box[2] - box[0])) / 2)
    x0, y0, x1, y1 = (
        min(max(0.0, edge), size - 1.0)
        for edge in (box[0] - grow, box[1] - grow, box[2] + grow, box[3] + grow)
    )
    for out, colour in ((1, ink.GROUND), (0, ink.TEAL)):
        pen.box((x + x0 - out, y + y0 - out, x + x1 + out, y + y1 + out), outline=colour)
    pen.box((x - 1, y - 1, x + size, y + size), outline=ink.LINE)
    pen.edge_letters(corner, size, edges, size=letters)
