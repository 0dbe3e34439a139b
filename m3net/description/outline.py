"""How far a nodule's outline is from a convex one: its lobes and spikes, in 3D and in one slice."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from m3net.description.cubes import Cubes

OUTLINE = (
    "convexity",
    "hull_roundness",
    "slice_convexity",
    "slice_roundness",
    "slice_perimeter_to_hull",
    "log_slice_area_mm2",
)

SPHERE = 36 * np.pi
"""Surface cubed over volume squared."""


def measure_outline(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], cubes: Cubes
) -> NDArray[np.float64]:
    """The numbers of `OUTLINE`: (6,).

    mask : (Z, Y, X) on the CT's voxels of `spacing_mm`, along z, y, x
    """
    hull = _hull(cubes.inside)
    slice_ = mask[mask.sum(axis=(1, 2)).argmax()]
    _, row_mm, column_mm = spacing_mm
    slice_hull = _hull(slice_, (row_mm, column_mm))
    area = float(slice_.sum()) * row_mm * column_mm
    perimeter = _perimeter(slice_, row_mm=row_mm, column_mm=column_mm)
    return np.array(
        [
            cubes.inside.sum() / hull.volume,
            hull.area / (SPHERE ** (1 / 3) * hull.volume ** (2 / 3)),
            # of a hull in the plane, scipy calls the area volume and the perimeter area
            area / slice_hull.volume,
            4 * np.pi * area / perimeter**2,
            perimeter / slice_hull.area,
            np.log(area),
        ]
    )


def _hull(inside: NDArray[np.bool_], spacing_mm: tuple[float, ...] | None = None) -> ConvexHull:
    """Of the voxels' corners; of the outermost voxels alone, for the others change nothing."""
    border = inside & ~ndimage.binary_erosion(inside)
    dimensions = inside.ndim
    corners = np.indices((2,) * dimensions).reshape(dimensions, -1).T - 0.5
    points = (np.argwhere(border)[:, None] + corners).reshape(-1, dimensions)
    return ConvexHull(np.unique(points, axis=0) * np.array(spacing_mm or (1.0,) * dimensions))


def _perimeter(inside: NDArray[np.bool_], *, row_mm: float, column_mm: float) -> float:
    """Of a smooth figure that covers these pixels: pi / 4 of their edges' length (Crofton)."""
    padded = np.pad(inside, 1).astype(np.int8)
    across_rows, across_columns = (int(np.abs(np.diff(padded, axis=a)).sum()) for a in (0, 1))
    return (across_rows * column_mm + across_columns * row_mm) * np.pi / 4
