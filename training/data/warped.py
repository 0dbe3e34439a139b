"""The patches of a nodule, seen through one warp of the slice plane (Sec. 4.3).

Each voxel of each scale asks the CT at its warped place, so the scales are cut from one bent parent
volume and stay nested.  Where a patch would see beyond the scan, or the model's context, is air.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.config import M3NetConfig
from m3net.nodule import Nodule
from m3net.patches import AIR_HU, Patch, Patches, context_box
from m3net.preprocessing import cut_for
from m3net.scales import Scale
from m3net.volume import CTVolume, transform
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
    low, high = np.zeros(3), np.array(volume.shape) - 1.0
    if config.preprocessing.context is not None:
        box = context_box(volume, nodule, config.preprocessing.context)
        low, high = np.maximum(low, box[0]), np.minimum(high, box[1])
    bent: Mapping[Scale, Patch] = {
        scale: _bend(patch, volume, nodule, warp, low=low, high=high)
        for scale, patch in straight.scales.items()
    }
    return Patches(scales=bent, notes=straight.notes, description=straight.description)


def _bend(
    patch: Patch,
    volume: CTVolume,
    nodule: Nodule,
    warp: Warp,
    *,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> Patch:
    size = patch.hu.shape
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
    index = volume.to_index(transform(patch.affine, grid))  # (D, H, W, 3)
    centre = volume.to_index(nodule.centre_mm)[1:]  # (2,)
    # One warp for all slices.  They have the same rows and columns of the CT, unless its gantry was
    # tilted; then the nodule's own slice counts.
    places = (index[size[0] // 2, ..., 1:] - centre) / UNIT_VOXELS  # (H, W, 2)
    index[..., 1:] += (warp(places) - places) * UNIT_VOXELS
    valid = np.all((index > low - 0.5) & (index < high + 0.5), axis=-1)
    if volume.missing:
        valid &= ~np.isin(np.floor(index[..., 0] + 0.5), list(volume.missing))
    points = np.moveaxis(np.clip(index, low, high), -1, 0)  # (3, D, H, W)
    hu: NDArray[np.float32] = ndimage.map_coordinates(
        volume.hu, points, order=1, mode="nearest", output=np.float32
    )
    hu[~valid] = AIR_HU
    mask = None if patch.mask is None else _bend_mask(volume, nodule, index)
    return Patch(hu=hu, valid=valid, mask=mask, affine=patch.affine)


def _bend_mask(volume: CTVolume, nodule: Nodule, index: NDArray[np.float64]) -> NDArray[np.float32]:
    """The nodule's mask, or the sphere of its diameter, at places (D, H, W, 3) of the volume."""
    if nodule.mask is None:
        if nodule.diameter_mm is None:
            return np.zeros(index.shape[:-1], dtype=np.float32)
        away_mm = np.linalg.norm(volume.to_mm(index) - np.array(nodule.centre_mm), axis=-1)
        return np.asarray(away_mm <= nodule.diameter_mm / 2, dtype=np.float32)
    to_mask = np.linalg.inv(nodule.mask.affine) @ volume.affine
    belongs: NDArray[np.float32] = ndimage.map_coordinates(
        nodule.mask.voxels.astype(np.float32),
        np.moveaxis(transform(to_mask, index), -1, 0),
        order=1,
        mode="grid-constant",
        cval=0.0,
    )
    return belongs
