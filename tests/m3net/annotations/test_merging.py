"""How far marks of one nodule may stand apart, to the millimetre."""

import pytest

from m3net.annotations.merging import Candidate, merge
from m3net.nodule import AnnotationSource, Nodule, RefusedNodule
from m3net.uids import SOPClassUID, SOPInstanceUID


def mark(
    x_mm: float, *, object_uid: str, uid: str | None = None, diameter_mm: float | None = None
) -> Candidate:
    """A point or circle of an object at (x, 0, 0)."""
    return Candidate(
        nodule=Nodule(
            centre_mm=(x_mm, 0.0, 0.0),
            mask=None,
            diameter_mm=diameter_mm,
            tracking_uid=uid or f"derived {object_uid} {x_mm}",
            tracking_id="",
            sources=(
                AnnotationSource(
                    sop_class_uid=SOPClassUID("1"),
                    sop_instance_uid=SOPInstanceUID(object_uid),
                    place="group 1",
                ),
            ),
        ),
        fineness=0,
        own_uid=uid is not None,
        stated=diameter_mm is not None,
    )


def merged(*marks: Candidate) -> tuple[list[Candidate], list[RefusedNodule]]:
    refused: list[RefusedNodule] = []
    return merge(marks, refused), refused


def test_nothing_merged_is_nothing() -> None:
    assert merged() == ([], [])


def test_a_mark_alone_stays_as_it_is() -> None:
    alone = mark(0, object_uid="a")
    assert merged(alone) == ([alone], [])


@pytest.mark.parametrize(("apart_mm", "one"), [(5.0, True), (5.1, False)])
def test_one_uid_is_one_nodule_within_five_millimetres(apart_mm: float, one: bool) -> None:
    kept, refused = merged(
        mark(0, object_uid="a", uid="7"), mark(apart_mm, object_uid="b", uid="7")
    )
    assert (len(kept), len(refused)) == ((1, 0) if one else (0, 1))


@pytest.mark.parametrize(("apart_mm", "one"), [(9.0, True), (9.1, False)])
def test_one_uid_is_one_nodule_within_its_radius(apart_mm: float, one: bool) -> None:
    kept, refused = merged(
        mark(0, object_uid="a", uid="7", diameter_mm=18.0),
        mark(apart_mm, object_uid="b", uid="7", diameter_mm=4.0),
    )
    assert (len(kept), len(refused)) == ((1, 0) if one else (0, 1))


@pytest.mark.parametrize(("apart_mm", "one"), [(3.0, True), (3.1, False)])
def test_marks_without_uid_are_one_within_three_millimetres(apart_mm: float, one: bool) -> None:
    kept, refused = merged(mark(0, object_uid="a"), mark(apart_mm, object_uid="b", uid="7"))
    assert (len(kept), refused) == (1 if one else 2, [])


def test_two_marks_of_one_object_are_two_nodules_however_near() -> None:
    kept, _ = merged(mark(0, object_uid="a"), mark(1, object_uid="a"))
    assert len(kept) == 2


def test_the_nearest_of_several_is_the_same_one() -> None:
    kept, _ = merged(
        mark(0, object_uid="a"), mark(4, object_uid="a"), mark(2.9, object_uid="b", uid="7")
    )
    assert [(each.nodule.centre_mm[0], each.nodule.tracking_uid) for each in kept] == [
        (0.0, "derived a 0"),
        (2.9, "7"),
    ]


def test_a_third_mark_of_a_contradicted_nodule_is_of_no_nodule_by_its_place() -> None:
    kept, refused = merged(
        mark(0, object_uid="a", uid="7"),
        mark(50, object_uid="b", uid="7"),
        mark(1, object_uid="c"),
    )
    assert [each.nodule.tracking_uid for each in kept] == ["derived c 1"]
    assert len(refused) == 1
