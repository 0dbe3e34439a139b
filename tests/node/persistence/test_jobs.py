"""Jobs: keyed by their inputs, held on a lease, run in order, requeued by a person."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, update

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.core.diary import sentence
from node.core.digest import inputs_digest
from node.core.errors import LeaseLost, NotAllowed, UnknownEntry
from node.core.states import State
from node.persistence.process_identity import this_process
from node.persistence.rows import JobLease, JobResult, JobTerms, Outbox
from node.persistence.schema import Instance
from node.persistence.store import Store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import STUDY, THIN, ct_slice
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


def again(store: Store, *numbers: int, analysis_id: str = MODEL) -> int | None:
    """The same inputs judged once more."""
    inputs = inputs_of(*(ct_slice(number) for number in numbers))
    return store.enqueue(
        inputs,
        digest=inputs_digest(inputs),
        terms=JobTerms(analysis_id=analysis_id, max_attempts=3),
        now=NOON,
    )


def states(store: Store) -> list[tuple[int, str]]:
    return [(row.job_id, row.state.value) for row in reversed(store.list_jobs())]


def test_a_claimed_job_names_the_very_versions_that_were_judged(store: Store) -> None:
    job_id = queued(store, 0, 1)
    arrive(store, ct_slice(0, identity="corrected"))
    lease = claimed(store)
    assert lease.job_id == job_id
    assert lease.inputs == inputs_of(ct_slice(0), ct_slice(1))
    assert sorted(lease.paths) == ["1.2.3.10.0", "1.2.3.10.1"]
    paths = {(row.sop_instance_uid, row.version): row.path for row in store.list_instances(STUDY)}
    assert paths["1.2.3.10.0", 1] != paths["1.2.3.10.0", 2]
    assert lease.paths[ct_slice(0).sop_instance_uid] == paths["1.2.3.10.0", 1]
    assert lease.created_at == NOON
    assert (lease.revision, lease.attempt, lease.tries) == (1, 1, 1)


def test_the_same_inputs_and_the_same_model_make_no_second_job(store: Store) -> None:
    job_id = queued(store, 0, 1)
    assert again(store, 0, 1) is None
    finish(store, claimed(store))
    assert again(store, 0, 1) is None
    assert states(store) == [(job_id, "done")]
    assert "these inputs are those of job 1" in sentence(store.diary(STUDY)[-1])


def test_another_model_makes_a_new_job_with_the_next_revision(store: Store) -> None:
    queued(store, 0, 1)
    finish(store, claimed(store))
    assert again(store, 0, 1, analysis_id="model-2") is not None
    assert claimed(store).revision == 2


def test_newer_inputs_cancel_what_is_queued_and_what_comes_back_is_queued_again(
    store: Store,
) -> None:
    first = queued(store, 0)
    second = queued(store, 0, 1)
    assert states(store) == [(first, "cancelled"), (second, "queued")]
    assert again(store, 0) == first
    assert states(store) == [(first, "queued"), (second, "cancelled")]
    assert claimed(store).revision == 3


def test_inputs_that_come_back_while_their_job_runs_cancel_what_is_queued_on_others(
    store: Store,
) -> None:
    first = queued(store, 0)
    running = claimed(store)
    second = queued(store, 0, 1)
    assert again(store, 0) is None
    assert states(store) == [(first, "running"), (second, "cancelled")]
    finish(store, running)
    assert again(store, 0, 1) == second, "it was superseded, so it may come back"


def test_inputs_that_come_back_after_others_were_reported_are_reported_last(
    store: Store,
) -> None:
    """A name corrected by mistake, and set right again."""
    first = queued(store, 0, identity="right")
    finish(store, claimed(store))
    second = queued(store, 0, identity="wrong")
    finish(store, claimed(store))
    third = queued(store, 0, identity="right")
    lease = claimed(store)
    assert (lease.job_id, lease.revision) == (third, 3)
    assert lease.predecessor is not None
    assert lease.predecessor.job_id == second
    assert len({row.input_digest for row in store.list_jobs()}) == 3, "UIDs of its own"
    finish(store, lease)
    fourth = queued(store, 0, identity="wrong")
    inputs = inputs_of(ct_slice(0, identity="right"))
    repeated = store.enqueue(
        inputs,
        digest=inputs_digest(inputs),
        terms=JobTerms(analysis_id=MODEL, max_attempts=3),
        now=NOON,
    )
    assert repeated is None, "the last word is said already"
    assert states(store) == [
        (first, "done"),
        (second, "done"),
        (third, "done"),
        (fourth, "cancelled"),
    ]


def test_inputs_that_come_back_while_others_are_analysed_are_reported_after_them(
    store: Store,
) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    queued(store, 0, 1)
    other = claimed(store)
    back = again(store, 0)
    assert back is not None
    finish(store, other)
    assert claimed(store).job_id == back


def test_a_cancelled_job_is_not_brought_back_by_sending_the_study_again(store: Store) -> None:
    job_id = queued(store, 0)
    store.cancel_job(job_id, now=NOON)
    assert again(store, 0) is None
    assert states(store) == [(job_id, "cancelled")]


def test_the_jobs_of_a_study_run_one_at_a_time_in_the_order_of_their_revisions(
    store: Store,
) -> None:
    queued(store, 0)
    first = claimed(store)
    queued(store, 0, 1)
    assert store.claim_job(owner="host-b:1:1", lease_s=60, now=NOON) is None
    finish(store, first)
    assert claimed(store, owner="host-b:1:1").revision == 2


def test_results_are_numbered_behind_the_ct_as_it_was_when_the_first_job_was_taken(
    store: Store,
) -> None:
    arrive(store, ct_slice(0, series=THIN, series_number=3_000_566))
    queued(store, 0)
    assert claimed(store).numbered_above == 3_000_566
    arrive(store, ct_slice(7, series=SeriesInstanceUID("1.2.3.12"), series_number=4_000_000))
    queued(store, 0, 1)
    assert claimed(store, now=at(100)).numbered_above == 3_000_566, "for all results of a study"


def test_the_predecessor_is_the_latest_result_and_stays_the_same_in_a_rebuild(
    store: Store,
) -> None:
    first = queued(store, 0)
    finish(store, claimed(store))
    queued(store, 0, 1)
    lease = claimed(store)
    assert lease.predecessor is not None
    assert lease.predecessor.job_id == first
    assert [item.sop_instance_uid for item in lease.predecessor.artifacts] == [
        artifact(f"capture of {first}").sop_instance_uid,
        artifact(f"report of {first}").sop_instance_uid,
    ]
    store.retry(lease, error="GPU gone", not_before=NOON, now=NOON)
    rebuilt = claimed(store)
    assert rebuilt.predecessor == lease.predecessor
    assert rebuilt.failed == "GPU gone"


def test_a_lapsed_lease_is_taken_over_and_its_holder_can_change_nothing_any_more(
    store: Store,
) -> None:
    queued(store, 0)
    slow = claimed(store)
    assert store.claim_job(owner="host-b:1:1", lease_s=60, now=at(60)) is None
    quick = claimed(store, owner="host-b:1:1", now=at(61))
    assert (quick.attempt, quick.tries) == (2, 2)
    overtaken: list[Callable[[JobLease], object]] = [
        lambda lease: finish(store, lease),
        lambda lease: store.retry(lease, error="x", not_before=NOON, now=NOON),
        lambda lease: store.bury(lease, error="x", now=NOON),
    ]
    for change in overtaken:
        with pytest.raises(LeaseLost):
            change(slow)
    assert not store.extend(slow, 60, at(61))
    assert store.list_deliveries() == []
    finish(store, quick)
    assert len(store.list_deliveries()) == 1


def test_a_heartbeat_keeps_the_lease(store: Store) -> None:
    queued(store, 0)
    lease = claimed(store)
    assert store.extend(lease, 60, at(50))
    assert store.claim_job(owner="host-b:1:1", lease_s=60, now=at(100)) is None


def test_a_failed_job_pauses_and_after_its_last_try_it_is_dead(store: Store) -> None:
    queued(store, 0, max_attempts=2)
    assert (
        store.retry(claimed(store), error="out of memory", not_before=at(10), now=NOON)
        is State.QUEUED
    )
    assert store.claim_job(owner="host-a:1:1", lease_s=60, now=at(9)) is None
    lease = claimed(store, now=at(10))
    assert store.retry(lease, error="out of memory", not_before=at(30), now=at(11)) is State.DEAD
    assert store.list_jobs()[0].error == "out of memory (try 2, the last)"
    assert store.claim_job(owner="host-a:1:1", lease_s=60, now=at(99)) is None


def test_a_study_that_kills_its_process_ends_dead(store: Store) -> None:
    queued(store, 0, max_attempts=2)
    claimed(store, now=at(0))
    claimed(store, now=at(61))
    assert store.claim_job(owner="host-a:1:1", lease_s=60, now=at(999)) is None
    assert store.release_leases(now=at(999)) == 1
    assert store.list_jobs()[0].state is State.DEAD
    assert store.list_jobs()[0].error == "its lease lapsed in try 2 of 2"


def test_leases_given_back_willingly_cost_no_try(store: Store) -> None:
    queued(store, 0, max_attempts=1)
    lease = claimed(store, owner=this_process())
    assert store.give_back_leases(this_process(), now=NOON) == 1
    once_more = claimed(store)
    assert (once_more.tries, once_more.attempt) == (1, 2)
    with pytest.raises(LeaseLost):
        finish(store, lease)


def test_leases_of_the_living_and_of_other_hosts_stay(store: Store) -> None:
    queued(store, 0)
    claimed(store, owner=this_process())
    assert store.release_leases(now=NOON) == 0


def test_a_requeued_dead_job_has_all_its_tries_and_a_higher_fencing_token(store: Store) -> None:
    job_id = queued(store, 0, max_attempts=1)
    store.bury(claimed(store), error="weights altered", now=NOON)
    result = store.requeue_job(job_id, analysis_id=MODEL, now=at(5))
    assert result.job_id == job_id
    lease = claimed(store, now=at(5))
    assert (lease.attempt, lease.tries) == (2, 1)


def test_requeueing_a_done_job_sends_its_stored_results_again(store: Store) -> None:
    job_id = queued(store, 0)
    finish(store, claimed(store), destinations=("pacs", "viewer"))
    lease = store.claim_delivery(destination="pacs", owner="host-a:1:1", lease_s=60, now=NOON)
    assert lease is not None
    store.finish_delivery(lease, now=NOON)
    result = store.requeue_job(job_id, analysis_id=MODEL, now=NOON)
    # The viewer's first delivery is still queued: one is enough.
    assert len(result.deliveries) == 1
    rows = {(row.destination, row.round): row.state.value for row in store.list_deliveries()}
    assert rows == {("pacs", 1): "done", ("pacs", 2): "queued", ("viewer", 1): "queued"}
    second = store.claim_delivery(destination="pacs", owner="host-a:1:1", lease_s=60, now=NOON)
    assert second is not None
    assert second.artifacts == lease.artifacts
    assert second.already_delivered == frozenset()


def test_results_that_went_to_nobody_go_to_whoever_is_configured_by_now_or_it_is_said(
    store: Store,
) -> None:
    job_id = queued(store, 0)
    finish(store, claimed(store), destinations=())
    with pytest.raises(NotAllowed, match=f"the results of job {job_id} went to nobody, and no "):
        store.requeue_job(job_id, analysis_id=MODEL, now=NOON)
    outbox = Outbox(destinations=("pacs", "ris"), max_attempts=5)
    store.requeue_job(job_id, analysis_id=MODEL, now=NOON, outbox=outbox)
    told = [(each.destination, each.max_attempts) for each in store.list_deliveries()]
    assert sorted(told) == [("pacs", 5), ("ris", 5)]
    with pytest.raises(NotAllowed, match=f"the results of job {job_id} are on their way already"):
        store.requeue_job(job_id, analysis_id=MODEL, now=NOON, outbox=outbox)


def test_requeueing_a_done_job_after_the_model_has_changed_analyses_anew(store: Store) -> None:
    first = queued(store, 0)
    finish(store, claimed(store))
    result = store.requeue_job(first, analysis_id="model-2", now=at(5))
    assert result.job_id != first
    lease = claimed(store, now=at(5))
    assert (lease.job_id, lease.analysis_id, lease.revision) == (result.job_id, "model-2", 2)
    assert lease.inputs == inputs_of(ct_slice(0))
    finish(store, lease)
    with pytest.raises(NotAllowed, match="requeue that one"):
        store.requeue_job(first, analysis_id="model-2", now=at(6))


def test_a_dead_job_that_a_later_result_has_overtaken_stays_dead(store: Store) -> None:
    first = queued(store, 0)
    store.bury(claimed(store), error="x", now=NOON)
    queued(store, 0, 1)
    finish(store, claimed(store))
    with pytest.raises(NotAllowed, match=f"job {first} has outdated inputs: job 2"):
        store.requeue_job(first, analysis_id=MODEL, now=NOON)


def test_a_failure_that_a_later_result_has_overtaken_is_not_reported_after_it(
    store: Store,
) -> None:
    queued(store, 0)
    store.bury(claimed(store), error="x", now=NOON)
    assert store.unreported_failure() is not None
    queued(store, 0, 1)
    finish(store, claimed(store))
    assert store.unreported_failure() is None


def test_what_cannot_be_requeued_or_cancelled_says_why(store: Store) -> None:
    with pytest.raises(UnknownEntry, match="there is no job 17"):
        store.requeue_job(17, analysis_id=MODEL, now=NOON)
    job_id = queued(store, 0)
    with pytest.raises(NotAllowed, match=f"job {job_id} is queued already"):
        store.requeue_job(job_id, analysis_id=MODEL, now=NOON)
    finish(store, claimed(store))
    with pytest.raises(NotAllowed, match="only what is queued, running or dead can be"):
        store.cancel_job(job_id, now=NOON)


def test_a_dead_job_is_reported_once_and_its_report_withdrawn_when_a_result_comes(
    store: Store,
) -> None:
    job_id = queued(store, 0)
    assert store.unreported_failure() is None
    store.bury(claimed(store), error="CUDA is gone", now=NOON)
    failure = store.unreported_failure()
    assert failure is not None
    assert (failure.job_id, failure.failed) == (job_id, "CUDA is gone")
    for attached in (True, False):
        assert (
            store.report_failure(
                failure,
                artifacts=[artifact("failure report")],
                outbox=Outbox(destinations=("pacs",), max_attempts=3),
                now=NOON,
            )
            is attached
        )
    assert store.unreported_failure() is None
    store.requeue_job(job_id, analysis_id=MODEL, now=at(5))
    finish(store, claimed(store, now=at(5)))
    assert [(row.outcome, row.state.value) for row in reversed(store.list_deliveries())] == [
        (Outcome.TECHNICAL_FAILURE, "cancelled"),
        (Outcome.NOT_ANNOTATED, "queued"),
    ]
    assert [item.sop_instance_uid for item in store.artifacts(job_id)] == [
        artifact(f"capture of {job_id}").sop_instance_uid,
        artifact(f"report of {job_id}").sop_instance_uid,
    ]


def test_a_running_job_that_is_cancelled_sends_nothing_however_far_it_is(store: Store) -> None:
    job_id = queued(store, 0)
    lease = claimed(store)
    with pytest.raises(NotAllowed, match="job 1 is running; only what is queued can be cancelled"):
        store.cancel_job(job_id, now=NOON, client="10.0.0.1")
    store.cancel_job(job_id, now=at(1))
    assert not store.extend(lease, 60, at(2))
    with pytest.raises(LeaseLost):
        finish(store, lease, now=at(3))
    assert (store.list_deliveries(), store.artifacts(job_id)) == ([], ())
    assert store.job(job_id).state is State.CANCELLED
    assert sentence(store.diary(STUDY)[-1]) == (
        "job 1 cancelled by an operator while it ran: nothing of it is kept or sent"
    )
    with pytest.raises(NotAllowed, match="job 1 is cancelled; only what is queued, running or"):
        store.cancel_job(job_id, now=at(4))
    store.requeue_job(job_id, analysis_id=MODEL, now=at(5))
    finish(store, claimed(store, now=at(6)), now=at(7))
    assert len(store.list_deliveries()) == 1


def test_every_kind_of_event_that_a_jobs_life_writes_has_its_words(store: Store) -> None:
    job_id = queued(store, 0, max_attempts=1)
    store.cancel_job(job_id, now=NOON)
    store.requeue_job(job_id, analysis_id=MODEL, now=NOON)
    store.bury(claimed(store), error="weights altered", now=NOON)
    store.requeue_job(job_id, analysis_id=MODEL, now=NOON)
    finish(store, claimed(store))
    assert [sentence(event) for event in store.diary(STUDY)] == [
        "job 1 queued (revision 1): it is the only one",
        "job 1 cancelled by an operator",
        "job 1 requeued by an operator",
        "job 1 taken by host-a:1:1, try 1 of 1",
        "job 1 is dead and waits for a person: weights altered",
        "job 1 requeued by an operator",
        "job 1 taken by host-a:1:1, try 1 of 1",
        "job 1 done: No annotation received, nothing was assessed",
        "delivery 1 of job 1 to pacs queued",
    ]


def test_what_fails_in_the_middle_of_a_transaction_leaves_nothing(store: Store) -> None:
    queued(store, 0)
    lease = claimed(store)
    with pytest.raises(Exception, match=r"uq_artifact|UNIQUE"):
        store.finish_job(
            lease,
            result=JobResult(
                outcome=Outcome.ANALYSED,
                headline="",
                summary={},
                artifacts=[artifact("twice"), artifact("twice")],
            ),
            outbox=Outbox(destinations=("pacs",), max_attempts=3),
            now=NOON,
        )
    assert store.list_jobs()[0].state is State.RUNNING
    assert "job.done" not in {event.kind for event in store.diary(STUDY)}
    finish(store, lease)


def test_a_job_whose_stored_inputs_cannot_be_read_is_dead_and_holds_up_no_other(
    store: Store, url: str
) -> None:
    unreadable = queued(store, 0)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(update(Instance).values(facts='{"of": "another version"}'))
    engine.dispose()
    other = StudyInstanceUID("1.2.4")
    arrive(store, replace(ct_slice(7), study_instance_uid=other))
    inputs = inputs_of(replace(ct_slice(7), study_instance_uid=other), study=other)
    readable = store.enqueue(
        inputs,
        digest=inputs_digest(inputs),
        terms=JobTerms(analysis_id=MODEL, max_attempts=3),
        now=NOON,
    )
    assert store.claim_job(owner="host-a:1:1", lease_s=60, now=NOON) is None
    assert claimed(store).job_id == readable
    assert states(store) == [(unreadable, "dead"), (readable, "running")]
    assert "cannot read what is stored of its inputs" in sentence(store.diary(STUDY)[-1])
    assert store.unreported_failure() is None
