"""A nodule of the readers laid over the CT series as it lies on disk.

Outlines are in pixels of the slices, so a slice is found by its Image Position (Patient) z.  What a
series on disk lacks of the scan that was read is known from the readings' source; a nodule whose
slices are not all there is refused, never moved to a neighbour.
"""

import numpy as np

from m3net.annotations.components import split
from m3net.errors import NoduleUnusable, SeriesUnusable
from m3net.nodule import Mask, Nodule
from m3net.volume import CTVolume, transform
from training.data.lidc.nodules import Agreement, LidcNodule
from training.data.lidc.readings import Floats

SAME_SLICE = 0.25
"""Share of the slice distance by which an outline may stand beside its slice."""

DEPTH = 56
"""Slices about the centre that a nodule must have, scan's ends excepted (eq. 1)."""


def heights_of(volume: CTVolume) -> Floats:
    """Image Position (Patient) z of every slice of the volume, absent ones included: (Z,).

    Raises SeriesUnusable if the slices are not axial.
    """
    if np.abs(volume.affine[2, 1:3]).max() > 1e-4 or abs(volume.affine[2, 0]) < 1e-3:
        raise SeriesUnusable("the slices are not axial, as all of LIDC-IDRI are")
    return np.asarray(volume.affine[2, 3] + volume.affine[2, 0] * np.arange(volume.shape[0]))


def absent_slices(volume: CTVolume, scan_z_mm: Floats) -> list[float]:
    """Slices of the scan that the series on disk lacks, as (fractional) index in the volume.

    scan_z_mm : of every slice that the readers saw, as far as it is known
    """
    numbers = (scan_z_mm - volume.affine[2, 3]) / volume.affine[2, 0]
    nearest = np.floor(numbers + 0.5)
    present = np.isin(nearest, sorted(set(range(volume.shape[0])) - volume.missing))
    there = present & (np.abs(numbers - nearest) <= SAME_SLICE)
    return sorted({*numbers[~there].tolist(), *(float(z) for z in volume.missing)})


def place(
    nodule: LidcNodule, volume: CTVolume, *, absent: list[float], agreement: Agreement
) -> Nodule:
    """The readers' nodule in the patient's frame: their mean centroid, their common mask.

    absent : see `absent_slices`

    Raises NoduleUnusable if one of the slices about it is not there.
    """
    heights = heights_of(volume)
    step = abs(float(volume.affine[2, 0]))
    for z in sorted({contour.z_mm for each in nodule.readings for contour in each.contours}):
        off = np.abs(heights - z)
        if off.min() > SAME_SLICE * step or int(off.argmin()) in volume.missing:
            raise NoduleUnusable(f"the slice at z = {z:g} mm, on which it is outlined, is absent")
    _check_columns(nodule, volume)
    centre = nodule.centroid(heights)
    begin = int(np.floor(centre[0] + 0.5)) - DEPTH // 2
    lacking = [number for number in absent if begin - 0.5 < number < begin + DEPTH - 0.5]
    if lacking:
        near = min(abs(number - float(centre[0])) for number in lacking) * step
        raise NoduleUnusable(
            f"{len(lacking)} of the {DEPTH} slices about it are absent, the nearest {near:.1f} mm "
            "from its centre"
        )
    marked = nodule.mask(heights, agreement)
    affine = volume.affine.copy()
    affine[:3, 3] = transform(volume.affine, marked.first)
    x, y, z_mm = volume.to_mm(centre).tolist()
    return Nodule(
        centre_mm=(x, y, z_mm),
        mask=Mask(voxels=marked.voxels, affine=affine),
        diameter_mm=split(marked.voxels, affine)[0].diameter_mm,
        tracking_uid="",
        tracking_id=nodule.name,
        sources=(),
    )


def _check_columns(nodule: LidcNodule, volume: CTVolume) -> None:
    points = np.concatenate([c.points for each in nodule.readings for c in each.contours])
    if points.min() < 0 or np.any(points.max(axis=0) >= volume.shape[1:]):
        raise NoduleUnusable("it is outlined beyond the slices' edges; these are other images")
