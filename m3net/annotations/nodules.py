"""The nodules of a study: its annotations laid over its CT, each nodule once.

- A mask or outline falls into its 26-connected pieces.  The largest keeps the tracking UID, the
  others derive theirs; pieces under `LEAST_VOLUME_MM3` are ignored, and said to be.
- The centre is the centroid of what is marked; the diameter is the stated one, else the longest
  in-plane extent on the slice of largest area.
- Marks of one nodule in several objects become one: `merging` says how.
- A mark in a foreign frame of reference, or with its centre outside the CT, is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from m3net.annotations.identity import derived_uid
from m3net.annotations.merging import Candidate, merge, say_neighbours, say_refused
from m3net.annotations.placing import Spot, place
from m3net.annotations.types import Annotation, Marking
from m3net.errors import NoduleUnusable
from m3net.nodule import AnnotationSource, Nodule, RefusedNodule
from m3net.volume import CTVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the annotations mark in the CT, in the order in which they mark it."""

    nodules: tuple[Nodule, ...]
    refused: tuple[RefusedNodule, ...]
    ignored: tuple[str, ...]


def find_nodules(annotations: Sequence[Annotation], volume: CTVolume) -> Found:
    """Every nodule that the annotations, oldest first, mark in the CT.

    A mark that cannot be trusted becomes a RefusedNodule with its one reason; the others stand.
    """
    refused: list[RefusedNodule] = []
    ignored = [sentence for annotation in annotations for sentence in annotation.ignored]
    candidates: list[Candidate] = []
    for marking in _with_segments(annotations, refused):
        try:
            placed = place(marking, volume)
        except NoduleUnusable as error:
            refused.append(_refusal(marking, str(error)))
            continue
        ignored += placed.ignored
        for spot in placed.spots:
            if spot.refused is None:
                candidates.append(_candidate(marking, spot))
            else:
                refused.append(_refusal(marking, spot.refused, spot=spot))
    merged = [candidate.nodule for candidate in merge(candidates, refused)]
    nodules = say_neighbours(say_refused(merged, refused))
    kept = {nodule.tracking_uid for nodule in nodules}
    return Found(
        nodules=tuple(
            replace(nodule, tracking_id=nodule.tracking_id or f"Nodule {number}")
            for number, nodule in enumerate(nodules, start=1)
        ),
        refused=tuple(refusal for refusal in refused if refusal.tracking_uid not in kept),
        ignored=tuple(ignored),
    )


def _with_segments(
    annotations: Sequence[Annotation], refused: list[RefusedNodule]
) -> Iterator[Marking]:
    """Every marking; a report's group about a segment is joined to that segment's marking."""
    markings = [marking for annotation in annotations for marking in annotation.markings]
    at = {
        (marking.source.sop_instance_uid, marking.source.place): index
        for index, marking in enumerate(markings)
    }
    for speaker in markings:
        if speaker.segment is None:
            continue
        target = at.get((speaker.segment.sop_instance_uid, speaker.segment.place))
        if target is None:
            received = any(
                annotation.sop_instance_uid == speaker.segment.sop_instance_uid
                for annotation in annotations
            )
            why = "is empty there or no nodule" if received else "was not received"
            refused.append(
                _refusal(speaker, f"it is {speaker.segment.place} of a segmentation, which {why}")
            )
            continue
        mask = markings[target]
        markings[target] = replace(
            mask,
            tracking_uid=mask.tracking_uid or speaker.tracking_uid,
            tracking_id=mask.tracking_id or speaker.tracking_id,
            diameter_mm=speaker.diameter_mm if speaker.diameter_stated else mask.diameter_mm,
            diameter_stated=speaker.diameter_stated or mask.diameter_stated,
            also_in=(*mask.also_in, speaker.source),
        )
    return (marking for marking in markings if marking.segment is None)


def _sources(marking: Marking) -> tuple[AnnotationSource, ...]:
    return (marking.source, *marking.also_in)


def _tracking(marking: Marking, part: tuple[int, int]) -> tuple[str, str]:
    """Tracking UID and identifier of one piece of a marking; the identifier may be empty."""
    rank, count = part
    source = marking.source
    uid = marking.tracking_uid or derived_uid("nodule", source.sop_instance_uid, source.place)
    label = marking.tracking_id or ""
    if count > 1:
        label = f"{label or 'Nodule'} {rank} / {count}"
    return (uid if rank == 1 else derived_uid("piece", uid, str(rank))), label


def _refusal(marking: Marking, reason: str, *, spot: Spot | None = None) -> RefusedNodule:
    uid, label = _tracking(marking, spot.part if spot else (1, 1))
    return RefusedNodule(
        tracking_uid=uid,
        tracking_id=label or f"Nodule of {marking.source.place}",
        sources=_sources(marking),
        reason=reason,
    )


def _candidate(marking: Marking, spot: Spot) -> Candidate:
    uid, label = _tracking(marking, spot.part)
    return Candidate(
        nodule=Nodule(
            centre_mm=spot.centre_mm,
            mask=spot.mask,
            diameter_mm=spot.diameter_mm,
            tracking_uid=uid,
            tracking_id=label,
            sources=_sources(marking),
            notes=spot.notes,
        ),
        fineness=2 if marking.mask is not None else 1 if marking.contours_mm else 0,
        own_uid=marking.tracking_uid is not None and spot.part[0] == 1,
        stated=marking.diameter_stated and spot.part[0] == 1,
    )
