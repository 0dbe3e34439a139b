"""The patches of a nodule, seen through one warp (Sec. 4.3), or through one for each scale.

Each voxel of each scale asks the CT at its warped place, so scales that share a warp are cut from
one bent parent volume and stay nested.  Where a patch would see beyond the scan, or the model's
context, is air.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.config import M3NetConfig
from m3net.grid import grid_points
from m3net.nodule import Nodule
from m3net.patches import (
    Patch,
    Patches,
    describe_placed,
    patch_grid,
    place_inside,
    seen_of,
)
from m3net.placed import PlacedNodule
from m3net.preprocessing import cut_for
from m3net.scales import Scale, ScaleSpec
from m3net.volume import AIR_HU, CTVolume
from training.data.augment import Warp

UNIT_VOXELS = 48.0
"""Half the side of the macro patch: 1 in the places that a warp knows."""


def cut_warped(
    config: M3NetConfig, volume: CTVolume, nodule: Nodule, warp: Warp | Mapping[Scale, Warp]
) -> Patches:
    """As `m3net.preprocessing.cut_for`, but bent; no warp, no difference.

    warp : of all scales; or of each its own, in which 1 is half the side of its own patch

    What is measured of the nodule is measured before it is bent, and as far as networks read it:
    the basic numbers, which are a third of the work.

    Raises NoduleUnusable if the centre is not in the volume.
    """
    of_scale = dict.fromkeys(config.scales, warp) if isinstance(warp, Warp) else warp
    if all(each.still for each in of_scale.values()):
        return cut_for(config, volume, nodule)
    wanted = config.preprocessing
    placed = place_inside(volume, nodule)
    low, high = seen_of(placed, wanted.context)
    bent: dict[Scale, Patch] = {}
    for scale in config.scales:
        spec = config.branch(scale).patch
        bent[scale] = _bend(
            spec,
            placed,
            of_scale[scale],
            unit=UNIT_VOXELS if isinstance(warp, Warp) else spec.size[-1] / 2,
            low=low,
            high=high,
            mask=wanted.mask,
        )
    numbers = None
    if wanted.description:
        numbers = describe_placed(placed, low=low, high=high, basic=True)
    return Patches(scales=bent, description=numbers)


def _bend(
    spec: ScaleSpec,
    placed: PlacedNodule,
    warp: Warp,
    *,
    unit: float,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
    mask: bool,
) -> Patch:
    """The patch's grid, bent and filled again; `low` to `high` (z, y, x) may be seen.

    unit : voxels of the CT that are 1 in the places that the warp knows
    """
    volume = placed.volume
    affine, _ = patch_grid(placed, spec, low=low, high=high)
    points_mm = grid_points(affine, spec.size)  # (D, H, W, 3)
    if warp.turn is not None:
        points_mm = _turned(points_mm, affine, placed.nodule, warp.turn)  # (D, H, W, 3)
    index = volume.to_index(points_mm)  # (D, H, W, 3)
    centre = placed.centre_index[1:]  # (2,)
    # One warp for all slices.  They have the same rows and columns of the CT, unless its gantry was
    # tilted; then the nodule's own slice counts.
    places = (index[spec.size[0] // 2, ..., 1:] - centre) / unit  # (H, W, 2)
    index[..., 1:] += (warp(places) - places) * unit
    valid = np.all((index > low - 0.5) & (index < high + 0.5), axis=-1)
    if volume.missing:
        valid &= ~np.isin(np.floor(index[..., 0] + 0.5), list(volume.missing))
    points = np.moveaxis(np.clip(index, low, high), -1, 0)  # (3, D, H, W)
    hu: NDArray[np.float32] = ndimage.map_coordinates(
        volume.hu, points, order=1, mode="nearest", output=np.float32
    )
    hu[~valid] = AIR_HU
    share = placed.share_at(index) if mask else None
    return Patch(hu=hu, valid=valid, mask=share, affine=affine)


def _turned(
    points_mm: NDArray[np.float64],
    affine: NDArray[np.float64],
    nodule: Nodule,
    turn: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The points (..., 3) LPS turned about the nodule's centre along the patch's own axes."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)  # (3, 3) LPS
    matrix = axes @ turn @ np.linalg.inv(axes)
    centre_mm = np.array(nodule.centre_mm)
    return np.asarray(centre_mm + (points_mm - centre_mm) @ matrix.T)
