"""A nodule on cubes of one millimetre, so that distances and textures mean the same in every CT."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FEWEST_VOXELS = 8
NEAR_MM = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cubes:
    """The nodule and what may be seen around it, on voxels of about 1 mm.

    hu         : (Z, Y, X) float32
    inside     : (Z, Y, X) bool, at least one voxel
    outside_mm : (Z, Y, X), distance from the nodule; 0 within
    """

    hu: NDArray[np.float32]
    inside: NDArray[np.bool_]
    outside_mm: NDArray[np.float64]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Within 3 mm around the nodule; may be empty."""
        return (self.outside_mm > 0) & (self.outside_mm <= NEAR_MM)


def cubes_of(
    hu: NDArray[np.int16], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> Cubes:
    """Resampled linearly; voxels that are at least half nodule are nodule.

    Of a nodule that would all but vanish, the voxels with most of it; of one that falls between
    them, the voxels in which it lies.
    """
    fine = _zoomed(hu, spacing_mm)
    share = _zoomed(mask, spacing_mm)
    inside = share > 0.5
    if inside.sum() < FEWEST_VOXELS and share.any():
        inside = share >= share.max() / 2
    if not inside.any():
        ratio = np.array(share.shape) / mask.shape
        inside[tuple((np.argwhere(mask) * ratio).astype(int).T)] = True
    return Cubes(hu=fine, inside=inside, outside_mm=ndimage.distance_transform_edt(~inside))


def _zoomed(
    values: NDArray[np.int16] | NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float32]:
    # a single slice of 0.4 mm is still a slice
    factor = [max(mm, 1.0 / n) for mm, n in zip(spacing_mm, values.shape, strict=True)]
    found: NDArray[np.float32] = ndimage.zoom(
        values.astype(np.float32), factor, order=1, mode="nearest", grid_mode=True
    )
    return found
