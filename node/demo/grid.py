"""The phantom's place in space: a box of 360 x 360 x 300 mm, however finely it is sampled.

LPS millimetres: x grows to the patient's left, y to the back, z to the head.  The anatomy and the
nodules are functions of millimetres, so a coarse phantom for a test has its nodules in the same
places as the fine one of the demo.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIELD_MM = 360.0
HEIGHT_MM = 300.0

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Voxel centres of the phantom.

    size   : rows = columns
    slices : axial slices, the lowest at z = -300 mm
    """

    size: int
    slices: int

    @property
    def pixel_mm(self) -> float:
        """Spacing in plane."""
        return FIELD_MM / self.size

    @property
    def slice_mm(self) -> float:
        """Spacing between slices."""
        return HEIGHT_MM / self.slices

    @property
    def x_mm(self) -> Field:
        """(X,) LPS x of the columns; y of the rows is the same."""
        return ((np.arange(self.size) + 0.5) * self.pixel_mm - FIELD_MM / 2).astype(np.float32)

    @property
    def z_mm(self) -> Field:
        """(Z,) LPS z of the slices, ascending."""
        return (np.arange(self.slices) * self.slice_mm - HEIGHT_MM).astype(np.float32)

    def box(self, low_mm: NDArray[np.float64], high_mm: NDArray[np.float64]) -> tuple[slice, ...]:
        """The voxels (z, y, x) inside a box given by its corners in LPS (x, y, z)."""
        first = FIELD_MM / 2 - self.pixel_mm / 2
        spans = (
            ((low_mm[2] + HEIGHT_MM) / self.slice_mm, (high_mm[2] + HEIGHT_MM) / self.slice_mm),
            ((low_mm[1] + first) / self.pixel_mm, (high_mm[1] + first) / self.pixel_mm),
            ((low_mm[0] + first) / self.pixel_mm, (high_mm[0] + first) / self.pixel_mm),
        )
        return tuple(
            slice(max(0, int(np.ceil(low))), max(0, int(np.floor(high)) + 1)) for low, high in spans
        )

    def coordinates(self, box: tuple[slice, ...]) -> tuple[Field, Field, Field]:
        """LPS x, y, z of a box's voxels, each shaped to broadcast to (Z, Y, X)."""
        z = self.z_mm[box[0]][:, None, None]
        y = self.x_mm[box[1]][None, :, None]
        x = self.x_mm[box[2]][None, None, :]
        return x, y, z
