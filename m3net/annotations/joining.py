"""What several objects say of one mark, put together.

A report's group speaks of a segment of another object.  Either may say that it is a nodule: a group
with a finding about a segment that its editor called Tissue, or a segment that is a nodule about
which a group only holds measurements.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from m3net.annotations.sites import agreed
from m3net.annotations.types import Annotation, Marking, PassedOver, SegmentReference
from m3net.uids import SOPInstanceUID

_Place = tuple[SOPInstanceUID, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Every mark once, in the order of the objects.

    refused     : marks that speak of a segment that is not there, each with the reason
    passed_over : what is not read as a nodule by any object
    """

    markings: tuple[Marking, ...]
    refused: tuple[tuple[Marking, str], ...]
    passed_over: tuple[PassedOver, ...]


def join_objects(annotations: Sequence[Annotation], *, judge_unlabelled: bool) -> Joined:
    """The marks of all objects, each segment with what reports say of it.

    judge_unlabelled : unsaid bidirectional and arrow marks are nodules
    """
    markings: dict[_Place, Marking] = {}
    passed: dict[_Place, PassedOver] = {}
    for annotation in annotations:
        for marking in annotation.markings:
            markings[_free(markings, (marking.source.sop_instance_uid, marking.source.place))] = (
                marking
            )
        for other in annotation.passed_over:
            place = (annotation.sop_instance_uid, other.place)
            if judge_unlabelled and other.may_count and other.marking is not None:
                markings[_free(markings, place)] = other.marking
            else:
                passed[_free(passed, place)] = other
    refused: list[tuple[Marking, str]] = []
    for place, marking in list(markings.items()):
        if marking.segment is None:
            continue
        del markings[place]
        target = _target(marking.segment)
        promoted = passed.get(target)
        if promoted is not None and promoted.unsaid and promoted.marking is not None:
            markings[target] = promoted.marking
            del passed[target]
        if target in markings:
            markings[target] = _told(markings[target], marking)
        else:
            refused.append((marking, _not_there(marking.segment, passed.get(target), annotations)))
    for place, other in list(passed.items()):
        if other.unsaid and other.marking is not None and other.marking.segment is not None:
            target = _target(other.marking.segment)
            if target in markings:
                markings[target] = _told(markings[target], other.marking)
                del passed[place]
    return Joined(
        markings=tuple(markings.values()),
        refused=tuple(refused),
        passed_over=tuple(passed.values()),
    )


def _free(taken: Container[_Place], place: _Place) -> _Place:
    """The place, told apart from an earlier mark that its object gives the same name."""
    sop_instance_uid, name = place
    while (sop_instance_uid, name) in taken:
        name += ", again"
    return sop_instance_uid, name


def _target(segment: SegmentReference) -> _Place:
    return segment.sop_instance_uid, segment.place


def _told(mask: Marking, speaker: Marking) -> Marking:
    """A segment's mark with what a report's group says of it."""
    return replace(
        mask,
        tracking_uid=mask.tracking_uid or speaker.tracking_uid,
        tracking_id=mask.tracking_id or speaker.tracking_id,
        stated_mm=mask.stated_mm if speaker.stated_mm is None else speaker.stated_mm,
        site=agreed(mask.site, speaker.site),
        also_in=(*mask.also_in, speaker.source),
    )


def _not_there(
    segment: SegmentReference, other: PassedOver | None, annotations: Sequence[Annotation]
) -> str:
    if other is not None:
        why = f"is no nodule there: {other.says}" if other.says else "is no nodule there"
    elif any(each.sop_instance_uid == segment.sop_instance_uid for each in annotations):
        why = "is empty there or does not exist"
    else:
        why = "was not received"
    return f"it is {segment.place} of a segmentation, which {why}"
