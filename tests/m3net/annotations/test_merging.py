"""How far marks of one nodule may stand apart, to the millimetre."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.annotations.merging import Candidate, merge, say_neighbours, say_refused
from m3net.nodule import AnnotationSource, Mask, Nodule, RefusedNodule
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


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [("A", "B", "A"), ("", "B", "B"), ("A", "", "A"), ("", "", "Nodule")],
)
def test_a_contradicted_nodule_has_the_first_name_that_is_given(
    first: str, second: str, name: str
) -> None:
    one, other = (
        replace(each, nodule=replace(each.nodule, tracking_id=tracking_id))
        for each, tracking_id in (
            (mark(0, object_uid="a", uid="7"), first),
            (mark(50, object_uid="b", uid="7"), second),
        )
    )
    (refusal,) = merged(one, other)[1]
    assert refusal.tracking_id == name
    assert refusal.reason == (
        "one tracking UID stands at two places, 50.0 mm apart: group 1 and group 1; correct one of "
        "them and resend it"
    )


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


def masked(candidate: Candidate, *, begin: float, end: float) -> Candidate:
    """The same mark as a row of voxels of 1 mm whose centres are begin .. end mm on the x axis."""
    affine = np.eye(4)[[2, 1, 0, 3]]
    affine[0, 3] = begin
    voxels = np.ones((1, 1, round(end - begin) + 1), dtype=np.bool_)
    mask = Mask(voxels=voxels, affine=affine)
    return replace(candidate, fineness=2, nodule=replace(candidate.nodule, mask=mask))


@pytest.mark.parametrize(("x_mm", "one"), [(4.4, True), (4.6, False), (-4.4, True), (-4.6, False)])
def test_a_centre_in_the_outermost_voxel_of_a_mask_is_in_it(x_mm: float, one: bool) -> None:
    mask = masked(mark(0, object_uid="a", uid="7"), begin=-4, end=4)
    circle = mark(x_mm, object_uid="b", uid="8", diameter_mm=12.0)
    assert len(merged(mask, circle)[0]) == (1 if one else 2)


@pytest.mark.parametrize("off_mm", [(0.0, 0.6, 0.0), (0.0, -0.6, 0.0), (0.0, 0.0, 0.6)])
def test_a_centre_beside_a_mask_of_one_row_is_not_in_it(off_mm: tuple[float, float, float]) -> None:
    mask = masked(mark(0, object_uid="a", uid="7"), begin=-4, end=4)
    circle = mark(0, object_uid="b", uid="8", diameter_mm=12.0)
    beside = replace(circle, nodule=replace(circle.nodule, centre_mm=off_mm))
    assert len(merged(mask, beside)[0]) == 2


@pytest.mark.parametrize(("x_mm", "one"), [(4.0, True), (4.1, False)])
def test_each_of_two_circles_holds_the_others_centre_or_they_are_two_nodules(
    x_mm: float, one: bool
) -> None:
    small = mark(0, object_uid="a", uid="7", diameter_mm=8.0)
    large = mark(x_mm, object_uid="b", uid="8", diameter_mm=20.0)
    assert len(merged(small, large)[0]) == (1 if one else 2)
    assert len(merged(large, small)[0]) == (1 if one else 2)


def test_circles_of_two_millimetres_and_less_hold_what_is_in_them() -> None:
    for x_mm, one in ((0.75, True), (0.8, False)):
        small = [
            mark(x, object_uid=uid, uid=uid, diameter_mm=1.5) for x, uid in ((0, "7"), (x_mm, "8"))
        ]
        assert len(merged(*small)[0]) == (1 if one else 2)


def test_bare_points_of_two_uids_hold_nothing_not_even_each_other() -> None:
    kept, _ = merged(mark(0, object_uid="a", uid="7"), mark(0, object_uid="b", uid="8"))
    assert len(kept) == 2


def test_where_it_is_marked_is_told_as_one_counts() -> None:
    marks = []
    for name, place in (("a", "segment 3"), ("b", "segment 3"), ("c", "segment 2"), ("d", "ROI 1")):
        one = mark(0, object_uid=name, uid="7")
        (source,) = one.nodule.sources
        placed = replace(one.nodule, sources=(replace(source, place=place),))
        marks.append(replace(one, nodule=placed))
    (kept,), _ = merged(*marks)
    assert "in segment 3 of 2 objects, segment 2 and ROI 1; the place in " in kept.nodule.notes[0]


def test_the_finer_mark_gives_the_place_and_among_equals_the_later() -> None:
    coarse, fine = mark(1, object_uid="a", uid="7"), mark(2, object_uid="b", uid="7")
    fine = replace(fine, fineness=1)
    for order in ((coarse, fine), (fine, coarse)):
        (kept,), _ = merged(*order)
        assert (kept.nodule.centre_mm, kept.fineness) == ((2.0, 0.0, 0.0), 1)
    (kept,), _ = merged(coarse, replace(fine, fineness=0))
    assert kept.nodule.centre_mm == (2.0, 0.0, 0.0)
    assert kept.nodule.notes == (
        "Marked 2 times, up to 1.0 mm apart, in group 1 of 2 objects; the place in group 1 of "
        "the newest of them was used.",
    )
    assert [source.sop_instance_uid for source in kept.nodule.sources] == ["a", "b"]


@pytest.mark.parametrize(
    ("first", "second", "name"), [("A", "B", "A"), ("", "B", "B"), ("A", "", "A"), ("", "", "")]
)
@pytest.mark.parametrize("fineness", [0, 1])
@pytest.mark.parametrize("own_uid", ["7", None])
def test_a_nodule_has_the_name_of_the_mark_whose_uid_it_has_else_the_others(
    own_uid: str | None, fineness: int, first: str, second: str, name: str
) -> None:
    one, other = (
        replace(each, nodule=replace(each.nodule, tracking_id=tracking_id), fineness=fine)
        for each, tracking_id, fine in (
            (mark(0, object_uid="a", uid=own_uid), first, fineness),
            (mark(1, object_uid="b"), second, 0),
        )
    )
    (kept,), _ = merged(one, other)
    assert kept.nodule.tracking_id == name


def test_of_three_marks_the_newest_is_the_last() -> None:
    marks = [mark(x, object_uid=uid, uid="7") for x, uid in ((0, "a"), (1, "b"), (2, "c"))]
    (kept,), _ = merged(*marks)
    assert kept.nodule.notes[0].endswith("the place in group 1 of the newest of them was used.")


def test_many_marks_of_one_nodule_are_told_once_with_how_far_they_lie_apart() -> None:
    marks = [mark(x, object_uid=uid, uid="7") for x, uid in ((0, "a"), (1, "b"), (-2, "c"))]
    (kept,), _ = merged(replace(marks[0], fineness=1), *marks[1:])
    assert kept.nodule.centre_mm == (0.0, 0.0, 0.0)
    assert kept.nodule.notes == (
        "Marked 3 times, up to 3.0 mm apart, in group 1 of 3 objects; the place in group 1 of an "
        "older of them was used.",
    )


@pytest.mark.parametrize(("wide_mm", "told"), [(12.5, ""), (12.6, " and 10 to 13 mm wide")])
def test_marks_of_one_nodule_that_are_unlike_in_size_say_so(wide_mm: float, told: str) -> None:
    one, other = (
        mark(x, object_uid=uid, uid="7", diameter_mm=mm)
        for x, uid, mm in ((0, "a", 10.0), (1, "b", wide_mm))
    )
    (kept,), _ = merged(one, other)
    assert kept.nodule.notes == (
        f"Marked 2 times, up to 1.0 mm apart{told}, in group 1 of 2 objects; the place in group 1 "
        "of the newest of them was used.",
    )


def test_of_two_uids_of_one_nodule_the_first_is_kept_and_one_that_is_given_before_any_derived() -> (
    None
):
    for one, other, kept_uid in (("7", "8", "7"), ("7", None, "7"), (None, "8", "8")):
        marks = [
            mark(0, object_uid="a", uid=one, diameter_mm=9.0),
            mark(1, object_uid="b", uid=other, diameter_mm=9.0),
        ]
        (kept,), _ = merged(*marks)
        assert (kept.nodule.tracking_uid, kept.own_uid) == (kept_uid, True)
    (kept,), _ = merged(mark(0, object_uid="a"), mark(1, object_uid="b"))
    assert (kept.nodule.tracking_uid, kept.own_uid) == ("derived a 0", False)


def test_a_stated_diameter_and_a_uid_of_its_own_are_kept_from_either_mark() -> None:
    stated = mark(0, object_uid="a", diameter_mm=9.0)
    fine = replace(mark(1, object_uid="b", uid="7", diameter_mm=5.0), fineness=1, stated=False)
    for order in ((stated, fine), (fine, stated)):
        (kept,), _ = merged(*order)
        assert (kept.nodule.diameter_mm, kept.nodule.tracking_uid) == (9.0, "7")
        assert (kept.own_uid, kept.stated) == (True, True)
    (kept,), _ = merged(replace(stated, stated=False), fine)
    assert (kept.nodule.diameter_mm, kept.stated) == (5.0, False)
    bare = replace(fine, nodule=replace(fine.nodule, diameter_mm=None))
    (kept,), _ = merged(replace(stated, stated=False), bare)
    assert kept.nodule.diameter_mm == 9.0


@pytest.mark.parametrize(("apart_mm", "said"), [(3.0, True), (3.1, False)])
def test_nodules_within_three_millimetres_name_one_another(apart_mm: float, said: bool) -> None:
    one, other = mark(0, object_uid="a", uid="7"), mark(apart_mm, object_uid="b", uid="8")
    notes = [nodule.notes for nodule in say_neighbours([one.nodule, other.nodule])]
    note = "3.0 mm from here group 1 marks another nodule; it may be the same one."
    assert notes == ([(note,), (note,)] if said else [(), ()])


def test_a_refused_mark_is_said_of_the_nodule_with_its_uid_and_of_no_other() -> None:
    one, other = (mark(10 * n, object_uid=str(n), uid=str(n)).nodule for n in (1, 2))
    refusal = RefusedNodule(
        tracking_uid="2", tracking_id="", sources=other.sources, reason="it is nowhere"
    )
    notes = [nodule.notes for nodule in say_refused([one, other], [refusal])]
    assert notes == [(), ("Also marked in group 1, which was not used: it is nowhere.",)]
