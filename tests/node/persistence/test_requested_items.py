"""What clients ask for waits for a job, becomes it, or is given up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind, sentence
from node.core.errors import NotAllowed, UnknownEntry
from node.core.fetching import Findings, Scope, SeriesThere, Wanted
from node.core.states import State
from node.core.uids import work_item_uid
from node.persistence.requested_items import ItemAsked
from node.persistence.rows import JobTerms
from node.persistence.store import Store, open_store
from node.persistence.work_items import WorkItem, WorkItemsAsked
from tests.node.core.facts_of import STUDY, THICK, ct_slice
from tests.node.persistence.filling import (
    MODEL,
    NOON,
    arrive,
    at,
    claimed,
    finish,
    inputs_of,
    queued,
)
from tests.node.persistence.postgresql import emptied

FIRST, SECOND = SOPInstanceUID("1.2.3.901"), SOPInstanceUID("1.2.3.902")
NOTHING = Findings(series=())
SOMETHING = Findings(
    series=(SeriesThere(series_instance_uid=THICK, modality="CT", said=2),), said=()
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is copied for every test."""
    path = tmp_path_factory.mktemp("empty") / "m3node.sqlite"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "m3node.sqlite"
    path.write_bytes(empty.read_bytes())
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def on_postgresql(postgresql_server: str) -> Iterator[Store]:
    opened = open_store(emptied(postgresql_server))
    yield opened
    opened.close()


@pytest.fixture
def fixtures(request: pytest.FixtureRequest) -> pytest.FixtureRequest:
    return request


BOTH = pytest.mark.parametrize("database", ["store", "on_postgresql"])


def request(
    store: Store,
    uid: str | None = FIRST,
    *,
    study: StudyInstanceUID = STUDY,
    now: datetime = NOON,
    **asked: Any,
) -> str:
    item = ItemAsked(uid=uid and SOPInstanceUID(uid), study_instance_uid=study, **asked)
    return store.request_item(item, client="192.0.2.7", max_attempts=2, now=now)


def item(store: Store, uid: str = FIRST) -> WorkItem:
    (found,) = store.work_items(WorkItemsAsked(uids=(uid,), limit=5))
    return found


def uids(store: Store, **asked: Any) -> list[str]:
    found = store.work_items(WorkItemsAsked(**{"limit": 20, **asked}))
    return [each.uid for each in found]


def own_uid(store: Store, number: int) -> str:
    return next(
        each.uid for each in store.work_items(WorkItemsAsked(limit=20)) if each.job_id == number
    )


def judged(store: Store, kind: Kind, reason: str, *, look_again_at: datetime | None = None) -> None:
    noted = store.note_judgement(
        store.study_pulse(STUDY), kind=kind, reason=reason, look_again_at=look_again_at, now=at(99)
    )
    assert noted


def enqueued(store: Store, *numbers: int, now: datetime = NOON) -> int | None:
    slices = [ct_slice(number) for number in numbers]
    return store.enqueue(
        inputs_of(*slices),
        digest="the digest",
        terms=JobTerms(analysis_id=MODEL, max_attempts=3),
        now=now,
    )


def diary(store: Store) -> list[str]:
    return [sentence(event) for event in store.diary(STUDY)]


@BOTH
def test_an_item_becomes_the_job_of_its_study_and_is_listed_once(
    fixtures: pytest.FixtureRequest, database: str
) -> None:
    store = fixtures.getfixturevalue(database)
    assert request(store, source="pacs") == FIRST
    waits = item(store)
    assert (waits.job_id, waits.state) == (None, State.QUEUED)
    assert waits.headline == "waiting for pacs, from which the study is fetched"
    fetch = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=at(1))
    assert fetch is not None
    assert fetch.wanted.scope is Scope.STUDY
    arrive(store, ct_slice(0))
    assert enqueued(store, 0) == 1, "judged on what was here before its source had answered"
    assert item(store).job_id is None
    store.finish_fetch(fetch, SOMETHING, says="1 object", now=at(2))
    assert enqueued(store, 0) is None
    assert (item(store).job_id, item(store).created_at) == (1, NOON)
    assert uids(store) == [FIRST]
    finish(store, claimed(store))
    done = item(store)
    assert (done.state, len(done.outputs)) == (State.DONE, 2)
    said = diary(store)
    assert "a client at 192.0.2.7 asked for an analysis of this study: work item 1.2.3.901" in said
    assert "fetch 1 from pacs queued: a client at 192.0.2.7 asked for an analysis" in said
    assert "work item 1.2.3.901 is job 1 now" in said


def test_the_jobs_own_uid_answers_too(store: Store) -> None:
    arrive(store, ct_slice(0))
    enqueued(store, 0)
    own = own_uid(store, 1)
    request(store)
    enqueued(store, 0)
    assert uids(store) == [FIRST]
    found = store.work_items(WorkItemsAsked(uids=(own,), limit=5))
    assert [(each.uid, each.job_id) for each in found] == [(own, 1)]
    forged = work_item_uid(1, study=STUDY, input_digest="another", analysis_id=MODEL)
    assert uids(store, uids=(forged,)) == []


def test_several_items_of_a_study_share_one_question_and_one_job(store: Store) -> None:
    request(store, source="pacs")
    request(store, SECOND, source="other", now=at(1))
    (fetch,) = store.list_fetches(STUDY)
    assert (fetch.source, fetch.state) == ("pacs", State.QUEUED)
    lease = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=at(1))
    assert lease is not None
    store.finish_fetch(lease, SOMETHING, says="1 object", now=at(2))
    arrive(store, ct_slice(0))
    enqueued(store, 0)
    assert [item(store, uid).job_id for uid in (FIRST, SECOND)] == [1, 1]
    assert sorted(uids(store)) == [FIRST, SECOND]


def test_of_a_study_that_is_here_nobody_is_asked_and_it_is_judged_again(store: Store) -> None:
    arrive(store, ct_slice(0))
    judged(store, Kind.STUDY_COMPLETE, "x")
    assert store.studies_to_judge(at(999)) == []
    request(store, otherwise="pacs")
    assert store.list_fetches(STUDY) == []
    assert store.studies_to_judge(NOON) == [STUDY]
    judged(store, Kind.STUDY_WAITS, "for an annotation")
    assert item(store).headline == "waiting for an annotation"


def test_of_a_study_that_is_not_here_the_first_source_is_asked(store: Store) -> None:
    with pytest.raises(NotAllowed, match="nothing of this study is here, and no source"):
        request(store)
    assert store.list_studies(limit=5) == [], "what was refused has left nothing"
    request(store, otherwise="pacs")
    assert [each.source for each in store.list_fetches(STUDY)] == ["pacs"]


@pytest.mark.parametrize(
    ("kind", "findings", "reason"),
    [
        (Kind.STUDY_WAITS, None, "it could not be fetched from pacs: no answer; waiting x"),
        (Kind.STUDY_IGNORED, None, "it could not be fetched from pacs: no answer; x"),
        (Kind.STUDY_IGNORED, NOTHING, "pacs holds nothing of this study; x"),
        (Kind.STUDY_WAITS, NOTHING, "pacs holds nothing of this study; waiting x"),
        (Kind.STUDY_IGNORED, SOMETHING, "x"),
        (Kind.STUDY_EXPIRED, SOMETHING, "waiting x"),
        (Kind.STUDY_WAITS, SOMETHING, None),
    ],
)
def test_an_item_for_which_no_job_will_come_is_cancelled_for_good(
    store: Store, kind: Kind, findings: Findings | None, reason: str | None
) -> None:
    request(store, source="pacs")
    lease = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=at(1))
    assert lease is not None
    judged(store, kind, "x")
    assert item(store).state is State.QUEUED, "its source is still asked"
    if findings is None:
        store.bury(lease, error="no answer", now=at(2))
    else:
        store.finish_fetch(lease, findings, says="x", now=at(2))
    judged(store, Kind.STUDY_WAITS, "until it is quiet", look_again_at=at(100))
    assert item(store).state is State.QUEUED, "what is here may do"
    judged(store, kind, "x")
    assert (item(store).state is State.CANCELLED, item(store).error) == (bool(reason), reason)
    arrive(store, ct_slice(0))
    enqueued(store, 0)
    assert (item(store).job_id is None) == bool(reason)
    assert len(uids(store)) == (2 if reason else 1)


def test_what_was_here_when_the_source_failed_is_judged(store: Store) -> None:
    arrive(store, ct_slice(0))
    request(store, source="pacs")
    lease = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=at(1))
    assert lease is not None
    store.bury(lease, error="no answer", now=at(2))
    enqueued(store, 0)
    assert item(store).job_id == 1


def test_a_question_for_some_slices_is_joined_and_then_all_is_asked_for(store: Store) -> None:
    arrive(store, ct_slice(0))
    missing = Wanted(scope=Scope.MISSING, series=THICK, content="c")
    store.ask_source(STUDY, "pacs", missing, by_itself=True, because="x", max_attempts=2, now=NOON)
    request(store, source="pacs")
    request(store, SECOND, source="pacs")
    lease = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=at(1))
    assert lease is not None
    store.finish_fetch(lease, SOMETHING, says="x", now=at(2))
    enqueued(store, 0)
    judged(store, Kind.STUDY_COMPLETE, "x")
    assert item(store).job_id is None
    assert [each.state for each in store.list_fetches(STUDY)] == [State.DONE, State.QUEUED]
    lease = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=at(100))
    assert lease is not None
    assert lease.wanted.scope is Scope.STUDY
    store.finish_fetch(lease, SOMETHING, says="x", now=at(2))
    enqueued(store, 0)
    assert [item(store, uid).job_id for uid in (FIRST, SECOND)] == [1, 1]


def test_an_item_follows_the_job_that_supersedes_its_own(store: Store) -> None:
    arrive(store, ct_slice(0))
    request(store)
    first = queued(store, 0)
    assert item(store).job_id == first
    second = queued(store, 0, 1)
    assert (item(store).job_id, item(store).state) == (second, State.QUEUED)
    assert store.job(first).state == "cancelled"


@pytest.mark.parametrize("ended", ["dead", "cancelled"])
def test_a_job_that_came_to_nothing_runs_again_when_a_client_asks(store: Store, ended: str) -> None:
    arrive(store, ct_slice(0))
    job = enqueued(store, 0)
    assert job is not None
    if ended == "dead":
        store.bury(claimed(store), error="no disk", now=NOON)
    else:
        store.cancel_job(job, now=NOON)
    assert enqueued(store, 0) is None, "not by itself"
    assert store.job(job).state == ended
    request(store)
    assert enqueued(store, 0) == job
    assert (item(store).job_id, item(store).state) == (job, State.QUEUED)
    assert enqueued(store, 0) is None, "once for each that asks"
    finish(store, claimed(store))
    assert item(store).state is State.DONE


@BOTH
def test_cancelling_an_item_withdraws_what_was_asked_for_it_alone(
    fixtures: pytest.FixtureRequest, database: str
) -> None:
    store = fixtures.getfixturevalue(database)
    request(store, source="pacs")
    request(store, SECOND, source="pacs")
    store.cancel_item(FIRST, client="192.0.2.7", now=at(1))
    assert [each.state for each in store.list_fetches(STUDY)] == [State.QUEUED]
    assert item(store).error == "cancelled by a client at 192.0.2.7"
    store.cancel_item(SECOND, client="192.0.2.7", now=at(1))
    (fetch,) = store.list_fetches(STUDY)
    assert (fetch.state, fetch.error) == (State.CANCELLED, "cancelled by a client at 192.0.2.7")
    with pytest.raises(NotAllowed, match="a job already, or cancelled"):
        store.cancel_item(FIRST, client="192.0.2.7", now=at(2))
    with pytest.raises(UnknownEntry):
        store.cancel_item("1.2.3.903", client="192.0.2.7", now=at(2))
    assert diary(store)[-1] == "fetch 1 from pacs cancelled: cancelled by a client at 192.0.2.7"


def test_what_an_operator_asked_for_is_not_withdrawn_with_an_item(store: Store) -> None:
    wanted = Wanted(scope=Scope.STUDY, content="asked for by a person")
    store.ask_for_study(STUDY, "pacs", wanted, max_attempts=2, now=NOON)
    request(store, source="pacs")
    store.cancel_item(FIRST, client="192.0.2.7", now=at(1))
    assert [each.state for each in store.list_fetches(STUDY)] == [State.QUEUED]


def test_a_fetch_that_runs_goes_on_when_its_item_is_cancelled(store: Store) -> None:
    request(store, source="pacs")
    store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=at(1))
    store.cancel_item(FIRST, client="192.0.2.7", now=at(1))
    assert [each.state for each in store.list_fetches(STUDY)] == [State.RUNNING]


def test_an_item_that_is_a_job_is_cancelled_as_that(store: Store) -> None:
    arrive(store, ct_slice(0))
    request(store)
    enqueued(store, 0)
    with pytest.raises(NotAllowed, match="a job already"):
        store.cancel_item(FIRST, client="192.0.2.7", now=at(1))


def test_a_uid_is_taken_once_and_none_of_the_nodes_own(store: Store) -> None:
    arrive(store, ct_slice(0))
    request(store)
    with pytest.raises(NotAllowed, match="a work item has this UID already"):
        request(store)
    with pytest.raises(NotAllowed, match="a work item has this UID already"):
        request(store, study=StudyInstanceUID("1.2.4"), source="pacs")
    with pytest.raises(NotAllowed, match="the node names work items of its own"):
        request(store, work_item_uid(1, study=STUDY, input_digest="d", analysis_id=MODEL))
    assert [each.study_instance_uid for each in store.list_studies(limit=5)] == [STUDY]


def test_of_clients_that_give_one_uid_at_once_one_has_it(on_postgresql: Store) -> None:
    store = on_postgresql

    def ask(number: int) -> bool:
        try:
            request(store, study=StudyInstanceUID(f"1.2.9.{number}"), source="pacs")
        except NotAllowed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
    assert len(store.list_studies(limit=20)) == 1


def test_items_without_a_uid_are_given_different_ones(store: Store) -> None:
    given = {request(store, None, otherwise="pacs") for _ in range(3)}
    assert len(given) == 3
    assert {*uids(store)} == given


def test_a_study_of_another_patient_is_not_taken_for_the_one_asked_for(store: Store) -> None:
    arrive(store, ct_slice(0))
    request(store, patient_id="4711")
    request(store, SECOND, patient_id="")
    with pytest.raises(NotAllowed, match="of another patient") as error:
        request(store, "1.2.3.903", patient_id="4712")
    assert "471" not in str(error.value)


@BOTH
def test_waiting_items_and_jobs_are_paged_in_one_order(
    fixtures: pytest.FixtureRequest, database: str
) -> None:
    store = fixtures.getfixturevalue(database)
    expected: list[str] = []
    for number in range(6):
        study = StudyInstanceUID(f"1.2.9.{number}")
        given = request(store, None, study=study, source="pacs", now=at(10 * number))
        expected.insert(0, given)
        if number % 2:
            queued(store, number, now=at(10 * number + 5))
            expected.insert(0, "job")
    jobs = {each.uid for each in store.work_items(WorkItemsAsked(limit=20)) if each.job_id}

    def named(**asked: Any) -> list[str]:
        return ["job" if uid in jobs else uid for uid in uids(store, **asked)]

    assert named() == expected
    pages = [named(limit=2, offset=offset)[:2] for offset in (0, 2, 4, 6, 8)]
    assert [each for page in pages for each in page] == expected
    assert named(states=(State.DONE,)) == []
    waiting = [each for each in expected if each != "job"]
    assert named(states=(State.QUEUED,), studies=("1.2.9.0", "1.2.9.1")) == waiting[-2:]
    store.cancel_item(waiting[-1], client="192.0.2.7", now=at(99))
    assert named(states=(State.CANCELLED,), studies=("1.2.9.0",)) == waiting[-1:]
    assert named(states=(State.QUEUED,), studies=("1.2.9.0",)) == []
    assert named(patient_id="nobody") == []
