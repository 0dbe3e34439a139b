"""A CT series as one volume.

Slices are put in order by their position along the normal, never by Instance Number.  What does not
make a volume is refused with a message that says where; nothing is guessed.  `series_layout` says
which images belong to it.

- scouts and projections are left out
- slices that are absent inside are filled with air and listed in `CTVolume.missing`
- a tilted gantry shears the volume; its affine is made from the real steps
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_description

from m3net import attributes
from m3net.annotations.types import SlicePlane
from m3net.ct.acquisitions import read_traits
from m3net.ct.enhanced import frame_headers, is_enhanced
from m3net.ct.frame_pixels import FramePixels
from m3net.ct.frame_types import shows_no_slice, why_no_density
from m3net.ct.layout import Layout, lay_out
from m3net.ct.pixels import hounsfield, is_lossy
from m3net.errors import SeriesUnusable
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from m3net.volume import AIR_HU, CTVolume

MOST_VOXELS = 2**31
"""Four gigabytes; 1024 x 1024 pixels leave 2048 slices."""
FARTHEST_MM = 100_000.0
"""Of a position from the frame's origin, which is somewhere in the scanner."""
LARGEST_PIXEL_MM = 50.0
_DEFERRED_BYTES = 65_536
"""What is longer than a header's value ever is, a vendor's private data, stays in its file."""

_OPTIONAL: Mapping[str, Callable[[Dataset, str], object]] = {
    "AcquisitionNumber": attributes.whole,
    "InstanceNumber": attributes.whole,
    "SliceThickness": attributes.number,
    "PixelPaddingValue": attributes.whole,
    "PixelPaddingRangeLimit": attributes.whole,
}
"""What is read if it can be; the report says of what could not."""


def slice_plane(dataset: Dataset) -> SlicePlane:
    """Where the slice lies; from the header alone.

    A series without a Frame of Reference UID has a frame of its own, named by the series' UID: so
    marks on its slices can be placed, and nothing else matches it.

    Raises SeriesUnusable if position, orientation, spacing or size are absent or make no sense.
    """
    name = f"slice {attributes.uid(dataset, 'SOPInstanceUID') or '(without UID)'}"
    position = _numbers(dataset, "ImagePositionPatient", 3, name)
    cosines = _numbers(dataset, "ImageOrientationPatient", 6, name)
    rows_apart, columns_apart = _numbers(dataset, "PixelSpacing", 2, name)
    row, col = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(col)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ col)) > 0.01:
        raise SeriesUnusable(f"{name} has no orthonormal Image Orientation (Patient): {cosines}")
    if max(map(abs, position)) > FARTHEST_MM:
        raise SeriesUnusable(
            f"{name} has an Image Position (Patient) more than {FARTHEST_MM / 1000:g} m away"
        )
    if not 0 < min(rows_apart, columns_apart) <= max(rows_apart, columns_apart) <= LARGEST_PIXEL_MM:
        raise SeriesUnusable(f"{name} has Pixel Spacing {rows_apart} \\ {columns_apart} mm")
    rows, columns = (attributes.whole(dataset, keyword) or 0 for keyword in ("Rows", "Columns"))
    if min(rows, columns) < 1:
        raise SeriesUnusable(f"{name} has {rows} rows and {columns} columns")
    series = SeriesInstanceUID(attributes.uid(dataset, "SeriesInstanceUID"))
    return SlicePlane(
        series_instance_uid=series,
        frame_of_reference_uid=FrameOfReferenceUID(
            attributes.uid(dataset, "FrameOfReferenceUID") or series
        ),
        position_mm=(position[0], position[1], position[2]),
        row_direction=_direction(row / lengths[0]),
        col_direction=_direction(col / lengths[1]),
        spacing_mm=(rows_apart, columns_apart),
        rows=rows,
        columns=columns,
        traits=read_traits(dataset),
    )


def slice_headers(dataset: Dataset) -> dict[FrameKey, Dataset]:
    """The header of each slice that the object holds: its own, or one of each CT frame.

    Raises SeriesUnusable if it is no CT: a multi-frame object of other frames, or a map.
    """
    if is_enhanced(dataset):
        return frame_headers(dataset)
    reason = None if shows_no_slice(dataset) else why_no_density(dataset)
    if reason is not None:
        raise SeriesUnusable(f"the CT series is no CT in Hounsfield units: {reason}")
    return {_key(dataset): dataset}


def read_series(
    datasets: Sequence[Dataset], *, marked: Collection[FrameReference] = ()
) -> CTVolume:
    """The volume that the slices of one series make, given in any order.

    marked : what annotations draw on; it decides between two acquisitions in one series

    Raises SeriesUnusable if they make none.
    """
    by_uid = {_key(dataset).sop_instance_uid: dataset for dataset in datasets}
    return _volume(by_uid, lambda uid: by_uid[uid], marked)


def read_series_files(
    paths: Sequence[Path], *, marked: Collection[FrameReference] = ()
) -> CTVolume:
    """As `read_series`, but one slice's pixels at a time: the memory needed is the volume's.

    Raises SeriesUnusable as well if a file is no DICOM.
    """
    try:
        read = [
            (path, dcmread(path, stop_before_pixels=True, defer_size=_DEFERRED_BYTES))
            for path in paths
        ]
    except attributes.PARSER_ERRORS as error:
        raise SeriesUnusable("one of the series' files is no DICOM file; resend it") from error
    path_of = {_key(header).sop_instance_uid: path for path, header in read}
    headers = {_key(header).sop_instance_uid: header for _, header in read}
    return _volume(headers, lambda uid: _with_pixels(path_of[uid]), marked)


def _with_pixels(path: Path) -> Dataset:
    try:
        return dcmread(path)
    except attributes.PARSER_ERRORS as error:
        raise SeriesUnusable("one of the series' files ends too early; resend it") from error


def _key(dataset: Dataset) -> FrameKey:
    return FrameKey(SOPInstanceUID(attributes.uid(dataset, "SOPInstanceUID")))


def _volume(
    objects: Mapping[SOPInstanceUID, Dataset],
    with_pixels: Callable[[SOPInstanceUID], Dataset],
    marked: Collection[FrameReference],
) -> CTVolume:
    study, series = _one_series(objects)
    headers, no_ct = _frames(objects)
    images = {key: header for key, header in headers.items() if not shows_no_slice(header)}
    if not images:
        raise SeriesUnusable(next(iter(no_ct), f"series {series} holds scouts or projections only"))
    planes: dict[FrameKey, SlicePlane] = {}
    unplaced: dict[FrameKey, str] = {}
    for key, header in images.items():
        try:
            planes[key] = slice_plane(header)
        except SeriesUnusable as reason:
            unplaced[key] = str(reason)
    layout = lay_out(planes, marked=marked, unplaced=unplaced)
    plane, missing = layout.plane, layout.missing
    depth = layout.depth
    if depth * plane.rows * plane.columns > MOST_VOXELS:
        raise SeriesUnusable(
            f"series {series} says that it has {depth} slices of {plane.rows} x {plane.columns} "
            "pixels, which is larger than any CT of a chest"
        )
    hu = np.empty((depth, plane.rows, plane.columns), dtype=np.int16)
    hu[sorted(missing)] = AIR_HU
    padding = np.zeros((depth, plane.rows, -(-plane.columns // 8)), dtype=np.uint8)
    frames: list[FrameKey | None] = [None] * depth
    lossy = False
    at = dict(zip(layout.frames, layout.stack.numbers.tolist(), strict=True))
    for uid, keys in groupby(sorted(at), key=lambda key: key.sop_instance_uid):
        # one object's pixels at a time
        for key, image in _images(with_pixels(uid), {key: headers[key] for key in keys}):
            pixels = hounsfield(image)
            hu[at[key]], padding[at[key]] = pixels.hu, np.packbits(pixels.padding, axis=1)
            frames[at[key]] = key
            lossy = lossy or is_lossy(image)
    return CTVolume(
        hu=hu,
        affine=layout.stack.affine(
            row_direction=plane.row_direction,
            col_direction=plane.col_direction,
            spacing_mm=plane.spacing_mm,
        ),
        study_instance_uid=study,
        series_instance_uid=series,
        frame_of_reference_uid=plane.frame_of_reference_uid,
        frames=tuple(frames),
        missing=missing,
        padding=padding if padding.any() else None,
        left_out=layout.left_out,
        lossy=lossy,
        notes=(
            *(f"Of the CT series was left out: {reason}." for reason in dict.fromkeys(no_ct)),
            *layout.notes,
            *_unreadable(images[key] for key in layout.frames),
            *_rescaled(images[key] for key in layout.frames),
            *_shape(layout),
            *(["The CT was compressed with loss."] if lossy else []),
            *([f"The CT lacks {len(missing)} of {depth} slices."] if missing else []),
        ),
    )


def _frames(
    objects: Mapping[SOPInstanceUID, Dataset],
) -> tuple[dict[FrameKey, Dataset], list[str]]:
    """Each frame's header, and of multi-frame objects that are no CT the reason."""
    headers: dict[FrameKey, Dataset] = {}
    no_ct = []
    for dataset in objects.values():
        try:
            headers |= slice_headers(dataset)
        except SeriesUnusable as reason:
            no_ct.append(str(reason))
    return headers, no_ct


def _images(
    dataset: Dataset, headers: Mapping[FrameKey, Dataset]
) -> Iterator[tuple[FrameKey, Dataset]]:
    """Those frames of one object, each as an image with its pixels."""
    if not is_enhanced(dataset):
        yield from ((key, dataset) for key in headers)
        return
    pixels = FramePixels(dataset)
    for key, header in headers.items():
        yield key, pixels.of(key, header)


def _one_series(
    headers: Mapping[SOPInstanceUID, Dataset],
) -> tuple[StudyInstanceUID, SeriesInstanceUID]:
    if not headers:
        raise SeriesUnusable("the series has no slices")
    found: dict[str, set[str]] = {}
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        found[keyword] = {attributes.uid(header, keyword) for header in headers.values()}
        if "" in found[keyword]:
            raise SeriesUnusable(f"a slice has no {keyword}; resend the series")
    studies, names = found["StudyInstanceUID"], found["SeriesInstanceUID"]
    for what, uids in (("series", names), ("studies", studies)):
        if len(uids) > 1:
            raise SeriesUnusable(f"these slices are of {len(uids)} {what}, expected one")
    return StudyInstanceUID(studies.pop()), SeriesInstanceUID(names.pop())


def _unreadable(headers: Iterable[Dataset]) -> list[str]:
    """What stands in the slices' headers and cannot be read, and was done without."""
    counts = dict.fromkeys(_OPTIONAL, 0)
    total = 0
    for header in headers:
        total += 1
        for keyword, read in _OPTIONAL.items():
            if read(header, keyword) is None and attributes.holds(header, keyword):
                counts[keyword] += 1
    return [
        f"{dictionary_description(keyword)} cannot be read in {count} of {total} slices of the CT; "
        "it was done without."
        for keyword, count in counts.items()
        if count
    ]


def _rescaled(headers: Iterable[Dataset]) -> list[str]:
    """That slices are brought to HU in several ways: of a CT more often a slip than meant."""
    ways = {
        tuple(attributes.number(header, f"Rescale{what}") for what in ("Slope", "Intercept"))
        for header in headers
    }
    if len(ways) < 2:
        return []
    return [
        f"The slices of the CT have {len(ways)} different Rescale Slopes and Intercepts; "
        "each was read with its own."
    ]


def _shape(layout: Layout) -> list[str]:
    notes = []
    step = float(layout.stack.step_mm @ layout.normal)
    aside = float(np.linalg.norm(np.cross(layout.stack.step_mm, layout.normal)))
    tilt = np.degrees(np.arctan2(aside, step))
    if tilt > 0.5:
        notes.append(f"The gantry was tilted: the slices are sheared by {tilt:.1f} degrees.")
    thickness = layout.plane.traits.slice_thickness_mm
    if thickness and step > 2 * thickness:
        notes.append(
            f"The slices are {thickness:.4g} mm thick and {step:.4g} mm apart: "
            "the CT does not show what lies between them."
        )
    return notes


def _numbers(dataset: Dataset, keyword: str, count: int, name: str) -> tuple[float, ...]:
    numbers = attributes.numbers(dataset, keyword)
    if len(numbers) != count:
        raise SeriesUnusable(f"{name} has no {keyword} of {count} numbers")
    return numbers


def _direction(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
