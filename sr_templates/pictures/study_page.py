"""The first page of a study with several nodules: all of them, the most suspicious first.

A capture of its own and not a frame of one nodule's: what it says belongs to none of them, and a
viewer that shows the first image of a series shows the whole study.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sr_templates.pictures import layout
from sr_templates.pictures import pen as ink
from sr_templates.pictures.capture_view import CaptureFrame, Legend, NoduleView
from sr_templates.pictures.legend import (
    call_in_words,
    draw_banner,
    draw_bar,
    draw_lines,
    first_line,
    image_text,
    limits_line,
    model_and_revision,
    tone_of,
)
from sr_templates.pictures.locator import draw_coronal, draw_slice
from sr_templates.pictures.pen import Pen
from sr_templates.probability import percent_text

ROWS = 6
"""Nodules on one page."""

_FIRST_TOP, _STEP, _LOCATOR = 106, 97, 90
_WORDS = layout.LEFT + 2 * (_LOCATOR + 8) + 8
_NUMBER = 690


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One nodule of the list, as its own pictures show it."""

    view: NoduleView
    legend: Legend


def render_study(
    nodules: Sequence[Listed], *, not_analysed: Sequence[str] = (), warnings: Sequence[str] = ()
) -> list[CaptureFrame]:
    """As many pages as the nodules need, the most suspicious first; untrained, in their own order.

    not_analysed : names of the marked nodules that were not
    warnings     : sentences that stand above the list
    """
    trained = all(each.legend.trained for each in nodules)
    ordered = (
        sorted(nodules, key=lambda each: -each.legend.probability) if trained else list(nodules)
    )
    parts = [ordered[at : at + ROWS] for at in range(0, len(ordered), ROWS)]
    return [
        _page(
            part,
            first=number * ROWS + 1,
            of=len(ordered),
            warnings=warnings,
            not_analysed=not_analysed,
            trained=trained,
        )
        for number, part in enumerate(parts)
    ]


def _page(
    nodules: Sequence[Listed],
    *,
    first: int,
    of: int,
    warnings: Sequence[str],
    not_analysed: Sequence[str],
    trained: bool,
) -> CaptureFrame:
    picture = Image.new("RGB", (layout.WIDTH, layout.HEIGHT), ink.GROUND)
    pen = Pen(picture)
    draw_banner(pen, trained=trained)
    last = first + len(nodules) - 1
    label = _label(first, last, of, not_analysed=len(not_analysed))
    title = f"{label[0].upper()}{label[1:]}"
    pen.text((layout.CENTRE_LEFT, 57), title, size=23)
    order = "by probability of malignancy" if trained else "in the order of the annotation"
    pen.text((layout.CENTRE_LEFT, 75), order, size=14, colour=ink.QUIET)
    pen.text((layout.LEFT, 95), _above(pen, warnings, not_analysed), size=14, colour=ink.AMBER)
    for number, each in enumerate(nodules):
        top = _FIRST_TOP + number * _STEP
        if number:
            pen.box((layout.LEFT, top - 4, layout.RIGHT, top - 4), fill=ink.LINE)
        _draw_row(picture, each, top)
    _draw_footer(pen, nodules[0].legend)
    return CaptureFrame(
        rgb=np.asarray(picture, dtype=np.uint8).copy(),
        label=label,
        sources=tuple(dict.fromkeys(each.view.slices[each.view.key].source for each in nodules)),
    )


def _above(pen: Pen, warnings: Sequence[str], not_analysed: Sequence[str]) -> str:
    """The one line above the list: every warning, and as many names as still find room."""
    text = " ".join(warnings)
    for named in range(len(not_analysed), 0, -1):
        names, further = ", ".join(not_analysed[:named]), len(not_analysed) - named
        rest = f" and {further} more" if further else ""
        text = " ".join((*warnings, f"Not analysed: {names}{rest}."))
        if pen.length(text, 14) <= layout.RIGHT - layout.LEFT:
            return text
    return " ".join((*warnings, f"Not analysed: {len(not_analysed)}.")) if not_analysed else text


def _label(first: int, last: int, of: int, *, not_analysed: int) -> str:
    """Which nodules the page shows; never "all" where some of the study are on no page."""
    if not (first == 1 and last == of):
        return f"nodules {first} to {last} of {of}{' analysed' if not_analysed else ''}"
    if not_analysed:
        return f"{of} of {of + not_analysed} nodules"
    return f"all {of} nodules" if of > 1 else "1 nodule"


def _draw_row(picture: Image.Image, listed: Listed, top: int) -> None:
    """Slice and coronal, name and place, probability."""
    view, legend, pen = listed.view, listed.legend, Pen(picture)
    if view.locator is not None:
        for draw, x in ((draw_slice, layout.LEFT), (draw_coronal, layout.LEFT + _LOCATOR + 8)):
            draw(picture, view, view.locator, (x, top), _LOCATOR, letters=10)
    this = view.slices[view.key]
    place = image_text(legend, this.image_number, position_mm=this.position_mm)
    width = _NUMBER - _WORDS - 16
    pen.text((_WORDS, top + 20), legend.tracking_id, size=19, width=width - 150)
    pen.text((_NUMBER - 16, top + 19), place, size=15, anchor="rs")
    pen.text((_WORDS, top + 41), first_line(legend), size=14, colour=ink.QUIET, width=width)
    limits = pen.lines(limits_line(legend), size=13, width=width)
    draw_lines(pen, limits, (_WORDS, top + 60), size=13, step=16, last=top + 78, colour=ink.AMBER)
    number = percent_text(legend.probability)
    pen.text((_NUMBER, top + 28), number, size=28, colour=tone_of(legend))
    draw_bar(pen, legend, left=_NUMBER, right=layout.RIGHT, top=top + 42)
    pen.text((_NUMBER, top + 78), call_in_words(legend), size=13, colour=ink.QUIET)


def _draw_footer(pen: Pen, legend: Legend) -> None:
    middle, top = layout.WIDTH / 2, layout.FOOTER_TOP
    pen.text((middle, top + 16), model_and_revision(legend), size=14, anchor="ms", width=600)
    baseline = top + 33
    for line in pen.lines(legend.meaning, size=12, width=600)[:2]:
        pen.text((middle, baseline), line, size=12, colour=ink.QUIET, anchor="ms")
        baseline += 15
    text = "Each nodule's own pictures follow: an overview, then where the networks looked."
    pen.text((middle, baseline + 3), text, size=12, colour=ink.QUIET, anchor="ms", width=600)
