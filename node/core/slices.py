"""The geometry of a CT series from its slices' planes, without a pixel."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3net.nodule import Point
from m3net.stack import JITTER_MM, IrregularStack, fit_stack
from m3net.uids import FrameOfReferenceUID
from node.core.inputs import InstanceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesGeometry:
    """What a series' planes say together; planes of another orientation are left out.

    slices         : distinct positions along the normal
    spacing_mm     : median step along the normal; None for a single slice
    missing_slices : whole steps without a slice inside the scan; 0 if the steps are irregular, for
                     then no slice that may still come would mend it
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


def geometry_of(slices: Sequence[InstanceFacts]) -> SeriesGeometry | None:
    """The geometry of one series' slices; None if no header holds a position."""
    planes = [plane for facts in slices for plane in facts.planes.values()]
    if not planes:
        return None
    directions = Counter(
        (_rounded(plane.row_direction), _rounded(plane.col_direction)) for plane in planes
    )
    usual = min(directions, key=lambda key: (-directions[key], key))
    planes = [
        plane
        for plane in planes
        if (_rounded(plane.row_direction), _rounded(plane.col_direction)) == usual
    ]
    first = planes[0]
    axes = np.array([first.row_direction, first.col_direction])
    normal = np.cross(axes[0], axes[1])
    heights = np.array([np.dot(plane.position_mm, normal) for plane in planes])
    order = np.argsort(heights, kind="stable")
    kept = [int(order[0])]
    for index in order[1:]:
        if heights[index] - heights[kept[-1]] > JITTER_MM:
            kept.append(int(index))
    positions = np.array([planes[index].position_mm for index in kept])
    rows_mm, columns_mm = first.spacing_mm
    return SeriesGeometry(
        frame_of_reference_uid=first.frame_of_reference_uid,
        slices=len(kept),
        spacing_mm=float(np.median(np.diff(heights[kept]))) if len(kept) > 1 else None,
        missing_slices=_missing(positions, normal),
        _normal=normal,
        _heights_mm=(float(heights[kept[0]]), float(heights[kept[-1]])),
        _corner_mm=np.array(first.position_mm) - (axes[0] * columns_mm + axes[1] * rows_mm) / 2,
        _axes=axes,
        _size_mm=(first.columns * columns_mm, first.rows * rows_mm),
    )


def slice_count(images: Sequence[InstanceFacts]) -> int:
    """How many slices the images of a series hold: its images, or the frames of one."""
    return sum(len(facts.frames()) for facts in images)


def _missing(positions_mm: NDArray[np.float64], normal: NDArray[np.float64]) -> int:
    if len(positions_mm) < 2:
        return 0
    try:
        stack = fit_stack(positions_mm, normal)
    except IrregularStack:
        return 0
    return int(stack.numbers.max()) + 1 - len(positions_mm)


def _rounded(direction: Point) -> tuple[float, ...]:
    return tuple(round(component, 2) + 0.0 for component in direction)
