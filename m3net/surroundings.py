"""Whether what is marked lies in lung: a cheap test on the HU about it.

A mark of something else (a rib, a lymph node, the liver, the table) would get a number like any
nodule.  The network cannot know better: it has seen nothing but nodules in lung.

- In the mark itself: nothing but air is no nodule; nor is bone or contrast that goes on beyond it.
- Around it: the share of lung (`LUNG_HU`) in a shell from 2 to 8 mm beyond its surface.  Air outside
  the body does not count: it is what joins the image's border at the density of air.

Of 791 nodules of LIDC-IDRI with their readers' outlines the least share is 0.14, of one in a hundred
it is under 0.44.  Under `REFUSED_BELOW` a mark is refused, under `DOUBTFUL_BELOW` it is judged and
the report's first line says that it may be none in the lung.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.grid import GridBox
from m3net.placed import PlacedNodule
from m3net.volume import CTVolume

LUNG_HU = (-1000, -500)
SHELL_MM = (2.0, 8.0)
REFUSED_BELOW = 0.05
DOUBTFUL_BELOW = 0.35

BARE_RADII_MM = (3.0, 6.0, 10.0, 15.0)
"""A point may be the middle of a nodule of any of these: the one with most lung around counts."""

AIR_BELOW_HU = -900
DENSE_FROM_HU = 200
"""Bone and contrast; calcified nodules too, but those end where they were marked."""
DENSE_SHARE = 0.3
DENSE_REACH_MM = 8.0
DENSE_BEYOND_MM3 = 60.0

_OUTSIDE_BELOW_HU = -930
_WHOLE_BODY_MM = 250.0
_COARSE_MM = 2.8
"""In-plane size of the blocks by which air outside is told from lung: noise cancels out in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was measured around a mark.

    lung    : share of lung in the shell
    outside : share of air outside the body there
    air     : whether the mark holds nothing but air
    tissue  : whether the mark holds anything denser than lung
    dense   : whether it is bone or contrast that goes on beyond the mark
    """

    lung: float
    outside: float
    air: bool
    tissue: bool
    dense: bool


def measure(placed: PlacedNodule) -> Surroundings:
    """The HU in and around what is marked."""
    if placed.nodule.mask is None and placed.nodule.diameter_mm is None:
        tried = [_measured(placed, radius) for radius in BARE_RADII_MM]
        most = max(tried, key=lambda each: each.lung)
        return Surroundings(
            lung=most.lung,
            outside=most.outside,
            air=tried[0].air,
            tissue=tried[1].tissue,
            dense=tried[0].dense,
        )
    return _measured(placed, BARE_RADII_MM[0])


def _measured(placed: PlacedNodule, bare_radius_mm: float) -> Surroundings:
    volume = placed.volume
    spacing = np.array(volume.spacing_mm)
    marked = placed.voxels(bare_radius_mm=bare_radius_mm)
    margin = np.ceil((DENSE_REACH_MM + 4) / spacing).astype(int)
    first = np.array(marked.box.first) - margin
    last = np.array(marked.box.first) + np.array(marked.inside.shape) + margin
    low, high = np.maximum(first, 0), np.minimum(last, volume.shape)
    inside = np.pad(marked.inside, [(m, m) for m in margin])
    keep = tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first, strict=True))
    inside = inside[keep]
    at = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    hu = volume.hu[at]
    there = np.ones(hu.shape, dtype=np.bool_)
    there[[z - low[0] for z in volume.missing if low[0] <= z < high[0]]] = False
    away = ndimage.distance_transform_edt(~inside, sampling=spacing)
    outside = _outside(volume, int(low[0]), int(high[0]))[:, at[1], at[2]]
    shell = there & (away > SHELL_MM[0]) & (away <= SHELL_MM[1])
    lung = (hu > LUNG_HU[0]) & (hu < LUNG_HU[1]) & ~outside
    core = hu[inside & there]
    if not len(core):
        core = np.array([LUNG_HU[0]])
    return Surroundings(
        lung=float(lung[shell].mean()) if shell.any() else 0.0,
        outside=float(outside[shell].mean()) if shell.any() else 0.0,
        air=bool(np.median(core) < AIR_BELOW_HU),
        tissue=bool(np.percentile(core, 90) >= -750),
        dense=_goes_on(hu, inside & there, away, float(spacing.prod())),
    )


def _goes_on(hu, inside, away, voxel_mm3) -> bool:
    dense = hu >= DENSE_FROM_HU
    if not inside.any() or dense[inside].mean() < DENSE_SHARE:
        return False
    labels, _ = ndimage.label(dense)
    own = np.unique(labels[inside & dense])
    joined = np.isin(labels, own[own > 0])
    return float((joined & (away > DENSE_REACH_MM)).sum() * voxel_mm3) >= DENSE_BEYOND_MM3


def _outside(volume: CTVolume, begin: int, end: int) -> NDArray[np.bool_]:
    """(end - begin, Y, X): air that joins the image's border, slice by slice, and its rim."""
    _, rows, columns = volume.shape
    found = np.zeros((end - begin, rows, columns), dtype=np.bool_)
    if min(rows * volume.spacing_mm[1], columns * volume.spacing_mm[2]) < _WHOLE_BODY_MM:
        return found
    block = max(1, round(_COARSE_MM / volume.spacing_mm[2]))
    high, wide = -(-rows // block), -(-columns // block)
    fill = ((0, high * block - rows), (0, wide * block - columns))
    for z in range(begin, end):
        padded = np.pad(volume.hu[z], fill, mode="edge")
        mean_hu = padded.reshape(high, block, wide, block).mean(axis=(1, 3))
        labels, _ = ndimage.label(mean_hu < _OUTSIDE_BELOW_HU)
        border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        beyond = ndimage.binary_dilation(np.isin(labels, np.unique(border[border > 0])))
        fine = np.repeat(np.repeat(beyond, block, axis=0), block, axis=1)
        found[z - begin] = fine[:rows, :columns]
    return found
