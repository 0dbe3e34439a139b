"""A CT series as one volume.

Slices are put in order by their position along the normal, never by Instance Number.  What does not
make a volume is refused with a message that says where; nothing is guessed.

- localizers are left out, and so are slices at another orientation if they are less than a tenth
- of two slices at one place the one with the lower acquisition, then instance number is kept
- positions may jitter by `JITTER_MM`; whole slices may be absent inside: they are filled with air
  and listed in `CTVolume.missing`; any other distance is refused
- a tilted gantry shears the volume; its affine is made from the real steps
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from m3net.annotations.types import SlicePlane
from m3net.ct_pixels import check_rescale, hounsfield, is_lossy
from m3net.errors import SeriesUnusable
from m3net.stack import JITTER_MM, IrregularStack, Stack, fit_stack
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    SeriesInstanceUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from m3net.volume import AIR_HU, CTVolume

SAME_DIRECTION = 1e-3
"""Largest difference of direction cosines of one orientation (0.06 degrees)."""

STRAY_SHARE = 0.1
"""Below this share, slices at another orientation (a reformat in the same series) are left out."""


def is_localizer(dataset: Dataset) -> bool:
    """Whether the image is a scout: Image Type value 3 is LOCALIZER (PS3.3 C.8.2.1.1.1)."""
    return "LOCALIZER" in [str(value).upper() for value in _values(dataset.get("ImageType"))]


def slice_plane(dataset: Dataset) -> SlicePlane:
    """Where the slice lies; from the header alone.

    A series without a Frame of Reference UID has a frame of its own, named by the series' UID: so
    marks on its slices can be placed, and nothing else matches it.

    Raises SeriesUnusable if position, orientation, spacing or size are absent or make no sense.
    """
    name = f"slice {dataset.get('SOPInstanceUID', '(without UID)')}"
    position = _numbers(dataset, "ImagePositionPatient", 3, name)
    cosines = _numbers(dataset, "ImageOrientationPatient", 6, name)
    rows_apart, columns_apart = _numbers(dataset, "PixelSpacing", 2, name)
    row, col = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(col)
    if abs(lengths[0] - 1) > 0.01 or abs(lengths[1] - 1) > 0.01 or abs(row @ col) > 0.01:
        raise SeriesUnusable(f"{name} has no orthonormal Image Orientation (Patient): {cosines}")
    if min(rows_apart, columns_apart) <= 0:
        raise SeriesUnusable(f"{name} has Pixel Spacing {rows_apart} \\ {columns_apart} mm")
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if min(rows, columns) < 1:
        raise SeriesUnusable(f"{name} has {rows} rows and {columns} columns")
    series = SeriesInstanceUID(str(dataset.SeriesInstanceUID))
    return SlicePlane(
        series_instance_uid=series,
        frame_of_reference_uid=FrameOfReferenceUID(
            str(dataset.get("FrameOfReferenceUID") or series)
        ),
        position_mm=(position[0], position[1], position[2]),
        row_direction=_direction(row / lengths[0]),
        col_direction=_direction(col / lengths[1]),
        spacing_mm=(rows_apart, columns_apart),
        rows=rows,
        columns=columns,
    )


def read_series(datasets: Sequence[Dataset]) -> CTVolume:
    """The volume that the slices of one series make, given in any order.

    Raises SeriesUnusable if they make none.
    """
    frames = {_key(dataset): dataset for dataset in datasets}
    return _volume(frames, lambda key: frames[key])


def read_series_files(paths: Sequence[Path]) -> CTVolume:
    """As `read_series`, but one slice's pixels at a time: the memory needed is the volume's.

    Raises SeriesUnusable as well if a file is no DICOM.
    """
    try:
        read = [(path, dcmread(path, stop_before_pixels=True)) for path in paths]
    except InvalidDicomError as error:
        raise SeriesUnusable("one of the series' files is no DICOM file; resend it") from error
    path_of = {_key(header): path for path, header in read}
    return _volume({_key(header): header for _, header in read}, lambda key: dcmread(path_of[key]))


def _key(dataset: Dataset) -> FrameKey:
    return FrameKey(SOPInstanceUID(str(dataset.get("SOPInstanceUID") or "")))


@dataclass(frozen=True, slots=True)
class _Slice:
    """A frame's header and its plane."""

    key: FrameKey
    header: Dataset
    plane: SlicePlane

    @property
    def rank(self) -> tuple[int, int, FrameKey]:
        """Of two slices at one place the lower one is kept."""
        numbers = self.header.get("AcquisitionNumber"), self.header.get("InstanceNumber")
        acquisition, instance = (int(number) if number else 0 for number in numbers)
        return acquisition, instance, self.key


def _volume(
    headers: Mapping[FrameKey, Dataset], with_pixels: Callable[[FrameKey], Dataset]
) -> CTVolume:
    notes: list[str] = []
    series, slices = _slices(headers, notes)
    plane = slices[0].plane
    normal = np.cross(plane.row_direction, plane.col_direction)
    slices = _without_doubles(slices, normal, notes)
    if len(slices) < 2:
        raise SeriesUnusable(f"series {series} has 1 slice at 1 place; a volume needs 2 or more")
    stack = _stack(slices, normal, series)
    _describe(stack, normal, slices, notes)

    depth = int(stack.numbers.max()) + 1
    present = set(stack.numbers.tolist())
    missing = frozenset(range(depth)) - present
    if len(missing) > len(slices):
        raise SeriesUnusable(
            f"series {series} lacks {len(missing)} of {depth} slices; resend the series"
        )
    hu = np.empty((depth, plane.rows, plane.columns), dtype=np.int16)
    hu[sorted(missing)] = AIR_HU
    frames: list[FrameKey | None] = [None] * depth
    lossy = False
    for slice_, number in zip(slices, stack.numbers.tolist(), strict=True):
        dataset = with_pixels(slice_.key)
        check_rescale(dataset)
        hu[number] = hounsfield(dataset)
        frames[number] = slice_.key
        lossy = lossy or is_lossy(dataset)
    if lossy:
        notes.append("The CT was compressed with loss.")
    if missing:
        notes.append(f"The CT lacks {len(missing)} of {depth} slices.")
    return CTVolume(
        hu=hu,
        affine=stack.affine(
            row_direction=plane.row_direction,
            col_direction=plane.col_direction,
            spacing_mm=plane.spacing_mm,
        ),
        study_instance_uid=StudyInstanceUID(str(slices[0].header.StudyInstanceUID)),
        series_instance_uid=series,
        frame_of_reference_uid=plane.frame_of_reference_uid,
        frames=tuple(frames),
        missing=missing,
        lossy=lossy,
        notes=tuple(notes),
    )


def _slices(
    headers: Mapping[FrameKey, Dataset], notes: list[str]
) -> tuple[SeriesInstanceUID, list[_Slice]]:
    """The slices that belong to one volume: one series, one frame, one orientation, one grid."""
    if not headers:
        raise SeriesUnusable("the series has no slices")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if not all(header.get(keyword) for header in headers.values()):
            raise SeriesUnusable(f"a slice has no {keyword}; resend the series")
    names = sorted({str(header.SeriesInstanceUID) for header in headers.values()})
    if len(names) > 1 or len({str(header.StudyInstanceUID) for header in headers.values()}) > 1:
        raise SeriesUnusable(f"these slices are of {len(names)} series, expected one")
    series = SeriesInstanceUID(names[0])
    kept = [
        _Slice(key, header, slice_plane(header))
        for key, header in headers.items()
        if not is_localizer(header)
    ]
    if not kept:
        raise SeriesUnusable(f"series {series} holds localizers only")
    slices = _of_one_orientation(kept, series, notes)
    for what, values in (
        ("frames of reference", {s.plane.frame_of_reference_uid for s in slices}),
        ("image sizes", {(s.plane.rows, s.plane.columns) for s in slices}),
        ("pixel spacings", {tuple(round(mm, 4) for mm in s.plane.spacing_mm) for s in slices}),
    ):
        if len(values) > 1:
            found = ", ".join(sorted(str(value) for value in values)[:3])
            raise SeriesUnusable(f"series {series} mixes {len(values)} {what}: {found}")
    return series, slices


def _of_one_orientation(
    slices: list[_Slice], series: SeriesInstanceUID, notes: list[str]
) -> list[_Slice]:
    cosines = np.array([(*s.plane.row_direction, *s.plane.col_direction) for s in slices])
    common = np.median(cosines, axis=0)
    off = np.abs(cosines - common).max(axis=1)
    stray = off > SAME_DIRECTION
    if not stray.any():
        return slices
    if stray.mean() >= STRAY_SHARE or (off[stray] < 0.1).any():
        raise SeriesUnusable(
            f"series {series} mixes orientations: {int(stray.sum())} of {len(slices)} slices "
            "are turned against the others; send each orientation as a series of its own"
        )
    notes.append(
        f"{int(stray.sum())} of {len(slices)} images of the CT series are of another orientation "
        "and were left out."
    )
    return [s for s, is_stray in zip(slices, stray, strict=True) if not is_stray]


def _without_doubles(
    slices: list[_Slice], normal: NDArray[np.float64], notes: list[str]
) -> list[_Slice]:
    """One slice per place; slices closer than the jitter stand at one place."""
    ordered = sorted(slices, key=lambda s: float(np.dot(s.plane.position_mm, normal)))
    places: list[list[_Slice]] = []
    for slice_ in ordered:
        if places and _apart_mm(places[-1][0], slice_, normal) <= JITTER_MM:
            places[-1].append(slice_)
        else:
            places.append([slice_])
    doubles = len(slices) - len(places)
    if doubles:
        notes.append(
            f"{doubles} slices of the CT stand where another one stands; at each place the one "
            "with the lower acquisition and instance number was used."
        )
    return [min(place, key=lambda s: s.rank) for place in places]


def _apart_mm(one: _Slice, other: _Slice, normal: NDArray[np.float64]) -> float:
    offset = np.subtract(other.plane.position_mm, one.plane.position_mm)
    return abs(float(offset @ normal))


def _stack(slices: list[_Slice], normal: NDArray[np.float64], series: SeriesInstanceUID) -> Stack:
    try:
        return fit_stack([s.plane.position_mm for s in slices], normal)
    except IrregularStack as error:
        at = slices[error.index].plane.position_mm
        where = f"slice {error.index + 1} of {len(slices)}, at ({_mm(at)}) mm"
        if error.aside_mm:
            raise SeriesUnusable(
                f"series {series}: {where}, stands {error.aside_mm:.2f} mm off the regular places "
                "of the others; resend the series"
            ) from error
        raise SeriesUnusable(
            f"series {series} has gaps: {error.found_mm:.4g} mm before {where}, "
            f"{error.expected_mm:.4g} mm elsewhere; resend the series"
        ) from error


def _describe(
    stack: Stack, normal: NDArray[np.float64], slices: list[_Slice], notes: list[str]
) -> None:
    step = float(stack.step_mm @ normal)
    tilt = np.degrees(np.arccos(min(1.0, step / float(np.linalg.norm(stack.step_mm)))))
    if tilt > 0.5:
        notes.append(f"The gantry was tilted: the slices are sheared by {tilt:.1f} degrees.")
    thickness = slices[0].header.get("SliceThickness")
    if thickness and step > 2 * float(thickness):
        notes.append(
            f"The slices are {float(thickness):.4g} mm thick and {step:.4g} mm apart: "
            "the CT does not show what lies between them."
        )


def _numbers(dataset: Dataset, keyword: str, count: int, name: str) -> list[float]:
    values = _values(dataset.get(keyword))
    try:
        numbers = [float(str(value)) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not np.all(np.isfinite(numbers)):
        raise SeriesUnusable(f"{name} has no {keyword} of {count} numbers")
    return numbers


def _values(value: object) -> list[object]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _direction(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z


def _mm(point: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in point)
