"""Segmentation objects: BINARY, FRACTIONAL and LABELMAP (PS3.3 A.51, C.8.20).

Each segment that may be a nodule becomes one mask on the segmentation's own grid.  A frame that
names the slice it was drawn on (Derivation Image Sequence) must stand where that slice stands; a
segment with frames that name none of this study keeps its whole grid, to be held against the CT's.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array

from m3net.annotations.incomplete import incomplete_is_unusable
from m3net.annotations.meaning import first_code, why_no_nodule
from m3net.annotations.segmentation_frames import Frame, Frames, frame_sources, read_frames
from m3net.annotations.types import (
    NO_PLANES,
    Annotation,
    FrameGrid,
    Marking,
    Planes,
    References,
    SegmentReference,
)
from m3net.errors import AnnotationUnusable
from m3net.nodule import AnnotationSource, Mask, Point
from m3net.uids import (
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
)

SAME_PLACE_MM = 0.5
"""Further than this from the slice that it names, a frame on the slice's grid is elsewhere."""


class SegmentationReader:
    """Reads a SEG."""

    kind = "Segmentation"

    def recognises(self, dataset: Dataset) -> bool:  # noqa: ARG002  (the class says it)
        """Always: every segmentation holds segments."""
        return True

    def references(self, dataset: Dataset) -> References:
        """What the segmentation refers to; its centres only if the dataset holds the pixels.

        Raises AnnotationUnusable if a reference has no UID.
        """
        with incomplete_is_unusable(self.kind):
            return _references(dataset)

    def read(self, dataset: Dataset, planes: Planes) -> Annotation:
        """One marking per segment that may be a nodule.

        Raises AnnotationUnusable if frames have no place, or no common grid.
        """
        with incomplete_is_unusable(self.kind):
            return _read(dataset, planes, kind=self.kind)


def _references(dataset: Dataset) -> References:
    marked: set[FrameReference] = set()
    for group in dataset.get("PerFrameFunctionalGroupsSequence") or []:
        marked |= frame_sources(group)
    named, series = {reference.sop_instance_uid for reference in marked}, set()
    for item in dataset.get("ReferencedSeriesSequence") or []:
        series.add(SeriesInstanceUID(str(item.SeriesInstanceUID)))
        for instance in item.get("ReferencedInstanceSequence") or []:
            named.add(SOPInstanceUID(str(instance.ReferencedSOPInstanceUID)))
    frame_of_reference = dataset.get("FrameOfReferenceUID")
    centres: tuple[Point, ...] = ()
    if "PixelData" in dataset:
        try:
            masks = [marking.mask for marking in _read(dataset, NO_PLANES, kind="").markings]
        except AnnotationUnusable:  # said when the study is analysed
            masks = []
        centres = tuple(_centre(mask) for mask in masks if mask is not None)
    return References(
        frame_of_reference_uid=(
            FrameOfReferenceUID(str(frame_of_reference)) if frame_of_reference else None
        ),
        series_instance_uids=frozenset(series),
        sop_instance_uids=frozenset(named),
        marked=frozenset(marked),
        centres_mm=centres,
    )


def _read(dataset: Dataset, planes: Planes, *, kind: str) -> Annotation:
    frames = read_frames(dataset)
    pixels = _decode(dataset, len(frames.frames))
    markings: list[Marking] = []
    ignored: list[str] = []
    for segment in dataset.get("SegmentSequence") or []:
        number = int(segment.SegmentNumber)
        if number == 0:  # a label map's background
            continue
        other = why_no_nodule(
            category=first_code(segment, "SegmentedPropertyCategoryCodeSequence"),
            kind=first_code(segment, "SegmentedPropertyTypeCodeSequence"),
            site=first_code(segment, "AnatomicRegionSequence"),
        )
        if other is not None:
            ignored.append(f"Segment {number} of the segmentation is no lung nodule: {other}.")
            continue
        chosen = _drawn(dataset, frames, pixels, number)
        if not chosen:
            ignored.append(f"Segment {number} of the segmentation is empty.")
            continue
        markings.append(_marking(dataset, segment, frames, chosen, planes))
    return Annotation(
        sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
        kind=kind,
        markings=tuple(markings),
        ignored=tuple(ignored),
    )


def _marking(
    dataset: Dataset,
    segment: Dataset,
    frames: Frames,
    drawn: Mapping[int, NDArray[np.bool_]],
    planes: Planes,
) -> Marking:
    number = int(segment.SegmentNumber)
    named = [frames.frames[index] for index in drawn]
    vouched = all(any(map(planes.named, frame.sources)) for frame in named)
    contradictions = [
        why for frame in named if (why := _contradiction(frame, frames, planes, dataset))
    ]
    frame_of_reference = dataset.get("FrameOfReferenceUID")
    mask = _mask(frames, drawn)
    return Marking(
        source=AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
            place=SegmentReference(
                sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)), segment_number=number
            ).place,
        ),
        tracking_uid=_text(segment, "TrackingUID"),
        tracking_id=_text(segment, "TrackingID") or _text(segment, "SegmentLabel"),
        frame_of_reference_uid=FrameOfReferenceUID(str(frame_of_reference or "")),
        mask=mask,
        unchecked_grid=(
            None
            if vouched
            else FrameGrid(rows=dataset.Rows, columns=dataset.Columns, affine=frames.affine)
        ),
        refused=contradictions[0] if contradictions else None,
    )


def _text(segment: Dataset, keyword: str) -> str | None:
    return str(segment.get(keyword) or "").strip() or None


def _centre(mask: Mask) -> Point:
    index = np.argwhere(mask.voxels).mean(axis=0)
    x, y, z = (mask.affine[:3, :3] @ index + mask.affine[:3, 3]).tolist()
    return x, y, z


def _mask(frames: Frames, drawn: Mapping[int, NDArray[np.bool_]]) -> Mask:
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


def _contradiction(
    frame: Frame,
    frames: Frames,
    planes: Planes,
    dataset: Dataset,
) -> str | None:
    """The reason if a frame stands elsewhere than every slice that it says it was drawn on."""
    sources = [plane for source in sorted(frame.sources) for plane in planes.named(source).values()]
    if not sources:
        return None
    nearest = np.inf
    for plane in sources:
        offset = np.subtract(frame.position_mm, plane.position_mm)
        normal = np.cross(plane.row_direction, plane.col_direction)
        same_grid = (
            (plane.rows, plane.columns) == (dataset.Rows, dataset.Columns)
            and np.allclose(plane.spacing_mm, frames.spacing_mm, rtol=1e-3)
            and np.allclose(plane.row_direction, frames.row_direction, atol=1e-3)
            and np.allclose(plane.col_direction, frames.col_direction, atol=1e-3)
        )
        if same_grid:
            off = float(np.linalg.norm(offset)) - SAME_PLACE_MM
        else:  # resampled: at least within one of its own slices of the named slice's plane
            off = abs(float(offset @ normal)) - max(frames.step_mm, SAME_PLACE_MM)
        nearest = min(nearest, off)
    if nearest <= 0:
        return None
    x, y, z = frame.position_mm
    a, b, c = sources[0].position_mm
    return (
        f"its geometry contradicts its references: a frame stands at ({x:.1f}, {y:.1f}, {z:.1f}) "
        f"mm and the CT slice that it names at ({a:.1f}, {b:.1f}, {c:.1f}) mm"
    )


def _decode(dataset: Dataset, count: int) -> NDArray[np.generic]:
    """(F, R, C) pixels."""
    try:
        pixels = pixel_array(dataset, allow_excess_frames=False)
    except (AttributeError, KeyError, NotImplementedError, RuntimeError, ValueError) as error:
        raise AnnotationUnusable(f"the segmentation's pixels cannot be decoded: {error}") from error
    pixels = pixels.reshape(-1, dataset.Rows, dataset.Columns)
    if len(pixels) != count:
        raise AnnotationUnusable(
            f"the segmentation has {len(pixels)} frames of pixels and {count} positions"
        )
    return pixels


def _drawn(
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
