"""Whether what is marked can be a nodule in lung: a cheap test on the HU in and about it.

A mark of something else (a rib, a lymph node, the liver, the table) would get a number like any
nodule.  The network cannot know better: it has seen nothing but nodules in lung.

- What is marked must not reach further than the largest nodule.
- In it: what is mostly air is no nodule, nor is bone or contrast that goes on well beyond the mark.
- It must be denser than the lung about it: an outline on nothing would get a number as well.
- About it: the share of lung, between -1000 and -500 HU, in a shell from 2 to 8 mm beyond its
  surface.  Air outside the body is no lung: it joins the image's border.

The bounds come from 791 nodules of LIDC-IDRI as their readers outlined them: the least share of
lung is 0.14, in one of a hundred it is under 0.41; none is dense in over a quarter and goes on,
none is air in over 15 %.  The least contrast to the lung about it is 79 HU of an outline, 66 of a
circle and 92 of a point.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.errors import NoduleUnusable
from m3net.placed import PlacedNodule
from m3net.planes import IN_PLANE, block_means, with_holes
from m3net.volume import CTVolume

LUNG_HU = (-1000, -500)
SHELL_MM = (2.0, 8.0)
NO_LUNG_BELOW = 0.1
LITTLE_LUNG_BELOW = 0.35
LITTLE_LUNG_ABOUT_A_POINT_BELOW = 0.5

RADII_MM = (3.0, 6.0, 10.0, 15.0)
"""A point, and a circle that was only put there, may be the middle of a nodule of any of these."""

OUTSIDE_FROM = 0.25
OUTSIDE_WITH_LITTLE_LUNG_FROM = 0.1

AIR_BELOW_HU = -900
MUCH_AIR_FROM = 0.2
TISSUE_FROM_HU = -750

CONTRAST_FROM_HU = 41
"""Mean of what is marked, less mean of the lung in the shell."""

DENSE_FROM_HU = 150
"""Bone and contrast; calcified nodules too, but those end where they were marked."""
DENSE_FROM = 0.25
PARTLY_DENSE_FROM = 0.1
DENSE_REACH_MM = 8.0
DENSE_BEYOND_MM3 = 60.0
DENSE_IN_LUNG_FROM = 0.55
"""With so much lung about it, what goes on is a vessel, which a nodule may sit on."""

_OUTSIDE_BELOW_HU = -930
_BLOCK_MM = 2.8
"""In-plane size of the blocks by which air outside is told from lung: noise cancels out in them."""
_WHOLE_BODY_MM = 250.0
"""A smaller field of view cuts through the lungs, which then join its border themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was measured, as shares.

    lung    : of the shell
    further : of the shell with most lung in it, where what is marked may be larger than its mark
    outside : of the shell, air outside the body
    air     : of what is marked
    tissue  : of what is marked, denser than lung
    dense   : of what is marked, if that is bone or contrast that goes on beyond it; else 0

    contrast_hu : mean of what is marked, less mean of the lung in the shell; infinite where
                  nothing is marked that is there, or no lung is about it
    """

    lung: float
    further: float
    outside: float
    air: float
    tissue: float
    dense: float
    contrast_hu: float


def check_surroundings(placed: PlacedNodule, *, max_diameter_mm: float) -> str | None:
    """None if a nodule in lung can be there; else the doubt, as a sentence for the report.

    Raises NoduleUnusable if none can.
    """
    too_long_mm = [length_mm for length_mm in _lengths_mm(placed) if length_mm > max_diameter_mm]
    if too_long_mm:
        raise NoduleUnusable(
            f"what is marked is {max(too_long_mm):.0f} mm long, expected {max_diameter_mm:g} mm at "
            "most: it is no nodule"
        )
    found = measure(placed)
    reason = why_no_nodule(found)
    if reason is not None:
        raise NoduleUnusable(reason)
    return doubt_of(found, about_a_point=placed.nodule.is_bare)


def doubt_of(found: Surroundings, *, about_a_point: bool) -> str | None:
    """Why a nodule in lung may not be there; None if nothing speaks against it.

    about_a_point : how large the nodule is was not marked
    """
    little = LITTLE_LUNG_ABOUT_A_POINT_BELOW if about_a_point else LITTLE_LUNG_BELOW
    about = f"{_percent(found.lung)} of what lies 2 to 8 mm beyond it is lung"
    if found.lung < little:
        return f"only {about}: it may lie in chest wall, mediastinum or beside consolidation"
    if found.dense >= PARTLY_DENSE_FROM:
        return "bone or contrast in it goes on beyond it: it may be a rib or a vessel"
    if found.air >= MUCH_AIR_FROM:
        return f"{_percent(found.air)} of what is marked is air: it may be an airway or a cavity"
    if found.tissue == 0:
        return "nothing that is marked is denser than lung: the mark may lie beside the nodule"
    return None


def why_no_nodule(found: Surroundings) -> str | None:
    """Why no nodule in lung can be there; None if one can."""
    if found.outside >= OUTSIDE_FROM or (
        found.outside >= OUTSIDE_WITH_LITTLE_LUNG_FROM and found.lung < LITTLE_LUNG_BELOW
    ):
        return "it is marked outside the body or at its surface, not in the lung"
    if found.air > 0.5:
        return (
            "most of what is marked is air, as in a cyst, a bulla or an airway; a cavity is judged "
            "if it is outlined with its whole wall"
        )
    if found.dense >= DENSE_FROM and found.further < DENSE_IN_LUNG_FROM:
        return "what is marked is bone or contrast that goes on beyond it, not a nodule in the lung"
    if found.further < NO_LUNG_BELOW:
        return (
            f"it is not marked in the lung: {_percent(found.further)} of what lies 2 to 8 mm "
            f"beyond it are between -1000 and -500 HU, expected {_percent(NO_LUNG_BELOW)} or more"
        )
    if found.contrast_hu < CONTRAST_FROM_HU:
        return (
            f"nothing is marked but lung: it is {found.contrast_hu:.0f} HU denser than the lung "
            f"about it, expected {CONTRAST_FROM_HU} HU or more: the mark may lie beside the nodule"
        )
    return None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """(Y, X) each.

    padding : what no pixel shows
    outside : air that joins the image's border, and its rim
    """

    padding: NDArray[np.bool_]
    outside: NDArray[np.bool_]


_Slices = Callable[[int], _Slice]
"""By number, each worked out once for all radii of a mark."""


def measure(placed: PlacedNodule) -> Surroundings:
    """The HU in and about what is marked."""
    nodule = placed.nodule
    slices = cache(partial(_slice, placed.volume))
    if nodule.mask is not None:
        return _measured(placed, slices)
    if nodule.diameter_mm is not None:
        own = _measured(placed, slices)
        inner = _of_radius(placed, nodule.diameter_mm / 4, slices)  # it may be drawn generously
        own = replace(own, contrast_hu=max(own.contrast_hu, inner.contrast_hu))
        if own.lung >= LITTLE_LUNG_BELOW:
            return own
        wider = [_of_radius(placed, r, slices) for r in RADII_MM if r > nodule.diameter_mm / 2]
        return replace(own, further=max(each.lung for each in (own, *wider)))
    tried = [_of_radius(placed, radius_mm, slices) for radius_mm in RADII_MM]
    small = tried[:2]
    return replace(
        max(tried, key=lambda each: each.lung),
        air=min(each.air for each in small),
        tissue=max(each.tissue for each in small),
        dense=max(each.dense for each in small),
        contrast_hu=max(each.contrast_hu for each in tried),
    )


def _of_radius(placed: PlacedNodule, radius_mm: float, slices: _Slices) -> Surroundings:
    sphere = replace(placed.nodule, diameter_mm=2 * radius_mm)
    return _measured(replace(placed, nodule=sphere), slices)


def _lengths_mm(placed: PlacedNodule) -> Iterator[float]:
    """The stated diameter, and the edges of the box about the mask."""
    if placed.nodule.diameter_mm is not None:
        yield placed.nodule.diameter_mm
    if placed.nodule.mask is not None:
        first, last = placed.extent()
        yield from ((last - first) * placed.volume.spacing_mm).tolist()


def _measured(placed: PlacedNodule, slices: _Slices) -> Surroundings:
    volume = placed.volume
    spacing = np.array(volume.spacing_mm)
    marked = placed.voxels(bare_radius_mm=RADII_MM[0])
    margin = np.ceil((DENSE_REACH_MM + 4) / spacing).astype(int)
    first = np.array(marked.box.first) - margin
    last = first + np.array(marked.inside.shape) + 2 * margin
    low, high = np.maximum(first, 0), np.minimum(last, volume.shape)
    if np.any(low >= high):
        return Surroundings(
            lung=0.0,
            further=0.0,
            outside=1.0,
            air=1.0,
            tissue=0.0,
            dense=0.0,
            contrast_hu=math.inf,
        )
    crop = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    own = tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first, strict=True))
    inside = np.pad(marked.inside, [(m, m) for m in margin])[own]
    away_mm = ndimage.distance_transform_edt(~inside, sampling=spacing)
    hu = volume.hu[crop]
    near = [slices(z) for z in range(int(low[0]), int(high[0]))]
    there = ~np.stack([each.padding[crop[1:]] for each in near])
    there[[z - low[0] for z in volume.missing if low[0] <= z < high[0]]] = False
    outside = np.stack([each.outside[crop[1:]] for each in near])
    shell = there & (away_mm > SHELL_MM[0]) & (away_mm <= SHELL_MM[1])
    lung = (hu > LUNG_HU[0]) & (hu < LUNG_HU[1]) & ~outside
    inside &= there
    return Surroundings(
        lung=_share(lung, shell),
        further=_share(lung, shell),
        outside=_share(outside, shell),
        air=_share(hu < AIR_BELOW_HU, inside),
        tissue=_share(hu >= TISSUE_FROM_HU, inside),
        dense=_share_that_goes_on(hu, inside, away_mm, float(spacing.prod())),
        contrast_hu=_contrast_hu(hu, inside, shell & lung),
    )


def _share(of: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    return float(of[where].mean()) if where.any() else 0.0


def _contrast_hu(
    hu: NDArray[np.int16], inside: NDArray[np.bool_], lung: NDArray[np.bool_]
) -> float:
    if not (inside.any() and lung.any()):
        return math.inf
    return float(hu[inside].mean() - hu[lung].mean())


def _share_that_goes_on(
    hu: NDArray[np.int16],
    inside: NDArray[np.bool_],
    away_mm: NDArray[np.float64],
    voxel_mm3: float,
) -> float:
    dense = hu >= DENSE_FROM_HU
    labels, _ = ndimage.label(dense)
    own = np.unique(labels[inside & dense])
    beyond = np.isin(labels, own) & (away_mm > DENSE_REACH_MM)
    if float(beyond.sum()) * voxel_mm3 < DENSE_BEYOND_MM3:
        return 0.0
    return _share(dense, inside)


def _slice(volume: CTVolume, z: int) -> _Slice:
    padding = volume.padded(z)
    return _Slice(padding=padding, outside=_outside(volume, z, padding))


def _outside(volume: CTVolume, z: int, padding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(Y, X): air of a slice that joins the image's border, and its rim.

    padding : (Y, X).  It is no air: beyond the field of view air, lung or body go on as they ended
    """
    _, rows, columns = volume.shape
    if min(rows * volume.spacing_mm[1], columns * volume.spacing_mm[2]) < _WHOLE_BODY_MM:
        return np.zeros(padding.shape, dtype=np.bool_)
    block = max(1, round(_BLOCK_MM / volume.spacing_mm[2]))
    fill = ((0, -rows % block), (0, -columns % block))
    hu = np.pad(volume.hu[z], fill, mode="edge")
    if padding.any():
        mean_hu = _mean_hu_without(np.pad(padding, fill, mode="edge"), hu, block)
    else:
        mean_hu = _means(hu, block)
    air = ~with_holes(mean_hu[None] >= _OUTSIDE_BELOW_HU)
    (beyond,) = ndimage.binary_dilation(air, IN_PLANE)
    fine: NDArray[np.bool_] = beyond.repeat(block, axis=0).repeat(block, axis=1)
    return fine[:rows, :columns]


def _mean_hu_without(
    padding: NDArray[np.bool_], hu: NDArray[np.int16], block: int
) -> NDArray[np.float64]:
    """A slice's means of blocks without their padding; of nothing else, that of the nearest."""
    share = _means((~padding).astype(np.int16), block)
    shown = np.where(padding, np.int16(0), hu)
    mean_hu = _means(shown, block) / np.maximum(share, 1e-6)
    hidden = share == 0
    if hidden.all():
        return mean_hu
    nearest = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    of_nearest: NDArray[np.float64] = mean_hu[tuple(nearest)]
    return of_nearest


def _means(plane: NDArray[np.int16], block: int) -> NDArray[np.float64]:
    (means,) = block_means(plane[None], rows=block, columns=block)
    return np.asarray(means)
