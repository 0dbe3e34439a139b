"""The patches of a nodule, seen through one warp of the slice plane (Sec. 4.3).

Each voxel of each scale asks the CT at its warped place, so the scales are cut from one bent parent
volume and stay nested.  Where a patch would see beyond the scan, or the model's context, is air.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.config import M3NetConfig
from m3net.grid import grid_points
from m3net.nodule import Nodule
from m3net.patches import Patch, Patches, context_box
from m3net.placed import PlacedNodule
from m3net.preprocessing import cut_for
from m3net.scales import Scale
from m3net.volume import AIR_HU, CTVolume
from training.data.augment import Warp

UNIT_VOXELS = 48.0
"""Half the side of the macro patch: 1 in the places that a warp knows."""


def cut_warped(config: M3NetConfig, volume: CTVolume, nodule: Nodule, warp: Warp) -> Patches:
    """As `m3net.preprocessing.cut_for`, but bent; no warp, no difference.

    Raises NoduleUnusable if the centre is not in the volume.
    """
    straight = cut_for(config, volume, nodule)
    if not warp.flip and warp.rotation is warp.homography is warp.spline_to is None:
        return straight
    placed = PlacedNodule(nodule=nodule, volume=volume)
    low, high = np.zeros(3), np.array(volume.shape) - 1.0
    if config.preprocessing.context is not None:
        box = context_box(placed, config.preprocessing.context)
        low, high = np.maximum(low, box[0]), np.minimum(high, box[1])
    bent: Mapping[Scale, Patch] = {
        scale: _bend(patch, placed, warp, low=low, high=high)
        for scale, patch in straight.scales.items()
    }
    return Patches(scales=bent, notes=straight.notes, description=straight.description)


def _bend(
    patch: Patch,
    placed: PlacedNodule,
    warp: Warp,
    *,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> Patch:
    depth, height, width = patch.hu.shape
    volume = placed.volume
    index = volume.to_index(grid_points(patch.affine, (depth, height, width)))  # (D, H, W, 3)
    centre = placed.centre_index[1:]  # (2,)
    # One warp for all slices.  They have the same rows and columns of the CT, unless its gantry was
    # tilted; then the nodule's own slice counts.
    places = (index[depth // 2, ..., 1:] - centre) / UNIT_VOXELS  # (H, W, 2)
    index[..., 1:] += (warp(places) - places) * UNIT_VOXELS
    valid = np.all((index > low - 0.5) & (index < high + 0.5), axis=-1)
    if volume.missing:
        valid &= ~np.isin(np.floor(index[..., 0] + 0.5), list(volume.missing))
    points = np.moveaxis(np.clip(index, low, high), -1, 0)  # (3, D, H, W)
    hu: NDArray[np.float32] = ndimage.map_coordinates(
        volume.hu, points, order=1, mode="nearest", output=np.float32
    )
    hu[~valid] = AIR_HU
    mask = None if patch.mask is None else placed.share_at(index)
    return Patch(hu=hu, valid=valid, mask=mask, affine=patch.affine)
