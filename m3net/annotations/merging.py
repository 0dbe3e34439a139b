"""Several marks of one nodule as one.

- The same tracking UID in several objects is one nodule.  A segmentation's mask wins over outlines,
  these over a circle or point, and among equals the later object's over the earlier one's.
- If the centres disagree by more than `SAME_NODULE_MM` and more than the nodule's radius, it is
  refused: one of the places is wrong, and which is not known.
- A mark that was itself refused does not count; the nodule's notes say so.
- Marks of different objects of which each holds the other's centre are one nodule, two readers'
  for example, whatever their UIDs.
- So are marks of different objects within `SAME_PLACE_MM` if one of them has no tracking UID.  If
  both have one, as two bare points may, both are kept, and both say so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from m3net.annotations.sites import agreed
from m3net.nodule import Nodule, RefusedNodule

SAME_NODULE_MM = 5.0
SAME_PLACE_MM = 3.0
UNLIKE = 1.25
"""Marks whose widths differ by more are told with them: in volume that is a factor of two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A nodule on its way.

    fineness : of what marks it: 2 a segmentation's mask, 1 outlines, 0 a circle or point
    own_uid  : whether the input gives its tracking UID
    stated   : whether the input gives its diameter
    marks    : of which it was merged, the one whose place it has first; none if it is one mark
    """

    nodule: Nodule
    fineness: int
    own_uid: bool
    stated: bool
    marks: tuple[Nodule, ...] = ()


def merge(candidates: Sequence[Candidate], refused: list[RefusedNodule]) -> list[Candidate]:
    """Each nodule once, in the order in which it was first marked."""
    merged: list[Candidate] = []
    contradicted: set[int] = set()
    for candidate in candidates:
        index = _same_uid(merged, candidate)
        if index is None:
            index = _same_place(merged, candidate, except_for=contradicted)
        if index is None:
            merged.append(candidate)
            continue
        apart = _apart_mm(merged[index].nodule, candidate.nodule)
        wide = [each.nodule.diameter_mm for each in (merged[index], candidate)]
        radii = [diameter_mm / 2 for diameter_mm in wide if diameter_mm is not None]
        if apart > max([SAME_NODULE_MM, *radii]):
            contradicted.add(index)
            refused.append(_contradiction(merged[index].nodule, candidate.nodule, apart))
            continue
        merged[index] = _one(merged[index], candidate)
    return [_told(kept) for index, kept in enumerate(merged) if index not in contradicted]


def _same_uid(merged: Sequence[Candidate], candidate: Candidate) -> int | None:
    for index, other in enumerate(merged):
        if other.nodule.tracking_uid == candidate.nodule.tracking_uid:
            return index
    return None


def _same_place(
    merged: Sequence[Candidate], candidate: Candidate, *, except_for: set[int]
) -> int | None:
    """The nearest mark of another object that overlaps; else the nearest that is near, if one of
    the two has no UID."""
    near = [
        (_apart_mm(other.nodule, candidate.nodule), index)
        for index, other in enumerate(merged)
        if index not in except_for and _objects(other.nodule).isdisjoint(_objects(candidate.nodule))
    ]
    overlapping = [
        (apart, index)
        for apart, index in near
        if _covers(merged[index].nodule, candidate.nodule)
        and _covers(candidate.nodule, merged[index].nodule)
    ]
    if overlapping:
        return min(overlapping)[1]
    unnamed = [
        (apart, index)
        for apart, index in near
        if apart <= SAME_PLACE_MM and not (merged[index].own_uid and candidate.own_uid)
    ]
    return min(unnamed)[1] if unnamed else None


def _covers(nodule: Nodule, other: Nodule) -> bool:
    """Whether the other's centre lies in the nodule's voxels or sphere; never in a bare point."""
    mask = nodule.mask
    if mask is None:
        return _apart_mm(nodule, other) <= (nodule.diameter_mm or 0) / 2 > 0
    to_index = np.linalg.inv(mask.affine)
    z, y, x = np.round(to_index[:3, :3] @ np.asarray(other.centre_mm) + to_index[:3, 3]).astype(int)
    depth, rows, columns = mask.voxels.shape
    inside = 0 <= z < depth and 0 <= y < rows and 0 <= x < columns
    return bool(inside and mask.voxels[z, y, x])


def _objects(nodule: Nodule) -> set[str]:
    return {source.sop_instance_uid for source in nodule.sources}


def _one(first: Candidate, second: Candidate) -> Candidate:
    """Two marks of one nodule as one, with the finer one's shape."""
    winner, other = (second, first) if second.fineness >= first.fineness else (first, second)
    named, unnamed = (first, second) if first.own_uid or not second.own_uid else (second, first)
    by_statement = other.stated and not winner.stated
    return Candidate(
        nodule=replace(
            winner.nodule,
            diameter_mm=(
                other.nodule.diameter_mm
                if by_statement or winner.nodule.diameter_mm is None
                else winner.nodule.diameter_mm
            ),
            tracking_uid=named.nodule.tracking_uid,
            tracking_id=named.nodule.tracking_id or unnamed.nodule.tracking_id,
            sources=(*first.nodule.sources, *second.nodule.sources),
            site=agreed(first.nodule.site, second.nodule.site),
            notes=tuple(dict.fromkeys((*first.nodule.notes, *second.nodule.notes))),
        ),
        fineness=winner.fineness,
        own_uid=first.own_uid or second.own_uid,
        stated=first.stated or second.stated,
        marks=(*(winner.marks or (winner.nodule,)), *(other.marks or (other.nodule,))),
    )


def _told(candidate: Candidate) -> Candidate:
    """The nodule says of how many marks it is one, and which of them gave its place."""
    if not candidate.marks:
        return candidate
    apart = max(_apart_mm(one, other) for one, other in combinations(candidate.marks, 2))
    note = (
        f"Marked {len(candidate.marks)} times, up to {apart:.1f} mm apart"
        f"{_sizes(candidate.marks)}, in {_places(candidate.nodule)}; the place in "
        f"{_used(candidate)} was used."
    )
    nodule = replace(candidate.nodule, notes=(*candidate.nodule.notes, note))
    return replace(candidate, nodule=nodule)


def _sizes(marks: Sequence[Nodule]) -> str:
    """How wide they are, if their readers did not mean the same."""
    sizes = [mark.diameter_mm for mark in marks if mark.diameter_mm is not None]
    if len(sizes) < 2 or max(sizes) <= UNLIKE * min(sizes):
        return ""
    return f" and {min(sizes):.0f} to {max(sizes):.0f} mm wide"


def _used(candidate: Candidate) -> str:
    """Which mark gave the place; the age of its object, where others call theirs the same."""
    source = candidate.marks[0].sources[0]
    alike = [each for each in candidate.nodule.sources if each.place == source.place]
    if len(alike) == 1:
        return source.place
    age = "the newest" if source is alike[-1] else "an older"
    return f"{source.place} of {age} of them"


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
    """ "segment 1 of 3 objects, segment 2 and measurement group 2"."""
    objects = Counter(source.place for source in nodule.sources)
    *others, last = (
        f"{place} of {count} objects" if count > 1 else place for place, count in objects.items()
    )
    return f"{', '.join(others)} and {last}" if others else last


def say_refused(nodules: Sequence[Nodule], refused: Sequence[RefusedNodule]) -> list[Nodule]:
    """A nodule with a second mark that was refused is analysed all the same, and says so."""
    said = []
    for nodule in nodules:
        notes = [
            f"Also marked in {', '.join(source.place for source in refusal.sources)}, "
            f"which was not used: {refusal.reason}."
            for refusal in refused
            if refusal.tracking_uid == nodule.tracking_uid
        ]
        said.append(replace(nodule, notes=(*nodule.notes, *notes)))
    return said


def say_neighbours(nodules: Sequence[Nodule]) -> list[Nodule]:
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
