"""Cutting the three nested patches of a nodule out of a CT (Li et al. 2026, eq. 1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.borders import beyond_image
from m3net.description import NAMES, describe, describe_basic
from m3net.errors import NoduleUnusable
from m3net.grid import GridBox, grid_points
from m3net.nodule import Nodule
from m3net.placed import PlacedNodule
from m3net.scales import ContextBox, Scale, ScaleSpec
from m3net.slices import slices_of
from m3net.told import OUTLINE, told_as
from m3net.volume import AIR_HU, HALF, CTVolume, nearest_index, transform

ROUNDING = 1e-6
"""Voxels: a grid that ends on a slice needs no more than that slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One scale of one nodule.

    hu     : (D, H, W) float32, HU; air (-1000) where `valid` is False
    valid  : (D, H, W) bool, False outside the scan, in missing slices, in padding and outside the
             context box
    mask   : (D, H, W) float32 in [0, 1], or None where none was asked for
    affine : (4, 4) float64, index (z, y, x) -> LPS mm
    """

    hu: NDArray[np.float32]
    valid: NDArray[np.bool_]
    mask: NDArray[np.float32] | None
    affine: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """All scales of one nodule, and what had to be assumed of it, in words for the report.

    description : (N,) `m3net.description.NAMES`; NaN for a bare centre, and beyond the basic ones
                  for a nodule without a mask; None: not asked for
    slices      : (10, 2, 160, 160) `m3net.slices`; None: not asked for, or nobody outlined it
    told        : in which way the nodule was told (`m3net.told`)
    """

    scales: Mapping[Scale, Patch]
    description: NDArray[np.float64] | None = None
    slices: NDArray[np.float32] | None = None
    told: str = OUTLINE
    notes: tuple[str, ...] = ()


def cut_patches(
    volume: CTVolume,
    nodule: Nodule,
    scales: Mapping[Scale, ScaleSpec],
    *,
    context: ContextBox | None = None,
    mask: bool = False,
    described: bool = False,
    sliced: bool = False,
) -> Patches:
    """Cut the concentric patches of one nodule.

    On the CT's own voxels the nodule's centre falls into voxel (D // 2, H // 2, W // 2), unless
    `ScaleSpec.border` shifts the window; on a grid in millimetres it is the grid's exact middle.
    Outside the scan is air, marked as not valid.

    context   : the scan is treated as if it ended at this box about the nodule
    mask      : whether the nodule's mask is wanted too: its own, else the sphere of its diameter,
                else nothing
    described : whether its description is wanted, of what lies in the box
    sliced    : whether slices of the box are wanted too

    Raises NoduleUnusable if the centre is not in the volume.
    Li et al. 2026, eq. 1; pixel to patient: PS3.3 C.7.6.2.1.1.
    """
    placed = place_inside(volume, nodule)
    low, high = seen_of(placed, context)
    cut = {
        scale: _cut(placed, spec, low=low, high=high, mask=mask) for scale, spec in scales.items()
    }
    return Patches(
        scales=cut,
        description=describe_placed(placed, low=low, high=high) if described else None,
        slices=_slices(placed, low=low, high=high) if sliced else None,
        told=told_as(nodule),
        notes=_notes(nodule, context) if mask or context or described else (),
    )


def place_inside(volume: CTVolume, nodule: Nodule) -> PlacedNodule:
    """The nodule in the CT.

    Raises NoduleUnusable if its centre is not there.
    """
    if not volume.contains(nodule.centre_mm):
        at = ", ".join(f"{i:.0f}" for i in volume.to_index(nodule.centre_mm))
        raise NoduleUnusable(
            f"the nodule's centre lies outside the CT: at slice, row, column {at} of "
            f"{' x '.join(map(str, volume.shape))}; check the annotation's frame of reference"
        )
    return PlacedNodule(nodule=nodule, volume=volume)


def seen_of(
    placed: PlacedNodule, context: ContextBox | None
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First and last voxel (z, y, x) of the CT that may be seen: all, or what the context shows."""
    low, high = np.zeros(3, dtype=int), np.array(placed.volume.shape) - 1
    if context is not None:
        box_low, box_high = context_box(placed, context)
        low, high = np.maximum(low, box_low), np.minimum(high, box_high)
    return low, high


def box_seen(
    volume: CTVolume,
    nodule: Nodule,
    scales: Mapping[Scale, ScaleSpec],
    *,
    context: ContextBox | None = None,
    described: bool = False,
) -> GridBox:
    """The voxels that `cut_patches` looks at with the same arguments, and those of the nodule.

    They may lie beyond the scan, where it ends within the patch.
    """
    placed = PlacedNodule(nodule=nodule, volume=volume)
    ends = np.array(volume.shape) - 1
    seen = np.array([_reach_of(placed, spec, ends=ends) for spec in scales.values()])
    first, last = seen[:, 0].min(axis=0), seen[:, 1].max(axis=0)
    if context is not None:
        low, high = context_box(placed, context)
        first, last = np.maximum(first, low), np.minimum(last, high)
        if described:
            first, last = low, high
    elif described:
        first, last = np.minimum(first, 0), np.maximum(last, ends)
    own_low, own_high = placed.extent()
    return GridBox.about([np.minimum(first, own_low), np.maximum(last, own_high)])


def _reach_of(
    placed: PlacedNodule, spec: ScaleSpec, *, ends: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last voxel of one patch; of a window that was moved inwards, those it left too."""
    corners = np.moveaxis(np.indices((2, 2, 2)), 0, -1).reshape(-1, 3) * (np.array(spec.size) - 1)
    places = np.concatenate(
        [
            transform(patch_grid(placed, grid, low=np.zeros(3, dtype=int), high=ends)[1], corners)
            for grid in (spec, replace(spec, border="pad"))
        ]
    )
    return np.floor(places.min(axis=0) + ROUNDING), np.ceil(places.max(axis=0) - ROUNDING)


def _cut(
    placed: PlacedNodule,
    spec: ScaleSpec,
    *,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
    mask: bool,
) -> Patch:
    """One patch; `low` and `high` are the first and last voxel (z, y, x) that may be seen."""
    volume = placed.volume
    affine, to_volume = patch_grid(placed, spec, low=low, high=high)
    index = np.moveaxis(grid_points(to_volume, spec.size), -1, 0)  # (3, D, H, W)
    valid = np.ones(spec.size, dtype=np.bool_)
    for axis in range(3):
        valid &= (index[axis] > low[axis] - HALF) & (index[axis] < high[axis] + HALF)
    if volume.missing:
        valid &= ~np.isin(nearest_index(index[0]), list(volume.missing))
    if volume.padding is not None:
        valid &= ~_in_padding(nearest_index(index).astype(int), volume)
    hu: NDArray[np.float32] = ndimage.affine_transform(
        # cut first: half a voxel within the border, what lies beyond it must not show through
        volume.hu[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))],
        to_volume[:3, :3],
        offset=to_volume[:3, 3] - low,
        output_shape=spec.size,
        output=np.float32,
        order=0 if spec.spacing_mm is None else 1,
        mode="nearest",
    )
    hu[~valid] = AIR_HU
    return Patch(
        hu=hu,
        valid=valid,
        mask=placed.share_on_grid(affine, spec.size) if mask else None,
        affine=affine,
    )


def _in_padding(index: NDArray[np.int_], volume: CTVolume) -> NDArray[np.bool_]:
    """Which voxels (3, D, H, W) of the CT the image does not show: (D, H, W)."""
    box = GridBox.about(index.reshape(3, -1).T)
    z, y, x = index - np.array(box.first)[:, None, None, None]
    padded: NDArray[np.bool_] = beyond_image(box, volume)[z, y, x]
    return padded


def patch_grid(
    placed: PlacedNodule,
    spec: ScaleSpec,
    *,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The patch's affine to LPS mm, and its affine to the volume's index.

    low, high : first and last voxel (z, y, x) that may be seen: a window may keep to them
    """
    volume, size = placed.volume, np.array(spec.size)
    to_volume = np.eye(4)
    if spec.spacing_mm is None:
        first = nearest_index(placed.centre_index) - size // 2
        if spec.border == "shift":
            room = high + 1 - size  # the last place at which the window still fits
            first = np.where(room >= low, np.clip(first, low, np.maximum(low, room)), first)
        to_volume[:3, 3] = first
        return volume.affine @ to_volume, to_volume
    z, y, x = volume.affine[:3, :3].T / np.linalg.norm(volume.affine[:3, :3], axis=0)[:, None]
    normal = np.cross(y, x)
    normal *= np.sign(normal @ z) / np.linalg.norm(normal)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([normal, y, x]) * np.array(spec.spacing_mm)
    affine[:3, 3] = np.array(placed.nodule.centre_mm) - affine[:3, :3] @ ((size - 1) / 2)
    to_volume = np.linalg.inv(volume.affine) @ affine
    return affine, to_volume


def context_box(
    placed: PlacedNodule, context: ContextBox
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First and last voxel (z, y, x) that the context shows; they may lie beyond the volume."""
    low, high = placed.extent(bare_diameter_mm=context.bare_diameter_mm)
    extent = high - low + 1
    margin = np.maximum(
        np.floor(np.array(context.margin_share) * extent).astype(int),
        (np.array(context.min_extent_voxels) - extent) // 2,
    )
    margin = np.maximum(margin, 0)
    return low - margin, high + margin


def describe_placed(
    placed: PlacedNodule,
    *,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
    basic: bool = False,
) -> NDArray[np.float64]:
    """The description of the nodule in its box, from its mask or its sphere, on the CT's voxels.

    What is marked in padding was not imaged, and is not described.

    low, high : first and last voxel (z, y, x) of the box
    basic     : only the basic numbers, as of a sphere; NaN beyond them
    """
    shown, inside = _boxed(placed, low=low, high=high)
    if not inside.any():
        return np.full(len(NAMES), np.nan)
    measure = describe_basic if basic or placed.nodule.mask is None else describe
    return measure(shown, inside, placed.volume.spacing_mm)


def _slices(
    placed: PlacedNodule, *, low: NDArray[np.int_], high: NDArray[np.int_]
) -> NDArray[np.float32] | None:
    """The slices of an outlined nodule in its box; None of another, or if none of it was imaged."""
    if placed.nodule.mask is None:
        return None
    shown, inside = _boxed(placed, low=low, high=high)
    return slices_of(shown, inside, placed.volume.spacing_mm) if inside.any() else None


def _boxed(
    placed: PlacedNodule, *, low: NDArray[np.int_], high: NDArray[np.int_]
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """The CT in a box of its voxels, and which of them are the nodule's and were imaged."""
    volume = placed.volume
    depth, height, width = (int(n) for n in high - low + 1)
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm(low)
    inside = placed.share_on_grid(affine, (depth, height, width)) >= 0.5
    if volume.padding is not None:
        z, y, x = (int(n) for n in low)
        inside &= ~beyond_image(GridBox(first=(z, y, x), shape=inside.shape), volume)
    return volume.hu[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))], inside


def _notes(nodule: Nodule, context: ContextBox | None) -> tuple[str, ...]:
    """What stood in for a mask."""
    if nodule.mask is not None:
        return ()
    if nodule.diameter_mm is not None:
        return (f"no outline given: a sphere of {nodule.diameter_mm:.1f} mm stood for the nodule",)
    if context is not None:
        return (
            "centre alone given: the model looked as far as for a nodule of "
            f"{context.bare_diameter_mm:.1f} mm",
        )
    return ("centre alone given: the model was told no extent",)
