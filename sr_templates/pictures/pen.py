"""Writing and drawing on a picture: one typeface, one palette."""

import unicodedata
from collections.abc import Mapping
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

GROUND: Colour = (14, 17, 22)
RAISED: Colour = (28, 33, 41)
LINE: Colour = (58, 66, 78)
INK: Colour = (238, 241, 245)
QUIET: Colour = (160, 170, 183)
TEAL: Colour = (84, 222, 204)
AMBER: Colour = (255, 184, 46)
CORAL: Colour = (245, 133, 84)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow is built without FreeType: install the official wheel")
    return font


@cache
def _has(letter: str) -> bool:
    font = _font(32)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\ufffe"))


def writable(text: str) -> str:
    """`text` in letters that the typeface has; accents are dropped, what is left is "?"."""
    folded = unicodedata.normalize("NFKD", " ".join(text.split()))
    kept = (letter for letter in folded if not unicodedata.combining(letter))
    return "".join(letter if letter == " " or _has(letter) else "?" for letter in kept)


class Pen:
    """Draws on an image; places are pixels from its upper left corner."""

    def __init__(self, image: Image.Image) -> None:
        self._draw = ImageDraw.Draw(image)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        *,
        size: int,
        colour: Colour = INK,
        anchor: str = "ls",
        width: float | None = None,
        hem: bool = False,
        bold: bool = False,
    ) -> float:
        """Write one line, shortened with "..." to `width`; returns its length.

        anchor : Pillow's, "ls" is left on the baseline
        hem    : a dark rim, for text on pictures
        """
        text = writable(text)
        while width is not None and len(text) > 4 and self.length(text, size) > width:
            text = text[:-4].rstrip() + "..."
        stroke = 2 if hem else 0
        if hem:
            self._draw.text(
                at,
                text,
                fill=GROUND,
                font=_font(size),
                anchor=anchor,
                stroke_width=stroke,
                stroke_fill=GROUND,
            )
        weight = 0.5 if bold else 0
        self._draw.text(
            at,
            text,
            fill=colour,
            font=_font(size),
            anchor=anchor,
            stroke_width=weight,
            stroke_fill=colour,
        )
        return self.length(text, size)

    def length(self, text: str, size: int) -> float:
        """Length of one line in pixels."""
        return _font(size).getlength(text)

    def lines(self, text: str, *, size: int, width: float) -> list[str]:
        """`text` broken at its spaces into lines of at most `width` pixels."""
        broken: list[str] = []
        for word in writable(text).split():
            longer = f"{broken[-1]} {word}" if broken else word
            if broken and self.length(longer, size) <= width:
                broken[-1] = longer
            else:
                broken.append(word)
        return broken

    def box(
        self,
        corners: tuple[float, float, float, float],
        *,
        fill: Colour | None = None,
        outline: Colour | None = None,
    ) -> None:
        """A rectangle; the last row and column belong to it."""
        self._draw.rectangle(corners, fill=fill, outline=outline)

    def corner_marks(self, corners: tuple[float, float, float, float], *, colour: Colour) -> None:
        """The four corners of a field, each an angle of a few pixels."""
        x0, y0, x1, y1 = (round(value) for value in corners)
        reach = max(6, (x1 - x0) // 9)
        for x, y, dx, dy in ((x0, y0, 1, 1), (x1, y0, -1, 1), (x0, y1, 1, -1), (x1, y1, -1, -1)):
            for hem, fill in ((1, GROUND), (0, colour)):
                self._draw.line(
                    [(x + dx * reach, y + hem), (x + hem, y + hem), (x + hem, y + dy * reach)],
                    fill=fill,
                )

    def edge_letters(
        self, corner: tuple[float, float], panel: float, edges: Mapping[str, str], *, size: int
    ) -> None:
        """Letters in the middle of a panel's edges: "left", "right", "top", "bottom"."""
        (x, y), inset, middle = corner, min(7.0, panel / 25), panel / 2
        places = {
            "left": ((x + inset, y + middle), "lm"),
            "right": ((x + panel - inset, y + middle), "rm"),
            "top": ((x + middle, y + inset), "mt"),
            "bottom": ((x + middle, y + panel - inset), "mb"),
        }
        for edge, letters in edges.items():
            place, anchor = places[edge]
            self.text(place, letters, size=size, anchor=anchor, hem=True)

    def ruler(self, end: tuple[float, float], *, length: float, label: str, size: int) -> None:
        """A horizontal ruler whose right end is at `end`, with its length written above."""
        x1, y = round(end[0]), round(end[1])
        x0 = round(end[0] - length)
        for grow, fill in ((1, GROUND), (0, INK)):
            self._draw.rectangle((x0 - grow, y - grow, x1 + grow, y + 1 + grow), fill=fill)
            for x in (x0, x1):
                self._draw.rectangle(
                    (x - grow, y - 4 - grow, x + 1 + grow, y + 5 + grow), fill=fill
                )
        self._draw.rectangle((x0, y, x1, y + 1), fill=INK)
        self.text(((x0 + x1) / 2, y - 9), label, size=size, anchor="ms", hem=True)
