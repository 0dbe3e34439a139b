"""Thin slices made thick by averaging: a shift between centres that can be made here (Sec. 4.3).

USTC-FHLN has slices of 5 mm, LIDC-IDRI of 1.74 mm on average.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.data.voi import Cutout


def thicken(cutout: Cutout, slice_mm: float) -> Cutout:
    """The cut-out with slices of `slice_mm`, each the mean of the thin ones that it covers.

    The new slices are centred on the old extent; one that reaches beyond it averages what is there.
    A voxel is the nodule's if at least half of what it covers is; if none is so, where most is.
    Slices that are as thick already stay as they are.
    """
    old_mm, *in_plane = cutout.spacing_mm
    if old_mm >= slice_mm:
        return cutout
    shares = _shares(len(cutout.hu), old_mm=old_mm, new_mm=slice_mm)  # (Z', Z)
    hu = np.tensordot(shares, cutout.hu.astype(np.float64), axes=1)  # (Z', Y, X)
    covered = np.tensordot(shares, cutout.mask.astype(np.float64), axes=1)  # (Z', Y, X)
    return replace(
        cutout,
        hu=np.rint(hu).astype(np.int16),
        mask=covered >= min(0.5, float(covered.max())),
        spacing_mm=(slice_mm, in_plane[0], in_plane[1]),
    )


def _shares(slices: int, *, old_mm: float, new_mm: float) -> NDArray[np.float64]:
    """How much each old slice gives to each new one: (Z', Z), rows of sum 1."""
    extent = slices * old_mm
    # Rounding halves up: a scan never loses more than half a new slice at its ends together.
    count = max(1, int(extent / new_mm + 0.5))
    first = (extent - count * new_mm) / 2
    new_low = first + new_mm * np.arange(count)[:, None]  # (Z', 1)
    old_low = old_mm * np.arange(slices)  # (Z,)
    overlap = np.minimum(new_low + new_mm, old_low + old_mm) - np.maximum(new_low, old_low)
    overlap = np.maximum(overlap, 0.0)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True))
