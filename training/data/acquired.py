"""Cut-outs as another scanner or protocol would have made them: slices, kernel, dose, grid.

Imitations: a kernel is a blur or its opposite in plane, a dose is noise, a grid is resampling.
What a real reconstruction does besides (edge overshoot, structured noise) is not in them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.data.thicken import thicken
from training.data.voi import Cutout

KERNEL_MM = 0.7
"""Standard deviation of the blur that parts a smooth kernel from a medium one."""

SHARPENED = 0.7
"""Share of what the blur takes that a sharp kernel adds."""

Acquire = Callable[[Cutout, np.random.Generator], Cutout]
"""The nodule acquired otherwise; the very same cut-out where it cannot be."""


def thick(slice_mm: float) -> Acquire:
    """Slices of so many mm, each the mean of thin ones."""
    return lambda cutout, _: thicken(cutout, slice_mm)


def smooth(cutout: Cutout, _: np.random.Generator) -> Cutout:
    """A smooth kernel."""
    return _of_hu(cutout, _blurred(cutout))


def sharp(cutout: Cutout, _: np.random.Generator) -> Cutout:
    """A sharp kernel."""
    hu = cutout.hu.astype(np.float64)
    return _of_hu(cutout, hu + SHARPENED * (hu - _blurred(cutout)))


def noisy(sd_hu: float) -> Acquire:
    """Noise of a low dose added, of this standard deviation, correlated over a voxel or two."""

    def acquire(cutout: Cutout, random: np.random.Generator) -> Cutout:
        grain = ndimage.gaussian_filter(random.normal(size=cutout.hu.shape), (0, 0.6, 0.6))
        return _of_hu(cutout, cutout.hu + sd_hu * grain / grain.std())

    return acquire


def shifted(cutout: Cutout, _: np.random.Generator) -> Cutout:
    """The grid begins half a voxel further on, along each axis."""
    return _resampled(cutout, step=np.ones(3), start=np.full(3, 0.5))


def coarse(cutout: Cutout, _: np.random.Generator) -> Cutout:
    """Pixels of 0.9 mm; as it is if they are as large."""
    step = 0.9 / np.array([np.inf, *cutout.spacing_mm[1:]])
    if step.max() <= 1.0:
        return cutout
    return _resampled(cutout, step=np.where(step == 0, 1.0, step), start=np.zeros(3))


ACQUIRED: Mapping[str, Acquire] = {
    "slices_2.5_mm": thick(2.5),
    "slices_3.75_mm": thick(3.75),
    "slices_5_mm": thick(5.0),
    "smooth_kernel": smooth,
    "sharp_kernel": sharp,
    "noise_20_hu": noisy(20.0),
    "noise_40_hu": noisy(40.0),
    "half_a_voxel_aside": shifted,
    "pixels_0.9_mm": coarse,
}
"""What is measured (`training.measure.robustness`), by the names of the model card."""


def _blurred(cutout: Cutout) -> NDArray[np.float64]:
    sigma = [0.0, *(KERNEL_MM / mm for mm in cutout.spacing_mm[1:])]
    return np.asarray(ndimage.gaussian_filter(cutout.hu.astype(np.float64), sigma))


def _of_hu(cutout: Cutout, hu: NDArray[np.float64]) -> Cutout:
    return replace(cutout, hu=np.rint(np.clip(hu, -1024, 3071)).astype(np.int16))


def _resampled(cutout: Cutout, *, step: NDArray[np.float64], start: NDArray[np.float64]) -> Cutout:
    """Every `step` voxels from `start` on, between voxels linearly; the same if no mask is left."""
    counts = np.floor((np.array(cutout.hu.shape) - 1 - start) / step).astype(int) + 1
    grid = np.meshgrid(
        *(a + s * np.arange(n) for a, s, n in zip(start, step, counts, strict=True)), indexing="ij"
    )
    hu, inside = (
        ndimage.map_coordinates(x.astype(np.float64), grid, order=1, mode="nearest")
        for x in (cutout.hu, cutout.mask)
    )
    if not (inside >= 0.5).any():
        return cutout
    z, y, x = (float(s * mm) for s, mm in zip(step, cutout.spacing_mm, strict=True))
    return replace(_of_hu(cutout, hu), mask=inside >= 0.5, spacing_mm=(z, y, x))
