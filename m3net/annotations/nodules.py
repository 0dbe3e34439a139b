"""The nodules of a study: its annotations laid over its CT, each nodule once.

- A mask or outline falls into its 26-connected pieces.  The largest keeps the tracking UID, the
  others derive theirs; pieces under `LEAST_VOLUME_MM3` are ignored, and said to be.
- The centre is the centroid of what is marked; the diameter is the stated one, else the longest
  in-plane extent on the slice of largest area.
- Marks of one nodule in several objects become one: `merging` says how.
- A mark in a foreign frame of reference, or with its centre outside the CT, is refused.
"""

import itertools
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from m3net.annotations.joining import join_objects
from m3net.annotations.labels import name_of
from m3net.annotations.merging import Candidate, merge, say_neighbours, say_refused
from m3net.annotations.placing import Spot, place
from m3net.annotations.types import Annotation, Marking, PassedOver
from m3net.errors import NoduleUnusable
from m3net.nodule import AnnotationSource, Nodule, RefusedNodule
from m3net.uids import is_uid
from m3net.volume import CTVolume

_NAMESPACE = uuid.UUID("6c1d3a52-9f5e-5d0c-8a57-0c6f2f2d9b11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the annotations mark in the CT, in the order in which they mark it.

    passed_over : what they draw and what was not read as a nodule
    ignored     : sentences on what they do not draw
    """

    nodules: tuple[Nodule, ...]
    refused: tuple[RefusedNodule, ...]
    ignored: tuple[str, ...]
    passed_over: tuple[PassedOver, ...] = ()


def find_nodules(
    annotations: Sequence[Annotation], volume: CTVolume, *, judge_unlabelled: bool = False
) -> Found:
    """Every nodule that the annotations, oldest first, mark in the CT.

    A mark that cannot be trusted becomes a RefusedNodule with its one reason; the others stand.

    judge_unlabelled : bidirectional and arrow marks without a finding count as nodules
    """
    refused: list[RefusedNodule] = []
    ignored = [sentence for annotation in annotations for sentence in annotation.ignored]
    candidates: list[Candidate] = []
    joined = join_objects(annotations, judge_unlabelled=judge_unlabelled)
    refused += [_refusal(marking, reason) for marking, reason in joined.refused]
    for marking in joined.markings:
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
            replace(nodule, tracking_id=name)
            for nodule, name in zip(nodules, _names(nodules), strict=True)
        ),
        refused=tuple(refusal for refusal in refused if refusal.tracking_uid not in kept),
        ignored=tuple(ignored),
        passed_over=joined.passed_over,
    )


def _names(nodules: Sequence[Nodule]) -> list[str]:
    """A name for each, none twice: its own, or its number among the nodules, or the next free."""
    own = {nodule.tracking_id for nodule in nodules}
    given: list[str] = []
    for number, nodule in enumerate(nodules, start=1):
        name = nodule.tracking_id
        if not name:
            free = (f"Nodule {n}" for n in itertools.count(number))
            name = next(each for each in free if each not in own and each not in given)
        elif name in given:
            again = (f"{name} ({n})" for n in itertools.count(2))
            name = next(each for each in again if each not in own and each not in given)
        given.append(name)
    return given


def _sources(marking: Marking) -> tuple[AnnotationSource, ...]:
    return (marking.source, *marking.also_in)


def _tracking(marking: Marking, part: tuple[int, int]) -> tuple[str, str]:
    """Tracking UID and identifier of one piece of a marking; the identifier may be empty."""
    rank, count = part
    source = marking.source
    uid = _own_uid(marking) or derived_uid("nodule", source.sop_instance_uid, source.place)
    label = name_of(marking.tracking_id)
    if count > 1:
        label = f"{label or 'Nodule'}, part {rank} of {count}"
    return (uid if rank == 1 else derived_uid("piece", uid, str(rank))), label


def derived_uid(*parts: str) -> str:
    """A UID that is the same whenever the parts are (PS3.5 B.2, UUID version 5).

    The parts are encoded as a JSON list, so that ("a", "b") and ("ab",) differ.
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, json.dumps(parts)).int}"


def _own_uid(marking: Marking) -> str | None:
    """The tracking UID that the object gives, if it is one."""
    return marking.tracking_uid if is_uid(marking.tracking_uid or "") else None


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
            site=marking.site,
        ),
        fineness=2 if marking.mask is not None else 1 if marking.contours_mm else 0,
        own_uid=_own_uid(marking) is not None and spot.part[0] == 1,
        stated=marking.stated_mm is not None and spot.part[0] == 1,
    )
