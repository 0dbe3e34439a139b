"""The geometry of a CT series from its slices' planes, without a pixel."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3net.annotations.types import SlicePlane
from m3net.ct.layout import lay_out
from m3net.ct.stack import JITTER_MM
from m3net.errors import SeriesUnusable
from m3net.nodule import Point
from m3net.uids import FrameKey, FrameOfReferenceUID, FrameReference
from node.core.inputs import InstanceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesGeometry:
    """What the planes of a series' volume say together.

    slices         : in the volume; of a series that makes none, all of the usual orientation
    spacing_mm     : step along the normal, the median if the series makes no volume; None for a
                     single slice
    missing_slices : whole steps without a slice inside the scan; 0 if the series makes no volume,
                     for then no slice that may still come would mend it
    """

    frame_of_reference_uid: FrameOfReferenceUID
    slices: int
    spacing_mm: float | None
    missing_slices: int
    _normal: NDArray[np.float64]
    _heights_mm: tuple[float, float]
    _corner_mm: NDArray[np.float64]
    _axes: NDArray[np.float64]
    _size_mm: tuple[float, float]

    def covers(self, point_mm: Point) -> bool:
        """Whether an LPS point lies between the outer faces of the outer voxels."""
        point = np.asarray(point_mm)
        margin = (self.spacing_mm or 0.0) / 2 + JITTER_MM
        height = float(point @ self._normal)
        low, high = self._heights_mm
        along = self._axes @ (point - self._corner_mm)
        return (
            low - margin <= height <= high + margin
            and bool(np.all(along >= 0))
            and bool(np.all(along <= self._size_mm))
        )


def geometry_of(
    slices: Sequence[InstanceFacts], *, marked: Collection[FrameReference] = ()
) -> SeriesGeometry | None:
    """The geometry of one series' slices; None if no header holds a position.

    marked : what annotations draw on; it decides between two acquisitions in one series
    """
    planes = {
        FrameKey(facts.sop_instance_uid, number): plane
        for facts in slices
        for number, plane in facts.planes.items()
    }
    if not planes:
        return None
    unplaced = {
        key: f"slice {facts.sop_instance_uid} has no place"
        for facts in slices
        if not facts.planes
        for key in facts.frames()
    }
    try:
        layout = lay_out(planes, marked=marked, unplaced=unplaced)
    except SeriesUnusable:
        return _of_no_volume(list(planes.values()))
    kept = [planes[key] for key in layout.frames]
    return _of_planes(
        kept,
        spacing_mm=float(layout.stack.step_mm @ layout.normal),
        missing=layout.depth - len(layout.frames),
        frame_of_reference_uid=layout.plane.frame_of_reference_uid,
    )


def _of_no_volume(planes: Sequence[SlicePlane]) -> SeriesGeometry:
    directions = Counter((_rounded(p.row_direction), _rounded(p.col_direction)) for p in planes)
    usual = min(directions, key=lambda key: (-directions[key], key))
    kept = [p for p in planes if (_rounded(p.row_direction), _rounded(p.col_direction)) == usual]
    normal = np.cross(kept[0].row_direction, kept[0].col_direction)
    gaps = np.diff(np.sort([np.dot(plane.position_mm, normal) for plane in kept]))
    apart = gaps[gaps > JITTER_MM]
    spacing_mm = float(np.median(apart)) if len(apart) else None
    return _of_planes(kept, spacing_mm=spacing_mm, missing=0)


def _of_planes(
    planes: Sequence[SlicePlane],
    *,
    spacing_mm: float | None,
    missing: int,
    frame_of_reference_uid: FrameOfReferenceUID | None = None,
) -> SeriesGeometry:
    first = planes[0]
    axes = np.array([first.row_direction, first.col_direction])
    normal = np.cross(axes[0], axes[1])
    heights = [float(np.dot(plane.position_mm, normal)) for plane in planes]
    rows_mm, columns_mm = first.spacing_mm
    return SeriesGeometry(
        frame_of_reference_uid=frame_of_reference_uid or first.frame_of_reference_uid,
        slices=len(planes),
        spacing_mm=spacing_mm,
        missing_slices=missing,
        _normal=normal,
        _heights_mm=(min(heights), max(heights)),
        _corner_mm=np.array(first.position_mm) - (axes[0] * columns_mm + axes[1] * rows_mm) / 2,
        _axes=axes,
        _size_mm=(first.columns * columns_mm, first.rows * rows_mm),
    )


def slice_count(images: Sequence[InstanceFacts]) -> int:
    """How many slices the images of a series hold: its images, or the frames of one."""
    return sum(len(facts.frames()) for facts in images)


def _rounded(direction: Point) -> tuple[float, ...]:
    return tuple(round(component, 2) for component in direction)
