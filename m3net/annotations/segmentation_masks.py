"""The pixels of a segmentation as masks on its own grid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import iter_pixels, pixel_array
from pydicom.uid import UID

from m3net.annotations.segmentation_frames import Frames
from m3net.annotations.segments import is_labelmap
from m3net.attributes import PARSER_ERRORS, is_encapsulated
from m3net.codestream import require_sizes
from m3net.errors import AnnotationUnusable
from m3net.nodule import Mask, Point

MOST_PIXELS = 2**26
"""Of a frame: 8192 x 8192."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPlanes:
    """What is drawn in a segmentation, of the segments that were asked for.

    by_segment : per segment number its planes with anything in them, (R, C), by frame index
    numbers    : of a label map every value that occurs; else the segments that the frames name
    """

    by_segment: Mapping[int, Mapping[int, NDArray[np.bool_]]]
    numbers: frozenset[int | None]


def read_planes(dataset: Dataset, frames: Frames, wanted: Sequence[int]) -> DrawnPlanes:
    """Decodes the wanted segments' frames, one at a time: organs beside them cost nothing.

    Raises AnnotationUnusable if the pixels cannot be decoded, or are fewer than is claimed.
    """
    labelmap = is_labelmap(dataset)
    _require_pixels(dataset, len(frames.frames))
    by_segment: dict[int, dict[int, NDArray[np.bool_]]] = {number: {} for number in wanted}
    numbers: set[int | None] = set() if labelmap else {f.segment for f in frames.frames}
    chosen = [f for f in frames.frames if labelmap or f.segment in by_segment]
    for frame, values in zip(chosen, _decoded(dataset, [f.index for f in chosen]), strict=True):
        if labelmap:
            occurring = np.unique(values).tolist()
            numbers.update(occurring)
            drawn = {number: values == number for number in by_segment if number in occurring}
        else:
            inside = _inside(dataset, values)
            drawn = {number: inside for number in by_segment if number == frame.segment}
        for number, plane in drawn.items():
            if plane.any():
                by_segment[number][frame.index] = plane
    return DrawnPlanes(by_segment=by_segment, numbers=frozenset(numbers))


def _inside(dataset: Dataset, values: NDArray[np.generic]) -> NDArray[np.bool_]:
    if str(dataset.get("SegmentationType")) == "FRACTIONAL":
        return np.asarray(values.astype(np.uint16) * 2 >= int(dataset.MaximumFractionalValue))
    return np.asarray(values != 0)


def _require_pixels(dataset: Dataset, positions: int) -> None:
    """As many frames of pixels are claimed as have a place, and uncompressed ones are there."""
    claimed = int(dataset.get("NumberOfFrames") or 1)
    if claimed != positions:
        raise AnnotationUnusable(
            f"the segmentation has {claimed} frames of pixels and {positions} positions"
        )
    if dataset.Rows * dataset.Columns > MOST_PIXELS:
        raise AnnotationUnusable(
            f"the segmentation has frames of {dataset.Rows} x {dataset.Columns}, which no CT has"
        )
    if is_encapsulated(dataset):
        return
    needed = claimed * dataset.Rows * dataset.Columns * dataset.BitsAllocated / 8
    held = len(dataset.PixelData)
    if held < needed:
        raise AnnotationUnusable(
            f"the segmentation's pixels are too few: {held} bytes for "
            f"{claimed} x {dataset.Rows} x {dataset.Columns}"
        )


def _decoded(dataset: Dataset, indices: Sequence[int]) -> Iterator[NDArray[np.generic]]:
    """The frames' pixels, (R, C) each, in the order of the indices."""
    if not indices:
        return
    # pydicom cuts a frame short where it begins within a byte
    within_bytes = dataset.BitsAllocated == 1 and dataset.Rows * dataset.Columns % 8 != 0
    try:
        require_sizes(dataset)
        if within_bytes:
            pixels = pixel_array(dataset, allow_excess_frames=False)
            whole = pixels.reshape(-1, dataset.Rows, dataset.Columns)
            yield from (whole[index] for index in indices)
        else:
            yield from iter_pixels(dataset, indices=list(indices), allow_excess_frames=False)
    except PARSER_ERRORS as error:
        syntax = UID(str(getattr(dataset.file_meta, "TransferSyntaxUID", "")))
        named = f"{syntax.name} ({syntax})" if syntax.name != syntax else str(syntax)
        raise AnnotationUnusable(
            f"the segmentation's pixels cannot be decoded from transfer syntax {named or 'unknown'}"
        ) from error


def mask_of(frames: Frames, drawn: Mapping[int, NDArray[np.bool_]]) -> Mask:
    """The drawn frames as one block, cropped to what is drawn."""
    numbers = {index: int(frames.stack.numbers[index]) for index in drawn}
    first, last = min(numbers.values()), max(numbers.values())
    together = np.logical_or.reduce(list(drawn.values()))
    rows, columns = np.flatnonzero(together.any(axis=1)), np.flatnonzero(together.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    bottom, right = int(rows[-1]) + 1, int(columns[-1]) + 1
    voxels = np.zeros((last - first + 1, bottom - top, right - left), dtype=np.bool_)
    for index, plane in drawn.items():
        voxels[numbers[index] - first] |= plane[top:bottom, left:right]
    affine = frames.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([first, top, left])
    return Mask(voxels=voxels, affine=affine)


def centre_of(mask: Mask) -> Point:
    """The centroid of its voxels, LPS mm."""
    index = np.argwhere(mask.voxels).mean(axis=0)
    x, y, z = (mask.affine[:3, :3] @ index + mask.affine[:3, 3]).tolist()
    return x, y, z
