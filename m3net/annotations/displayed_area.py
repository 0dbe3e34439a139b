"""The displayed area of a presentation state (PS3.3 C.10.4, C.10.6), as a unit of its graphics.

Its corners are pixels counted from 1, as they stand after rotation and flip; some writers count
them from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.attributes import integer, items, points, text
from m3net.annotations.image_references import frames_named
from m3net.annotations.types import Planes
from m3net.errors import NoduleUnusable
from m3net.uids import FrameReference

_QUARTER_TURNS = (90, 270)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedArea:
    """The part of an image that is shown: its corner pixels as displayed, and how it is turned.

    size : (columns, rows) of the image, where it is known
    """

    top_left: tuple[float, float]
    bottom_right: tuple[float, float]
    rotation: int
    flipped: bool
    size: tuple[int, int] | None

    def to_pixels(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) shares of the area's width and height as displayed -> (column, row).

        Raises NoduleUnusable if the corners contradict the turn.
        """
        begin, end = self._edges()
        across = shares[:, ::-1] if self.rotation in _QUARTER_TURNS else shares
        placed: NDArray[np.float64] = begin + across * (end - begin)
        return placed

    def _edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The area's outer edges, (column, row) each, where its display begins and ends."""
        first, last = np.array(self.top_left), np.array(self.bottom_right)
        forward = last >= first
        if not np.array_equal(forward, self._turned()):
            raise NoduleUnusable(
                "it is drawn in units of a displayed area whose corners contradict its rotation "
                "or flip"
            )
        if np.all(np.minimum(first, last) == 0):
            # Counted from 0, against PS3.3 C.10.4; the end is the last pixel, or the edge behind.
            extent = np.maximum(first, last)
            whole = extent if self.size and np.any(extent >= self.size) else extent + 1
            return np.where(forward, 0, whole), np.where(forward, whole, 0)
        return np.where(forward, first - 1, first), np.where(forward, last, last - 1)

    def _turned(self) -> tuple[bool, bool]:
        """Whether column and row grow from the displayed top left to the bottom right."""
        turned = {0: (True, True), 90: (True, False), 180: (False, False), 270: (False, True)}
        column, row = turned[self.rotation]
        if not self.flipped:
            return column, row
        # The display's left and right change places: the axis that runs across it turns round.
        return (column, not row) if self.rotation in _QUARTER_TURNS else (not column, row)


def displayed_area(
    dataset: Dataset, images: Sequence[FrameReference], planes: Planes
) -> DisplayedArea | None:
    """The displayed area of the first of these images; None if none is given whole."""
    known = [(plane.columns, plane.rows) for plane in planes.named(images[0]).values()]
    for area in items(dataset, "DisplayedAreaSelectionSequence"):
        named = [
            frame
            for image in items(area, "ReferencedImageSequence")
            for frame in frames_named(image)
        ]
        of_image = {frame.sop_instance_uid for frame in named}
        if named and images[0].sop_instance_uid not in of_image:
            continue
        corners = [
            points(area, f"DisplayedArea{corner}HandCorner", width=2)
            for corner in ("TopLeft", "BottomRight")
        ]
        rotation = (integer(dataset, "ImageRotation") or 0) % 360
        if any(len(corner) != 1 for corner in corners) or rotation % 90:
            return None
        (left, top), (right, bottom) = corners[0][0].tolist(), corners[1][0].tolist()
        return DisplayedArea(
            top_left=(left, top),
            bottom_right=(right, bottom),
            rotation=rotation,
            flipped=text(dataset, "ImageHorizontalFlip").upper() == "Y",
            size=known[0] if known else None,
        )
    return None
