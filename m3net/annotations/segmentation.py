"""Segmentation objects: BINARY, FRACTIONAL and LABELMAP (PS3.3 A.51, C.8.20).

Each segment that may be a nodule becomes one mask on the segmentation's own grid.  A frame that
names the slice it was drawn on (Derivation Image Sequence) must stand where that slice stands; a
segment with frames that name none of this study keeps its whole grid, to be held against the CT's.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.image_classes import is_needed, said_of_other_images
from m3net.annotations.image_references import class_of
from m3net.annotations.meaning import Meaning
from m3net.annotations.reader import AnnotationReader, Scope
from m3net.annotations.segmentation_frames import Frame, Frames, frame_sources, read_frames
from m3net.annotations.segmentation_masks import centre_of, mask_of, read_planes
from m3net.annotations.segmentation_places import contradiction, frame_of_reference
from m3net.annotations.segments import (
    Segment,
    is_labelmap,
    segment_number,
    segments_of,
    text_of,
    undescribed,
    undescribed_frames,
)
from m3net.annotations.types import (
    NO_PLANES,
    Annotation,
    FrameGrid,
    Marking,
    PassedOver,
    Planes,
    References,
    SegmentReference,
)
from m3net.errors import AnnotationUnusable
from m3net.nodule import AnnotationSource, Point
from m3net.uids import (
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
)


def _references(dataset: Dataset) -> References:
    nodules = {s.number for s in segments_of(dataset) if s.reading.meaning is Meaning.NODULE}
    marked: set[FrameReference] = set()
    named = _named(dataset)
    for group in dataset.get("PerFrameFunctionalGroupsSequence") or []:
        sources = frame_sources(group)
        if is_labelmap(dataset) or segment_number(dataset, group) in nodules:
            marked |= sources
    series = {
        SeriesInstanceUID(str(item.SeriesInstanceUID))
        for item in dataset.get("ReferencedSeriesSequence") or []
    }
    frame_uid = dataset.get("FrameOfReferenceUID")
    centres: tuple[Point, ...] = ()
    if "PixelData" in dataset:
        try:
            masks = [marking.mask for marking in _read(dataset, NO_PLANES).markings]
        except AnnotationUnusable:  # said when the study is analysed
            masks = []
        centres = tuple(centre_of(mask) for mask in masks if mask is not None)
    return References(
        frame_of_reference_uid=(FrameOfReferenceUID(str(frame_uid)) if frame_uid else None),
        series_instance_uids=frozenset(series),
        sop_instance_uids=frozenset(uid for uid, kind in named.items() if is_needed(kind)),
        marked=frozenset(marked if nodules else ()),
        centres_mm=centres,
        nodules=bool(nodules),
        image_classes=frozenset(named.values()) - {SOPClassUID("")},
    )


def _named(dataset: Dataset) -> dict[SOPInstanceUID, SOPClassUID]:
    """The images that the object refers to, each with its SOP Class, which may be left out."""
    derivations = (
        derivation
        for group in dataset.get("PerFrameFunctionalGroupsSequence") or []
        for derivation in group.get("DerivationImageSequence") or []
    )
    references = (
        *(each.get("SourceImageSequence") for each in derivations),
        *(
            each.get("ReferencedInstanceSequence")
            for each in dataset.get("ReferencedSeriesSequence") or []
        ),
    )
    return {
        SOPInstanceUID(str(image.ReferencedSOPInstanceUID)): class_of(image)
        for images in references
        for image in images or ()
    }


def _drawn_on(frames: Sequence[Frame], dataset: Dataset) -> set[SOPClassUID]:
    """The kinds of the images that the frames name, else of those that the object refers to."""
    named = _named(dataset)
    sources = {source.sop_instance_uid for frame in frames for source in frame.sources}
    return {named[uid] for uid in sources if uid in named} or set(named.values())


def _read(dataset: Dataset, planes: Planes) -> Annotation:
    """Meaning before pixels: an organ's mask that cannot be decoded is nobody's concern."""
    segments = segments_of(dataset)
    nodules = [s for s in segments if s.reading.meaning is Meaning.NODULE]
    unsaid = [s for s in segments if s.reading.meaning is Meaning.UNSAID]
    markings: list[Marking] = []
    ignored: list[str] = []
    passed = {s.number: s.passed_over() for s in segments if s not in nodules}
    strangers: list[PassedOver] = []
    if nodules or unsaid:
        try:
            frames = read_frames(dataset)
            found = read_planes(dataset, frames, [s.number for s in (*nodules, *unsaid)])
        except AnnotationUnusable:
            if nodules:
                raise
        else:
            for segment in (*nodules, *unsaid):
                drawn = found.by_segment[segment.number]
                if not drawn:
                    passed.pop(segment.number, None)
                    ignored.append(f"Segment {segment.number} of the segmentation is empty.")
                    continue
                marking = _marking(dataset, segment, frames, drawn, planes)
                if segment in nodules:
                    markings.append(marking)
                else:
                    passed[segment.number] = segment.passed_over(marking)
            strangers = undescribed(dataset, found.numbers)
    return Annotation(
        sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
        markings=tuple(markings),
        passed_over=(*passed.values(), *(strangers or undescribed_frames(dataset))),
        ignored=tuple(ignored),
    )


def _marking(
    dataset: Dataset,
    segment: Segment,
    frames: Frames,
    drawn: Mapping[int, NDArray[np.bool_]],
    planes: Planes,
) -> Marking:
    named = [frames.frames[index] for index in drawn]
    vouched = all(any(map(planes.named, frame.sources)) for frame in named)
    contradictions = [
        why for frame in named if (why := contradiction(frame, frames, planes, dataset))
    ]
    lies_in, notes = frame_of_reference(dataset, frames, named, planes)
    mask = mask_of(frames, drawn)
    return Marking(
        source=AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
            place=SegmentReference(
                sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
                segment_number=segment.number,
            ).place,
        ),
        tracking_uid=text_of(segment.described, "TrackingUID"),
        tracking_id=text_of(segment.described, "TrackingID")
        or text_of(segment.described, "SegmentLabel"),
        frame_of_reference_uid=lies_in,
        mask=mask,
        notes=(*notes, *said_of_other_images(_drawn_on(named, dataset))),
        site=segment.site(),
        unchecked_grid=(
            None
            if vouched
            else FrameGrid(rows=dataset.Rows, columns=dataset.Columns, affine=frames.affine)
        ),
        refused=contradictions[0] if contradictions else None,
    )


SEGMENTATION_READER = AnnotationReader(
    kind="Segmentation",
    scope=Scope(
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
    ),
    find_references=_references,
    find_marks=_read,
)
