"""A CT volume in Hounsfield units that knows where every voxel lies in the patient.

Indices are (z, y, x) = (slice, row, column), 0-based, at voxel centres; z grows along the slice
normal (row direction x column direction), which for axial CT is towards the head.  Positions are
LPS millimetres (PS3.3 C.7.6.2.1.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from m3net.uids import FrameKey, FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID


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
    """

    hu: NDArray[np.int16]
    affine: NDArray[np.float64]
    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    frame_of_reference_uid: FrameOfReferenceUID
    frames: Sequence[FrameKey | None]
    missing: frozenset[int] = frozenset()
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
        z, y, x = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

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


def window_whole(volume: CTVolume, centre_mm: ArrayLike, depth: int = 56) -> str | None:
    """None if the `depth` slices about the centre are all there, else the reason, as a sentence.

    The window is clipped at the scan's ends, beyond which the network sees air by design; a slice
    that is absent inside the scan is filled with air as well, and that it must not see.
    """
    centre, begin, end = _window(volume, centre_mm, depth)
    first, last = max(begin, 0), min(end, volume.shape[0]) - 1
    absent = sorted(number for number in volume.missing if first <= number <= last)
    if not absent:
        return None
    near = min(absent, key=lambda number: abs(number - centre))
    distance_mm = abs(near - centre) * volume.spacing_mm[0]
    return (
        f"{len(absent)} of the {last - first + 1} CT slices about the nodule are missing, "
        f"the nearest {distance_mm:.1f} mm from its centre; resend the series"
    )


def window_reaches_end(volume: CTVolume, centre_mm: ArrayLike, depth: int = 56) -> bool:
    """Whether the `depth` slices about the centre would go beyond the first or last slice."""
    _, begin, end = _window(volume, centre_mm, depth)
    return begin < 0 or end > volume.shape[0]


def _window(volume: CTVolume, centre_mm: ArrayLike, depth: int) -> tuple[int, int, int]:
    """The centre's slice and the window [begin, end) about it, not clipped."""
    centre = round(float(volume.to_index(centre_mm)[0]))
    begin = centre - depth // 2
    return centre, begin, begin + depth
