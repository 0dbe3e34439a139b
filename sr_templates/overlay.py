"""The pictures of one nodule: where it lies, and where the network looked.

::

    +----------------------------------------------------------+
    | for research use, or UNTRAINED                           |
    | Nodule 1                     slice 90 of 133  -109.3 mm  |
    | +----------------------+  +---------+  +---------+       |
    | |  CT, lung window     |  | macro   |  | meso    |       |
    | |  outline, ruler      |  +---------+  +---------+       |
    | |  R              L    |  +---------+   colour           |
    | |                      |  | micro   |   bar              |
    | +----------------------+  +---------+                    |
    | 87 %  probability ====|===--         model, notes        |
    +----------------------------------------------------------+

A pure function of `NoduleView` and `Legend`: it is never given a patient.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sr_templates import pen as ink
from sr_templates.capture_view import SCALE_NAMES, CaptureFrame, Legend, NoduleView
from sr_templates.legend import draw_header, draw_key, draw_progress, draw_result
from sr_templates.orientation import edge_letters
from sr_templates.panel import Field, add_heat, add_outline, grey
from sr_templates.pen import Pen

WIDTH, HEIGHT = 1024, 768
FRAME_BYTES = WIDTH * HEIGHT * 3

MARGIN, PANELS_TOP, LARGE, SMALL = 24, 124, 480, 226
_COLUMNS = (MARGIN + LARGE + MARGIN, WIDTH - MARGIN - SMALL)
_ROWS = (PANELS_TOP, PANELS_TOP + LARGE - SMALL)
_CELLS = {
    "macro": (_COLUMNS[0], _ROWS[0]),
    "meso": (_COLUMNS[1], _ROWS[0]),
    "micro": (_COLUMNS[0], _ROWS[1]),
}
_KEY_CELL = (_COLUMNS[1], _ROWS[1])
_DIMMED = 0.8
"""Brightness of the CT beneath a heat map, so that its lightest colours stand out from bone."""


def render_capture(view: NoduleView, legend: Legend) -> list[CaptureFrame]:
    """One frame of 1024 x 768 per slice of the slab, in its order."""
    height, width = view.slab_hu.shape[1:]
    whole = Field.around((0, height), (0, width), view.spacing_mm)
    fields = {
        name: _field_of(view.maps[name], view.spacing_mm)
        for name in SCALE_NAMES
        if name in view.maps
    }
    ground = Image.new("RGB", (WIDTH, HEIGHT), ink.GROUND)
    pen = Pen(ground)
    draw_header(pen, legend, width=WIDTH, margin=MARGIN)
    draw_key(pen, _KEY_CELL, SMALL, outlined=view.outline is not None, flat=view.flat_scales)
    draw_result(pen, legend, top=PANELS_TOP + LARGE, margin=MARGIN, width=WIDTH)
    return [_frame(view, index, ground, whole, fields) for index in range(len(view.slices))]


def _frame(
    view: NoduleView, index: int, ground: Image.Image, whole: Field, fields: dict[str, Field]
) -> CaptureFrame:
    picture = ground.copy()
    pen = Pen(picture)
    this = view.slices[index]
    numbers = [one.number for one in view.slices]
    draw_progress(
        pen, this, numbers, view.total_slices, key=index == view.key, right=WIDTH - MARGIN
    )
    letters = edge_letters(view.row_direction, view.col_direction)
    outline = None if view.outline is None else view.outline[index]

    pixels = grey(view.slab_hu[index], whole, LARGE)
    if outline is not None:
        pixels = add_outline(pixels, outline, whole, colour=ink.TEAL, width=1.6, strength=0.95)
    _paste(picture, pixels, (MARGIN, PANELS_TOP))
    _caption(pen, (MARGIN, PANELS_TOP), LARGE, "CT, lung window", "C -600  W 1500 HU")
    for name, field in fields.items():
        _mark_field(pen, whole, field, name)
    _annotate(pen, (MARGIN, PANELS_TOP), LARGE, whole, letters, size=17)

    for name, field in fields.items():
        corner = _CELLS[name]
        pixels = grey(view.slab_hu[index], field, SMALL) * np.float32(_DIMMED)
        pixels = add_heat(pixels, view.maps[name][index], field)
        if outline is not None:
            pixels = add_outline(pixels, outline, field, colour=ink.INK, width=1.0, strength=0.8)
        _paste(picture, pixels, corner)
        _caption(pen, corner, SMALL, name, f"{field.side_mm:.0f} mm")
        _annotate(pen, corner, SMALL, field, letters, size=13)
    return CaptureFrame(
        rgb=np.asarray(picture, dtype=np.uint8).copy(),
        label=f"slice {this.number}",
        source=this.source,
        key=index == view.key,
    )


def _field_of(heat: NDArray[np.float32], spacing_mm: tuple[float, float]) -> Field:
    """The patch's field: where its map is not NaN on any slice; everything if it is nowhere."""
    known = np.asarray(np.isfinite(heat).any(axis=0))
    if not known.any():
        known = np.ones_like(known)
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    return Field.around(
        (float(rows[0]), float(rows[-1] + 1)),
        (float(columns[0]), float(columns[-1] + 1)),
        spacing_mm,
    )


def _paste(picture: Image.Image, pixels: NDArray[np.float32], corner: tuple[int, int]) -> None:
    rgb = np.clip(pixels + 0.5, 0, 255).astype(np.uint8)
    picture.paste(Image.fromarray(rgb), corner)


def _caption(pen: Pen, corner: tuple[int, int], size: int, name: str, detail: str) -> None:
    x, y = corner
    pen.box((x - 1, y - 1, x + size, y + size), outline=ink.LINE)
    pen.text((x, y - 8), name, size=15)
    pen.text((x + size, y - 8), detail, size=13, colour=ink.QUIET, anchor="rs")


def _annotate(
    pen: Pen,
    corner: tuple[int, int],
    panel: int,
    field: Field,
    letters: dict[str, str],
    *,
    size: int,
) -> None:
    """Orientation letters in the middle of the edges, and a ruler in the lower right corner."""
    x, y = corner
    inset, middle = 7, panel / 2
    places = {
        "left": ((x + inset, y + middle), "lm"),
        "right": ((x + panel - inset, y + middle), "rm"),
        "top": ((x + middle, y + inset), "mt"),
        "bottom": ((x + middle, y + panel - inset), "mb"),
    }
    for edge, (place, anchor) in places.items():
        pen.text(place, letters[edge], size=size, anchor=anchor, hem=True)
    fitting = [mm for mm in (20, 10, 5, 2, 1) if mm < 0.36 * field.side_mm]
    if fitting:
        length = fitting[0] * panel / field.side_mm
        end = (x + panel - 14, y + panel - 16)
        pen.ruler(end, length=length, label=f"{fitting[0]} mm", size=size - 2)


def _mark_field(pen: Pen, whole: Field, field: Field, name: str) -> None:
    """Corners of a smaller field in the large panel, with its name."""
    if field.side_mm > 0.97 * whole.side_mm:
        return
    x0, y0 = whole.pixel(field.top, field.left, LARGE)
    side = field.side_mm * LARGE / whole.side_mm
    x0, y0 = x0 + MARGIN, y0 + PANELS_TOP
    pen.corner_marks((x0, y0, x0 + side, y0 + side), colour=ink.QUIET)
    pen.text((x0 + side - 3, y0 - 4), name, size=12, colour=ink.QUIET, anchor="rs", hem=True)
