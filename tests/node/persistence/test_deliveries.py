"""Deliveries: one a destination, each with its own tries, nothing confirmed is sent twice."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.core.diary import sentence
from node.core.errors import LeaseLost, NotAllowed, UnknownEntry
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.states import State
from node.persistence.rows import DeliveryLease, SentObject
from node.persistence.store import Store
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import NOON, at, claimed, finish, queued, sent

NOTE = SentObject(
    kind=ArtifactKind.REJECTION_NOTE,
    sop_class_uid=SOPClassUID("1.2.840.10008.5.1.4.1.1.88.59"),
    sop_instance_uid=SOPInstanceUID("2.25.5"),
    series_instance_uid=SeriesInstanceUID("2.25.6"),
)


def claim(store: Store, destination: str = "pacs", *, seconds: float = 0) -> DeliveryLease:
    lease = store.claim_delivery(
        destination=destination, owner="host-a:1:1", lease_s=60, now=at(seconds)
    )
    assert lease is not None
    return lease


@pytest.fixture
def filled(store: Store) -> Store:
    """Two deliveries of one job are queued."""
    queued(store, 0)
    finish(store, claimed(store), destinations=("pacs", "viewer"))
    return store


def test_a_delivery_holds_every_artifact_of_its_job(filled: Store) -> None:
    lease = claim(filled)
    assert [item.kind for item in lease.artifacts] == [ArtifactKind.CAPTURE, ArtifactKind.REPORT]
    assert lease.study_instance_uid == STUDY
    assert lease.report_variant is None


def test_one_destination_that_is_down_delays_no_other(filled: Store) -> None:
    down = claim(filled)
    filled.retry(down, error="connection refused", not_before=at(600), now=NOON)
    assert (
        filled.claim_delivery(destination="pacs", owner="host-a:1:1", lease_s=60, now=at(1)) is None
    )
    assert claim(filled, "viewer").destination == "viewer"


def test_what_was_confirmed_and_the_form_that_was_taken_are_known_to_the_next_try(
    filled: Store,
) -> None:
    lease = claim(filled)
    capture = sent(lease.artifacts[0])
    filled.note_variant(
        lease,
        report_variant=ReportVariant.COMPREHENSIVE,
        capture_variant=CaptureVariant.MULTI_FRAME,
        now=NOON,
    )
    filled.mark_delivered(lease, capture, status=0xB000, now=NOON)
    filled.mark_delivered(lease, capture, status=0x0000, now=NOON)
    filled.retry(lease, error="aborted", not_before=at(5), now=NOON)
    second = claim(filled, seconds=5)
    assert second.already_delivered == {capture.sop_instance_uid}
    assert second.report_variant is ReportVariant.COMPREHENSIVE
    assert second.tries == 2


def test_an_overtaken_deliverer_settles_nothing(filled: Store) -> None:
    slow = claim(filled)
    claim(filled, seconds=61)
    with pytest.raises(LeaseLost):
        filled.finish_delivery(slow, now=at(62))
    with pytest.raises(LeaseLost):
        filled.note_variant(
            slow,
            report_variant=ReportVariant.COMPREHENSIVE,
            capture_variant=CaptureVariant.MULTI_FRAME,
            now=at(62),
        )
    assert filled.list_deliveries(destination="pacs")[0].state is State.RUNNING


def test_a_dead_delivery_is_requeued_with_all_its_tries(filled: Store) -> None:
    for second in (0, 10, 20):
        state = filled.retry(
            claim(filled, seconds=second), error="A700", not_before=at(second), now=at(second)
        )
    assert state is State.DEAD
    row = filled.list_deliveries(destination="pacs")[0]
    assert row.error == "A700 (try 3, the last)"
    assert filled.requeue_delivery(row.delivery_id, now=at(30)) == row.delivery_id
    assert claim(filled, seconds=30).tries == 1


def test_a_done_delivery_asked_for_again_is_a_new_round(filled: Store) -> None:
    lease = claim(filled)
    filled.finish_delivery(lease, now=NOON)
    number = filled.requeue_delivery(lease.delivery_id, now=NOON)
    assert number != lease.delivery_id
    with pytest.raises(NotAllowed, match="is being sent again already"):
        filled.requeue_delivery(lease.delivery_id, now=NOON)
    with pytest.raises(NotAllowed, match=f"delivery {number} is queued already"):
        filled.requeue_delivery(number, now=NOON)
    with pytest.raises(UnknownEntry):
        filled.requeue_delivery(99, now=NOON)


def test_a_delivery_whose_process_keeps_dying_ends_dead(filled: Store) -> None:
    for second in (0, 61, 122):
        claim(filled, seconds=second)
    assert filled.release_leases(now=at(999)) == 1
    assert filled.list_deliveries(destination="pacs")[0].error == "its lease lapsed in try 3 of 3"


def test_a_deliverys_life_in_words(filled: Store) -> None:
    filled.retry(claim(filled), error="refused", not_before=at(5), now=NOON)
    lease = claim(filled, seconds=5)
    for item in lease.artifacts:
        filled.mark_delivered(lease, sent(item), status=0, now=NOON)
    filled.finish_delivery(lease, now=at(6))
    assert [sentence(event) for event in filled.diary(STUDY)][-4:] == [
        "delivery 1 to pacs begins, try 1 of 3",
        "delivery 1 to pacs failed, next try not before 2026-03-01 12:00:05: refused",
        "delivery 1 to pacs begins, try 2 of 3",
        "delivery 1 to pacs done: 2 objects stored",
    ]
    assert filled.counts() == {"job": {"done": 1}, "delivery": {"done": 1, "queued": 1}}


def deliver(store: Store, *, seconds: float) -> DeliveryLease:
    """Everything of the next delivery is confirmed; it is still held."""
    lease = claim(store, seconds=seconds)
    for item in lease.artifacts:
        store.mark_delivered(lease, sent(item), status=0, now=at(seconds))
    return lease


def own(lease: DeliveryLease) -> set[SOPInstanceUID]:
    return {item.sop_instance_uid for item in lease.artifacts}


def names(objects: Sequence[SentObject]) -> set[str]:
    return {each.sop_instance_uid for each in objects}


def test_what_a_destination_holds_of_earlier_revisions_is_superseded_until_a_note_rejects_it(
    store: Store,
) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    first = deliver(store, seconds=1)
    assert store.superseded(first, sent=own(first)) == ()
    store.finish_delivery(first, now=at(1))
    queued(store, 0, 1)
    finish(store, claimed(store))
    second = deliver(store, seconds=2)
    superseded = store.superseded(second, sent=own(second))
    assert names(superseded) == own(first)
    assert store.mark_rejected(second, NOTE, superseded, status=0, now=at(3))
    assert store.superseded(second, sent=own(second)) == ()
    store.finish_delivery(second, now=at(4))
    queued(store, 0, 1, 2)
    finish(store, claimed(store))
    third = deliver(store, seconds=5)
    superseded = store.superseded(third, sent=own(third))
    assert names(superseded) == own(second), "not the note"
    assert "delivery 2 to pacs rejected 2 earlier objects there" in [
        sentence(event) for event in store.diary(STUDY)
    ]


def test_only_what_this_destination_has_confirmed_is_superseded_there(store: Store) -> None:
    queued(store, 0)
    finish(store, claimed(store), destinations=("pacs", "viewer"))
    lease = claim(store, seconds=1)
    capture, _ = lease.artifacts
    store.mark_delivered(lease, sent(capture), status=0, now=at(1))
    store.retry(lease, error="aborted", not_before=at(9), now=at(1))
    queued(store, 0, 1)
    finish(store, claimed(store), destinations=("pacs", "viewer"))
    assert names(store.superseded(claim(store, seconds=10), sent=())) == {capture.sop_instance_uid}
    assert store.superseded(claim(store, "viewer", seconds=10), sent=()) == ()


def test_a_note_of_a_deliverer_that_was_overtaken_is_written_down_all_the_same(
    store: Store,
) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    store.finish_delivery(deliver(store, seconds=1), now=at(1))
    queued(store, 0, 1)
    finish(store, claimed(store))
    slow = deliver(store, seconds=2)
    superseded = store.superseded(slow, sent=own(slow))
    next_one = claim(store, seconds=100)
    assert not store.mark_rejected(slow, NOTE, superseded, status=0, now=at(101))
    assert store.superseded(next_one, sent=own(next_one)) == ()


def test_what_was_begun_is_not_delivered_and_may_be_there(store: Store) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    lease = claim(store, seconds=1)
    capture, report = map(sent, lease.artifacts)
    store.mark_begun(lease, capture, now=at(1))
    store.mark_begun(lease, report, now=at(1))
    store.mark_refused(lease, report)
    store.retry(lease, error="aborted", not_before=at(9), now=at(1))
    assert store.list_deliveries(destination="pacs")[0].delivered == 0
    queued(store, 0, 1)
    finish(store, claimed(store))
    newer = claim(store, seconds=10)
    assert names(store.superseded(newer, sent=own(newer))) == {capture.sop_instance_uid}


def test_what_was_begun_again_and_confirmed_is_delivered_once(store: Store) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    lease = claim(store, seconds=1)
    capture, report = map(sent, lease.artifacts)
    for second in (1, 2):
        store.mark_begun(lease, capture, now=at(second))
    store.mark_delivered(lease, capture, status=0, now=at(3))
    store.mark_begun(lease, capture, now=at(4))
    store.mark_refused(lease, capture)  # another try's, which came late
    store.mark_begun(lease, report, now=at(4))
    store.retry(lease, error="aborted", not_before=at(9), now=at(4))
    assert claim(store, seconds=10).already_delivered == {capture.sop_instance_uid}
    assert store.list_deliveries(destination="pacs")[0].delivered == 1


def test_of_one_result_in_two_forms_that_which_is_not_sent_is_superseded(store: Store) -> None:
    """Of report and captures alone: what stands beside them has no other form."""
    queued(store, 0)
    finish(store, claimed(store))
    lease = deliver(store, seconds=1)
    capture, _ = map(sent, lease.artifacts)
    for kind, uid in ((ArtifactKind.CAPTURE, "1.2.99.1"), (ArtifactKind.PDF, "1.2.99.2")):
        other = replace(capture, kind=kind, sop_instance_uid=SOPInstanceUID(uid))
        store.mark_delivered(lease, other, status=0, now=at(1))
    assert names(store.superseded(lease, sent=own(lease))) == {"1.2.99.1"}
