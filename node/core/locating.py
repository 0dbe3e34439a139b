"""A nodule in the whole patient: its slice, and the coronal plane through it.

The coronal plane is the patient's own, sampled through the volume by its affine, so it is true of
tilted, sagittal and oblique scans as well.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.volume import CTVolume
from sr_templates.pictures.capture_view import BEYOND_HU, Locator

PIXELS = 250
"""Rows and columns of the coronal plane."""

MOST_MM = 450.0
"""Side of what it shows at most: of a scan from head to feet, the chest about the nodule."""

_FINER = 2
"""Samples of a pixel along each axis, so that fine structures are averaged and not picked."""


def locate(
    volume: CTVolume, centre_mm: tuple[float, float, float], *, key: int, first: tuple[int, int]
) -> Locator:
    """The nodule with this LPS centre in its whole slice `key` and in its coronal plane.

    first : (row, column) of the slab's first pixel in the slice
    """
    low, high = _reach(volume)
    side = min(MOST_MM, float(max(high[0] - low[0], high[1] - low[1])))
    left = _from(low[0], high[0], side, centre_mm[0])
    bottom = _from(low[1], high[1], side, centre_mm[2])
    pixel = side / PIXELS
    return Locator(
        slice_hu=np.where(volume.padded(key), BEYOND_HU, volume.hu[key]).astype(np.int16),
        first=first,
        coronal_hu=_sampled(volume, centre_mm[1], left=left, top=bottom + side, pixel=pixel),
        coronal_mm=pixel,
        centre=((bottom + side - centre_mm[2]) / pixel, (centre_mm[0] - left) / pixel),
    )


def _reach(volume: CTVolume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least and greatest (x, z) of the scan, to its voxels' outer faces, LPS mm."""
    corners = np.array(list(product((0, 1), repeat=3)))
    at = volume.to_mm(corners * volume.shape - 0.5)[:, [0, 2]]
    return at.min(axis=0), at.max(axis=0)


def _from(low: float, high: float, side: float, nodule: float) -> float:
    """Where a window of that side begins: about the scan if it is longer, else about the nodule."""
    middle = (low + high - side) / 2
    return min(max(nodule - side / 2, min(low, middle)), max(high - side, middle))


def _sampled(
    volume: CTVolume, y: float, *, left: float, top: float, pixel: float
) -> NDArray[np.float32]:
    """The coronal plane at y (LPS mm): (PIXELS, PIXELS) HU, NaN where nothing was scanned."""
    count = PIXELS * _FINER
    at = (np.arange(count) + 0.5) * (pixel / _FINER)
    origin = volume.to_index((left, y, top))
    along_x, along_z = (
        volume.to_index(point) - origin for point in ((left + 1, y, top), (left, y, top - 1))
    )
    index = (
        origin[:, None, None]
        + along_z[:, None, None] * at[None, :, None]
        + along_x[:, None, None] * at[None, None, :]
    ).astype(np.float32)
    ends = np.array(volume.shape, dtype=np.float32).reshape(3, 1, 1) - 0.5
    scanned = np.all((index >= -0.5) & (index <= ends), axis=0)
    if volume.missing:
        scanned &= ~np.isin(np.rint(index[0]).astype(int), list(volume.missing))
    hu: NDArray[np.float32] = ndimage.map_coordinates(
        volume.hu, index, order=1, mode="nearest", output=np.float32
    )
    total, seen = _averaged(hu * scanned), _averaged(scanned.astype(np.float64))
    return np.where(seen > 0.5, total / np.maximum(seen, 0.5), np.nan).astype(np.float32)


def _averaged(fine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(fine.reshape(PIXELS, _FINER, PIXELS, _FINER).mean(axis=(1, 3)))
