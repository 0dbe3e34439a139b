"""What signs are read from: queues, the dead, pulses and the last CT, on both kinds of database."""

import os
import socket
import subprocess
import sys
from datetime import timedelta

from node.core.diary import Kind
from node.core.fetching import Findings, Scope, Wanted
from node.core.sender import Sender, SenderKind
from node.dicom.searchable import Described
from node.persistence.process_identity import this_process
from node.persistence.store import Store
from node.persistence.watching import DeadRow
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import NOON, arrive, at, claimed, finish, queued
from tests.node.watch.seen import pulse

WANTED = Wanted(scope=Scope.STUDY, content="asked for by a person")


def test_queues_are_seen_with_what_is_due_and_what_fails(store: Store) -> None:
    queued(store, now=NOON)
    seen = store.watched(ct_expected_from=(), now=at(5))
    (jobs,) = [each for each in seen.queues if each.kind == "job"]
    assert (jobs.queued, jobs.running, jobs.due_since) == (1, 0, NOON)
    finish(store, claimed(store, now=at(5)), destinations=("pacs", "ris"), now=at(6))
    sent = store.claim_delivery(destination="pacs", owner="h:1:1", lease_s=60, now=at(7))
    assert sent is not None
    store.retry(sent, error="away", not_before=at(100), now=at(8))
    seen = store.watched(ct_expected_from=(), now=at(9))
    found = {each.name: each for each in seen.queues if each.kind == "delivery"}
    assert (found["pacs"].due_since, found["pacs"].failing_from) == (None, at(6))
    assert (found["ris"].due_since, found["ris"].failing_from) == (at(6), None)
    assert found["pacs"].done_at is None


def test_what_failed_fails_on_while_one_more_try_runs_and_a_first_try_does_not(
    store: Store,
) -> None:
    def failing_from() -> object:
        seen = store.watched(ct_expected_from=(), now=at(300))
        (row,) = [each for each in seen.queues if each.kind == "delivery"]
        assert (row.queued, row.running) == (0, 1)
        return row.failing_from

    queued(store, now=NOON)
    finish(store, claimed(store, now=at(5)), destinations=("pacs",), now=at(6))
    first = store.claim_delivery(destination="pacs", owner="h:1:1", lease_s=60, now=at(7))
    assert first is not None
    assert failing_from() is None
    store.retry(first, error="away", not_before=at(100), now=at(8))
    assert store.claim_delivery(destination="pacs", owner="h:1:1", lease_s=60, now=at(200))
    assert failing_from() == at(6)


def test_the_dead_are_seen_by_queue(store: Store) -> None:
    queued(store)
    store.bury(claimed(store), error="the GPU is on fire", now=at(5))
    assert store.watched(ct_expected_from=(), now=at(9)).dead == [
        DeadRow(kind="job", name="", number=1, since=at(5))
    ]


def test_what_a_later_one_of_the_same_study_has_made_good_is_dead_and_waits_for_nobody(
    store: Store,
) -> None:
    queued(store)
    store.bury(claimed(store), error="the GPU is on fire", now=at(5))
    for number, ends in enumerate(("dead", "dead", "done", "dead")):
        asked = store.ask_for_study(
            STUDY, "pacs", WANTED, max_attempts=1, now=at(10 * number), by="alice"
        )
        lease = store.claim_fetch(source="pacs", owner="h:1:1", lease_s=60, now=at(10 * number + 1))
        assert lease is not None
        assert lease.number == asked
        if ends == "dead":
            store.bury(lease, error="nobody there", now=at(10 * number + 2))
        else:
            store.finish_fetch(lease, Findings(series=()), says="133 of 133", now=at(10 * number))
    queued(store, 0, 1, 2)
    job, fetch = store.watched(ct_expected_from=(), now=at(99)).dead
    assert (job.kind, job.number) == ("job", 1)
    assert (fetch.kind, fetch.number, fetch.since) == ("fetch", 1, at(32))
    finish(store, claimed(store, now=at(60)), destinations=(), now=at(61))
    assert [each.kind for each in store.watched(ct_expected_from=(), now=at(99)).dead] == ["fetch"]


def test_studies_that_expired_of_late_are_seen_and_those_that_a_restore_holds_are_not(
    store: Store,
) -> None:
    arrive(store, ct_slice(0))
    store.note_judgement(
        store.study_snapshot(STUDY),
        kind=Kind.STUDY_EXPIRED,
        reason="for an annotation",
        look_again_at=None,
        now=at(5),
    )
    seen = store.watched(ct_expected_from=(), expired_after=NOON, now=at(9))
    assert (seen.expired, seen.expired_since) == (1, at(5))
    assert store.watched(ct_expected_from=(), now=at(9)).expired == 0, "nobody has asked"
    assert store.watched(ct_expected_from=(), expired_after=at(5), now=at(9)).expired == 0
    store.hold_everything(because="restored", by="alice", now=at(7))
    assert store.watched(ct_expected_from=(), expired_after=NOON, now=at(9)).expired == 0


def test_a_process_is_seen_until_it_says_that_it_ends(store: Store) -> None:
    first = pulse("worker")
    store.beat(pulse("worker", tick=1.0))
    store.beat(first)
    assert store.watched(ct_expected_from=(), now=NOON).pulses == [first]
    store.end_pulse(host=first.host, role="worker")
    assert store.watched(ct_expected_from=(), now=NOON).pulses == []


def test_a_node_that_starts_looks_for_no_process_that_ended_without_a_word(store: Store) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = socket.gethostname()
    dead = this_process().replace(f":{os.getpid()}:", f":{child.pid}:")
    child.communicate()
    store.beat(pulse("worker", host=here, owner=this_process()))
    store.beat(pulse("web", host=here, owner=dead))
    store.beat(pulse("receiver", host="b5c1e0a7d2f4", owner="b5c1e0a7d2f4:9:1234"))
    store.forget_pulses_of_dead()
    others = [] if store._engine.dialect.name == "sqlite" else ["receiver"]
    pulses = store.watched(ct_expected_from=(), now=NOON).pulses
    assert sorted(each.role for each in pulses) == [*others, "worker"]


def test_the_last_ct_of_a_scanner_is_known_and_other_objects_do_not_count(store: Store) -> None:
    for seconds, title in ((0, "CT1"), (10, "CT1"), (20, "SR1")):
        sender = store.open_sender(
            Sender(kind=SenderKind.DIMSE, name=title), owner="h:1:1", now=at(seconds)
        )
        if seconds < 20:
            says = Described(study={}, series={"modality": "CT"}, instance={})
            arrive(store, ct_slice(seconds), sender_id=sender, now=at(seconds), says=says)
    seen = store.watched(ct_expected_from=("CT1", "SR1", "CT2"), now=at(30))
    assert seen.ct_from == {"CT1": at(10), "SR1": None, "CT2": None}


def test_studies_that_are_due_are_seen(store: Store) -> None:
    arrive(store, ct_slice(0), now=NOON)
    seen = store.watched(ct_expected_from=(), now=NOON + timedelta(minutes=5))
    assert (seen.judged_late, seen.judge_due_since) == (1, NOON)
