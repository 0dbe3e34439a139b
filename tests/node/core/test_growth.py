"""The same chest half a year before: growth is told of the nodules that are surely the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from m3net.errors import NoduleUnusable
from m3net.measurements import NOT_MEASURED, measure
from m3net.nodule import Nodule, Point
from m3net.placed import PlacedNodule
from m3net.prediction import Prediction
from m3net.uids import SOPInstanceUID
from node.core.assessment import Assessment, JudgedNodule
from node.core.earlier import read_earlier, same_mark
from node.core.growth import compared_with, with_growth
from node.core.inputs import PriorStudy, StudyInputs
from node.core.marks import read_marks, slice_thickness_mm
from node.demo.annotations import segmentation
from node.demo.phantom import NODULES, Phantom, Subject, chest_phantom
from sr_templates.findings import Outcome
from tests.node.core.test_pipeline import files

TODAY = datetime(2026, 1, 15, tzinfo=UTC)
JULY = datetime(2025, 7, 15, tzinfo=UTC)
THREE = NODULES[1:4]
SMALLER = tuple(replace(each, diameter_mm=0.8 * each.diameter_mm) for each in THREE)


def phantom(study: str, at: datetime) -> Phantom:
    """The same pixels as another study; how large a nodule was, its mark says."""
    subject = Subject(study=study, accession_number=f"A-{study}", at=at)
    return chest_phantom(size=128, slices=60, subject=subject, nodules=THREE)


@dataclass(frozen=True)
class Pair:
    """Both studies on a disk, and what was judged today."""

    assessment: Assessment
    inputs: StudyInputs
    paths: dict[SOPInstanceUID, Path]

    def compared(self, **changes: object) -> Assessment:
        """changes : of the earlier study"""
        prior = replace(self.inputs.prior, **changes) if self.inputs.prior else None
        return with_growth(
            self.assessment,
            replace(self.inputs, prior=prior),
            paths=self.paths,
            judge_unlabelled=False,
            assumed_character_set=None,
        )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    now, then = phantom("now", TODAY), replace(phantom("then", JULY), nodules=SMALLER)
    today, earlier = (
        files(tmp_path_factory.mktemp("study"), study.ct, segmentation(study, marked))
        for study, marked in (
            (now, ("Nodule 2", "Nodule 3", "Nodule 4")),
            (then, ("Nodule 2", "Nodule 4")),
        )
    )
    marks = read_marks(
        today.inputs, paths=today.paths, judge_unlabelled=False, assumed_character_set=None
    )
    thickness_mm = slice_thickness_mm(today.inputs)
    placed = [PlacedNodule(nodule=each, volume=marks.volume) for each in marks.found.nodules]
    judged = [
        JudgedNodule(
            placed=each,
            prediction=Prediction(probability=0.5, heat_maps={}),
            measured=measure(each, thickness_mm=thickness_mm),
        )
        for each in placed
    ]
    return Pair(
        assessment=Assessment(outcome=Outcome.ANALYSED, judged=judged),
        inputs=replace(
            today.inputs,
            prior=PriorStudy(inputs=earlier.inputs, judged=frozenset({NODULES[1].tracking_uid})),
        ),
        paths={**today.paths, **earlier.paths},
    )


def test_growth_is_told_of_what_is_marked_in_both_and_of_nothing_else(pair: Pair) -> None:
    compared = pair.compared()
    grown, new, not_judged = compared.judged
    assert grown.growth is not None
    assert grown.earlier is not None
    assert (grown.growth.on, grown.growth.days) == ("2025-07-15", 184)
    assert (grown.earlier.accession, grown.no_growth) == ("A-then", None)
    # 0.8 of the diameter is 0.512 of the volume: + 95 %; in voxels of 40 mm3, and 5 mm slices
    assert grown.growth.change_percent == pytest.approx(95, abs=12)
    assert grown.growth.doubling_days == pytest.approx(184 / 0.966, rel=0.1)
    assert (new.growth, not_judged.growth) == (None, None)
    none = "no growth is told against the CT of 15 Jul 2025: "
    assert new.no_growth == f"{none}nothing is marked there at its place"
    assert not_judged.no_growth == f"{none}the mark at its place there was not judged"
    assert compared.remarks[-1].startswith("Growth compares the volumes of the marks")


@pytest.mark.parametrize(
    ("changes", "kernel", "limits", "why"),
    [
        ({}, "LUNG", (), None),
        ({}, "SOFT", ("another reconstruction kernel then",), None),
        ({"doubt": "it touches no lung"}, "LUNG", None, "it touches no lung"),
        ({"measured": NOT_MEASURED}, "LUNG", None, "its volume is not measured here"),
    ],
)
def test_what_differs_is_a_limit_and_what_is_doubtful_or_not_measured_has_no_growth(
    pair: Pair,
    changes: dict[str, object],
    kernel: str,
    limits: tuple[str, ...] | None,
    why: str | None,
) -> None:
    assert pair.inputs.prior is not None
    prior = replace(pair.inputs.prior, **changed_ct(pair, convolution_kernel=kernel))
    earlier = read_earlier(
        prior, pair.inputs, paths=pair.paths, judge_unlabelled=False, assumed_character_set=None
    )
    judged = replace(pair.assessment.judged[0], **changes)
    told = compared_with(judged, earlier.nodules[0], pair.inputs, earlier, pair.paths)
    assert (told.growth.limits if told.growth else None) == limits
    assert told.no_growth == (
        None if why is None else f"no growth is told against the CT of 15 Jul 2025: {why}"
    )


def changed_ct(pair: Pair, **facts: object) -> dict[str, object]:
    assert pair.inputs.prior is not None
    earlier = pair.inputs.prior.inputs
    return {"inputs": replace(earlier, ct=tuple(replace(f, **facts) for f in earlier.ct))}


@pytest.mark.parametrize("key", ["of another", ""])
def test_nothing_is_said_of_a_ct_that_is_not_surely_of_the_patient(pair: Pair, key: str) -> None:
    assert pair.compared(**changed_ct(pair, patient_key=key)) is pair.assessment


def test_volumes_in_slices_of_another_thickness_are_not_compared(pair: Pair) -> None:
    compared = pair.compared(**changed_ct(pair, slice_thickness_mm=1.25))
    assert [each.growth for each in compared.judged] == [None, None, None]
    assert compared.remarks == (
        "An earlier CT of the patient is here, and no growth is told: its slices are 1.25 mm thick "
        "and these 5 mm, and volumes in such different slices cannot be compared.",
    )


@pytest.mark.parametrize("first_gone", [0, 5])
def test_a_ct_that_is_freed_while_it_is_compared_with_is_called_no_longer_kept(
    pair: Pair, first_gone: int
) -> None:
    assert pair.inputs.prior is not None
    gone = {f.sop_instance_uid for f in pair.inputs.prior.inputs.ct[first_gone:]}
    paths = {
        uid: path.with_suffix(".gone") if uid in gone else path for uid, path in pair.paths.items()
    }
    compared = replace(pair, paths=paths).compared()
    assert compared.judged == pair.assessment.judged
    assert compared.remarks == (
        "No growth is told: the earlier CT of the patient is no longer kept.",
    )


def test_a_ct_whose_files_are_damaged_is_here_and_cannot_be_read(
    pair: Pair, tmp_path: Path
) -> None:
    assert pair.inputs.prior is not None
    damaged = tmp_path / "damaged.dcm"
    damaged.write_bytes(b"no DICOM")
    first = pair.inputs.prior.inputs.ct[0].sop_instance_uid
    compared = replace(pair, paths={**pair.paths, first: damaged}).compared()
    (said,) = compared.remarks
    assert said.startswith("An earlier CT of the patient is here, and no growth is told: ")


def test_of_an_earlier_ct_of_which_more_has_come_it_is_said_that_this_is_not_judged(
    pair: Pair,
) -> None:
    alike = pair.compared(newer=True)
    assert alike.judged == pair.compared().judged
    assert alike.remarks[-1] == (
        "The earlier CT is compared with as it was last reported: what came of its study since "
        "then is not judged."
    )


def test_without_an_earlier_ct_nothing_is_said(pair: Pair) -> None:
    alone = replace(pair, inputs=replace(pair.inputs, prior=None))
    assert alone.compared() is pair.assessment


def marked(uid: str, centre_mm: Point, *, diameter_mm: float = 6.0) -> Nodule:
    return Nodule(
        centre_mm=centre_mm,
        mask=None,
        diameter_mm=diameter_mm,
        tracking_uid=uid,
        tracking_id=uid,
        sources=(),
    )


def matched(
    nodules: Sequence[Nodule], marks: Sequence[Nodule], *, moved_mm: float = 1.0
) -> list[str]:
    """Of each nodule of today the mark of the earlier CT, or why there is none."""
    places: list[Point | NoduleUnusable] = [
        (each.centre_mm[0] + moved_mm, *each.centre_mm[1:]) for each in nodules
    ]
    found = [same_mark(at, nodules, places, marks) for at in range(len(nodules))]
    return [str(each) if isinstance(each, NoduleUnusable) else each.tracking_uid for each in found]


def test_two_nodules_side_by_side_are_not_swapped() -> None:
    today = [marked("a", (0.0, 0.0, 0.0)), marked("b", (7.0, 0.0, 0.0))]
    then = [marked("d", (7.0, 0.0, 0.0)), marked("c", (0.0, 0.0, 0.0))]
    assert matched(today, then) == ["c", "d"]


def test_a_new_nodule_beside_an_old_one_is_not_taken_for_it() -> None:
    today = [marked("a", (0.0, 0.0, 0.0)), marked("new", (6.0, 0.0, 0.0))]
    then = [marked("c", (0.0, 0.0, 0.0), diameter_mm=14)]
    assert matched(today, then) == ["c", "the mark at its place there may be another nodule's"]


@pytest.mark.parametrize(
    ("today", "then", "why"),
    [
        (["a"], [("c", 0.0), ("d", 3.0)], "more than one mark lies at its place there"),
        (["a"], [("c", 12.0)], "nothing is marked there at its place"),
        (["a"], [("c", 0.0), ("a", 40.0)], "its tracking identifier is that of another mark there"),
    ],
)
def test_what_could_be_another_is_none(
    today: list[str], then: list[tuple[str, float]], why: str
) -> None:
    nodules = [marked(uid, (0.0, 0.0, 0.0)) for uid in today]
    assert matched(nodules, [marked(uid, (x, 0.0, 0.0)) for uid, x in then]) == [why]


def test_a_mark_that_another_nodule_of_today_has_by_its_identifier_is_that_ones() -> None:
    today = [marked("a", (0.0, 0.0, 0.0)), marked("c", (30.0, 0.0, 0.0))]
    assert matched(today, [marked("c", (0.0, 0.0, 0.0))]) == [
        "the mark at its place there has another nodule's tracking identifier",
        "nothing is marked there at its place",
    ]
