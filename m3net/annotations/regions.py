"""Spatial coordinates of a report as points in the patient, and what they outline.

SCOORD (PS3.3 C.18.6) is (column, row) on an image, (0, 0) being the outer corner of its first
pixel:  LPS = IPP + (column - 0.5) * column spacing * row direction
            + (row - 0.5) * row spacing * column direction.
SCOORD3D (PS3.3 C.18.9) is LPS in a frame of reference of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.components import outermost
from m3net.annotations.content_tree import ContentTree
from m3net.annotations.image_references import frames_named
from m3net.annotations.types import Planes, SlicePlane
from m3net.errors import NoduleUnusable
from m3net.nodule import Point
from m3net.uids import FrameOfReferenceUID, FrameReference, uid_in_words

ELLIPSE_POINTS = 72
CLOSED_MM = 0.1
"""An outline's last point is its first; this much is rounding."""
NO_LENGTH_MM = 1e-3
FLAT = 1e-3
"""Of its length; what is narrower has no area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One SCOORD or SCOORD3D, in LPS mm.

    shape     : the Standard's graphic type
    points_mm : (N, 3)
    encloses  : what is measured of it is an area's, so that its last point need not be its first
    """

    shape: str
    points_mm: NDArray[np.float64]
    frame_of_reference_uid: FrameOfReferenceUID
    encloses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What the regions of one nodule come to: outlines, or else a centre.

    diameter_mm : as drawn, None for outlines and bare points
    """

    contours_mm: tuple[NDArray[np.float64], ...] = ()
    centre_mm: Point | None = None
    diameter_mm: float | None = None


def images_of(tree: ContentTree, item: Dataset) -> list[FrameReference]:
    """The images, and the frames of them, that a SCOORD is selected from."""
    return [
        named
        for child in tree.children(item)
        if child.get("ValueType") == "IMAGE"
        for reference in child.get("ReferencedSOPSequence") or []
        for named in frames_named(reference)
    ]


def read_region(
    tree: ContentTree, item: Dataset, planes: Planes, *, encloses: bool = False
) -> Region:
    """The region in LPS mm.

    Raises NoduleUnusable if its image is unknown or its points make no sense.
    """
    shape = str(item.get("GraphicType") or "")
    flat = item.get("GraphicData")
    values = np.asarray([] if flat is None else flat, dtype=np.float64).ravel()
    width = 2 if item.ValueType == "SCOORD" else 3
    if not np.all(np.isfinite(values)):
        raise NoduleUnusable(f"its {shape} has a coordinate that is no finite number")
    if len(values) == 0 or len(values) % width:
        raise NoduleUnusable(
            f"its {shape} has {len(values)} coordinates, which is no list of points"
        )
    points = values.reshape(-1, width)
    if width == 3:
        frame = str(item.get("ReferencedFrameOfReferenceUID") or "")
        return Region(
            shape=shape,
            points_mm=points,
            frame_of_reference_uid=FrameOfReferenceUID(frame),
            encloses=encloses,
        )
    images = images_of(tree, item)
    if len(images) != 1:
        raise NoduleUnusable(f"its {shape} is drawn on {len(images)} images, expected one")
    plane = _plane_of(images[0], planes)
    return Region(
        shape=shape,
        points_mm=plane.to_mm(points),
        frame_of_reference_uid=plane.frame_of_reference_uid,
        encloses=encloses,
    )


def _plane_of(image: FrameReference, planes: Planes) -> SlicePlane:
    """The one plane that the reference names."""
    found = planes.named(image)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise NoduleUnusable(
            f"it is drawn on image {uid_in_words(image.sop_instance_uid)}, which has "
            f"{len(found)} frames, and on which of them is not said"
        )
    raise NoduleUnusable(planes.why_not(image))


def measure(regions: Sequence[Region]) -> Extent:
    """What the regions of one nodule come to.

    Outlines go before circles, circles before lines, lines before points.  A line or circle
    without length is a point.  Lines that enclose nothing, and several points, are refused: where
    the nodule ends, or which of the points is its centre, is not said.

    Raises NoduleUnusable.
    """
    outlines: list[NDArray[np.float64]] = []
    balls: list[tuple[NDArray[np.float64], float]] = []
    lines: list[NDArray[np.float64]] = []
    points: list[NDArray[np.float64]] = []
    for region in regions:
        p = region.points_mm
        match region.shape:
            case _ if len(p) > 1 and _length(p) < NO_LENGTH_MM:
                points.append(p[0])
            case "POLYLINE" | "POLYGON" if _is_area(p):
                if not (region.encloses or region.shape == "POLYGON" or _is_closed(p)):
                    raise NoduleUnusable(
                        f"its {region.shape} of {len(p)} points is open, and outlines nothing"
                    )
                outlines.append(p)
            case "POLYLINE" | "POLYGON" if len(p) > 1:
                lines.append(p)
            case "ELLIPSE" if len(p) == 4:
                outline = _ellipse(p)
                (outlines if _is_area(outline) else lines).append(outline)
            case "CIRCLE" if len(p) == 2:
                balls.append((p[0], 2 * float(np.linalg.norm(p[1] - p[0]))))
            case "ELLIPSOID" if len(p) == 6:
                axes = [float(np.linalg.norm(p[i + 1] - p[i])) for i in (0, 2, 4)]
                balls.append((p.mean(axis=0), max(axes)))
            case "POINT" if len(p) == 2:
                points.append(p[0])  # a viewer's arrow: its tip, then its tail
            case "POINT" | "MULTIPOINT" | "POLYLINE":
                points.extend(p)
            case _:
                raise NoduleUnusable(f"its {region.shape} has {len(p)} points")
    if outlines:
        return Extent(contours_mm=tuple(outlines))
    if balls:
        # One circle a slice: the largest shows where the nodule's middle is.
        centre, diameter = max(balls, key=lambda ball: ball[1])
        return Extent(centre_mm=_point(centre), diameter_mm=diameter)
    if lines:
        longest = max(lines, key=_length)
        return Extent(centre_mm=_point(_middle(longest)), diameter_mm=_length(longest))
    distinct = {_point(point) for point in points}
    if len(distinct) != 1:
        raise NoduleUnusable(
            f"it is marked by {len(distinct)} points, and which is its centre is not said"
        )
    return Extent(centre_mm=distinct.pop())


def _is_area(points: NDArray[np.float64]) -> bool:
    """Whether the points enclose an area; two points, or points in a row, are a line."""
    offsets = points - points.mean(axis=0)
    _, wide, long = np.linalg.eigvalsh(offsets.T @ offsets)  # the squares of their widths
    return bool(wide > FLAT**2 * long)


def _is_closed(points: NDArray[np.float64]) -> bool:
    return len(points) > 3 and bool(np.linalg.norm(points[0] - points[-1]) <= CLOSED_MM)


def _ellipse(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """An outline from the ends of the major, then of the minor axis."""
    centre = ends.mean(axis=0)
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)[:, None]
    major, minor = (ends[1] - ends[0]) / 2, (ends[3] - ends[2]) / 2
    outline: NDArray[np.float64] = centre + np.cos(angles) * major + np.sin(angles) * minor
    return outline


def _farthest(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = points[outermost(points)]
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    one, other = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return points[one], points[other]


def _length(points: NDArray[np.float64]) -> float:
    one, other = _farthest(points)
    return float(np.linalg.norm(one - other))


def _middle(points: NDArray[np.float64]) -> NDArray[np.float64]:
    one, other = _farthest(points)
    return (one + other) / 2


def _point(values: Iterable[float]) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
