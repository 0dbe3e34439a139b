"""Whether a marked nodule is solid, part-solid or ground glass, where that can be told.

A solid nodule's edge is blurred into voxels of ground glass's density, and an outline drawn
generously takes in lung.  So only what is thicker than that blur counts:

- HU are smoothed over 1 mm; from -300 HU on is solid, from -750 to -300 is ground glass
  (-300 HU: the threshold at which a solid part agrees best with the lung window's reading).
- Of either only what a ball of its size fits into counts: 2 mm across for a solid part, 4 mm for
  ground glass, which the blurred edge is thinner than.
- Solid: ground glass is under 2 % of what counts.  Ground glass: under 2 % of what is marked is
  solid, however thin.  Part-solid: of what counts both are 10 % or more.  Else nothing is said.

Lung that is itself as dense as ground glass (not inhaled, dependent) and taken into a generous
outline would make a solid nodule part-solid.  So ground glass must also be told when only what is
100 HU denser than the lung around the mark counts as it; where that changes the answer, nothing is
said.

And only in thin slices, as the Fleischner Society asks (MacMahon et al. 2017, Radiology 284:228:
1.5 mm at most), of a nodule of 100 mm3 or more (about 6 mm), half of which counts.

Of 292 nodules of LIDC-IDRI in such slices and of such a size it is said of 127 (of 134 without
heeding the lung around and air within, `m3net.cavities`).  It agrees with the readers' mean texture
wherever that is clear (122: 112 solid, 8 ground glass, 2 part-solid).
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

THICKEST_MM = 1.5
LEAST_MM3 = 100.0
GROUND_GLASS_HU, SOLID_HU = -750, -300
SMOOTHED_MM = 1.0
SOLID_BALL_MM, GROUND_GLASS_BALL_MM = 2.0, 4.0
PURE_BELOW = 0.02
PART_FROM = 0.1
COUNTED_FROM = 0.5
DENSER_BY_HU = 100
"""Than the lung around it is ground glass for certain."""


class Consistency(StrEnum):
    """The Fleischner Society's words."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    GROUND_GLASS = "ground glass"


def consistency_of(
    hu: NDArray[np.int16],
    inside: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    *,
    thickness_mm: float | None,
    lung_hu: float | None = None,
) -> Consistency | None:
    """What the nodule is; None if that cannot be told safely.

    hu, inside   : (Z, Y, X), the nodule in a box just about it
    spacing_mm   : along z, y, x
    thickness_mm : of the slices; None: not stated
    lung_hu      : of the lung around the mark; None: none is seen
    """
    voxel_mm3 = float(np.prod(spacing_mm))
    thickness_mm = thickness_mm or spacing_mm[0]
    if max(thickness_mm, spacing_mm[0]) > THICKEST_MM + 0.01:
        return None
    if inside.sum() * voxel_mm3 < LEAST_MM3:
        return None
    smooth = smoothed(hu, spacing_mm)
    found = _told(smooth, inside, spacing_mm, glass_hu=GROUND_GLASS_HU)
    if lung_hu is None or lung_hu + DENSER_BY_HU <= GROUND_GLASS_HU:
        return found
    denser = _told(smooth, inside, spacing_mm, glass_hu=lung_hu + DENSER_BY_HU)
    return found if denser is found else None


def smoothed(hu: NDArray[np.int16], spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """HU smoothed over `SMOOTHED_MM`, (Z, Y, X)."""
    sigma = [SMOOTHED_MM / 2 / mm for mm in spacing_mm]
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(
        hu.astype(np.float32), sigma, mode="nearest"
    )
    return smooth


def _told(
    smooth: NDArray[np.float32],
    inside: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    *,
    glass_hu: float,
) -> Consistency | None:
    """The same of smoothed HU, if ground glass begins at `glass_hu`."""
    dense = inside & (smooth >= SOLID_HU)
    solid = thick(dense, spacing_mm, SOLID_BALL_MM)
    glass = inside & (smooth >= glass_hu) & (smooth < SOLID_HU)
    glass = thick(glass, spacing_mm, GROUND_GLASS_BALL_MM)
    counted = int(solid.sum()) + int(glass.sum())
    if counted < COUNTED_FROM * inside.sum():
        return None
    share = float(solid.sum()) / counted
    if share > 1 - PURE_BELOW:
        return Consistency.SOLID
    if dense.sum() < PURE_BELOW * inside.sum():
        return Consistency.GROUND_GLASS
    return Consistency.PART_SOLID if PART_FROM <= share <= 1 - PART_FROM else None


def thick(
    part: NDArray[np.bool_], spacing_mm: tuple[float, float, float], across_mm: float
) -> NDArray[np.bool_]:
    """What of it a ball of so many millimetres fits into (an opening)."""
    radius_mm = across_mm / 2
    deep = ndimage.distance_transform_edt(np.pad(part, 1), sampling=spacing_mm) >= radius_mm
    near_mm = ndimage.distance_transform_edt(~deep, sampling=spacing_mm)
    if not deep.any():
        return np.zeros_like(part)
    opened: NDArray[np.bool_] = (near_mm < radius_mm)[1:-1, 1:-1, 1:-1] & part
    return opened
