"""One axial slice of a nodule with whatever lies over it, on a square of the patient."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from m3net.volume import transform
from training.data.crops import Crop
from training.data.sources import open_folder
from training.measure.predictions import PredictionsUnusable

LUNG_HU = (-1350.0, 150.0)
"""The lung window of Sec. 4.1: width 1500, level -600."""

STEP_MM = 0.5


def read_case(data: Path, name: str) -> Crop:
    """The nodule of this name, from prepared crops or from cut-outs.

    Raises PredictionsUnusable if it is not there; CropsUnusable, CutoutsUnusable.
    """
    folder = open_folder(data)
    for label in folder.labels:
        if label.name == name:
            return folder.read(label)
    raise PredictionsUnusable(f"{data} has no nodule {name}; give the --data of the runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The plane of the CT through a nodule's centre; rows to the back, columns to the left.

    places_mm : (N, N, 3) LPS of each pixel
    """

    case: Crop
    places_mm: NDArray[np.float64]
    side_mm: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """For imshow, in mm from the centre."""
        half = self.side_mm / 2
        return -half, half, half, -half

    def hu(self) -> NDArray[np.float64]:
        """(N, N); NaN where the CT is not known."""
        return _sampled(self.case.volume.hu, self.case.volume.affine, self.places_mm, order=1)

    def mask(self) -> NDArray[np.float64] | None:
        """(N, N) of 0 to 1, or None for a nodule without."""
        mask = self.case.nodule.mask
        if mask is None:
            return None
        inside = _sampled(mask.voxels, mask.affine, self.places_mm, order=1)
        return np.nan_to_num(inside, nan=0.0)

    def map(self, values: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float64]:
        """A map on a grid of its own, (N, N); NaN beyond it."""
        return _sampled(values, affine, self.places_mm, order=1)


def view(case: Crop, *, side_mm: float) -> View:
    """The square of this side about the nodule's centre, in the slice that is nearest to it."""
    volume = case.volume
    z, y, x = volume.to_index(case.nodule.centre_mm)
    z = float(np.clip(np.floor(z + 0.5), 0, volume.shape[0] - 1))
    count = round(side_mm / STEP_MM)
    offsets = (np.arange(count) - (count - 1) / 2) * STEP_MM
    _, row_mm, column_mm = volume.spacing_mm
    index = np.empty((count, count, 3))
    index[..., 0] = z
    index[..., 1] = (y + offsets / row_mm)[:, None]
    index[..., 2] = (x + offsets / column_mm)[None, :]
    return View(case=case, places_mm=volume.to_mm(index), side_mm=side_mm)


def _sampled(
    values: NDArray[np.generic],
    affine: NDArray[np.float64],
    places_mm: NDArray[np.float64],
    *,
    order: int,
) -> NDArray[np.float64]:
    """NaN outside of the outer halves of the grid's voxels."""
    inverse: NDArray[np.float64] = np.linalg.inv(affine).astype(np.float64)
    index = transform(inverse, places_mm)
    limits = np.array(values.shape) - 0.5
    inside = np.all((index >= -0.5) & (index <= limits), axis=-1)
    found = map_coordinates(
        values.astype(np.float64), np.moveaxis(index, -1, 0), order=order, mode="nearest"
    )
    return np.asarray(np.where(inside, found, np.nan))
