"""One marking laid over a CT: what it marks there, or the one reason why it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3net.annotations.components import HALF, LEAST_VOLUME_MM3, Component, longest, split
from m3net.annotations.contours import rasterise
from m3net.annotations.types import FrameGrid, Marking
from m3net.errors import NoduleUnusable
from m3net.nodule import Mask, Point
from m3net.uids import uid_in_words
from m3net.volume import CTVolume, transform

GRID_TOLERANCE = 0.5
"""Pixels by which a segmentation on the CT's matrix may stand beside the CT's own pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One lesion of a marking, in the CT.

    part    : (1-based rank by volume, how many), (1, 1) if the marking is one piece
    refused : the reason if this piece cannot be analysed
    """

    centre_mm: Point
    mask: Mask | None
    diameter_mm: float | None
    part: tuple[int, int]
    notes: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The lesions of a marking, and sentences about pieces that are too small to be one."""

    spots: tuple[Spot, ...]
    ignored: tuple[str, ...] = ()


def place(marking: Marking, volume: CTVolume) -> Placed:
    """The marking's lesions.

    Raises NoduleUnusable if the marking as a whole cannot be trusted.
    """
    if marking.refused is not None:
        raise NoduleUnusable(marking.refused)
    if marking.frame_of_reference_uid != volume.frame_of_reference_uid:
        raise NoduleUnusable(_foreign(marking, volume))
    if marking.centre_mm is not None:
        return Placed(spots=(_bare(marking, marking.centre_mm, marking.drawn_mm, volume),))
    if marking.mask is not None:
        pieces = split(marking.mask.voxels, marking.mask.affine)
    else:
        coverage = rasterise(marking.contours_mm, volume, overlap=marking.overlap)
        if coverage is None:
            return Placed(spots=(_oblique(marking, volume),))
        affine = volume.affine.copy()
        affine[:3, 3] = transform(affine, coverage.first)
        pieces = split(coverage.share >= HALF, affine, share=coverage.share)
    return _pieces(marking, pieces, volume)


def _foreign(marking: Marking, volume: CTVolume) -> str:
    named = marking.frame_of_reference_uid
    own = uid_in_words(named) if named else "none given"
    if str(volume.frame_of_reference_uid) == str(volume.series_instance_uid):
        return (
            "the CT names no frame of reference, and not everything that is marked names the CT "
            f"slice that it was drawn on; it is marked in the frame of reference {own}"
        )
    return (
        f"it is marked in a foreign frame of reference, {own}; "
        f"the CT's is {volume.frame_of_reference_uid}"
    )


def _pieces(marking: Marking, pieces: Sequence[Component], volume: CTVolume) -> Placed:
    large = [piece for piece in pieces if piece.volume_mm3 >= LEAST_VOLUME_MM3]
    if not large:
        volume_mm3 = sum(piece.volume_mm3 for piece in pieces)
        raise NoduleUnusable(
            f"what is marked is {volume_mm3:.1f} mm³ large; no piece of {LEAST_VOLUME_MM3:g} mm³ "
            "or more is in it, so it is too small to be judged"
        )
    specks = len(pieces) - len(large)
    ignored: tuple[str, ...] = ()
    if specks:
        what = "piece" if specks == 1 else "pieces"
        ignored = (
            f"{specks} {what} of {marking.source.place} under {LEAST_VOLUME_MM3:g} mm³ "
            f"{'was' if specks == 1 else 'were'} ignored.",
        )
    astray = _off_grid(marking.unchecked_grid, volume) if marking.unchecked_grid else None
    spots = []
    for rank, piece in enumerate(large, start=1):
        stated_mm = marking.stated_mm if rank == 1 else None
        notes = list(marking.notes)
        if marking.unchecked_grid is not None:
            notes.append(
                "The segmentation does not name the CT slices that it was drawn on; "
                "its place rests on its own coordinates."
            )
        outside = _share_outside(piece.mask, volume)
        if outside > 0:
            notes.append(f"{100 * outside:.0f} % of the marked voxels lie outside the CT.")
        spots.append(
            Spot(
                centre_mm=piece.centre_mm,
                mask=piece.mask,
                diameter_mm=piece.diameter_mm if stated_mm is None else stated_mm,
                part=(rank, len(large)),
                notes=tuple(notes),
                refused=_outside(piece.centre_mm, volume) or astray,
            )
        )
    return Placed(spots=tuple(spots), ignored=ignored)


def _bare(marking: Marking, centre_mm: Point, drawn_mm: float | None, volume: CTVolume) -> Spot:
    return Spot(
        centre_mm=centre_mm,
        mask=None,
        diameter_mm=drawn_mm if marking.stated_mm is None else marking.stated_mm,
        part=(1, 1),
        notes=marking.notes,
        refused=_outside(centre_mm, volume),
    )


def _oblique(marking: Marking, volume: CTVolume) -> Spot:
    """Outlines on another plane than the CT's, a reformat's: their middle and their width."""
    if len(marking.contours_mm) > 1:
        raise NoduleUnusable("it is outlined on several images that are not parallel to the CT")
    outline = marking.contours_mm[0]
    centre = _middle_of_area(outline)
    return _bare(marking, centre, longest(outline), volume)


def _middle_of_area(outline: NDArray[np.float64]) -> Point:
    """The centroid of a planar polygon, from the triangles about its first point."""
    origin = outline[0]
    one, other = outline[1:-1] - origin, outline[2:] - origin
    doubles = np.cross(one, other)
    normal = doubles.sum(axis=0)
    weights = doubles @ normal
    x, y, z = (origin + ((one + other) * weights[:, None]).sum(axis=0) / weights.sum() / 3).tolist()
    return x, y, z


def _outside(centre_mm: Point, volume: CTVolume) -> str | None:
    if volume.contains(centre_mm):
        return None
    depth, rows, columns = volume.shape
    corners = volume.to_mm(
        [(k, r, c) for k in (0, depth - 1) for r in (0, rows - 1) for c in (0, columns - 1)]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    return (
        f"its centre ({_mm(centre_mm)}) mm lies outside the CT, "
        f"which spans ({_mm(low)}) to ({_mm(high)}) mm"
    )


def _off_grid(grid: FrameGrid, volume: CTVolume) -> str | None:
    """The reason if frames of the CT's own matrix and pixel size do not lie on the CT's pixels.

    Such frames were drawn on the CT.  If they stand between its pixels, their positions are wrong.
    """
    _, rows, columns = volume.shape
    if (grid.rows, grid.columns) != (rows, columns):
        return None
    if not np.allclose(grid.affine[:, 1:3], volume.affine[:, 1:3], atol=1e-3):
        return None
    first = volume.to_index(grid.affine[:3, 3])
    if np.all(np.abs(first[1:]) <= GRID_TOLERANCE):
        return None
    return (
        f"the segmentation has the CT's matrix of {rows} x {columns} pixels, but its frames stand "
        f"at ({_mm(grid.affine[:3, 3])}) mm, beside the CT's slices, which begin at "
        f"({_mm(volume.affine[:3, 3])}) mm; its geometry cannot be trusted"
    )


def _share_outside(mask: Mask, volume: CTVolume) -> float:
    points = transform(mask.affine, np.argwhere(mask.voxels))
    index = volume.to_index(points)
    inside = np.all((index >= -0.5) & (index <= np.array(volume.shape) - 0.5), axis=1)
    return float(1 - inside.mean())


def _mm(point: Sequence[float] | NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.1f}" for value in point)
