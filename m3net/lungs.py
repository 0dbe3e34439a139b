"""In which lung a nodule lies: said only where both lungs are seen for certain.

A lung is what is less dense than tissue and enclosed by the body, slice by slice.  Made a little
smaller, so that airways and the thin seams between the lungs give way, it must fall into two large
parts that lie beside each other, one on either side of the body's middle.  A nodule is in the one
that is clearly nearer.

So nothing is said of one lung alone, of a field of view that cuts the chest wall, of a few slices,
of a nodule between the lungs, nor where what is found is not alike on both sides, as after a
pneumonectomy.  Left and right are the patient's: x of LPS grows to the left, however the patient
lay on the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from m3net.nodule import Side
from m3net.planes import blocks, with_holes
from m3net.volume import CTVolume, transform

BLOCK_MM = 4.0
"""Size of the blocks that are looked at: noise cancels out in them, and it is quick."""
BODY_FROM_HU = -400
LUNG_HU = (-970, -500)
"""Means of a block; gas in the bowel is less dense."""

LEAST_FIELD_MM, LEAST_HEIGHT_MM = 200.0, 30.0
LEAST_AREA_MM2 = 3000.0
"""Mean section of a lung over the slices that it is on."""
LEAST_RATIO = 0.35
"""Of the smaller lung to the larger one."""
LEAST_APART_MM = 70.0
MIDDLE_MM = 40.0
"""How far the middle between the lungs may be from the body's."""
NEAR_MM, CLEARER_BY_MM = 30.0, 20.0
"""A nodule's centre is so near to its lung, and so much farther from the other one."""
_MOST_EROSIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Lungs:
    """Places in both lungs, one every few millimetres: (N, 3) LPS mm each."""

    right_mm: NDArray[np.float64]
    left_mm: NDArray[np.float64]

    def side_of(self, point_mm: ArrayLike) -> Side | None:
        """The lung that an LPS point is in or beside; None if that is not clear."""
        right, left = (
            float(np.linalg.norm(part - np.asarray(point_mm), axis=1).min())
            for part in (self.right_mm, self.left_mm)
        )
        if min(right, left) > NEAR_MM or abs(right - left) < CLEARER_BY_MM:
            return None
        return Side.RIGHT if right < left else Side.LEFT


def find_lungs(volume: CTVolume) -> Lungs | None:
    """Both lungs; None if they are not seen for certain."""
    extent_mm = np.array(volume.shape) * volume.spacing_mm
    if extent_mm[0] < LEAST_HEIGHT_MM or min(extent_mm[1:]) < LEAST_FIELD_MM:
        return None
    hu, affine = blocks(volume, BLOCK_MM)
    body = hu >= BODY_FROM_HU
    lung = (hu > LUNG_HU[0]) & (hu < LUNG_HU[1]) & with_holes(body) & ~body
    for pair in _parted(lung):
        if min(_section_mm2(part, affine) for part in pair) < LEAST_AREA_MM2:
            continue
        points = [transform(affine, np.argwhere(part)) for part in pair]
        right, left = sorted(points, key=lambda part: float(part[:, 0].mean()))
        if _lie_as_lungs(right, left, middle_mm=transform(affine, np.argwhere(body).mean(axis=0))):
            return Lungs(right_mm=right, left_mm=left)
    return None


def _parted(lung: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """The two largest parts of it, made smaller step by step until there are two."""
    for _ in range(_MOST_EROSIONS):
        lung = ndimage.binary_erosion(lung, border_value=1)
        labels, count = ndimage.label(lung)
        if count < 2:
            continue
        sizes = np.bincount(labels.ravel())[1:]
        first, second = (int(part) + 1 for part in np.argsort(-sizes, kind="stable")[:2])
        yield labels == first, labels == second


def _section_mm2(part: NDArray[np.bool_], affine: NDArray[np.float64]) -> float:
    """Mean area of the slices that it is on."""
    areas = part.sum(axis=(1, 2))
    pixel_mm2 = float(np.prod(np.linalg.norm(affine[:3, 1:3], axis=0)))
    return float(areas[areas > 0].mean()) * pixel_mm2


def _lie_as_lungs(
    right: NDArray[np.float64], left: NDArray[np.float64], *, middle_mm: NDArray[np.float64]
) -> bool:
    """Whether the places, (N, 3) LPS mm, are two lungs beside each other in one chest.

    middle_mm : of the body
    """
    if min(len(right), len(left)) < LEAST_RATIO * max(len(right), len(left)):
        return False
    centres = np.stack([right.mean(axis=0), left.mean(axis=0)])
    apart = np.abs(centres[1] - centres[0])
    beside = apart[0] > LEAST_APART_MM and apart[0] > 2 * max(apart[1], apart[2])
    return bool(beside and abs(centres[:, 0].mean() - middle_mm[0]) <= MIDDLE_MM)
