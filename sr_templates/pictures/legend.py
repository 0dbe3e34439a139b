"""The words and scales around the pictures: banner, name and place, limits, result, model."""

from collections.abc import Sequence
from dataclasses import replace

from sr_templates.band import Call
from sr_templates.envelope import RESEARCH_USE
from sr_templates.pictures import layout
from sr_templates.pictures import pen as ink
from sr_templates.pictures.capture_view import CaptureSlice, Legend
from sr_templates.pictures.pen import Pen
from sr_templates.probability import UNTRAINED, percent_text, told_range
from sr_templates.spoken import image_in_words, lung_in_words, measured_in_words, size_in_words

REST_IN_REPORT = "... the report says the rest"
"""Stands where there are more words than room."""


def draw_banner(pen: Pen, *, trained: bool) -> None:
    """The strip that says what the picture may be used for."""
    width, middle = layout.WIDTH, layout.WIDTH / 2
    pen.box((0, 0, width, layout.BANNER), fill=ink.RAISED if trained else ink.AMBER)
    if trained:
        pen.text((middle, 21), RESEARCH_USE, size=15, colour=ink.QUIET, anchor="ms")
        return
    loud, quiet = pen.length(UNTRAINED, 19), pen.length(RESEARCH_USE, 14)
    left = middle - (loud + 18 + quiet) / 2
    pen.text((left, 23), UNTRAINED, size=19, colour=ink.GROUND, bold=True)
    pen.text((left + loud + 18, 22), RESEARCH_USE, size=14, colour=ink.GROUND)


def draw_header(pen: Pen, legend: Legend) -> None:
    """Banner; name, side and size; the limits beneath them."""
    draw_banner(pen, trained=legend.trained)
    left = layout.CENTRE_LEFT
    pen.text((left, 57), legend.tracking_id, size=23, width=300)
    pen.text((left, 75), first_line(legend), size=14, colour=ink.QUIET, width=390)
    if legend.limits:
        lines = pen.lines(limits_line(legend), size=14, width=layout.RIGHT - layout.LEFT)
        draw_lines(pen, lines, (layout.LEFT, 95), size=14, step=17, last=112, colour=ink.AMBER)


def limits_line(legend: Legend) -> str:
    """What the number must be read with, in one line; empty if nothing limits it."""
    limits = "; ".join(limit.rstrip(".") for limit in legend.limits)
    return f"Limits: {limits}" if limits else ""


def first_line(legend: Legend) -> str:
    """Side and size: "right lung, 12 x 9 mm, mean 11 mm"."""
    size = size_in_words(legend.measurements) or marked_size(legend.diameter_mm)
    return ", ".join(part for part in (lung_in_words(legend.location), size) if part)


def marked_size(diameter_mm: float | None) -> str:
    """What the mark itself gives, where nothing was measured."""
    return "" if diameter_mm is None else f"marked as {diameter_mm:.0f} mm"


def image_text(legend: Legend, image_number: int | None, *, position_mm: float) -> str:
    """ "Se 4, Im 43 / 133", as a PACS shows it; where the CT has no such number, the position."""
    shown = image_in_words(replace(legend.location, image_number=image_number))
    if shown:
        return shown
    place = legend.location
    series = "" if place.series_number is None else f"Se {place.series_number}, "
    return f"{series}at {position_mm:.1f} mm"


def draw_place(pen: Pen, legend: Legend, this: CaptureSlice, beneath: str) -> None:
    """Which image this is, in the header's right half."""
    text = image_text(legend, this.image_number, position_mm=this.position_mm)
    pen.text((layout.CENTRE_RIGHT, 57), text, size=19, anchor="rs")
    pen.text((layout.CENTRE_RIGHT, 75), beneath, size=13, colour=ink.TEAL, anchor="rs")


def draw_progress(pen: Pen, here: int, slices: int) -> None:
    """Which of the pages this is: a mark for each, beneath its number."""
    step = min(12, 160 // max(slices, 1))
    left = layout.CENTRE_RIGHT - step * slices + 3
    for place in range(slices):
        x = left + place * step
        pen.box((x, 70, x + step - 4, 72), fill=ink.TEAL if place == here else ink.LINE)


def draw_result(pen: Pen, legend: Legend) -> None:
    """Probability and band on the left; sizes and notes on the right."""
    tone, top, left = tone_of(legend), layout.RESULT_TOP, layout.LEFT
    length = pen.text((left, top + 48), percent_text(legend.probability), size=44, colour=tone)
    x = left + length + 16
    pen.text((x, top + 26), "probability of malignancy", size=16)
    call_tone = tone if legend.trained else ink.AMBER
    pen.text((x, top + 47), call_in_words(legend), size=13, colour=call_tone)
    lines = pen.lines(legend.meaning, size=12, width=layout.LARGE)
    draw_lines(pen, lines, (left, top + 65), size=12, step=14, last=top + 79, colour=ink.QUIET)
    draw_bar(pen, legend, left=left, right=left + layout.LARGE, top=top + 88)

    x = layout.SECOND
    baseline = top + 26
    told = measured_in_words(legend.measurements)
    for line in pen.lines(told, size=14, width=layout.RIGHT - x) if told else []:
        pen.text((x, baseline), line, size=14, width=layout.RIGHT - x)
        baseline += 18
    notes = [
        line for note in legend.notes for line in pen.lines(note, size=13, width=layout.RIGHT - x)
    ]
    draw_lines(pen, notes, (x, baseline), size=13, step=17, last=top + 106, colour=ink.QUIET)


def draw_footer(pen: Pen, legend: Legend, *, pages: str) -> None:
    """The model, the revision and what the frames are, between the lower corners."""
    middle, top = layout.WIDTH / 2, layout.FOOTER_TOP
    pen.text((middle, top + 20), model_and_revision(legend), size=14, anchor="ms", width=600)
    pen.text((middle, top + 40), pages, size=13, colour=ink.QUIET, anchor="ms", width=600)


def model_and_revision(legend: Legend) -> str:
    """ "M3Net small 1.1, revision 2 of 28 Nov 2026 03:05"."""
    when = "" if legend.at is None else f" of {legend.at.day} {legend.at:%b %Y %H:%M}"
    return f"{legend.model_name} {legend.model_version}, revision {legend.revision}{when}"


def draw_lines(
    pen: Pen,
    lines: Sequence[str],
    at: tuple[float, float],
    *,
    size: int,
    step: float,
    last: float,
    colour: ink.Colour,
) -> float:
    """Write the lines down to the baseline `last`; what has no room is named.  Returns the next."""
    x, baseline = at
    for number, line in enumerate(lines):
        if baseline + step > last and number + 1 < len(lines):
            pen.text((x, baseline), REST_IN_REPORT, size=size, colour=colour)
            return baseline + step
        pen.text((x, baseline), line, size=size, colour=colour)
        baseline += step
    return baseline


def draw_bar(pen: Pen, legend: Legend, *, left: float, right: float, top: float) -> None:
    """The probability as a bar with its scale beneath, and the ends of the band.

    No more exact than the words: of "> 95 %" the last twentieth is filled faintly.
    """
    tone = tone_of(legend)
    pen.box((left, top, right, top + 8), fill=ink.RAISED)
    filled = ink.QUIET if tone is ink.INK else tone  # the band's ends must show on it
    sure, at_most = (left + (right - left) * end for end in told_range(legend.probability))
    if at_most > sure:
        red, green, blue = ((a + b) // 2 for a, b in zip(filled, ink.RAISED, strict=True))
        pen.box((sure, top, at_most, top + 8), fill=(red, green, blue))
    if sure > left:
        pen.box((left, top, sure, top + 8), fill=filled)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + share * (right - left)
        anchor = {0.0: "ls", 1.0: "rs"}.get(share, "ms")
        pen.text((x, top + 21), f"{share * 100:.0f}", size=12, colour=ink.QUIET, anchor=anchor)
    if legend.band is not None and legend.trained:
        for end in (legend.band.low, legend.band.high):
            x = left + end * (right - left)
            pen.box((x - 2, top - 4, x + 2, top + 12), fill=ink.GROUND)
            pen.box((x - 1, top - 3, x + 1, top + 11), fill=ink.INK)


def tone_of(legend: Legend) -> ink.Colour:
    """The colour of the number: above the band it warns, and no colour reassures."""
    if not legend.trained:
        return ink.QUIET
    above = legend.band is not None and legend.band.call(legend.probability) is Call.ABOVE
    return ink.CORAL if above else ink.INK


def call_in_words(legend: Legend) -> str:
    """On which side of the band the probability lies, or why no call is made."""
    if not legend.trained:
        return UNTRAINED
    if legend.band is None:
        return "no call: the model states no threshold"
    return legend.band.in_words(legend.probability)
