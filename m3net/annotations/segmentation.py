"""Segmentation objects: BINARY, FRACTIONAL and LABELMAP (PS3.3 A.51, C.8.20).

Each segment that may be a nodule becomes one mask on the segmentation's own grid.  A frame that
names the slice it was drawn on (Derivation Image Sequence) must stand where that slice stands; a
segment with frames that name none of this study keeps its whole grid, to be held against the CT's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.sr.coding import Code
from pydicom.uid import UID

from m3net.annotations.coding import decisive_site, first_code, read_code
from m3net.annotations.image_classes import is_needed
from m3net.annotations.incomplete import incomplete_is_unusable
from m3net.annotations.meaning import Meaning, Reading, Said, meaning_of
from m3net.annotations.segmentation_frames import Frame, Frames, frame_sources, read_frames
from m3net.annotations.types import (
    NO_PLANES,
    Annotation,
    Drawn,
    FrameGrid,
    Marking,
    PassedOver,
    Planes,
    References,
    Scope,
    SegmentReference,
    SlicePlane,
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

_BACKGROUND = Code("125040", "DCM", "Background")
_UNDECODABLE = (
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
SAME_PLACE_MM = 0.5
"""Further than this from the slice that it names, a frame on the slice's grid is elsewhere."""


class SegmentationReader:
    """Reads a SEG."""

    kind = "Segmentation"
    scope = Scope(
        read=(
            (
                "segments of BINARY, FRACTIONAL (from half of the maximum) and LABELMAP objects "
                "that a code, label or tracking text calls a nodule, mass, lesion or tumour"
            ),
            (
                "in a frame of reference of their own if their pixels are those of the CT "
                "slices that they name"
            ),
        ),
        listed=(
            "segments of something else, or of which nothing says what they are",
            "segments that are drawn and not described",
            "empty segments",
        ),
        refused=(
            "frames elsewhere than the slice that they name, or beside the CT's pixels",
            "pixels that cannot be decoded; frames without a place or a common grid",
        ),
    )

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """One described segment, and what it is said to be."""

    number: int
    described: Dataset
    reading: Reading

    @property
    def place(self) -> str:
        return f"segment {self.number}"

    def passed_over(self, marking: Marking | None = None) -> PassedOver:
        return PassedOver(
            drawn=Drawn.SEGMENT,
            place=self.place,
            says=self.reading.says,
            unsaid=self.reading.meaning is Meaning.UNSAID,
            marking=marking,
        )


def _segments(dataset: Dataset) -> list[_Segment]:
    """The segments that the object describes, without what it names its background.

    A segment may have any number, 0 as well: only Pixel Padding Value names the background of a
    label map (PS3.3 C.8.20.2.3.3).

    Raises AnnotationUnusable if two have one number.
    """
    background = _background(dataset)
    found = []
    for item in dataset.get("SegmentSequence") or []:
        number = int(item.SegmentNumber)
        code = first_code(item, "SegmentedPropertyTypeCodeSequence")
        if number == background or (code is not None and code == _BACKGROUND):
            continue
        found.append(_Segment(number=number, described=item, reading=_meaning(item, code)))
    twice = [n for n, k in Counter(segment.number for segment in found).items() if k > 1]
    if twice:
        raise AnnotationUnusable(
            f"the segmentation describes {len(twice)} of its segments twice, so that it is not "
            f"known what is drawn as segment {twice[0]}"
        )
    return found


def _background(dataset: Dataset) -> int | None:
    padding = dataset.get("PixelPaddingValue") if _is_labelmap(dataset) else None
    return None if padding is None else int(padding)


def _is_labelmap(dataset: Dataset) -> bool:
    return str(dataset.get("SegmentationType")) == "LABELMAP"


def _meaning(item: Dataset, kind: Code | None) -> Reading:
    texts = (_text(item, word) for word in ("SegmentLabel", "TrackingID", "SegmentDescription"))
    return meaning_of(
        Said(
            kind=kind,
            category=first_code(item, "SegmentedPropertyCategoryCodeSequence"),
            site=decisive_site(
                code
                for sequence in ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")
                for region in item.get(sequence) or []
                if (code := read_code(region)) is not None
            ),
            texts=tuple(text for text in texts if text is not None),
        )
    )


def _references(dataset: Dataset) -> References:
    nodules = {s.number for s in _segments(dataset) if s.reading.meaning is Meaning.NODULE}
    marked: set[FrameReference] = set()
    named: dict[SOPInstanceUID, SOPClassUID] = {}
    for group in dataset.get("PerFrameFunctionalGroupsSequence") or []:
        sources = frame_sources(group)
        for derivation in group.get("DerivationImageSequence") or []:
            named |= _named(derivation.get("SourceImageSequence"))
        if _is_labelmap(dataset) or _segment_number(dataset, group) in nodules:
            marked |= sources
    series = set()
    for item in dataset.get("ReferencedSeriesSequence") or []:
        series.add(SeriesInstanceUID(str(item.SeriesInstanceUID)))
        named |= _named(item.get("ReferencedInstanceSequence"))
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
        sop_instance_uids=frozenset(uid for uid, kind in named.items() if is_needed(kind)),
        marked=frozenset(marked if nodules else ()),
        centres_mm=centres,
        nodules=bool(nodules),
        image_classes=frozenset(named.values()) - {SOPClassUID("")},
    )


def _named(references: Sequence[Dataset] | None) -> dict[SOPInstanceUID, SOPClassUID]:
    """The images that the items refer to, each with its SOP Class, which may be left out."""
    return {
        SOPInstanceUID(str(image.ReferencedSOPInstanceUID)): SOPClassUID(
            str(image.get("ReferencedSOPClassUID") or "")
        )
        for image in references or ()
    }


def _segment_number(dataset: Dataset, group: Dataset) -> int | None:
    """The segment that a frame is of; None where that is not said."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    named = group.get("SegmentIdentificationSequence") or shared[0].get(
        "SegmentIdentificationSequence"
    )
    number = named[0].get("ReferencedSegmentNumber") if named else None
    return None if number is None else int(number)


def _read(dataset: Dataset, planes: Planes, *, kind: str) -> Annotation:
    """Meaning before pixels: an organ's mask that cannot be decoded is nobody's concern."""
    segments = _segments(dataset)
    nodules = [s for s in segments if s.reading.meaning is Meaning.NODULE]
    unsaid = [s for s in segments if s.reading.meaning is Meaning.UNSAID]
    markings: list[Marking] = []
    ignored: list[str] = []
    passed = {s.number: s.passed_over() for s in segments if s not in nodules}
    undescribed: list[PassedOver] = []
    if nodules or unsaid:
        try:
            frames = read_frames(dataset)
            pixels = _decode(dataset, len(frames.frames))
        except AnnotationUnusable:
            if nodules:
                raise
        else:
            for segment in (*nodules, *unsaid):
                drawn = _drawn(dataset, frames, pixels, segment.number)
                if not drawn:
                    passed.pop(segment.number, None)
                    ignored.append(f"Segment {segment.number} of the segmentation is empty.")
                    continue
                marking = _marking(dataset, segment, frames, drawn, planes)
                if segment in nodules:
                    markings.append(marking)
                else:
                    passed[segment.number] = segment.passed_over(marking)
            undescribed = _undescribed(dataset, frames, pixels)
    return Annotation(
        sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
        kind=kind,
        markings=tuple(markings),
        passed_over=(*passed.values(), *(undescribed or _undescribed_frames(dataset))),
        ignored=tuple(ignored),
    )


def _undescribed(dataset: Dataset, frames: Frames, pixels: NDArray[np.generic]) -> list[PassedOver]:
    """Segments that are drawn, and that Segment Sequence does not describe."""
    if _is_labelmap(dataset):
        background = _background(dataset)
        # Without Pixel Padding Value 0 is left to be background if nobody describes it.
        numbers = set(np.unique(pixels).tolist()) - {0 if background is None else background}
        return _not_described(dataset, numbers)
    return _not_described(dataset, {frame.segment for frame in frames.frames})


def _undescribed_frames(dataset: Dataset) -> list[PassedOver]:
    """The same from the frames' headers; a label map's say nothing."""
    if _is_labelmap(dataset):
        return []
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    return _not_described(dataset, {_segment_number(dataset, group) for group in groups})


def _not_described(dataset: Dataset, numbers: set[int | None]) -> list[PassedOver]:
    described = {int(item.SegmentNumber) for item in dataset.get("SegmentSequence") or []}
    return [
        PassedOver(
            drawn=Drawn.SEGMENT,
            place=f"segment {number}",
            says="not described in Segment Sequence",
            unsaid=True,
        )
        for number in sorted(number for number in numbers if number is not None)
        if number not in described
    ]


def _marking(
    dataset: Dataset,
    segment: _Segment,
    frames: Frames,
    drawn: Mapping[int, NDArray[np.bool_]],
    planes: Planes,
) -> Marking:
    named = [frames.frames[index] for index in drawn]
    vouched = all(any(map(planes.named, frame.sources)) for frame in named)
    contradictions = [
        why for frame in named if (why := _contradiction(frame, frames, planes, dataset))
    ]
    frame_of_reference, notes = _frame_of(dataset, frames, named, planes)
    mask = _mask(frames, drawn)
    return Marking(
        source=AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
            place=SegmentReference(
                sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
                segment_number=segment.number,
            ).place,
        ),
        tracking_uid=_text(segment.described, "TrackingUID"),
        tracking_id=_text(segment.described, "TrackingID")
        or _text(segment.described, "SegmentLabel"),
        frame_of_reference_uid=frame_of_reference,
        mask=mask,
        notes=notes,
        unchecked_grid=(
            None
            if vouched
            else FrameGrid(rows=dataset.Rows, columns=dataset.Columns, affine=frames.affine)
        ),
        refused=contradictions[0] if contradictions else None,
    )


def _frame_of(
    dataset: Dataset, frames: Frames, named: Sequence[Frame], planes: Planes
) -> tuple[FrameOfReferenceUID, tuple[str, ...]]:
    """The frame of reference that the mask lies in, and what is to be said of it.

    Where every frame's pixels are pixels of a CT slice that it names, it lies in the slices'.
    """
    own = FrameOfReferenceUID(str(dataset.get("FrameOfReferenceUID") or ""))
    slices: set[FrameOfReferenceUID] = set()
    for frame in named:
        drawn_on = [
            plane
            for source in frame.sources
            for plane in planes.named(source).values()
            if _on_pixels_of(plane, frame, frames)
        ]
        if not drawn_on:
            return own, ()
        slices.update(plane.frame_of_reference_uid for plane in drawn_on)
    if own in slices or len(slices) != 1:
        return own, ()
    return slices.pop(), (
        "The segmentation is in another frame of reference than the CT slices that its frames name "
        "and lie on; it was read in theirs.",
    )


def _on_pixels_of(plane: SlicePlane, frame: Frame, frames: Frames) -> bool:
    """Whether the frame's pixels are the slice's, or a part of them."""
    directions = (frames.row_direction, frames.col_direction)
    offset = np.subtract(frame.position_mm, plane.position_mm)
    rows, columns = (offset @ directions[1 - i] / frames.spacing_mm[i] for i in (0, 1))
    return bool(
        np.allclose(plane.spacing_mm, frames.spacing_mm, rtol=1e-3)
        and np.allclose((plane.row_direction, plane.col_direction), directions, atol=1e-3)
        and abs(offset @ np.cross(*directions)) <= SAME_PLACE_MM
        and np.allclose((rows, columns), np.round((rows, columns)), atol=0.1)
    )


def _text(described: Dataset, keyword: str) -> str | None:
    return str(described.get(keyword) or "").strip() or None


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
    except _UNDECODABLE as error:
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
