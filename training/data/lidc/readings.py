"""What the readers of one LIDC-IDRI scan drew, and how suspicious they found it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contour:
    """One outline on one slice, closed implicitly.

    z_mm    : of the slice, Image Position (Patient)
    points  : (N, 2) int64 as (row, column): the first pixels outside of the nodule
    is_hole : what it encloses does not belong to the nodule
    """

    z_mm: float
    points: NDArray[np.int64]
    is_hole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reader's marking of one nodule of 3 mm or more.

    malignancy : 1 (highly unlikely) to 5 (highly suspicious)
    contours   : at least one
    """

    malignancy: int
    contours: tuple[Contour, ...]

    def points(self, slice_z_mm: Floats) -> Floats:
        """Every point as (slice, row, column); slices are counted in ascending z, nearest z.

        slice_z_mm : (Z,), ascending
        returns    : (N, 3)
        """
        numbers = [int(np.abs(slice_z_mm - contour.z_mm).argmin()) for contour in self.contours]
        return np.concatenate(
            [
                np.column_stack([np.full(len(contour.points), number), contour.points])
                for number, contour in zip(numbers, self.contours, strict=True)
            ]
        ).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LidcScan:
    """One CT series and all readings of it.

    slice_z_mm : (Z,) Image Position (Patient) z of every slice that it has, ascending
    """

    patient_id: str
    series_instance_uid: str
    slice_thickness_mm: float
    slice_z_mm: Floats
    readings: Sequence[Reading]
