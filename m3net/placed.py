"""A nodule laid over a CT: which places are its own, and how far it reaches.

A nodule is known by its mask, else by its diameter, of which a sphere stands for it, else by its
centre alone.  What follows from that is said here once, for the network's input, for training and
for the pictures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.grid import GridBox, Size3, grid_points
from m3net.nodule import Nodule
from m3net.resample import mask_on_grid
from m3net.volume import CTVolume, nearest_index, transform


@dataclass(frozen=True, slots=True, kw_only=True)
class Voxels:
    """Which of the CT's voxels are marked: `inside` (Z, Y, X) bool, on the box's grid."""

    box: GridBox
    inside: NDArray[np.bool_]

    def slices(self) -> list[int]:
        """The slices of the CT with a marked voxel, ascending; they may lie outside the CT."""
        return [self.box.first[0] + int(z) for z in np.flatnonzero(self.inside.any(axis=(1, 2)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedNodule:
    """A nodule in its CT."""

    nodule: Nodule
    volume: CTVolume

    @property
    def centre_index(self) -> NDArray[np.float64]:
        """(z, y, x), fractional."""
        return self.volume.to_index(self.nodule.centre_mm)

    def share_on_grid(self, affine: NDArray[np.float64], size: Size3) -> NDArray[np.float32]:
        """How far each voxel of a grid belongs to the nodule: (D, H, W) in [0, 1].

        Its mask, sampled linearly, or its sphere; nothing belongs to a bare centre.

        affine : (4, 4), index (z, y, x) of the grid -> LPS mm
        """
        if self.nodule.mask is None:
            return self._in_sphere(grid_points(affine, size))
        to_mask = np.linalg.inv(self.nodule.mask.affine) @ affine
        share: NDArray[np.float32] = ndimage.affine_transform(
            self.nodule.mask.voxels.astype(np.float32),
            to_mask[:3, :3],
            offset=to_mask[:3, 3],
            output_shape=size,
            order=1,
            mode="grid-constant",
            cval=0.0,
        )
        return share

    def share_at(self, index: NDArray[np.float64]) -> NDArray[np.float32]:
        """As `share_on_grid`, at any places (..., 3) in the CT's index: (...,)."""
        if self.nodule.mask is None:
            return self._in_sphere(self.volume.to_mm(index))
        to_mask = np.linalg.inv(self.nodule.mask.affine) @ self.volume.affine
        share: NDArray[np.float32] = ndimage.map_coordinates(
            self.nodule.mask.voxels.astype(np.float32),
            np.moveaxis(transform(to_mask, index), -1, 0),
            order=1,
            mode="grid-constant",
            cval=0.0,
        )
        return share

    def extent(self, *, bare_diameter_mm: float = 0.0) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """First and last voxel (z, y, x) that it reaches; they may lie outside the CT.

        bare_diameter_mm : of a centre alone
        """
        if self.nodule.mask is not None:
            voxels = np.argwhere(self.nodule.mask.voxels)
            index = self.volume.to_index(transform(self.nodule.mask.affine, voxels))
            first, last = index.min(0), index.max(0)
        else:
            radius_mm = (self.nodule.diameter_mm or bare_diameter_mm) / 2
            radius = radius_mm / np.array(self.volume.spacing_mm)
            first, last = self.centre_index - radius, self.centre_index + radius
        return nearest_index(first).astype(int), nearest_index(last).astype(int)

    def voxels(self, *, bare_radius_mm: float = 0.0) -> Voxels:
        """Its voxels on the CT's grid, in a box just about them; never empty.

        A mask is laid over the grid; without one, or where it falls between the grid's points, a
        sphere stands for it, and holds at least the voxel of the centre.
        """
        mask = self.nodule.mask
        if mask is not None:
            size = np.array(mask.voxels.shape)
            corners = np.moveaxis(np.indices((2, 2, 2)), 0, -1).reshape(-1, 3) * size - 0.5
            box = GridBox.about(self.volume.to_index(transform(mask.affine, corners)))
            laid = mask_on_grid(mask, affine=box.affine(self.volume), shape=box.shape)
            if laid.any():
                return Voxels(box=box, inside=laid)
        radius_mm = self.radius_mm(bare_radius_mm)
        reach = np.ceil(radius_mm / np.array(self.volume.spacing_mm)) + 1
        centre = self.centre_index
        box = GridBox.about([centre - reach, centre + reach])
        away_mm = self._away_mm(grid_points(box.affine(self.volume), box.shape))
        inside = away_mm <= radius_mm
        inside[tuple((np.rint(centre) - box.first).astype(int))] = True
        return Voxels(box=box, inside=inside)

    def key_slice(self, voxels: Voxels) -> int:
        """The received slice on which most of it is marked; of equals, the nearest to its centre.

        It is the slice that the nodule is measured and drawn on.  Where none is both received and
        marked: the received one that is nearest to the centre.
        """
        areas = {
            voxels.box.first[0] + z: int(area)
            for z, area in enumerate(voxels.inside.sum(axis=(1, 2)))
            if area and self.volume.has_slice(voxels.box.first[0] + z)
        }
        centre = float(self.centre_index[0])
        received = (z for z in range(self.volume.shape[0]) if self.volume.has_slice(z))
        return min(areas or received, key=lambda z: (-areas.get(z, 0), abs(z - centre), z))

    def radius_mm(self, bare_radius_mm: float) -> float:
        """Half its diameter; of a bare centre what is given."""
        return self.nodule.diameter_mm / 2 if self.nodule.diameter_mm else bare_radius_mm

    def _in_sphere(self, points_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        if self.nodule.diameter_mm is None:
            return np.zeros(points_mm.shape[:-1], dtype=np.float32)
        inside: NDArray[np.bool_] = self._away_mm(points_mm) <= self.nodule.diameter_mm / 2
        return inside.astype(np.float32)

    def _away_mm(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(points_mm - np.array(self.nodule.centre_mm), axis=-1))
