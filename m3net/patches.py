"""Cutting the three nested patches of a nodule out of a CT (Li et al. 2026, eq. 1)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.description import NAMES, describe, describe_basic
from m3net.errors import NoduleUnusable
from m3net.nodule import Nodule
from m3net.scales import ContextBox, Scale, ScaleSpec
from m3net.volume import CTVolume, transform

AIR_HU = -1000.0

HALF = 0.5 - 1e-6
"""Half a voxel, less than what rounding adds: centroids and grids often fall on the very face
between two voxels, and must fall to the same side in a CT and in a part cut from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One scale of one nodule.

    hu     : (D, H, W) float32, HU; air (-1000) where `valid` is False
    valid  : (D, H, W) bool, False outside the scan, in missing slices and outside the context box
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
    """

    scales: Mapping[Scale, Patch]
    description: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def cut_patches(
    volume: CTVolume,
    nodule: Nodule,
    scales: Mapping[Scale, ScaleSpec],
    *,
    context: ContextBox | None = None,
    mask: bool = False,
    described: bool = False,
    turn: NDArray[np.float64] | None = None,
) -> Patches:
    """Cut the concentric patches of one nodule.

    On the CT's own voxels the nodule's centre falls into voxel (D // 2, H // 2, W // 2), unless
    `ScaleSpec.border` shifts the window; on a grid in millimetres it is the grid's exact middle.
    Outside the scan is air, marked as not valid.

    context   : the scan is treated as if it ended at this box about the nodule
    mask      : whether the nodule's mask is wanted too: its own, else the sphere of its diameter,
                else nothing
    described : whether its description is wanted, of what lies in the box
    turn      : (3, 3), for training: grids in millimetres have their axes (z, y, x) turned,
                mirrored or stretched by it

    Raises NoduleUnusable if the centre is not in the volume.
    Li et al. 2026, eq. 1; pixel to patient: PS3.3 C.7.6.2.1.1.
    """
    if not volume.contains(nodule.centre_mm):
        at = ", ".join(f"{i:.0f}" for i in volume.to_index(nodule.centre_mm))
        raise NoduleUnusable(
            f"the nodule's centre lies outside the CT: at slice, row, column {at} of "
            f"{' x '.join(map(str, volume.shape))}; check the annotation's frame of reference"
        )
    low, high = np.zeros(3, dtype=int), np.array(volume.shape) - 1
    if context is not None:
        box_low, box_high = context_box(volume, nodule, context)
        low, high = np.maximum(low, box_low), np.minimum(high, box_high)
    cut = {
        scale: _cut(volume, nodule, spec, low=low, high=high, mask=mask, turn=turn)
        for scale, spec in scales.items()
    }
    return Patches(
        scales=cut,
        description=_describe(volume, nodule, low=low, high=high) if described else None,
        notes=_notes(nodule, context) if mask or context or described else (),
    )


def _cut(
    volume: CTVolume,
    nodule: Nodule,
    spec: ScaleSpec,
    *,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
    mask: bool,
    turn: NDArray[np.float64] | None,
) -> Patch:
    """One patch; `low` and `high` are the first and last voxel (z, y, x) that may be seen."""
    affine, to_volume = _grid(volume, nodule, spec, low=low, high=high, turn=turn)
    index = _grid_points(to_volume, spec.size)
    valid = np.ones(spec.size, dtype=np.bool_)
    for axis in range(3):
        valid &= (index[axis] > low[axis] - HALF) & (index[axis] < high[axis] + HALF)
    if volume.missing:
        valid &= ~np.isin(_nearest(index[0]), list(volume.missing))
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
        mask=_mask(nodule, affine, spec.size) if mask else None,
        affine=affine,
    )


def _grid(
    volume: CTVolume,
    nodule: Nodule,
    spec: ScaleSpec,
    *,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
    turn: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The patch's affine to LPS mm, and its affine to the volume's index."""
    size = np.array(spec.size)
    to_volume = np.eye(4)
    if spec.spacing_mm is None:
        first = _nearest(volume.to_index(nodule.centre_mm)) - size // 2
        if spec.border == "shift":
            room = high + 1 - size  # the last place at which the window still fits
            first = np.where(room >= low, np.clip(first, low, np.maximum(low, room)), first)
        to_volume[:3, 3] = first
        return volume.affine @ to_volume, to_volume
    z, y, x = volume.affine[:3, :3].T / np.linalg.norm(volume.affine[:3, :3], axis=0)[:, None]
    normal = np.cross(y, x)
    normal *= np.sign(normal @ z) / np.linalg.norm(normal)
    affine = np.eye(4)
    axes = np.column_stack([normal, y, x])
    affine[:3, :3] = (axes if turn is None else axes @ turn) * np.array(spec.spacing_mm)
    affine[:3, 3] = np.array(nodule.centre_mm) - affine[:3, :3] @ ((size - 1) / 2)
    to_volume = np.linalg.inv(volume.affine) @ affine
    return affine, to_volume


def _grid_points(affine: NDArray[np.float64], size: tuple[int, int, int]) -> NDArray[np.float64]:
    """Every voxel of a grid, mapped: (3, D, H, W)."""
    points = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
    return np.moveaxis(transform(affine, points), -1, 0)


def _nearest(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole index; halves go up, also for odd neighbours (numpy's round does not)."""
    return np.floor(index + 1 - HALF)


def context_box(
    volume: CTVolume, nodule: Nodule, context: ContextBox
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First and last voxel (z, y, x) that the context shows; they may lie beyond the volume."""
    if nodule.mask is not None:
        voxels = np.argwhere(nodule.mask.voxels)
        index = volume.to_index(transform(nodule.mask.affine, voxels))
        first, last = index.min(0), index.max(0)
    else:
        radius = (nodule.diameter_mm or context.bare_diameter_mm) / 2 / np.array(volume.spacing_mm)
        centre = volume.to_index(nodule.centre_mm)
        first, last = centre - radius, centre + radius
    low, high = _nearest(first).astype(int), _nearest(last).astype(int)
    extent = high - low + 1
    margin = np.maximum(
        np.floor(np.array(context.margin_share) * extent).astype(int),
        (np.array(context.min_extent_voxels) - extent) // 2,
    )
    margin = np.maximum(margin, 0)
    return low - margin, high + margin


def _mask(
    nodule: Nodule, affine: NDArray[np.float64], size: tuple[int, int, int]
) -> NDArray[np.float32]:
    """How far each voxel belongs to the nodule: its mask, sampled linearly, or its sphere."""
    if nodule.mask is not None:
        to_mask = np.linalg.inv(nodule.mask.affine) @ affine
        belongs: NDArray[np.float32] = ndimage.affine_transform(
            nodule.mask.voxels.astype(np.float32),
            to_mask[:3, :3],
            offset=to_mask[:3, 3],
            output_shape=size,
            order=1,
            mode="grid-constant",
            cval=0.0,
        )
        return belongs
    if nodule.diameter_mm is None:
        return np.zeros(size, dtype=np.float32)
    away_mm = _grid_points(affine, size) - np.array(nodule.centre_mm).reshape(3, 1, 1, 1)
    inside: NDArray[np.bool_] = np.linalg.norm(away_mm, axis=0) <= nodule.diameter_mm / 2
    return inside.astype(np.float32)


def _describe(
    volume: CTVolume, nodule: Nodule, *, low: NDArray[np.int_], high: NDArray[np.int_]
) -> NDArray[np.float64]:
    """The description of the nodule in its box, from its mask or its sphere, on the CT's voxels."""
    shape = high - low + 1
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm(low)
    inside = _mask(nodule, affine, (int(shape[0]), int(shape[1]), int(shape[2]))) >= 0.5
    if not inside.any():
        return np.full(len(NAMES), np.nan)
    shown = volume.hu[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    measure = describe_basic if nodule.mask is None else describe
    return measure(shown, inside, volume.spacing_mm)


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
