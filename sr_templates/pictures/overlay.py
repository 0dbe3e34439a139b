"""The pictures of one nodule: an overview, then its slices under the heat maps.

The overview stands alone where a viewer shows one frame: the key slice, where it lies in the
patient, the number and what it rests on.  The slices follow in the order in which viewers page
through the CT (`sr_templates.pictures.layout` shows where all of it stands).

A pure function of `NoduleView` and `Legend`: it is never given a patient.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sr_templates.pictures import layout
from sr_templates.pictures import pen as ink
from sr_templates.pictures.bars import draw_grounds
from sr_templates.pictures.capture_view import (
    SCALE_NAMES,
    CaptureFrame,
    Legend,
    MapStyle,
    NoduleView,
)
from sr_templates.pictures.layout import FRAME_BYTES, HEIGHT, LARGE, LEFT, PANELS_TOP, SMALL, WIDTH
from sr_templates.pictures.legend import (
    draw_footer,
    draw_header,
    draw_place,
    draw_progress,
    draw_result,
    image_text,
)
from sr_templates.pictures.locator import draw_coronal, draw_slice
from sr_templates.pictures.map_key import FAINT, LEVELS, draw_map_key, level_colour
from sr_templates.pictures.orientation import edge_letters
from sr_templates.pictures.panel import Field, add_line, grey, hatch, softened, windowed, with_heat
from sr_templates.pictures.pen import Pen

__all__ = ["FRAME_BYTES", "render_capture"]

NO_HEAT = ("no heat: nothing shown here", "spoke for malignancy")
NO_HEAT_ON_THIS = "no heat on this slice"
FAINT_ON_THIS = f"heat below {FAINT:g} on this slice"
NOT_SHOWN = "not shown to the networks"


def render_capture(
    view: NoduleView, legend: Legend, style: MapStyle = MapStyle.OVERLAY
) -> list[CaptureFrame]:
    """The overview, then one frame for each slice of the slab, in its order."""
    drawing = _Drawing.of(view, legend, style)
    return [drawing.overview(), *(drawing.page(index) for index in range(len(view.slices)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """What all pages of one nodule share, drawn once.

    ground : banner, header without the image's number, result
    page   : the same with what stands around the maps; marks: letters and rulers over the panels
    whole  : what the large panel shows; fields: per scale what its map covers
    lines  : (N, H, W) the outline, softened; None: nothing is outlined
    """

    view: NoduleView
    legend: Legend
    style: MapStyle
    ground: Image.Image
    around_maps: Image.Image
    marks: Image.Image
    whole: Field
    fields: dict[str, Field]
    shades: NDArray[np.uint8]
    lines: list[NDArray[np.float32]] | None

    @classmethod
    def of(cls, view: NoduleView, legend: Legend, style: MapStyle) -> "_Drawing":
        height, width = view.slab_hu.shape[1:]
        whole = Field.around((0, height), (0, width), view.spacing_mm)
        fields = {
            name: _field_of(view.maps[name], view.spacing_mm)
            for name in SCALE_NAMES
            if name in view.maps
        }
        ground = Image.new("RGB", (WIDTH, HEIGHT), ink.GROUND)
        pen = Pen(ground)
        draw_header(pen, legend)
        draw_result(pen, legend)
        _caption(pen, (LEFT, PANELS_TOP), LARGE, "CT, lung window", "C -600  W 1500 HU")
        around_maps = ground.copy()
        draw_map_key(around_maps, view, legend, style)
        pen = Pen(around_maps)
        draw_footer(pen, legend, pages=_order_in_words(view))
        for name, field in fields.items():
            _caption(pen, layout.MAPS[name], SMALL, name, f"{field.side_mm:.0f} mm")
        return cls(
            view=view,
            legend=legend,
            style=style,
            ground=ground,
            around_maps=around_maps,
            marks=_marks(view, whole, fields),
            whole=whole,
            fields=fields,
            shades=windowed(view.slab_hu),
            lines=None if view.outline is None else [softened(mask) for mask in view.outline],
        )

    def overview(self) -> CaptureFrame:
        """The key slice, where it lies, and what the number rests on."""
        picture, view = self.ground.copy(), self.view
        pen = Pen(picture)
        this = view.slices[view.key]
        draw_place(pen, self.legend, this, "overview, key slice")
        picture.paste(self._large(view.key), (LEFT, PANELS_TOP))
        _annotate(pen, (LEFT, PANELS_TOP), LARGE, self.whole, view, size=17)
        if view.locator is None:
            x, y = layout.LOCATORS[0]
            why = "not located: the scan's own pixels may name the patient"
            pen.text((x, y + 20), why, size=13, colour=ink.QUIET)
        else:
            axial, coronal = layout.LOCATORS
            draw_slice(picture, view, view.locator, axial, layout.LOCATOR)
            draw_coronal(picture, view, view.locator, coronal, layout.LOCATOR)
            pen.text((axial[0], axial[1] - 8), "whole slice", size=14)
            pen.text((coronal[0], coronal[1] - 8), "coronal through the nodule", size=14)
        draw_grounds(pen, self.legend)
        draw_footer(pen, self.legend, pages=_pages_in_words(view))
        return CaptureFrame(rgb=_pixels(picture), label="overview", sources=(this.source,))

    def page(self, index: int) -> CaptureFrame:
        """One slice: the CT, and beside it each scale's map."""
        picture, view = self.around_maps.copy(), self.view
        pen = Pen(picture)
        this, key = view.slices[index], index == view.key
        draw_place(pen, self.legend, this, "")
        if key:
            pen.text(
                (layout.CENTRE_RIGHT - 175, 75), "key slice", size=13, colour=ink.TEAL, anchor="rs"
            )
        draw_progress(pen, index, len(view.slices))
        picture.paste(self._large(index), (LEFT, PANELS_TOP))
        for name, field in self.fields.items():
            picture.paste(self._map(name, field, index), layout.MAPS[name])
        picture.paste(self.marks, (0, 0), self.marks)
        for name in self.fields:
            self._say_if_blank(pen, name, index)
        place = replace(self.legend.location, series_number=None)  # a label is short, and of one CT
        label = image_text(
            replace(self.legend, location=place), this.image_number, position_mm=this.position_mm
        )
        return CaptureFrame(rgb=_pixels(picture), label=label, sources=(this.source,), key=key)

    def _large(self, index: int) -> Image.Image:
        panel = grey(self.shades[index], self.whole, LARGE)
        if self.lines is not None:
            add_line(
                panel,
                self.lines[index],
                self.whole,
                level=0.5,
                colour=ink.TEAL,
                width=1.6,
                dashed=self.view.nominal,
            )
        return panel

    def _map(self, name: str, field: Field, index: int) -> Image.Image:
        shades, heat = self.shades[index], self.view.maps[name][index]
        if self.style == MapStyle.OVERLAY:
            panel = with_heat(shades, heat, field, SMALL)
        else:
            panel = grey(shades, field, SMALL)
            values = np.nan_to_num(heat)
            for level in LEVELS:
                colour = level_colour(level)
                add_line(panel, values, field, level=level, colour=colour, width=1.6)
        hatch(panel, self.view.shown[name][index], field)
        if self.lines is not None:
            add_line(
                panel,
                self.lines[index],
                field,
                level=0.5,
                colour=ink.INK,
                width=1.0,
                strength=0.8,
                dashed=self.view.nominal,
            )
        return panel

    def _say_if_blank(self, pen: Pen, name: str, index: int) -> None:
        """Words where a map has nothing to show, lest a grey panel look like a forgotten one."""
        heat, (x, y) = self.view.maps[name], layout.MAPS[name]
        hottest = float(np.nan_to_num(heat[index]).max())
        if not self.view.shown[name][index].any():
            lines: tuple[str, ...] = (NOT_SHOWN,)
        elif not np.nan_to_num(heat).any():
            lines = NO_HEAT
        elif hottest < FAINT:
            lines = (FAINT_ON_THIS if hottest else NO_HEAT_ON_THIS,)
        else:
            return
        for number, line in enumerate(lines):
            at = (x + SMALL / 2, y + 40 + 16 * number)
            pen.text(at, line, size=13, anchor="ms", hem=True)


def _order_in_words(view: NoduleView) -> str:
    if any(each.image_number is None for each in view.slices):
        return "Slices in the order of their position: the CT does not number its images."
    return "Slices in the CT's own order, by image number."


def _pages_in_words(view: NoduleView) -> str:
    count = len(view.slices)
    frames = "The next frame shows" if count == 1 else f"The next {count} frames show"
    return f"{frames} where the networks looked. {_order_in_words(view)}"


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


def _marks(view: NoduleView, whole: Field, fields: dict[str, Field]) -> Image.Image:
    """Letters, rulers and the maps' fields, which lie over every slice alike."""
    marks = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    pen = Pen(marks)
    for name, field in fields.items():
        _mark_field(pen, whole, field, name)
        _annotate(pen, layout.MAPS[name], SMALL, field, view, size=13)
    _annotate(pen, (LEFT, PANELS_TOP), LARGE, whole, view, size=17)
    return marks


def _pixels(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture, dtype=np.uint8).copy()


def _caption(pen: Pen, corner: tuple[int, int], size: int, name: str, detail: str) -> None:
    x, y = corner
    pen.box((x - 1, y - 1, x + size, y + size), outline=ink.LINE)
    pen.text((x, y - 8), name, size=14)
    pen.text((x + size, y - 8), detail, size=13, colour=ink.QUIET, anchor="rs")


def _annotate(
    pen: Pen, corner: tuple[int, int], panel: int, field: Field, view: NoduleView, *, size: int
) -> None:
    """Orientation letters in the middle of the edges, and a ruler in the lower right corner."""
    x, y = corner
    pen.edge_letters(corner, panel, edge_letters(view.row_direction, view.col_direction), size=size)
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
    x0, y0 = x0 + LEFT, y0 + PANELS_TOP
    pen.corner_marks((x0, y0, x0 + side, y0 + side), colour=ink.QUIET)
    pen.text((x0 + side - 3, y0 - 4), name, size=12, colour=ink.QUIET, anchor="rs", hem=True)
