"""Finished results in a poorer form, for those who do not take the richest.

Pure functions of finished objects: the same objects, the same bytes, whenever they are derived.  A
capture of many frames becomes single images of the frames that matter, and a report Comprehensive
SR with the same tree, that refers to them.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID, SecondaryCaptureImageStorage

from sr_templates.findings import ImageReference

SINGLE_FRAME_CLASS = SecondaryCaptureImageStorage
_OF_MANY_FRAMES = (
    "NumberOfFrames",
    "FrameIncrementPointer",
    "FrameLabelVector",
    "RepresentativeFrameNumber",
)


def frames_alone(capture: Dataset) -> list[int]:
    """The frames of a capture, from 1, that stand alone in its poorer form: first and key slice.

    All frames would be as many objects as slices, of which nobody who sees single images asks for
    more than the overview and the slice on which the finding is drawn.
    """
    key = int(capture.get("RepresentativeFrameNumber") or 1)
    return sorted({1, key})


def frame_alone(capture: Dataset, frame: int, *, sop_instance_uid: str) -> Dataset:
    """One frame of a capture, from 1, as a secondary capture, its pixels encoded as they were.

    The key frame names the slice that it shows, which a capture names first; any other frame names
    all slices of its capture.
    """
    alone = deepcopy(capture)
    frames = int(capture.NumberOfFrames)
    labels = capture.get("FrameLabelVector")
    for keyword in _OF_MANY_FRAMES:
        if keyword in alone:
            del alone[keyword]
    _rename(alone, sop_class_uid=SINGLE_FRAME_CLASS, sop_instance_uid=sop_instance_uid)
    alone.InstanceNumber = int(capture.InstanceNumber) + frame - 1
    if labels:  # of one frame there are none, and it is called what the capture is
        label = labels if isinstance(labels, str) else labels[frame - 1]
        alone.ImageComments = f"{capture.ImageComments}, {label}"
    if frame == int(capture.get("RepresentativeFrameNumber") or 0):
        alone.SourceImageSequence = [deepcopy(capture.SourceImageSequence[0])]
    alone["PixelData"].value = _pixels(capture, frame, frames)
    return alone


def report_in(
    report: Dataset,
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    instead: Mapping[str, Sequence[ImageReference]],
    predecessor: ImageReference | None,
) -> Dataset:
    """The same report under another class.

    instead     : per SOP Instance UID of a capture what is referred to instead of it
    predecessor : the form of the report before that this one replaces; None if it replaces none
    """
    other = deepcopy(report)
    _rename(other, sop_class_uid=sop_class_uid, sop_instance_uid=sop_instance_uid)
    _refer(other, instead)
    for study in other.get("CurrentRequestedProcedureEvidenceSequence", []):
        for series in study.ReferencedSeriesSequence:
            series.ReferencedSOPSequence = _replaced(series.ReferencedSOPSequence, instead)
    if predecessor is not None:
        for study in other.get("PredecessorDocumentsSequence", []):
            for series in study.ReferencedSeriesSequence:
                series.ReferencedSOPSequence = [_item(predecessor)]
    return other


def _rename(dataset: Dataset, *, sop_class_uid: str, sop_instance_uid: str) -> None:
    meta = dataset.file_meta
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)


def _pixels(capture: Dataset, frame: int, frames: int) -> bytes:
    if UID(capture.file_meta.TransferSyntaxUID).is_encapsulated:
        return encapsulate([get_frame(capture.PixelData, frame - 1, number_of_frames=frames)])
    size = int(capture.Rows) * int(capture.Columns) * int(capture.SamplesPerPixel)
    pixels = bytes(capture.PixelData[(frame - 1) * size : frame * size])
    return pixels + b"\0" * (len(pixels) % 2)


def _refer(item: Dataset, instead: Mapping[str, Sequence[ImageReference]]) -> None:
    """Below the item, what referred to a capture refers to what stands instead of it."""
    if "ContentSequence" not in item:
        return
    children: list[Dataset] = []
    for child in item.ContentSequence:
        _refer(child, instead)
        children += _references(child, instead)
    item.ContentSequence = children


def _references(
    child: Dataset, instead: Mapping[str, Sequence[ImageReference]]
) -> Iterable[Dataset]:
    """The content item, or, of an image that is replaced, one for each that stands instead."""
    named = child.get("ReferencedSOPSequence")
    if not named or str(named[0].ReferencedSOPInstanceUID) not in instead:
        return [child]
    copies = []
    for image in instead[str(named[0].ReferencedSOPInstanceUID)]:
        other = deepcopy(child)
        other.ReferencedSOPSequence = [_item(image)]
        copies.append(other)
    return copies


def _replaced(
    items: Iterable[Dataset], instead: Mapping[str, Sequence[ImageReference]]
) -> list[Dataset]:
    return [
        new
        for item in items
        for new in (
            map(_item, instead[str(item.ReferencedSOPInstanceUID)])
            if str(item.ReferencedSOPInstanceUID) in instead
            else [item]
        )
    ]


def _item(image: ImageReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = UID(image.sop_class_uid)
    item.ReferencedSOPInstanceUID = UID(image.sop_instance_uid)
    return item
