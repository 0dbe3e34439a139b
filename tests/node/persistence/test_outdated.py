"""No destination gets an older report of a study after a newer one, whatever goes wrong between."""

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import update

from m3net.uids import StudyInstanceUID
from node.core.diary import sentence
from node.core.digest import inputs_digest
from node.core.errors import NotAllowed
from node.core.states import State
from node.persistence.rows import DeliveryLease, JobLease, JobTerms, Outbox
from node.persistence.schema import Job
from node.persistence.store import Store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import (
    MODEL,
    NOON,
    arrive,
    artifact,
    at,
    claimed,
    finish,
    inputs_of,
    queued,
)

BOTH = ("pacs", "viewer")
PACS = ("pacs",)


def send(store: Store, destination: str = "pacs", *, now: datetime = NOON) -> DeliveryLease | None:
    return store.claim_delivery(destination=destination, owner="host-a:1:1", lease_s=60, now=now)


def sending(store: Store, destination: str = "pacs", *, now: datetime = NOON) -> DeliveryLease:
    lease = send(store, destination, now=now)
    assert lease is not None
    return lease


def reported(store: Store, *slices: int, destinations: tuple[str, ...] = PACS) -> int:
    """A job on these slices is done, and queued for the destinations."""
    job_id = queued(store, *slices)
    finish(store, claimed(store), destinations=destinations)
    return job_id


def died(store: Store, *slices: int) -> JobLease:
    """A job on these slices is dead, its failure not yet reported."""
    queued(store, *slices)
    store.bury(claimed(store), error="CUDA is gone", now=NOON)
    dead = store.unreported_failure()
    assert dead is not None
    return dead


def report_failure(store: Store, dead: JobLease, destinations: tuple[str, ...] = PACS) -> bool:
    return store.report_failure(
        dead,
        artifacts=[artifact(f"failure of {dead.number}")],
        outbox=Outbox(destinations=destinations, max_attempts=3),
        now=NOON,
    )


def states(store: Store) -> list[tuple[int, str, str]]:
    """Job, destination and state of each delivery, in the order in which they were made."""
    return [
        (row.job_id, row.destination, row.state.value) for row in reversed(store.list_deliveries())
    ]


def test_what_a_newer_revision_finds_unsent_is_withdrawn_and_the_diary_says_why(
    store: Store,
) -> None:
    first = reported(store, 0)
    store.retry(sending(store), error="connection refused", not_before=at(600), now=NOON)
    second = reported(store, 0, 1)
    assert states(store) == [(first, "pacs", "cancelled"), (second, "pacs", "queued")]
    assert (
        f"delivery 1 to pacs withdrawn: outdated: job {second} (revision 2) has newer inputs and "
        "is reported"
    ) in [sentence(event) for event in store.diary(STUDY)]
    newer = sending(store, now=at(1))
    assert newer.job_id == second
    store.finish_delivery(newer, now=at(2))
    assert send(store, now=at(9999)) is None


def test_each_destination_goes_its_own_way(store: Store) -> None:
    first = reported(store, 0, destinations=BOTH)
    store.finish_delivery(sending(store, "viewer"), now=NOON)
    second = reported(store, 0, 1, destinations=BOTH)
    assert states(store) == [
        (first, "pacs", "cancelled"),
        (first, "viewer", "done"),
        (second, "pacs", "queued"),
        (second, "viewer", "queued"),
    ]


@pytest.mark.parametrize("how", ["retry", "bury", "release", "give back"])
def test_what_is_being_sent_is_sent_first_and_if_that_fails_never_again(
    store: Store, how: str
) -> None:
    first = reported(store, 0)
    older = sending(store)
    second = reported(store, 0, 1)
    assert send(store) is None, "the newer one waits for the end of the older one"
    match how:
        case "retry":
            store.retry(older, error="aborted", not_before=at(1), now=NOON)
        case "bury":
            store.bury(older, error="refused", now=NOON)
        case "release":
            assert store.release_leases(now=at(61)) == 1
        case "give back":
            assert store.give_back_leases("host-a:1:1", now=NOON) == 1
    assert states(store) == [(first, "pacs", "cancelled"), (second, "pacs", "queued")]
    assert sending(store, now=at(62)).job_id == second


def test_what_is_being_sent_and_succeeds_is_followed_by_the_newer_one(store: Store) -> None:
    first = reported(store, 0)
    older = sending(store)
    second = reported(store, 0, 1)
    store.finish_delivery(older, now=NOON)
    assert sending(store).job_id == second
    assert states(store) == [(first, "pacs", "done"), (second, "pacs", "running")]


def test_an_older_one_whose_lease_has_lapsed_is_not_taken_over(store: Store) -> None:
    reported(store, 0)
    sending(store)
    reported(store, 0, 1)
    assert send(store, now=at(61)) is None, "neither it nor the newer one"
    store.release_leases(now=at(62))
    assert sending(store, now=at(62)).job_id == 2


def test_a_dead_delivery_of_an_older_revision_stays_withdrawn(store: Store) -> None:
    first = reported(store, 0)
    older = sending(store)
    store.bury(older, error="refused", now=NOON)
    second = reported(store, 0, 1)
    assert states(store) == [(first, "pacs", "cancelled"), (second, "pacs", "queued")]
    assert store.list_deliveries(destination="pacs", states=[State.DEAD]) == []
    store.finish_delivery(sending(store), now=NOON)
    with pytest.raises(
        NotAllowed,
        match=f"delivery 1 is outdated: job {second} of the same study has been reported since",
    ):
        store.requeue_delivery(older.number, now=NOON)


def test_a_delivered_older_revision_is_not_sent_again(store: Store) -> None:
    first = reported(store, 0)
    older = sending(store)
    store.finish_delivery(older, now=NOON)
    second = reported(store, 0, 1)
    with pytest.raises(NotAllowed, match="delivery 1 is outdated"):
        store.requeue_delivery(older.number, now=NOON)
    with pytest.raises(NotAllowed, match=f"job {first} has outdated inputs: job {second}"):
        store.requeue_job(first, analysis_id=MODEL, now=NOON)
    with pytest.raises(NotAllowed, match=f"the results of job {second} are on their way already"):
        store.requeue_job(second, analysis_id=MODEL, now=NOON)
    store.finish_delivery(sending(store), now=NOON)
    assert len(store.requeue_job(second, analysis_id=MODEL, now=NOON).deliveries) == 1


def test_outdated_inputs_are_not_analysed_anew_by_a_better_model(store: Store) -> None:
    first = reported(store, 0)
    second = queued(store, 0, 1)
    for _ in ("queued", "running"):
        with pytest.raises(NotAllowed, match=f"job {first} has outdated inputs: job {second}"):
            store.requeue_job(first, analysis_id="model-2", now=NOON)
        store.claim_job(owner="host-a:1:1", lease_s=60, now=NOON)
    store.release_leases(now=at(61))
    store.cancel_job(second, now=at(61))
    assert store.requeue_job(first, analysis_id="model-2", now=at(62)).job_id == 3


def test_a_late_failure_of_an_older_revision_is_not_reported(store: Store) -> None:
    """Its report was being written while the newer one was analysed and finished."""
    dead = died(store, 0)
    second = reported(store, 0, 1)
    assert not report_failure(store, dead)
    assert store.unreported_failure() is None
    assert states(store) == [(second, "pacs", "queued")]


def test_an_unsent_failure_of_an_older_revision_is_withdrawn(store: Store) -> None:
    dead = died(store, 0)
    assert report_failure(store, dead, BOTH)
    store.finish_delivery(sending(store, "viewer"), now=NOON)
    second = reported(store, 0, 1, destinations=BOTH)
    assert states(store) == [
        (dead.number, "pacs", "cancelled"),
        (dead.number, "viewer", "done"),
        (second, "pacs", "queued"),
        (second, "viewer", "queued"),
    ]


def test_a_failure_of_the_newer_revision_is_the_last_word_until_it_has_a_result(
    store: Store,
) -> None:
    first = reported(store, 0)
    dead = died(store, 0, 1)
    assert states(store) == [(first, "pacs", "queued")], "nothing newer is reported yet"
    assert report_failure(store, dead)
    assert states(store) == [(first, "pacs", "cancelled"), (dead.number, "pacs", "queued")]
    failure = sending(store)
    assert failure.outcome is Outcome.TECHNICAL_FAILURE
    store.requeue_job(dead.number, analysis_id=MODEL, now=NOON)
    finish(store, claimed(store))
    assert send(store) is None, "the failure is just being sent"
    store.retry(failure, error="aborted", not_before=NOON, now=NOON)
    assert states(store)[1:] == [
        (dead.number, "pacs", "cancelled"),
        (dead.number, "pacs", "queued"),
    ]
    assert sending(store).outcome is Outcome.NOT_ANNOTATED
    with pytest.raises(NotAllowed, match="delivery 2 is outdated"):
        store.requeue_delivery(failure.number, now=NOON)


def test_an_older_failure_is_not_reported_after_a_newer_one(store: Store) -> None:
    older = died(store, 0)
    queued(store, 0, 1)
    store.bury(claimed(store), error="CUDA is gone", now=NOON)
    newer = store.unreported_failure(except_for=[older.number])
    assert newer is not None
    assert report_failure(store, newer)
    assert store.unreported_failure() is None
    assert not report_failure(store, older)
    with pytest.raises(NotAllowed, match=f"job {older.number} has outdated inputs"):
        store.requeue_job(older.number, analysis_id=MODEL, now=NOON)


def test_inputs_that_are_right_again_are_reported_last(store: Store) -> None:
    queued(store, 0, identity="right")
    finish(store, claimed(store))
    queued(store, 0, identity="wrong")
    finish(store, claimed(store))
    third = queued(store, 0, identity="right")
    finish(store, claimed(store))
    assert [state for _, _, state in states(store)] == ["cancelled", "cancelled", "queued"]
    assert sending(store).job_id == third


def test_what_is_outdated_when_it_is_done_is_withdrawn_at_once(store: Store) -> None:
    """As when a person requeues an older job while another process claims the newer one."""
    first = reported(store, 0)
    overtaken = queued(store, 0, 1)
    lease = claimed(store)
    with store._write() as connection:
        connection.execute(update(Job).where(Job.id == overtaken).values(revision=0))
    finish(store, lease, destinations=PACS)
    assert states(store) == [(first, "pacs", "queued"), (overtaken, "pacs", "cancelled")]


def test_a_study_withdraws_nothing_of_another(store: Store) -> None:
    other = StudyInstanceUID("1.2.4")
    slice_ = replace(ct_slice(7), study_instance_uid=other)
    arrive(store, slice_)
    inputs = inputs_of(slice_, study=other)
    terms = JobTerms(analysis_id=MODEL, max_attempts=3)
    store.enqueue(inputs, digest=inputs_digest(inputs), terms=terms, now=NOON)
    finish(store, claimed(store))
    reported(store, 0)
    reported(store, 0, 1)
    assert [state for _, _, state in states(store)] == ["queued", "cancelled", "queued"]


def test_a_failure_that_others_followed_is_told_anew_when_its_inputs_are_right_again(
    store: Store,
) -> None:
    """Its first report lies behind theirs; without a new one the last word would be outdated."""
    dead = died(store, 0)
    assert report_failure(store, dead)
    store.requeue_job(dead.number, analysis_id=MODEL, now=NOON)
    second = reported(store, 0, 1)
    third = queued(store, 0)
    assert third not in (dead.number, second)
    assert states(store)[-1] == (second, "pacs", "queued"), "true until the third says otherwise"
    store.bury(claimed(store), error="CUDA is gone", now=NOON)
    again = store.unreported_failure()
    assert again is not None
    assert again.number == third
    assert report_failure(store, again)
    assert sending(store).job_id == third
