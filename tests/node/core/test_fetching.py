"""Which source is asked next, for what, and what its answers prove."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from m3net.uids import SeriesInstanceUID, SOPInstanceUID
from node.core.fetching import (
    Fetch,
    Findings,
    Order,
    Scope,
    SeriesThere,
    SourceCount,
    Wanted,
    count_at_source,
    open_fetch,
    orders,
    source_to_ask,
    what_was_tried,
)
from node.core.states import State

CT, OTHER = SeriesInstanceUID("1.1"), SeriesInstanceUID("1.2")
SOURCES = ("ONE", "TWO")


def uids(*numbers: int, series: str = CT) -> frozenset[SOPInstanceUID]:
    return frozenset(SOPInstanceUID(f"{series}.{number}") for number in numbers)


def there(*numbers: int, series: SeriesInstanceUID = CT, **more: object) -> SeriesThere:
    given_to = {"modality": "CT", "instances": uids(*numbers, series=series), **more}
    return SeriesThere(series_instance_uid=series, **given_to)


def wanted(**more: object) -> Wanted:
    given_to = {"scope": Scope.MISSING, "series": CT, "content": "question", **more}
    return Wanted(**given_to)


def done(source: str, *series: SeriesThere, content: str = "question", **more: object) -> Fetch:
    return Fetch(
        number=1,
        source=source,
        content=content,
        by_itself=True,
        state=State.DONE,
        findings=Findings(series=series, **more),
    )


def dead(source: str, *, content: str = "question") -> Fetch:
    return Fetch(number=1, source=source, content=content, by_itself=True, state=State.DEAD)


def asked(
    fetches: Sequence[Fetch],
    here: frozenset[SOPInstanceUID],
    question: Wanted | None = None,
    *,
    max_fetches: int = 10,
) -> str | None:
    return source_to_ask(
        question or wanted(), fetches, here=here, sources=SOURCES, max_fetches=max_fetches
    )


def test_sources_are_asked_in_their_order_until_one_proves_that_all_is_here() -> None:
    assert asked([], uids(1, 2)) == "ONE"
    assert asked([dead("ONE")], uids(1, 2)) == "TWO"
    assert asked([done("ONE", there(1, 2, 3))], uids(1, 2)) == "TWO"
    assert asked([done("ONE", there(1, 2))], uids(1, 2)) is None
    assert asked([done("TWO", there(1, 2))], uids(1, 2)) is None
    nothing = done("ONE", there(), beyond=uids(1, 2))
    assert asked([nothing], uids(1, 2)) == "TWO"
    assert asked([dead("ONE"), dead("TWO")], uids(1, 2)) is None


def test_another_question_is_asked_anew_unless_the_answer_is_known() -> None:
    other = wanted(content="another")
    assert asked([dead("ONE"), dead("TWO")], uids(1), other) == "ONE"
    assert asked([done("ONE", there(1))], uids(1), other) is None
    missing = wanted(content="another", instances=uids(9))
    assert asked([done("ONE", there(1))], uids(1), missing) == "ONE"


def test_what_came_since_a_source_was_asked_makes_its_answer_out_of_date() -> None:
    assert asked([done("ONE", there(1, 2))], uids(1, 2, 3)) == "ONE"
    assert asked([done("ONE", there(1, 2), beyond=uids(3))], uids(1, 2, 3)) is None
    assert asked([done("ONE", there(1, 2))], uids(1, 2, 3), max_fetches=1) is None


def test_a_persons_question_does_not_count_among_those_of_the_node() -> None:
    by_hand = Fetch(number=1, source="ONE", content="x", by_itself=False, state=State.DEAD)
    assert asked([by_hand] * 5, uids(1), max_fetches=1) == "ONE"
    assert asked([dead("ONE", content="x")], uids(1), max_fetches=1) is None


def test_an_open_question_is_known() -> None:
    running = Fetch(number=3, source="ONE", content="x", by_itself=True, state=State.RUNNING)
    assert open_fetch([dead("ONE"), running]) == running
    assert open_fetch([dead("ONE")]) is None


def test_the_count_is_that_of_the_source_that_knows_of_most() -> None:
    fetches = [done("ONE", there(1, 2)), done("TWO", there(1, 2, 3, 4)), dead("TWO")]
    here = uids(1, 2, 3)
    count = count_at_source(CT, fetches, here=here, sources=SOURCES)
    assert count == SourceCount(source="TWO", here=3, there=4)
    assert count.absent == 1
    assert count_at_source(OTHER, fetches, here=here, sources=SOURCES) is None
    assert count_at_source(CT, [done("ONE", there())], here=here, sources=SOURCES) is None


def test_where_a_source_counts_more_than_it_lists_what_is_here_counts() -> None:
    more = done("ONE", there(1, 2, said=4), beyond=uids(3))
    assert count_at_source(CT, [more], here=uids(1, 2, 3), sources=SOURCES) == SourceCount(
        source="ONE", here=3, there=4
    )
    assert asked([more], uids(1, 2, 3)) == "TWO"


def test_a_source_that_lists_nothing_is_held_to_its_number() -> None:
    numbers = done("ONE", there(said=3))
    assert count_at_source(CT, [numbers], here=uids(1, 2), sources=SOURCES) == SourceCount(
        source="ONE", here=2, there=3
    )
    assert asked([numbers], uids(1, 2, 3)) == "ONE"  # more than it was when it was asked
    assert asked([done("ONE", there(said=3), beyond=uids(1, 2, 3))], uids(1, 2, 3)) is None
    assert orders(wanted(), [there(said=3)], {CT: uids(1, 2)}) == (
        Order(series=CT, instances=None, expected=3, here=uids(1, 2)),
    )
    assert orders(wanted(), [there(said=3)], {CT: uids(1, 2, 3)}) == ()


def test_of_a_series_that_is_here_in_part_the_rest_is_ordered() -> None:
    assert orders(wanted(), [there(1, 2, 3)], {CT: uids(1)}) == (
        Order(series=CT, instances=uids(2, 3), expected=2, here=uids(1)),
    )
    assert orders(wanted(), [there(1, 2, 3)], {}) == (Order(series=CT, instances=None, expected=3),)
    assert orders(wanted(), [there(1, 2, 3)], {CT: uids(1, 2, 3)}) == ()


def test_what_a_series_has_beyond_its_list_is_ordered_once_as_a_whole() -> None:
    assert orders(wanted(), [there(1, 2, said=4)], {CT: uids(1, 2)}) == (
        Order(series=CT, instances=None, expected=4, here=uids(1, 2)),
    )
    assert orders(wanted(), [there(1, 2, said=4)], {CT: uids(1, 2, 3, 4)}) == ()


def test_other_series_are_ordered_only_for_what_the_annotation_names() -> None:
    holds = [there(1), there(5, series=OTHER)]
    assert [each.series for each in orders(wanted(), holds, {})] == [CT]
    named = wanted(series=None, instances=uids(5, series=OTHER))
    assert [each.series for each in orders(named, holds, {})] == [OTHER]
    unnamed = wanted(series=None)
    assert [each.series for each in orders(unnamed, holds, {})] == [CT, OTHER]
    seg = there(7, series=SeriesInstanceUID("1.3"), modality="SEG")
    assert orders(unnamed, [seg], {}) == ()
    many = [there(n, series=SeriesInstanceUID(f"2.{n}")) for n in range(21)]
    assert orders(unnamed, many, {}) == ()
    assert len(orders(unnamed, many[:20], {})) == 20


def test_of_what_is_no_ct_only_what_an_annotation_refers_to_is_ordered() -> None:
    segmentations = SeriesInstanceUID("1.3")
    holds = [there(1), there(7, 8, series=segmentations, modality="SEG")]
    question = wanted(instances=uids(7, series=segmentations))
    assert orders(question, holds, {CT: uids(1)}) == (
        Order(series=segmentations, instances=uids(7, series=segmentations), expected=1),
    )


def test_of_a_study_every_ct_and_every_annotation_is_ordered() -> None:
    kinds = ("CT", "SEG", "RTSTRUCT", "SR", "PR", "OT", "MR", "KO")
    holds = [
        there(1, series=SeriesInstanceUID(f"2.{n}"), modality=kind) for n, kind in enumerate(kinds)
    ]
    ordered = orders(Wanted(scope=Scope.STUDY, content="x"), holds, {})
    assert [each.series for each in ordered] == [f"2.{n}" for n in range(5)]


def test_what_was_tried_is_said_of_each_source_unless_one_proves_that_all_is_here() -> None:
    fetches = [
        dead("ONE"),
        done("TWO", there(1), said=("TWO said so.",), content="before"),
    ]
    tried = (
        "What ONE holds of the study is not known: it could not be asked, or broke off.",
        "TWO said so.",
    )
    assert what_was_tried(wanted(), fetches, sources=SOURCES, proven_by=None) == tried
    assert what_was_tried(wanted(), fetches, sources=SOURCES, proven_by="TWO") == tried[1:]
    otherwise = [dead("ONE"), done("ONE", there(1), said=("ONE said so.",), content="before")]
    assert what_was_tried(wanted(), otherwise, sources=SOURCES, proven_by=None) == tried[:1]
    nothing = [done("ONE")]
    assert what_was_tried(wanted(), nothing, sources=SOURCES, proven_by=None) == (
        "ONE was asked, and holds nothing of this study.",
    )


@settings(deadline=None)
@given(st.data())
def test_whatever_sources_answer_asking_comes_to_an_end(data: st.DataObject) -> None:
    fetches: list[Fetch] = []
    here = uids(1)
    numbers = st.sets(st.integers(1, 12)).map(sorted)
    while source := asked(fetches, here):
        if data.draw(st.booleans()):
            fetches.append(dead(source))
        else:
            lists = data.draw(numbers)
            here |= uids(*data.draw(numbers))
            listed = there(*lists, said=data.draw(st.none() | st.integers(0, 20)))
            fetches.append(done(source, listed, beyond=here - listed.instances))
        assert len(fetches) <= 10
