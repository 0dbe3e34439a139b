"""The words and scales around the pictures: result, model, colour bar, slice."""

from collections.abc import Collection, Sequence

import numpy as np

from sr_templates import pen as ink
from sr_templates.band import Call
from sr_templates.capture_view import CaptureSlice, Legend
from sr_templates.colour_map import colours, opacity
from sr_templates.envelope import RESEARCH_USE
from sr_templates.pen import Pen
from sr_templates.probability import UNTRAINED, percent_text

_BANNER = 34


def draw_header(pen: Pen, legend: Legend, *, width: int, margin: int) -> None:
    """The strip that says what the picture may be used for, and the nodule's name."""
    if legend.trained:
        pen.box((0, 0, width, _BANNER), fill=ink.RAISED)
        pen.text((margin, 22), RESEARCH_USE, size=15, colour=ink.QUIET)
    else:
        pen.box((0, 0, width, _BANNER), fill=ink.AMBER)
        pen.text((margin, 23), UNTRAINED, size=18, colour=ink.GROUND, bold=True)
        pen.text((width - margin, 22), RESEARCH_USE, size=15, colour=ink.GROUND, anchor="rs")
    length = pen.text((margin, 76), legend.tracking_id, size=28, width=400)
    if legend.diameter_mm is not None:
        size = f"{legend.diameter_mm:.1f} mm"
        pen.text((margin + length + 14, 76), size, size=18, colour=ink.QUIET)


def draw_progress(
    pen: Pen, this: CaptureSlice, numbers: Sequence[int], total: int, *, key: bool, right: int
) -> None:
    """Which slice this is: in words, and as one of the marks beneath them."""
    words = f"at {this.position_mm:.1f} mm  ·  slice {this.number} of {total}"
    if this.instance_number is not None:
        words = f"CT image {this.instance_number}  ·  {words}"
    pen.text((right, 67), words, size=17, anchor="rs")
    step = min(14, 420 // len(numbers))
    left = right - step * len(numbers) + 3
    for place, number in enumerate(numbers):
        x = left + place * step
        here = number == this.number
        pen.box((x, 77, x + step - 4, 80), fill=ink.TEAL if here else ink.LINE)
    if key:
        pen.text((left - 10, 83), "key slice", size=13, colour=ink.TEAL, anchor="rs")


def draw_key(
    pen: Pen, corner: tuple[int, int], size: int, *, outlined: bool, flat: Collection[str]
) -> None:
    """What the colours and lines mean."""
    x, y = corner
    pen.text((x, y - 8), "Grad-CAM", size=15)
    bar, bar_height = 18, size - 94
    values = np.linspace(1, 0, bar_height, dtype=np.float32)
    cover = opacity(values)[:, None]
    shades = colours(values) * cover + np.array(ink.RAISED) * 2.0 * (1 - cover)
    for row, shade in enumerate(shades):
        red, green, blue = (int(channel) for channel in shade.round())
        pen.box((x, y + row, x + bar, y + row), fill=(red, green, blue))
    pen.box((x - 1, y - 1, x + bar + 1, y + bar_height), outline=ink.LINE)
    words = {0.0: "1  most", 0.5: "0.5", 1.0: "0  least"}
    for share, word in words.items():
        middle = y + share * (bar_height - 1)
        pen.box((x + bar + 2, middle, x + bar + 6, middle), fill=ink.QUIET)
        anchor = {0.0: "lt", 1.0: "lb"}.get(share, "lm")
        pen.text((x + bar + 12, middle), word, size=13, colour=ink.QUIET, anchor=anchor)
    notes = ["where the network looked,", "each scale by its own maximum"]
    if flat:
        names = " and ".join(sorted(flat))
        notes += [f"{names}: no depth axis,", "the same map on every slice"]
    if outlined:
        pen.box((x + 92, y + 8, x + 112, y + 9), fill=ink.TEAL)
        pen.text((x + 118, y + 13), "nodule as marked", size=13, colour=ink.QUIET)
    baseline = y + bar_height + 22
    for note in notes:
        pen.text((x, baseline), note, size=13, colour=ink.QUIET, width=size)
        baseline += 19


def draw_result(pen: Pen, legend: Legend, *, top: int, margin: int, width: int) -> None:
    """Probability and band on the left; the model and the notes on the right."""
    tone = _tone(legend)
    number = percent_text(legend.probability)
    length = pen.text((margin, top + 66), number, size=52, colour=tone)
    left = margin + length + 20
    pen.text((left, top + 42), "probability of malignancy", size=17)
    call_tone = tone if legend.trained else ink.AMBER
    pen.text((left, top + 66), _call_in_words(legend), size=15, colour=call_tone)

    bar_left, bar_right, bar_top = margin, margin + 480, top + 86
    pen.box((bar_left, bar_top, bar_right, bar_top + 10), fill=ink.RAISED)
    reach = bar_left + (bar_right - bar_left) * legend.probability
    filled = ink.QUIET if tone is ink.INK else tone  # the band's ends must show on it
    pen.box((bar_left, bar_top, reach, bar_top + 10), fill=filled)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = bar_left + share * (bar_right - bar_left)
        anchor = {0.0: "ls", 1.0: "rs"}.get(share, "ms")
        pen.text((x, bar_top + 30), f"{share * 100:.0f}", size=13, colour=ink.QUIET, anchor=anchor)
    if legend.band is not None and legend.trained:
        for end in (legend.band.low, legend.band.high):
            x = bar_left + end * (bar_right - bar_left)
            pen.box((x - 2, bar_top - 5, x + 2, bar_top + 15), fill=ink.GROUND)
            pen.box((x - 1, bar_top - 4, x + 1, bar_top + 14), fill=ink.INK)

    x = margin + 480 + 24
    pen.text((x, top + 42), f"{legend.model_name} {legend.model_version}", size=17, width=472)
    baseline = top + 66
    for note in legend.notes:
        for line in pen.lines(note, size=14, width=width - margin - x):
            if baseline <= top + 136:
                pen.text((x, baseline), line, size=14, colour=ink.QUIET)
            baseline += 20


def _tone(legend: Legend) -> ink.Colour:
    if not legend.trained:
        return ink.QUIET
    above = legend.band is not None and legend.band.call(legend.probability) is Call.ABOVE
    return ink.CORAL if above else ink.INK  # no colour reassures


def _call_in_words(legend: Legend) -> str:
    if not legend.trained:
        return UNTRAINED
    if legend.band is None:
        return "no call: the model states no threshold"
    return legend.band.in_words(legend.probability)
