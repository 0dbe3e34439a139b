"""Which frames of which image an item of an annotation refers to (PS3.3 Table 10-3, C.17-3)."""

from pydicom import Dataset

from m3net.annotations.image_classes import CT
from m3net.errors import AnnotationUnusable
from m3net.uids import FrameReference, SOPClassUID, SOPInstanceUID


def is_of_ct(reference: Dataset) -> bool:
    """Whether the item refers to a CT image, or does not say to what."""
    sop_class = class_of(reference)
    return not sop_class or sop_class in CT


def class_of(reference: Dataset) -> SOPClassUID:
    """The class of the object that the item refers to; empty where it does not say."""
    return SOPClassUID(str(reference.get("ReferencedSOPClassUID") or ""))


def frames_named(reference: Dataset) -> tuple[FrameReference, ...]:
    """The frames that an item with a Referenced SOP Instance UID names; without numbers, all.

    Raises AnnotationUnusable if a Referenced Frame Number is none.
    """
    uid = SOPInstanceUID(str(reference.ReferencedSOPInstanceUID))
    said = reference.get("ReferencedFrameNumber")
    if said is None or said == "":
        return (FrameReference(uid),)
    try:
        numbers = [int(number) for number in ([said] if isinstance(said, int | str) else said)]
    except (TypeError, ValueError) as error:
        raise AnnotationUnusable(f"Referenced Frame Number {said} is no number") from error
    if min(numbers, default=1) < 1:
        raise AnnotationUnusable(f"Referenced Frame Number {min(numbers)}, expected 1 or more")
    return tuple(FrameReference(uid, number) for number in numbers) or (FrameReference(uid),)
