"""Marks made on single-frame images, followed to the multi-frame object that holds them now.

An archive that converts a series to Legacy Converted Enhanced CT says of each frame which image it
was (Conversion Source Attributes).  An annotation made before names those images, which will never
come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from m3net.annotations.types import Planes, References
from m3net.uids import FrameKey, FrameReference, SOPInstanceUID
from node.core.inputs import InstanceFacts

Conversions = Mapping[SOPInstanceUID, FrameReference]
"""What each image became."""


def conversions_of(images: Iterable[InstanceFacts]) -> Conversions:
    """Which images that are not among these became a frame of one that is."""
    images = list(images)
    present = {facts.sop_instance_uid for facts in images}
    return {
        source: FrameReference(facts.sop_instance_uid, frame)
        for facts in images
        for source, frame in facts.converted_from.items()
        if source not in present
    }


def followed(
    annotations: Sequence[InstanceFacts], conversions: Conversions
) -> tuple[InstanceFacts, ...]:
    """The annotations as if they had been made on the objects that the images became."""
    if not conversions:
        return tuple(annotations)
    return tuple(
        facts
        if facts.references is None
        else replace(facts, references=_followed(facts.references, conversions))
        for facts in annotations
    )


def planes_of(
    images: Iterable[InstanceFacts], *, scouts: frozenset[SOPInstanceUID] = frozenset()
) -> Planes:
    """The planes of CT images, under their frames' keys and under those that they once had.

    scouts : as `Planes` takes them
    """
    images = list(images)
    planes = {
        FrameKey(facts.sop_instance_uid, number): plane
        for facts in images
        for number, plane in facts.planes.items()
    }
    once = {
        FrameKey(source): planes[FrameKey(frame.sop_instance_uid, frame.frame)]
        for source, frame in conversions_of(images).items()
        if FrameKey(frame.sop_instance_uid, frame.frame) in planes
    }
    return Planes(once | planes, scouts=scouts)


def _followed(references: References, conversions: Conversions) -> References:
    return replace(
        references,
        sop_instance_uids=frozenset(
            conversions[uid].sop_instance_uid if uid in conversions else uid
            for uid in references.sop_instance_uids
        ),
        marked=frozenset(
            conversions.get(reference.sop_instance_uid, reference)
            for reference in references.marked
        ),
    )
