"""What the colours, lines and hatching of the map panels mean."""

import numpy as np
from PIL import Image

from sr_templates.pictures import layout
from sr_templates.pictures import pen as ink
from sr_templates.pictures.capture_view import Legend, MapStyle, NoduleView
from sr_templates.pictures.colour_map import COVER, HEAT
from sr_templates.pictures.panel import hatching
from sr_templates.pictures.pen import Pen

LEVELS = (0.25, 0.5, 0.75)
"""At which a map's contours are drawn."""

FAINT = 0.2
"""Heat below it is hardly seen; a map that has no more says so."""

_LINE_STEP = 20


def draw_map_key(picture: Image.Image, view: NoduleView, legend: Legend, style: MapStyle) -> None:
    """The colour bar beside the maps, and the words in the fourth cell."""
    pen = Pen(picture)
    x, y = layout.KEY
    pen.text((x, y - 8), f"Where the networks looked ({legend.method})", size=14, width=284)
    if style == MapStyle.OVERLAY:
        _draw_bar(picture, pen)
    left, baseline = x + 30, y + 16
    if style == MapStyle.CONTOUR:
        for level in LEVELS:
            pen.box((x, baseline - 6, x + 20, baseline - 5), fill=level_colour(level))
            pen.text((left, baseline), f"{level:g} of the map's maximum", size=13, colour=ink.QUIET)
            baseline += _LINE_STEP
    if view.outline is not None:
        for begin in (0, 8, 16) if view.nominal else (0,):
            end = begin + (4 if view.nominal else 20)
            pen.box((x + begin, baseline - 6, x + end, baseline - 5), fill=ink.INK)
        words = "nominal: no outline was drawn" if view.nominal else "nodule as marked"
        pen.text((left, baseline), words, size=13, colour=ink.QUIET)
        baseline += _LINE_STEP
    swatch = hatching(21).crop((0, 0, 21, 14)).point(lambda on: 64 if on else 30)
    picture.paste(swatch, (x, int(baseline) - 12))
    pen.text((left, baseline), "not shown to the networks", size=13, colour=ink.QUIET)
    baseline += _LINE_STEP + 8
    for line in _notes(view, legend):
        pen.text((x, baseline), line, size=13, colour=ink.QUIET, width=layout.RIGHT - x)
        baseline += 18


def level_colour(level: float) -> ink.Colour:
    """The colour of a contour."""
    red, green, blue = (int(channel) for channel in HEAT[round(level * 255)])
    return red, green, blue


def _notes(view: NoduleView, legend: Legend) -> list[str]:
    notes = ["each map by its own maximum;", "heat spoke for malignancy,", "and is no proof of it"]
    if legend.trained and legend.grounds is not None:
        notes += ["no map shows the measurements'", "part: it is on the overview"]
    if view.flat_scales:
        notes += [f"{' and '.join(sorted(view.flat_scales))}: no depth axis,"]
        notes += ["the same map on every slice"]
    return notes


def _draw_bar(picture: Image.Image, pen: Pen) -> None:
    x, y = layout.COLOUR_BAR
    levels = np.linspace(255, 0, layout.SMALL).round().astype(int)
    cover = COVER[levels, None] / 255
    shades = HEAT[levels] * cover + np.array(ink.RAISED) * (1 - cover)
    bar = np.repeat(shades[:, None].round().astype(np.uint8), 16, axis=1)
    picture.paste(Image.fromarray(bar), (x, y))
    pen.box((x - 1, y - 1, x + 16, y + layout.SMALL), outline=ink.LINE)
    words = {0.0: ("most", "lt"), 0.5: ("0.5", "lm"), 1.0: ("least", "lb")}
    for share, (word, anchor) in words.items():
        at = (x + 21, y + share * (layout.SMALL - 1))
        pen.text(at, word, size=12, colour=ink.QUIET, anchor=anchor)
