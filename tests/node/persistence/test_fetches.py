"""Questions to sources: one at a time of a study, and the study is judged when one is settled."""

from datetime import datetime

import pytest

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind, sentence
from node.core.errors import LeaseLost, NotAllowed, UnknownEntry
from node.core.fetching import Findings, Scope, SeriesThere, Wanted
from node.core.states import State
from node.persistence.rows import FetchLease
from node.persistence.store import Store
from tests.node.core.facts_of import STUDY, THICK, ct_slice
from tests.node.persistence.filling import NOON, arrive, at

MISSING = Wanted(
    scope=Scope.MISSING, series=THICK, instances=frozenset({SOPInstanceUID("1.2")}), content="c"
)
FINDINGS = Findings(
    series=(
        SeriesThere(
            series_instance_uid=THICK,
            modality="CT",
            said=2,
            instances=frozenset({SOPInstanceUID("1.2"), SOPInstanceUID("1.3")}),
        ),
    ),
    beyond=frozenset({SOPInstanceUID("1.4")}),
    said=("It said so.",),
)


def ask(store: Store, source: str = "pacs", *, max_attempts: int = 2) -> int | None:
    return store.ask_source(
        STUDY,
        source,
        MISSING,
        by_itself=True,
        because="for 3 slices",
        max_attempts=max_attempts,
        now=NOON,
    )


def claim(store: Store, source: str = "pacs", now: datetime = NOON) -> FetchLease | None:
    return store.claim_fetch(source=source, owner="host-a:1:1", lease_s=60, now=now)


def judged(store: Store) -> None:
    """The study waits for nothing but what happens."""
    store.postpone_judgement(STUDY, reason="x", look_again_at=at(9_999), now=NOON)
    assert store.studies_to_judge(at(60)) == []


def test_a_study_has_one_open_question_and_each_source_its_own(store: Store) -> None:
    arrive(store, ct_slice(0))
    number = ask(store)
    assert number is not None
    assert ask(store, "other") is None
    assert claim(store, "other") is None
    lease = claim(store)
    assert lease is not None
    assert (lease.number, lease.source, lease.wanted) == (number, "pacs", MISSING)
    assert ask(store) is None
    assert claim(store) is None


def test_an_answer_is_kept_as_it_was_and_the_study_is_judged_anew(store: Store) -> None:
    arrive(store, ct_slice(0))
    ask(store)
    lease = claim(store)
    assert lease is not None
    judged(store)
    store.finish_fetch(lease, FINDINGS, says="all of it", now=at(60))
    assert store.studies_to_judge(at(60)) == [STUDY]
    (fetch,) = store.study_snapshot(STUDY).fetches
    assert (fetch.state, fetch.content, fetch.by_itself) == (State.DONE, "c", True)
    assert fetch.findings == FINDINGS
    assert [sentence(event) for event in store.diary(STUDY)[-3:]] == [
        "fetch 1 from pacs taken by host-a:1:1, try 1 of 2",
        "waiting: x",
        "fetch 1 from pacs done: all of it",
    ]
    with pytest.raises(LeaseLost):
        store.finish_fetch(lease, FINDINGS, says="twice", now=at(61))


def test_one_that_is_given_up_has_the_study_judged_without_it(store: Store) -> None:
    arrive(store, ct_slice(0))
    ask(store, max_attempts=1)
    lease = claim(store)
    assert lease is not None
    judged(store)
    assert store.retry(lease, error="down", not_before=at(70), now=at(60)) is State.DEAD
    assert store.studies_to_judge(at(60)) == [STUDY]
    (fetch,) = store.study_snapshot(STUDY).fetches
    assert (fetch.state, fetch.findings) == (State.DEAD, None)
    assert sentence(store.diary(STUDY)[-1]) == (
        "fetch 1 from pacs given up, the study goes on without it: down (try 1, the last)"
    )
    assert ask(store) is not None


def test_one_whose_process_died_is_taken_back(store: Store) -> None:
    arrive(store, ct_slice(0))
    ask(store)
    assert claim(store) is not None
    assert store.release_leases(now=at(61)) == 1
    again = claim(store, now=at(61))
    assert again is not None
    assert again.tries == 2


def test_a_person_asks_for_a_study_that_never_came(store: Store) -> None:
    unknown = StudyInstanceUID("1.2.3.4.5.6")
    wanted = Wanted(scope=Scope.STUDY, content="a person")
    number = store.ask_for_study(unknown, "pacs", wanted, max_attempts=2, now=NOON)
    assert store.patient_of(unknown) == ""
    assert store.instances_here(unknown) == {}
    (row,) = store.list_fetches(unknown)
    assert (row.number, row.by_itself, row.state) == (number, False, State.QUEUED)
    assert store.studies_to_judge(NOON) == [unknown]
    with pytest.raises(NotAllowed, match="is being fetched already"):
        store.ask_for_study(unknown, "pacs", wanted, max_attempts=2, now=NOON)


def test_what_is_here_is_told_series_by_series_read_or_not(store: Store) -> None:
    arrive(store, ct_slice(0))
    arrive(store, ct_slice(1))
    arrive(store, ct_slice(1, identity="corrected"))
    assert store.instances_here(STUDY) == {
        THICK: {ct_slice(0).sop_instance_uid, ct_slice(1).sop_instance_uid}
    }
    assert store.patient_of(STUDY) == "4711"


@pytest.mark.parametrize("runs", [False, True])
def test_a_fetch_that_is_cancelled_is_no_answer_and_holds_nothing_up(
    store: Store, runs: bool
) -> None:
    arrive(store, ct_slice(0))
    wanted = Wanted(scope=Scope.STUDY, content="c")
    number = store.ask_for_study(STUDY, "pacs", wanted, max_attempts=3, now=NOON)
    lease = store.claim_fetch(source="pacs", owner="a:1:1", lease_s=9, now=NOON) if runs else None
    store.note_judgement(
        store.study_pulse(STUDY), kind=Kind.STUDY_WAITS, reason="x", look_again_at=None, now=NOON
    )
    store.cancel_fetch(number, now=at(1))
    (row,) = store.list_fetches(STUDY)
    assert (row.state, row.error) == (State.CANCELLED, "by an operator")
    assert store.studies_to_judge(at(1)) == [STUDY]
    how = "cancelled while it ran" if runs else "cancelled"
    assert sentence(store.diary(STUDY)[-1]) == f"fetch 1 from pacs {how}: by an operator"
    if lease is not None:
        with pytest.raises(LeaseLost):
            store.finish_fetch(lease, Findings(series=()), says="x", now=at(2))
    with pytest.raises(NotAllowed, match="fetch 1 is cancelled"):
        store.cancel_fetch(number, now=at(3))
    with pytest.raises(UnknownEntry, match="there is no fetch 9"):
        store.cancel_fetch(9, now=at(3))
