"""The whole chest as a volume: thorax, great vessels, airways, lung vessels, nodules, noise."""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from node.demo.grid import Field, Grid
from node.demo.lesions import PhantomNodule, paint_nodule
from node.demo.thorax import BLOOD_HU, lung, minor_fissure, oblique_fissure, thorax_slice
from node.demo.vessels import Tube, beside, grow, paint_tubes, polyline

_TWIGS = {"artery": 1000, "vein": 850}


def chest_hu(grid: Grid, nodules: Sequence[PhantomNodule], seed: int) -> Field:
    """(Z, Y, X) float32 HU of the chest, noiseless; nodules laid into it."""
    hu = np.stack([_slice(grid, z, seed) for z in grid.z_mm])
    arteries, veins = _trees(seed)
    _airways(hu, arteries, grid)
    paint_tubes(hu, veins, grid, 40.0)
    paint_tubes(hu, arteries, grid, 45.0)
    _great_vessels(hu, grid)
    for nodule in nodules:
        paint_nodule(hu, nodule, grid)
    return hu


def _slice(grid: Grid, z: np.float32, seed: int) -> Field:
    coarse = np.random.default_rng([seed, round(float(z) * 10) + 10_000])
    mottle = _mottle(grid, coarse)
    x, y = grid.x_mm[None, :], grid.x_mm[:, None]
    return thorax_slice(x, y, float(z), grid.pixel_mm, mottle).hu


def _mottle(grid: Grid, rng: Generator) -> Field:
    white = rng.standard_normal((128, 128), dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, 0.9, mode="wrap")
    fine = ndimage.zoom(smooth / smooth.std(), grid.size / 128, order=1)
    return np.asarray(fine, dtype=np.float32)


def add_noise(hu: Field, grid: Grid, *, deviation_hu: float, sharp: bool, seed: int) -> Field:
    """The volume as a scanner shows it: blurred a little, with the noise of its kernel.

    deviation_hu : about the standard deviation in the middle of the body
    sharp        : a lung kernel (less blur, noise of high frequency) or a soft tissue kernel
    """
    rng = np.random.default_rng([seed, 7])
    narrow, wide = (0.45, 1.3) if sharp else (0.85, 2.6)
    x = grid.x_mm / 180
    across = 0.45 + 0.75 * np.exp(-2.2 * (x[None, :] ** 2 + 1.6 * x[:, None] ** 2))
    noisy = np.empty_like(hu)
    for k in range(len(hu)):
        white = rng.standard_normal(hu.shape[1:], dtype=np.float32)
        grain = ndimage.gaussian_filter(white, narrow) - ndimage.gaussian_filter(white, wide)
        grain *= deviation_hu / grain.std()
        noisy[k] = ndimage.gaussian_filter(hu[k], 0.5 if sharp else 0.8) + across * grain
    return noisy


def _lung_points(rng: Generator) -> NDArray[np.float64]:
    """Evenly scattered points inside both lungs, a few mm off the pleura; LPS."""
    step = 5.0
    z = np.arange(-296, -6, step)
    line = np.arange(-150, 150, step, dtype=np.float32)
    inside = np.stack([lung(line[None, :], line[:, None], float(h)) < -2.5 for h in z])
    index = np.argwhere(inside)
    points = np.stack([line[index[:, 2]], line[index[:, 1]], z[index[:, 0]]], axis=1)
    return np.asarray(points + rng.uniform(-step / 2, step / 2, points.shape))


def _lobes(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    x, y, z = (points[:, i].astype(np.float32) for i in range(3))
    upper = oblique_fissure(x, y, z) > 2
    lower = oblique_fissure(x, y, z) < -2
    minor = minor_fissure(x, y, z)
    right, left = x < 0, x > 0
    lobes = (
        right & upper & (minor > 2),
        right & upper & (minor < -2),
        right & lower,
        left & upper,
        left & lower,
    )
    return [points[lobe] for lobe in lobes]


_HILA: dict[str, tuple[tuple[float, float, float], ...]] = {
    "artery": ((-30, 4, -116), (-32, 6, -146), (-34, 20, -148), (30, 8, -110), (34, 22, -138)),
    "vein": ((-26, -10, -132), (-24, -12, -158), (-22, 14, -176), (28, -10, -134), (24, 14, -174)),
}


@functools.cache
def _trees(seed: int) -> tuple[list[Tube], list[Tube]]:
    rng = np.random.default_rng(seed)
    lobes = _lobes(_lung_points(rng))
    total = sum(len(lobe) for lobe in lobes)
    trees: dict[str, list[Tube]] = {"artery": [], "vein": []}
    for kind, twigs in _TWIGS.items():
        for lobe, root in zip(lobes, _HILA[kind], strict=True):
            count = max(12, round(2 * twigs * len(lobe) / total))
            chosen = lobe[rng.choice(len(lobe), size=min(count, len(lobe)), replace=False)]
            trees[kind] += grow(np.array(root, dtype=np.float64), chosen, rng)
    return trees["artery"], trees["vein"]


def _airways(hu: Field, arteries: Sequence[Tube], grid: Grid) -> None:
    main = [
        *polyline([(1, 22, 2), (1, 24, -60), (0, 27, -112)], [9.5, 9.2, 9.0]),
        *polyline([(0, 27, -110), (-20, 24, -128), (-36, 22, -146)], [7.6, 6.8, 5.4]),
        *polyline([(0, 27, -110), (24, 24, -134), (40, 24, -148)], [7.2, 6.2, 5.0]),
        *polyline([(-22, 23, -128), (-36, 10, -118)], [5.0, 3.8]),
        *polyline([(30, 24, -138), (42, 8, -128)], [4.6, 3.6]),
    ]
    small = beside(arteries, at_least=14)
    paint_tubes(hu, main, grid, 20.0)
    paint_tubes(hu, small, grid, -120.0)
    paint_tubes(hu, small, grid, -960.0, shrink_mm=0.75)
    paint_tubes(hu, main, grid, -990.0, shrink_mm=1.5)


def _great_vessels(hu: Field, grid: Grid) -> None:
    gullet = polyline([(6, 40, 0), (8, 42, -110), (10, 40, -200), (16, 30, -262)], [6, 6, 6, 7])
    paint_tubes(hu, gullet, grid, 42.0)
    lines = (
        ([(-14, -20, -178), (-15, -24, -130), (-12, -18, -96), (2, 2, -80)], [15, 16, 15, 14.5]),
        ([(2, 2, -80), (18, 26, -84), (23, 46, -100), (21, 46, -300)], [14.5, 13, 12.5, 11.5]),
        ([(-8, -6, -84), (-18, -2, -40), (-26, 2, 2)], [7.0, 6.2, 6.0]),
        ([(6, 6, -82), (12, 6, -40), (16, 8, 2)], [5.0, 4.4, 4.2]),
        ([(14, 20, -86), (24, 22, -40), (38, 20, 2)], [5.6, 5.0, 4.8]),
        ([(-25, -12, -186), (-26, -12, -70), (-24, -22, -40)], [9.5, 9.5, 8.5]),
        ([(-24, -22, -40), (-2, -34, -42), (34, -26, -22)], [7.0, 6.5, 6.0]),
        ([(14, -40, -176), (16, -28, -138), (18, -12, -124)], [14.5, 14, 13]),
        ([(18, -10, -126), (-6, 0, -126), (-30, 4, -124)], [11.5, 10.5, 8.5]),
        ([(18, -12, -124), (28, 4, -118), (34, 14, -122)], [11.5, 10.0, 8.0]),
        ([(8, 10, -184), (-26, 12, -176)], [8.0, 6.5]),
        ([(8, 10, -184), (26, 14, -174)], [8.0, 6.5]),
        ([(-20, 14, -226), (-18, 16, -300)], [10.5, 11.0]),
    )
    for points, radii in lines:
        paint_tubes(hu, polyline(points, radii), grid, BLOOD_HU)
    for side in (-1.0, 1.0):
        clavicle = polyline(
            [(side * 20, -48, -26), (side * 52, -58, -14), (side * 86, -40, 2)], [6.5, 5.0, 5.5]
        )
        paint_tubes(hu, clavicle, grid, 640.0)
        paint_tubes(hu, clavicle, grid, 220.0, shrink_mm=1.6)
