"""How a client wants an image to be seen: window, viewport, quality (PS3.18 8.3.5.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import get_args

from PIL import Image

from node.dicom.retrieval import MOST_PIXELS_A_SIDE
from node.web.dicomweb.rendered_grey import Function, Window
from node.web.problems import Problem

THUMBNAIL_PIXELS = 256
_QUALITY = 90
_NUMBER = re.compile(r"[+-]?(\d{1,10}\.?\d{0,6}|\.\d{1,6})([eE][+-]?\d)?")
_FUNCTIONS: Mapping[str, Function] = {
    name.lower().replace("_", "-"): name for name in get_args(Function)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is asked for, all of it sound.

    within : (width, height) in pixels that the picture has to fit into; None: as the image is
    region : (x, y, width, height) of the image; of a negative size it is turned round; None: all
    grows  : whether a smaller image is enlarged
    """

    window: Window | None
    within: tuple[int, int] | None
    region: tuple[float, float, float, float] | None
    quality: int
    grows: bool

    def seen(self, picture: Image.Image) -> Image.Image:
        """The picture so.  Raises Problem(400) if the region lies beside it."""
        if self.region is not None:
            picture = _cut(picture, self.region)
        if self.within is None:
            return picture
        scale = min(self.within[0] / picture.width, self.within[1] / picture.height)
        if scale == 1 or (scale > 1 and not self.grows):
            return picture
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        return picture.resize(size, Image.Resampling.BILINEAR)


def view_of(query: Mapping[str, str], *, thumbnail: bool) -> View:
    """What the parameters say; those that are not known are not heeded.

    Raises Problem(400) if one of them makes no sense.
    """
    within, region = _viewport(query.get("viewport"))
    if thumbnail and within is None:
        within = THUMBNAIL_PIXELS, THUMBNAIL_PIXELS
    return View(
        window=_window(query.get("window")),
        within=within,
        region=region,
        quality=_quality(query.get("quality")),
        grows=not thumbnail,
    )


def _window(text: str | None) -> Window | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    function = _FUNCTIONS.get(parts[2].lower().replace("_", "-")) if len(parts) == 3 else "LINEAR"
    numbers = len(parts) in (2, 3) and all(_NUMBER.fullmatch(part) for part in parts[:2])
    if numbers and function is not None:
        found = Window(center=float(parts[0]), width=float(parts[1]), function=function)
        if found.is_sound:
            return found
    raise _senseless("window", "center,width,linear (or linear-exact, sigmoid), the width above 0")


def _viewport(
    text: str | None,
) -> tuple[tuple[int, int] | None, tuple[float, float, float, float] | None]:
    """Size and region; each number of the region may be left empty."""
    if text is None:
        return None, None
    parts = [part.strip() for part in text.split(",")]
    sound = len(parts) in (2, 6) and all(
        _NUMBER.fullmatch(part) or (not part and at >= 2) for at, part in enumerate(parts)
    )
    if not sound:
        raise _senseless("viewport", "width,height or width,height,x,y,width,height")
    width, height = (int(float(part)) for part in parts[:2])
    if not (1 <= width <= MOST_PIXELS_A_SIDE and 1 <= height <= MOST_PIXELS_A_SIDE):
        raise _senseless("viewport", f"1 to {MOST_PIXELS_A_SIDE} pixels a side")
    if len(parts) == 2:
        return (width, height), None
    x, y = (float(part or 0) for part in parts[2:4])
    across, down = (float(part or "inf") for part in parts[4:6])
    return (width, height), (x, y, across, down)


def _cut(picture: Image.Image, region: tuple[float, float, float, float]) -> Image.Image:
    x, y, across, down = region
    left, top = max(0, int(x)), max(0, int(y))
    right = int(min(picture.width, x + abs(across)))
    bottom = int(min(picture.height, y + abs(down)))
    if left >= right or top >= bottom:
        raise _senseless("viewport", "a region that lies in the image")
    picture = picture.crop((left, top, right, bottom))
    if across < 0:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if down < 0:
        picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return picture


def _quality(text: str | None) -> int:
    if text is None:
        return _QUALITY
    if not re.fullmatch(r"\d{1,3}", text) or not 1 <= int(text) <= 100:
        raise _senseless("quality", "1 to 100")
    return int(text)


def _senseless(name: str, expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"{name} cannot be read; expected {expected}")
