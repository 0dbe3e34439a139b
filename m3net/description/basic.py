"""Size, shape, density, rim and edge of a nodule: 25 numbers on the CT's own voxels."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BASIC = (
    "log_volume_mm3",
    "equivalent_diameter_mm",
    "longest_axial_mm",
    "shortest_axial_mm",
    "height_mm",
    "axis_ratio_middle",
    "axis_ratio_short",
    "sphericity",
    "solidity_in_box",
    "mean_hu",
    "sd_hu",
    "hu_05",
    "hu_25",
    "hu_50",
    "hu_75",
    "hu_95",
    "skewness",
    "fraction_below_minus_300",
    "fraction_above_200",
    "core_minus_edge_hu",
    "rim_mean_hu",
    "rim_sd_hu",
    "contrast_hu",
    "edge_gradient_hu_per_mm",
    "edge_gradient_sd",
)


def measure_basic(
    hu: NDArray[np.int16], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """The numbers of `BASIC`, in that order: (25,), all finite.

    hu, mask   : (Z, Y, X), the nodule with what may be seen around it; at least one voxel marked
    spacing_mm : along z, y, x
    """
    values, spacing = hu.astype(np.float64), np.asarray(spacing_mm)
    return np.array(
        [*_shape(mask, spacing), *_density(values, mask, spacing), *_rim(values, mask, spacing)]
    )


def _shape(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> list[float]:
    """Size and form, in mm."""
    points = np.argwhere(mask) * spacing
    volume = len(points) * float(np.prod(spacing))
    extent = points.max(axis=0) - points.min(axis=0) + spacing
    # The variance of a box-shaped voxel is added, so that a flat nodule has no axis of length 0.
    covariance = np.cov(points.T, bias=True) + np.diag(spacing**2 / 12)
    short, middle, long = np.sqrt(np.linalg.eigvalsh(covariance))
    axial = points[:, 1:]
    axial_covariance = np.cov(axial.T, bias=True) + np.diag(spacing[1:] ** 2 / 12)
    axial_short, axial_long = 4 * np.sqrt(np.linalg.eigvalsh(axial_covariance))
    equivalent = (6 * volume / np.pi) ** (1 / 3)
    return [
        np.log(volume),
        equivalent,
        axial_long,
        axial_short,
        extent[0],
        middle / long,
        short / long,
        np.pi * equivalent**2 / _surface_mm2(mask, spacing),
        volume / float(np.prod(extent)),
    ]


def _surface_mm2(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> float:
    """Area of the voxel faces between inside and outside, two thirds of which a smooth body has."""
    padded = np.pad(mask, 1).astype(np.int8)
    faces = [int(np.abs(np.diff(padded, axis=axis)).sum()) for axis in range(3)]
    areas = np.prod(spacing) / spacing
    return float(np.dot(faces, areas)) * 2 / 3


def _density(
    hu: NDArray[np.float64], mask: NDArray[np.bool_], spacing: NDArray[np.float64]
) -> list[float]:
    """How dense the inside is, and how that density lies."""
    inside = hu[mask]
    mean, sd = inside.mean(), inside.std()
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    deep = depth >= np.median(depth[mask])
    return [
        mean,
        sd,
        *np.percentile(inside, (5, 25, 50, 75, 95)),
        ((inside - mean) ** 3).mean() / max(sd, 1.0) ** 3,
        (inside < -300).mean(),
        (inside > 200).mean(),
        hu[mask & deep].mean() - hu[mask & ~deep].mean() if (mask & ~deep).any() else 0.0,
    ]


def _rim(
    hu: NDArray[np.float64], mask: NDArray[np.bool_], spacing: NDArray[np.float64]
) -> list[float]:
    """What lies within 3 mm outside, and how sharply the nodule ends."""
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing)
    rim = (distance > 0) & (distance <= 3.0)
    rim_hu = hu[rim] if rim.any() else np.array([-1000.0])
    edge = mask & ~ndimage.binary_erosion(mask, np.ones((1, 3, 3)), border_value=0)
    gradient_y, gradient_x = np.gradient(hu, spacing[1], spacing[2], axis=(1, 2))
    slope = np.hypot(gradient_y, gradient_x)[edge]
    return [
        rim_hu.mean(),
        rim_hu.std(),
        hu[mask].mean() - rim_hu.mean(),
        slope.mean(),
        slope.std(),
    ]
