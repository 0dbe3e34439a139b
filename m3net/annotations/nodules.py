"""The nodules of a study: its annotations laid over its CT, each nodule once.

- A mask or outline falls into its 26-connected pieces.  The largest keeps the tracking UID, the
  others derive theirs; pieces under `LEAST_VOLUME_MM3` are ignored, and said to be.
- The centre is the centroid of what is marked; the diameter is the stated one, else the longest
  in-plane extent on the slice of largest area.
- The same tracking UID in several objects is one nodule.  A segmentation's mask wins over outlines,
  these over a circle or point, and among equals the later object's over the earlier one's.  If the centres disagree by more than `SAME_NODULE_MM` and
  more than the nodule's radius, it is refused: one of the places is wrong, and which is not known.
- Marks of different objects within `SAME_PLACE_MM` are one nodule if one of them has no tracking
  UID.  If both have one, both are kept and it is said.
- A mark in a foreign frame of reference, or with its centre outside the CT, is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from m3net.annotations.identity import derived_uid
from m3net.annotations.placing import Spot, place
from m3net.annotations.types import Annotation, Marking
from m3net.errors import NoduleUnusable
from m3net.nodule import AnnotationSource, Nodule, RefusedNodule
from m3net.volume import CTVolume

SAME_NODULE_MM = 5.0
SAME_PLACE_MM = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the annotations mark in the CT, in the order in which they mark it."""

    nodules: tuple[Nodule, ...]
    refused: tuple[RefusedNodule, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A nodule on its way.

    fineness : of what marks it: 2 a segmentation's mask, 1 outlines, 0 a circle or point
    own_uid  : whether the input gives its tracking UID
    stated   : whether the input gives its diameter
    """

    nodule: Nodule
    fineness: int
    own_uid: bool
    stated: bool


def find_nodules(annotations: Sequence[Annotation], volume: CTVolume) -> Found:
    """Every nodule that the annotations, oldest first, mark in the CT.

    A mark that cannot be trusted becomes a RefusedNodule with its one reason; the others stand.
    """
    refused: list[RefusedNodule] = []
    ignored = [sentence for annotation in annotations for sentence in annotation.ignored]
    candidates: list[_Candidate] = []
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
    merged = _merge(candidates, refused)
    nodules = _say_neighbours([candidate.nodule for candidate in merged])
    return Found(
        nodules=tuple(
            replace(nodule, tracking_id=nodule.tracking_id or f"Nodule {number}")
            for number, nodule in enumerate(nodules, start=1)
        ),
        refused=tuple(refused),
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


def _candidate(marking: Marking, spot: Spot) -> _Candidate:
    uid, label = _tracking(marking, spot.part)
    return _Candidate(
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


def _merge(candidates: Sequence[_Candidate], refused: list[RefusedNodule]) -> list[_Candidate]:
    """Each nodule once, in the order in which it was first marked."""
    merged: list[_Candidate] = []
    contradicted: set[int] = set()
    for candidate in candidates:
        index = _same_uid(merged, candidate)
        if index is None:
            index = _same_place(merged, candidate, but=contradicted)
        if index is None:
            merged.append(candidate)
            continue
        apart = _apart_mm(merged[index].nodule, candidate.nodule)
        radius = max(merged[index].nodule.diameter_mm or 0, candidate.nodule.diameter_mm or 0) / 2
        if apart > max(SAME_NODULE_MM, radius):
            contradicted.add(index)
            refused.append(_contradiction(merged[index].nodule, candidate.nodule, apart))
            continue
        merged[index] = _one(merged[index], candidate)
    return [kept for index, kept in enumerate(merged) if index not in contradicted]


def _same_uid(merged: Sequence[_Candidate], candidate: _Candidate) -> int | None:
    for index, other in enumerate(merged):
        if other.nodule.tracking_uid == candidate.nodule.tracking_uid:
            return index
    return None


def _same_place(
    merged: Sequence[_Candidate], candidate: _Candidate, *, but: set[int]
) -> int | None:
    """The nearest mark of another object, if it is near and one of the two has no UID."""
    near = [
        (_apart_mm(other.nodule, candidate.nodule), index)
        for index, other in enumerate(merged)
        if index not in but
        and not (other.own_uid and candidate.own_uid)
        and _objects(other.nodule).isdisjoint(_objects(candidate.nodule))
    ]
    apart, index = min(near, default=(np.inf, -1))
    return index if apart <= SAME_PLACE_MM else None


def _objects(nodule: Nodule) -> set[str]:
    return {source.sop_instance_uid for source in nodule.sources}


def _one(first: _Candidate, second: _Candidate) -> _Candidate:
    """Two marks of one nodule as one, with the finer one's shape."""
    winner, other = (second, first) if second.fineness >= first.fineness else (first, second)
    named = first if first.own_uid or not second.own_uid else second
    by_statement = other.stated and not winner.stated
    apart = _apart_mm(first.nodule, second.nodule)
    return _Candidate(
        nodule=replace(
            winner.nodule,
            diameter_mm=(
                other.nodule.diameter_mm
                if by_statement or winner.nodule.diameter_mm is None
                else winner.nodule.diameter_mm
            ),
            tracking_uid=named.nodule.tracking_uid,
            tracking_id=named.nodule.tracking_id or other.nodule.tracking_id,
            sources=(*first.nodule.sources, *second.nodule.sources),
            notes=(
                *dict.fromkeys((*first.nodule.notes, *second.nodule.notes)),
                f"Marked in {_places(first.nodule)} and in {_places(second.nodule)}, "
                f"{apart:.1f} mm apart; the place in {_places(winner.nodule)} was used.",
            ),
        ),
        fineness=winner.fineness,
        own_uid=first.own_uid or second.own_uid,
        stated=first.stated or second.stated,
    )


def _contradiction(first: Nodule, second: Nodule, apart_mm: float) -> RefusedNodule:
    return RefusedNodule(
        tracking_uid=first.tracking_uid,
        tracking_id=first.tracking_id or second.tracking_id or "Nodule",
        sources=(*first.sources, *second.sources),
        reason=(
            f"one tracking UID stands at two places, {apart_mm:.1f} mm apart: "
            f"{_places(first)} and {_places(second)}; correct one of them and resend it"
        ),
    )


def _places(nodule: Nodule) -> str:
    return " and ".join(source.place for source in nodule.sources)


def _say_neighbours(nodules: Sequence[Nodule]) -> list[Nodule]:
    """Nodules that stand at one place under different UIDs are kept, and each says so."""
    said = []
    for index, nodule in enumerate(nodules):
        notes = [
            f"{_apart_mm(nodule, other):.1f} mm from here {_places(other)} marks another nodule; "
            "it may be the same one."
            for number, other in enumerate(nodules)
            if number != index and _apart_mm(nodule, other) <= SAME_PLACE_MM
        ]
        said.append(replace(nodule, notes=(*nodule.notes, *notes)))
    return said


def _apart_mm(one: Nodule, other: Nodule) -> float:
    return float(np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm)))
