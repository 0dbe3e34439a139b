"""Which kinds of object an annotation names, as far as the node has to know."""

from collections.abc import Iterable

from m3net.uids import SOPClassUID

CT = frozenset(SOPClassUID(f"1.2.840.10008.5.1.4.1.1.2{suffix}") for suffix in ("", ".1", ".2"))
"""CT, Enhanced CT, Legacy Converted Enhanced CT."""

SEGMENTATIONS = frozenset(SOPClassUID(f"1.2.840.10008.5.1.4.1.1.66.{number}") for number in (4, 7))
"""Segmentation, Label Map Segmentation."""

_NO_IMAGES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{branch}" for branch in ("66", "67", "11.", "88.", "481.3")
)
"""Segmentations and registrations, real world value maps, presentation states, SRs, structures."""


def is_needed(sop_class_uid: SOPClassUID) -> bool:
    """Whether an object of this kind can be needed: a CT, a segmentation, or one of no kind.

    A report from a PET/CT names the PET and its real world values as well; nobody waits for them.
    """
    return not sop_class_uid or sop_class_uid in CT | SEGMENTATIONS


def may_be_of_ct(image_classes: Iterable[SOPClassUID]) -> bool:
    """Whether what refers to these may be drawn on a CT: it names one, or no image at all."""
    images = {uid for uid in image_classes if not uid.startswith(_NO_IMAGES)}
    return not images or not images.isdisjoint(CT)


def said_of_other_images(image_classes: Iterable[SOPClassUID]) -> tuple[str, ...]:
    """What is to be said of a mark that was drawn on these, if it was not drawn on a CT."""
    if may_be_of_ct(image_classes):
        return ()
    return (
        "It was drawn on other images than the CT, such as a PET: on the CT it may lie and end "
        "elsewhere.",
    )
