"""An earlier CT of the same patient, and which of its marks is a nodule of today.

A mark counts as the same nodule only if it lies where today's is found in the earlier pixels
(`m3net.registration`), if no other mark could be meant, there or here, and if no tracking
identifier says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset

from m3net import attributes
from m3net.errors import NoduleUnusable, StudyError
from m3net.nodule import Nodule, Point
from m3net.placed import PlacedNodule
from m3net.registration import Registration
from m3net.uids import SOPInstanceUID
from m3net.volume import CTVolume, transform
from node.core.inputs import PriorStudy, StudyInputs
from node.core.marks import read_marks, slice_thickness_mm
from node.core.prior import FEWEST_DAYS
from node.core.reading import read_header

SAME_THICKNESS_MM = 0.5
"""Slices whose thickness differs by more give volumes that cannot be compared."""
BESIDE_MM = 2.0
"""The place may lie so far outside of the mark there: so much laying over each other errs."""
MOST_APART_MM = 8.0
"""From the place to the centre of the mark there: what grows to one side moves a little."""
CLEARER_BY_MM = 4.0
"""By so much a mark is nearer than any other that could be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCT:
    """The earlier CT, and everything that is marked in it.

    judged    : tracking UIDs of the nodules that have a probability in its report
    on, days  : when it was made, YYYY-MM-DD, and how many days that was before today's
    accession : its Accession Number; empty where it has none
    """

    inputs: StudyInputs
    volume: CTVolume
    nodules: Sequence[Nodule]
    judged: frozenset[str]
    on: str
    days: int
    accession: str


def read_earlier(
    prior: PriorStudy,
    inputs: StudyInputs,
    *,
    paths: Mapping[SOPInstanceUID, Path],
    judge_unlabelled: bool,
    assumed_character_set: str | None,
) -> EarlierCT:
    """The earlier CT as it lies on the disk.  Raises StudyError if nothing can be compared.

    inputs : of today's study
    paths  : the file of each instance of both
    """
    today, header = (
        read_header(paths[each.ct[0].sop_instance_uid], assumed_character_set=assumed_character_set)
        for each in (inputs, prior.inputs)
    )
    on, today_on = _day_of(header), _day_of(today)
    if on is None or today_on is None:
        raise StudyError("one of both CTs does not say on which day it was made")
    days = (today_on - on).days
    if days < FEWEST_DAYS:
        raise StudyError(f"it was made {days} days before this one, less than {FEWEST_DAYS}")
    _require_same_thickness(prior.inputs, inputs)
    marks = read_marks(
        prior.inputs,
        paths=paths,
        judge_unlabelled=judge_unlabelled,
        assumed_character_set=assumed_character_set,
    )
    return EarlierCT(
        inputs=marks.inputs,
        volume=marks.volume,
        nodules=marks.found.nodules,
        judged=prior.judged,
        on=on.isoformat(),
        days=days,
        accession=attributes.text(header, "AccessionNumber"),
    )


def _day_of(header: Dataset) -> date | None:
    """When the CT was acquired; where it does not say, when the study was made."""
    for keyword in ("AcquisitionDate", "AcquisitionDateTime", "StudyDate"):
        said = attributes.text(header, keyword)[:8]
        try:
            return datetime.strptime(said, "%Y%m%d").date()
        except ValueError:
            continue
    return None


def _require_same_thickness(earlier: StudyInputs, today: StudyInputs) -> None:
    then_mm, now_mm = slice_thickness_mm(earlier), slice_thickness_mm(today)
    if then_mm is None or now_mm is None:
        raise StudyError("one of both CTs does not say how thick its slices are")
    if abs(then_mm - now_mm) > SAME_THICKNESS_MM:
        raise StudyError(
            f"its slices are {then_mm:.3g} mm thick and these {now_mm:.3g} mm, and volumes in "
            "such different slices cannot be compared"
        )


def same_nodules(
    nodules: Sequence[PlacedNodule], earlier: EarlierCT
) -> list[Nodule | NoduleUnusable]:
    """For each nodule of today its mark in the earlier CT, or the reason why none is taken for it.

    nodules : all that are marked today in one volume: what is another's mark is not this one's
    """
    if not nodules:
        return []
    registration = Registration(nodules[0].volume, earlier.volume)
    places = [_place_in(registration, each) for each in nodules]
    return [
        same_mark(at, [each.nodule for each in nodules], places, earlier.nodules)
        for at in range(len(nodules))
    ]


def _place_in(registration: Registration, nodule: PlacedNodule) -> Point | NoduleUnusable:
    try:
        return registration.place_of(nodule)
    except NoduleUnusable as reason:
        return reason


def same_mark(
    at: int,
    nodules: Sequence[Nodule],
    places: Sequence[Point | NoduleUnusable],
    marks: Sequence[Nodule],
) -> Nodule | NoduleUnusable:
    """The mark of the nodule with this number, or the reason why none is taken for it.

    places : where each nodule lies in the earlier CT, LPS mm, or why that is not known
    marks  : everything that is marked in the earlier CT
    """
    nodule, place = nodules[at], places[at]
    if isinstance(place, NoduleUnusable):
        return place
    near = sorted((mark for mark in marks if _is_at(place, mark)), key=lambda m: _apart(place, m))
    if not near:
        return NoduleUnusable("nothing is marked there at its place")
    same, *others = near
    if any(_apart(place, other) < _apart(place, same) + CLEARER_BY_MM for other in others):
        return NoduleUnusable("more than one mark lies at its place there")
    rivals = (
        _apart(other, same)
        for number, other in enumerate(places)
        if number != at and not isinstance(other, NoduleUnusable) and _is_at(other, same)
    )
    if min(rivals, default=np.inf) < _apart(place, same) + CLEARER_BY_MM:
        return NoduleUnusable("the mark at its place there may be another nodule's")
    tracked = {mark.tracking_uid for mark in marks}
    if nodule.tracking_uid in tracked and nodule.tracking_uid != same.tracking_uid:
        return NoduleUnusable("its tracking identifier is that of another mark there")
    if same.tracking_uid in {n.tracking_uid for k, n in enumerate(nodules) if k != at}:
        return NoduleUnusable(
            "the mark at its place there has another nodule's tracking identifier"
        )
    return same


def _apart(place: Point, mark: Nodule) -> float:
    """From the place to the mark's centre, in mm."""
    return float(np.linalg.norm(np.subtract(place, mark.centre_mm)))


def _is_at(place: Point, mark: Nodule) -> bool:
    """Whether the mark lies at the place: it holds it, or nearly."""
    apart_mm = _apart(place, mark)
    if mark.mask is None:
        outside_mm = apart_mm - (mark.diameter_mm or 0.0) / 2
    else:
        voxels_mm = transform(mark.mask.affine, np.argwhere(mark.mask.voxels))
        outside_mm = float(np.linalg.norm(voxels_mm - np.array(place), axis=1).min())
    return apart_mm <= MOST_APART_MM and outside_mm <= BESIDE_MM
