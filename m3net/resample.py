"""Masks and heat maps laid over another grid, by way of the patient's frame."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.grid import Size3, grid_points
from m3net.nodule import Mask
from m3net.prediction import HeatMap


def _index_on(
    affine: NDArray[np.float64], grid: NDArray[np.float64], shape: Size3
) -> NDArray[np.float64]:
    """Where the voxels of a grid (affine `grid`, `shape`) lie in the grid of `affine`: (3, ...)."""
    return np.moveaxis(grid_points(np.linalg.inv(affine) @ grid, shape), -1, 0)


def mask_on_grid(mask: Mask, *, affine: NDArray[np.float64], shape: Size3) -> NDArray[np.bool_]:
    """The mask on another grid, nearest neighbour.

    affine : (4, 4), index (z, y, x) of the wanted grid -> LPS mm
    returns: (Z, Y, X) bool
    """
    index = _index_on(mask.affine, affine, shape)
    laid = ndimage.map_coordinates(
        mask.voxels.astype(np.uint8), index, order=0, mode="grid-constant", cval=0
    )
    return np.asarray(laid, dtype=np.bool_)


def heat_map_on_grid(
    heat_map: HeatMap, *, affine: NDArray[np.float64], shape: Size3
) -> NDArray[np.float32]:
    """The heat map on another grid, trilinear; NaN outside its patch.

    The patch reaches to the outer faces of its voxels, not to their centres.
    """
    index = _index_on(heat_map.affine, affine, shape)
    values: NDArray[np.float32] = ndimage.map_coordinates(
        heat_map.values, index, order=1, mode="nearest", output=np.float32
    )
    size = np.array(heat_map.values.shape, dtype=np.float64).reshape(3, 1, 1, 1)
    outside = np.any((index < -0.5) | (index > size - 0.5), axis=0)
    values[outside] = np.nan
    return values


def shown_on_grid(
    heat_map: HeatMap, *, affine: NDArray[np.float64], shape: Size3
) -> NDArray[np.bool_]:
    """Where the network was shown the scan, on another grid, nearest neighbour.

    affine : (4, 4), index (z, y, x) of the wanted grid -> LPS mm
    returns: (Z, Y, X) bool; False outside the map's patch
    """
    index = _index_on(heat_map.affine, affine, shape)
    laid = ndimage.map_coordinates(
        heat_map.shown.astype(np.uint8), index, order=0, mode="grid-constant", cval=0
    )
    return np.asarray(laid, dtype=np.bool_)
