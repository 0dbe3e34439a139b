"""The pixels of a segmentation as masks on its own grid."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from m3net.annotations.segmentation_frames import Frames
from m3net.attributes import PARSER_ERRORS
from m3net.errors import AnnotationUnusable
from m3net.nodule import Mask, Point


def decode(dataset: Dataset, count: int) -> NDArray[np.generic]:
    """(F, R, C) pixels."""
    try:
        pixels = pixel_array(dataset, allow_excess_frames=False)
    except PARSER_ERRORS as error:
        syntax = UID(str(getattr(dataset.file_meta, "TransferSyntaxUID", "")))
        named = f"{syntax.name} ({syntax})" if syntax.name != syntax else str(syntax)
        raise AnnotationUnusable(
            f"the segmentation's pixels cannot be decoded from transfer syntax {named or 'unknown'}"
        ) from error
    pixels = pixels.reshape(-1, dataset.Rows, dataset.Columns)
    if len(pixels) != count:
        raise AnnotationUnusable(
            f"the segmentation has {len(pixels)} frames of pixels and {count} positions"
        )
    return pixels


def planes_drawn(
    dataset: Dataset, frames: Frames, pixels: NDArray[np.generic], number: int
) -> dict[int, NDArray[np.bool_]]:
    """The segment's planes with anything in them, by frame index."""
    kind = str(dataset.get("SegmentationType"))
    drawn = {}
    for frame in frames.frames:
        values = pixels[frame.index]
        if kind == "LABELMAP":
            plane = values == number
        elif frame.segment != number:
            continue
        elif kind == "FRACTIONAL":
            plane = values.astype(np.uint16) * 2 >= int(dataset.MaximumFractionalValue)
        else:
            plane = values != 0
        if plane.any():
            drawn[frame.index] = plane
    return drawn


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
