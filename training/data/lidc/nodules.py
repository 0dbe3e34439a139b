"""The paper's nodules: clusters of readings with a mean score, a centroid and a common mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.data.lidc.clusters import cluster
from training.data.lidc.readings import Contour, Floats, LidcScan, Reading
from training.data.splits import nodule_id

Bools = NDArray[np.bool_]


class Agreement(StrEnum):
    """How many readers must have a voxel inside for it to be the nodule's."""

    ANY = "any"
    """One: the masks of the 791 published cut-outs, voxel for voxel."""
    HALF = "half"
    """At least half of those who marked the nodule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelMask:
    """Voxels of a scan, cropped to those that are marked.

    voxels : (Z, Y, X) bool
    first  : (slice, row, column) of voxels[0, 0, 0]
    """

    voxels: Bools
    first: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LidcNodule:
    """One nodule as its readers marked it.

    cluster_index : among the scan's nodules by ascending slice, from 0
    """

    patient_id: str
    cluster_index: int
    readings: tuple[Reading, ...]

    @property
    def name(self) -> str:
        """The id that the split files use."""
        return nodule_id(self.patient_id, self.cluster_index)

    @property
    def scores(self) -> tuple[int, ...]:
        """Every reader's malignancy."""
        return tuple(reading.malignancy for reading in self.readings)

    def centroid(self, slice_z_mm: Floats) -> Floats:
        """(slice, row, column): the mean over readers of the mean of their outlines' points."""
        means = [reading.points(slice_z_mm).mean(axis=0) for reading in self.readings]
        return np.asarray(np.mean(means, axis=0))

    def mask(self, slice_z_mm: Floats, agreement: Agreement) -> VoxelMask:
        """The voxels that enough readers have inside their outlines.

        Of outlines so small that they enclose nothing, or that agree on nothing: the voxels that
        most readers have inside or on the outline.
        """
        points = np.concatenate([reading.points(slice_z_mm) for reading in self.readings])
        low = points.min(axis=0).astype(int)
        shape = (points.max(axis=0).astype(int) - low + 1).tolist()
        votes, touched = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        for reading in self.readings:
            inside, outline = _drawn(reading, slice_z_mm, low, shape)
            votes += inside
            touched += inside | outline
        needed = 1 if agreement is Agreement.ANY else -(-len(self.readings) // 2)
        marked = votes >= needed
        if not marked.any():
            marked = touched == touched.max()
        return _cropped(marked, low)


def nodules_of(scan: LidcScan) -> list[LidcNodule]:
    """Every nodule of the scan, nothing discarded (the paper, Sec. 4.1)."""
    points = [reading.points(scan.slice_z_mm) for reading in scan.readings]
    members = cluster(points, near=scan.slice_thickness_mm)
    return [
        LidcNodule(
            patient_id=scan.patient_id,
            cluster_index=index,
            readings=tuple(scan.readings[number] for number in numbers),
        )
        for index, numbers in enumerate(members)
    ]


def _drawn(
    reading: Reading, slice_z_mm: Floats, low: NDArray[np.int64], shape: Sequence[int]
) -> tuple[Bools, Bools]:
    """What one reader has inside, and the outlines themselves: (Z, Y, X) each."""
    inside, outline = np.zeros(shape, bool), np.zeros(shape, bool)
    for contour in sorted(reading.contours, key=lambda contour: contour.is_hole):
        z = int(np.abs(slice_z_mm - contour.z_mm).argmin()) - low[0]
        rows, columns = (contour.points - low[1:]).T
        if not contour.is_hole:
            inside[z] |= _filled(contour, low[1:], shape[1:])
        else:
            inside[z] &= ~_filled(contour, low[1:], shape[1:])
        inside[z, rows, columns] = False
        outline[z, rows, columns] = True
    return inside, outline


def _filled(contour: Contour, low: NDArray[np.int64], shape: Sequence[int]) -> Bools:
    """The pixels within the outline and on it, (Y, X)."""
    image = Image.new("1", (shape[1], shape[0]))
    corners = [(column, row) for row, column in (contour.points - low).tolist()]
    ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
    return np.array(image)


def _cropped(marked: Bools, low: NDArray[np.int64]) -> VoxelMask:
    index = np.argwhere(marked)
    begin, end = index.min(axis=0), index.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(begin, end, strict=True))
    z, y, x = (low + begin).tolist()
    return VoxelMask(voxels=marked[box], first=(z, y, x))
