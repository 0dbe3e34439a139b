"""Which frames of which image an item of an annotation refers to (PS3.3 Table 10-3, C.17-3)."""

from pydicom import Dataset

from m3net import attributes
from m3net.annotations.image_classes import CT
from m3net.uids import FrameReference, SOPClassUID, SOPInstanceUID

NO_FRAME = -1


def is_of_ct(reference: Dataset) -> bool:
    """Whether the item refers to a CT image, or does not say to what."""
    sop_class = class_of(reference)
    return not sop_class or sop_class in CT


def class_of(reference: Dataset) -> SOPClassUID:
    """The class of the object that the item refers to; empty where it does not say."""
    return SOPClassUID(str(reference.get("ReferencedSOPClassUID") or ""))


def frames_named(reference: Dataset) -> tuple[FrameReference, ...]:
    """The frames that an item with a Referenced SOP Instance UID names; without numbers, all.

    A number that no frame can have names no frame of the image: what is drawn there has no place,
    and what else the object draws keeps its own.
    """
    uid = SOPInstanceUID(str(reference.ReferencedSOPInstanceUID))
    if not attributes.holds(reference, "ReferencedFrameNumber"):
        return (FrameReference(uid),)
    numbers = attributes.numbers(reference, "ReferencedFrameNumber") or (float(NO_FRAME),)
    return tuple(
        FrameReference(uid, int(number) if number >= 1 and number.is_integer() else NO_FRAME)
        for number in numbers
    )
