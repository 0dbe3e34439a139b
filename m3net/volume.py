"""A CT volume in Hounsfield units that knows where every voxel lies in the patient.

Indices are (z, y, x) = (slice, row, column), 0-based, at voxel centres; z grows along the slice
normal (row direction x column direction), which for axial CT is towards the head.  Positions are
LPS millimetres (PS3.3 C.7.6.2.1.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from m3net.uids import FrameKey, FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID

AIR_HU = -1000
"""What stands where the scan has nothing: missing slices, pixel padding, beyond the borders."""

HALF = 0.5 - 1e-6
"""Half a voxel, less than what rounding adds: centroids and grids often fall on the very face
between two voxels, and must fall to the same side in a CT and in a part cut from it."""


def nearest_index(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole index; halves go up, also for odd neighbours (numpy's round does not)."""
    return np.floor(index + 1 - HALF)


def transform(affine: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    """Apply a (4, 4) affine to points of shape (..., 3)."""
    points = np.asarray(points, dtype=np.float64)
    return points @ affine[:3, :3].T + affine[:3, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class CTVolume:
    """One CT series as a volume.

    hu      : (Z, Y, X) int16, HU; a missing slice is filled with air (-1000)
    affine  : (4, 4) float64, index (z, y, x) -> LPS mm; a tilted gantry is a shear in it
    frames  : (Z,) the frame that each slice was read from; None for a missing one
    missing : slice indices that the series lacks (gaps of whole slices inside the scan)
    padding : (Z, Y, X / 8) uint8, one bit a voxel, set where it is padding, as outside of a round
              field of view; None: no voxel is
    left_out: images of the series that are not in the volume, each with the reason why a mark on it
              cannot be judged
    """

    hu: NDArray[np.int16]
    affine: NDArray[np.float64]
    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    frame_of_reference_uid: FrameOfReferenceUID
    frames: Sequence[FrameKey | None]
    missing: frozenset[int] = frozenset()
    padding: NDArray[np.uint8] | None = None
    left_out: Mapping[FrameKey, str] = field(default_factory=dict)
    lossy: bool = False
    notes: tuple[str, ...] = ()
    _inverse: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_inverse", np.linalg.inv(self.affine))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X)."""
        z, y, x = self.hu.shape
        return z, y, x

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along z, y, x, in mm."""
        z, y, x = np.linalg.norm(self.affine[:, :3], axis=0)
        return float(z), float(y), float(x)

    def has_slice(self, z: int) -> bool:
        """Whether the slice lies in the scan and was received."""
        return 0 <= z < self.shape[0] and self.frames[z] is not None

    def padded(self, z: int) -> NDArray[np.bool_]:
        """(Y, X): which voxels of the slice are padding."""
        _, rows, columns = self.shape
        if self.padding is None:
            return np.zeros((rows, columns), dtype=np.bool_)
        return np.unpackbits(self.padding[z], axis=1, count=columns).astype(np.bool_)

    def to_mm(self, index: ArrayLike) -> NDArray[np.float64]:
        """Index (..., 3) as (z, y, x) -> LPS mm (..., 3)."""
        return transform(self.affine, index)

    def to_index(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """LPS mm (..., 3) -> fractional index (..., 3) as (z, y, x)."""
        return transform(self._inverse, point_mm)

    def contains(self, point_mm: ArrayLike) -> bool:
        """Whether the LPS point lies in the volume, voxels' outer halves included."""
        index = self.to_index(point_mm)
        return bool(np.all(index >= -0.5) and np.all(index <= np.array(self.shape) - 0.5))


def why_not_whole(volume: CTVolume, slices: range, centre_mm: ArrayLike) -> str | None:
    """None if the slices about a nodule's centre are all there, else the reason, as a sentence.

    slices : those that judging it needs; beyond the scan's ends nothing is missed

    A slice that is absent inside the scan is filled with air, and that no network must see.
    """
    inside = range(max(slices.start, 0), min(slices.stop, volume.shape[0]))
    absent = volume.missing.intersection(inside)
    if not absent:
        return None
    centre = float(volume.to_index(centre_mm)[0])
    distance_mm = min(abs(number - centre) for number in absent) * volume.spacing_mm[0]
    return (
        f"{len(absent)} of the {len(inside)} CT slices about the nodule are missing, "
        f"the nearest {distance_mm:.1f} mm from its centre; resend the series"
    )
