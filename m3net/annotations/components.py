"""One marked mask as the separate lesions that it holds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.nodule import Mask, Point
from m3net.volume import transform

LEAST_VOLUME_MM3 = 4.0
"""A sphere of 2 mm: smaller pieces are slips of the brush, reported and not analysed."""

HALF = 0.5 - 1e-3
"""Of a voxel: outlines often run through voxels' centres, and are rounded in their own way each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One connected piece.

    diameter_mm : longest in-plane extent on the slice where its area is largest
    """

    mask: Mask
    centre_mm: Point
    volume_mm3: float
    diameter_mm: float


def split(
    voxels: NDArray[np.bool_],
    affine: NDArray[np.float64],
    *,
    share: NDArray[np.float64] | None = None,
) -> list[Component]:
    """The 26-connected pieces of a mask, the largest first.

    affine : (4, 4), index (z, y, x) -> LPS mm
    share  : how much of each voxel is covered, for a centre finer than the voxels; default: all
    """
    weights = voxels.astype(np.float64) if share is None else share
    labels, _ = ndimage.label(weights > 0, structure=np.ones((3, 3, 3)))
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    pieces = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = np.where(labels[box] == label, weights[box], 0.0)
        first = np.array([axis.start for axis in box])
        inside = own >= HALF
        if not inside.any():  # an outline smaller than a voxel: that voxel
            inside = own == own.max()
        at = affine.copy()
        at[:3, 3] = transform(affine, first)
        index = np.argwhere(own > 0)
        centre = np.average(index, axis=0, weights=own[own > 0])
        x, y, z = transform(at, centre).tolist()
        pieces.append(
            Component(
                mask=Mask(voxels=inside, affine=at),
                centre_mm=(x, y, z),
                volume_mm3=float(own.sum()) * voxel_mm3,
                diameter_mm=_diameter_mm(inside, at),
            )
        )
    return sorted(pieces, key=lambda piece: (-piece.volume_mm3, piece.centre_mm))


def _diameter_mm(voxels: NDArray[np.bool_], affine: NDArray[np.float64]) -> float:
    """Longest distance on the slice of largest area, between the middles of pixels' outer edges.

    A row of n pixels is n pixels long; the whole outer corners would overstate a slanted one.
    """
    plane = voxels[int(np.argmax(voxels.sum(axis=(1, 2))))]
    rim = np.argwhere([plane & ~ndimage.binary_erosion(plane)])
    steps = [[0, 0.5, 0], [0, -0.5, 0], [0, 0, 0.5], [0, 0, -0.5]]
    ends = np.concatenate([rim + step for step in steps])
    return longest(transform(affine, ends))


def longest(points: NDArray[np.float64]) -> float:
    """The longest distance between any two of the points, (N, 3), which lie in one plane."""
    ends = points[outermost(points)]
    return float(np.linalg.norm(ends[:, None] - ends[None], axis=-1).max())


def outermost(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of the points, (N, 3), of one plane are farthest in one of many directions.

    No others end their longest distance, and of a million points few are left to be compared.
    """
    if len(points) <= 512:
        return np.arange(len(points))
    offsets = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(offsets.T @ offsets)  # the first is the plane's normal
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    flat = offsets @ axes[:, 1:]
    # one direction after the other: a matrix of all of them would be gigabytes for an endless line
    return np.unique([int(np.argmax(flat @ direction)) for direction in directions.T])
