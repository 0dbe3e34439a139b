"""What the number rests on: how much on images and on measurements, and on which of these."""

from collections.abc import Collection

from sr_templates.pictures import layout
from sr_templates.pictures import pen as ink
from sr_templates.pictures.capture_view import Grounds, Legend
from sr_templates.pictures.pen import Pen

MOST = 5
"""Measurements that are drawn."""

_AXIS = layout.RIGHT - 110
_REACH = 70
"""Pixels from the axis to the longest bar's end."""

_STEP = 18


def draw_grounds(pen: Pen, legend: Legend) -> None:
    """Bars in log odds, which add up to the number's, and the strongest measurements."""
    x, baseline = layout.SECOND, layout.BARS_TOP + 12
    grounds = legend.grounds
    part = grounds is not None and grounds.of_part
    of = " (of the part that was imaged)" if part else ""
    pen.text((x, baseline), f"What the number rests on{of}", size=14)
    if not legend.trained or grounds is None:
        why = (
            "nothing: the networks are untrained"
            if not legend.trained
            else "on images alone: this model takes no measurements"
        )
        pen.text((x, baseline + _STEP), why, size=13, colour=ink.QUIET)
        return
    pen.text((_AXIS - 6, baseline), "less", size=12, colour=ink.QUIET, anchor="rs")
    pen.text((_AXIS + 6, baseline), "more suspicious", size=12, colour=ink.QUIET)
    parts = {"images and outline" if grounds.bars else "images and mark": grounds.images}
    if grounds.appearance is not None:
        parts["appearance on slices"] = grounds.appearance
    parts["measurements in all"] = grounds.measurements
    longest = max(0.1, *map(abs, parts.values()))
    for words, effect in parts.items():
        baseline += _STEP
        share = _share(effect, parts.values())
        row(pen, baseline, words, share, effect / longest, f"{effect:+.1f}")
    baseline += _STEP + 6
    if grounds.estimate is None or grounds.of_usual is None or not grounds.bars:
        text = "no single measurements: they need an outline"
        pen.text((x, baseline), text, size=13, colour=ink.QUIET)
        return
    _draw_bars(pen, grounds, grounds.estimate, grounds.of_usual, baseline)


def _draw_bars(
    pen: Pen, grounds: Grounds, estimate: float, of_usual: float, baseline: float
) -> None:
    x = layout.SECOND
    text = (
        f"Measurements alone say {100 * estimate:.0f} %, "
        f"of a median nodule {100 * of_usual:.0f} %. The strongest, in points:"
    )
    pen.text((x, baseline), text, size=12, colour=ink.QUIET, width=layout.RIGHT - x)
    strongest = list(grounds.bars[:MOST])
    longest = max((abs(bar.effect) for bar in strongest), default=0.0) or 1.0
    for bar in strongest:
        baseline += _STEP
        points = f"{100 * bar.effect:+.0f}"
        row(pen, baseline, bar.words, bar.detail, bar.effect / longest, points)


def row(pen: Pen, baseline: float, words: str, detail: str, share: float, number: str) -> None:
    """One bar to the right (more suspicious) or to the left of the axis, with its words.

    share : of the longest bar, in [-1, 1]
    """
    x = layout.SECOND
    length = pen.text((x, baseline), words, size=13)
    room = _AXIS - _REACH - 8 - (x + length + 8)
    pen.text((x + length + 8, baseline), detail, size=12, colour=ink.QUIET, width=room)
    end = _AXIS + share * _REACH
    tone = ink.CORAL if share > 0 else ink.QUIET
    pen.box((min(_AXIS, end), baseline - 9, max(_AXIS, end), baseline), fill=tone)
    pen.box((_AXIS, baseline - 12, _AXIS, baseline + 3), fill=ink.INK)
    pen.text((layout.RIGHT, baseline), number, size=13, anchor="rs")


def _share(effect: float, parts: Collection[float]) -> str:
    """How much of the log odds it is, where all parts point the same way."""
    if min(parts) <= 0 <= max(parts):
        return "log odds"
    return f"{100 * effect / sum(parts):.0f} % of the log odds"
