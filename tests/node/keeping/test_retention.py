"""What is freed, when and why; and what never is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.config import RetentionConfig
from node.core.completeness import Nothing, StudyRules, Wait, WhenUnannotated, readiness
from node.core.diary import Kind, sentence
from node.core.digest import inputs_digest
from node.core.errors import NotAllowed
from node.core.inputs import Role
from node.core.keeping import Files
from node.core.sender import Sender, SenderKind
from node.core.states import State
from node.keeping.removal import UnknownFiles, remove_marked
from node.keeping.retention import Keeper, plan, run
from node.persistence.rows import JobTerms
from tests.node.keeping.bench import LONG_AGO, OWNER, Bench
from tests.node.keeping.conftest import on_both
from tests.node.persistence.filling import MODEL, inputs_of

AFTER_A_WEEK = RetentionConfig(received_days=7)
RULES = StudyRules(quiet_period_s=0, max_wait_s=0, when_unannotated=WhenUnannotated.REPORT)


def now() -> datetime:
    return datetime.now(UTC)


def planned(kept: Bench, config: RetentionConfig, *, at: datetime | None = None) -> list[str]:
    return [
        f"{each.files.study_instance_uid} {each.files.what}"
        for each in plan(kept.store, config, now=at or now())
    ]


def freed(kept: Bench, config: RetentionConfig) -> list[str]:
    return [
        f"{each.files.study_instance_uid} {each.files.what}"
        for each in run(kept.store, kept.spool, config, by="alice", now=now())
    ]


@on_both
def test_what_was_received_is_freed_by_age_and_its_diary_says_so(kept: Bench) -> None:
    study = kept.study(1)
    at = LONG_AGO + timedelta(days=7)
    assert planned(kept, AFTER_A_WEEK, at=at) == []
    assert planned(kept, AFTER_A_WEEK, at=at + timedelta(seconds=1)) == ["1.2.3.1 received"]
    before = kept.files()
    assert freed(kept, AFTER_A_WEEK) == ["1.2.3.1 received"]
    assert len(before - kept.files()) == 2
    assert kept.files() == kept.needed()
    assert sentence(kept.store.diary(study)[-1]) == (
        "2 files of what was received freed (0.0 MB), kept for 7 days (retention.received_days), "
        "by alice; what they said is kept"
    )
    assert len(kept.store.list_instances(study)) == 2, "what they said stays"
    assert [held.received for held in kept.store.held(study)] == [False, False], "what was made"
    assert planned(kept, AFTER_A_WEEK) == []


@on_both
def test_results_are_freed_only_where_somebody_has_them(kept: Bench) -> None:
    study = kept.study(1)
    kept.study(2, until="judged")
    both = RetentionConfig(received_days=0, results_days=30)
    at = LONG_AGO + timedelta(days=30)
    assert planned(kept, both, at=at) == ["1.2.3.1 received", "1.2.3.2 received"]
    assert freed(kept, both) == ["1.2.3.1 received", "1.2.3.2 received", "1.2.3.1 results"]
    assert kept.files() == set()
    assert kept.store.held(study) == []
    assert kept.store.when_freed(study) is not None
    assert kept.store.when_freed(study, "1.2.3.1.1", "1.2.3.1.1.0") is not None
    assert kept.store.when_freed(study, "1.2.3.1.1", "9.9") is None


@on_both
def test_never_what_is_not_yet_delivered(kept: Bench) -> None:
    all_at_once = RetentionConfig(received_days=0, results_days=0, watermark_gb=1e-9)
    for number, until in enumerate(("dead", "finished", "claimed", "queued", "received")):
        study = kept.study(number, until=until)
        assert planned(kept, all_at_once) == [], until
        for what in Files:
            assert kept.store.free(study, what, because="x", by="y", now=now()) is None
    assert kept.files() == kept.needed()


@on_both
def test_a_dead_analysis_keeps_its_study_whatever_came_of_others(kept: Bench) -> None:
    kept.study(1, until="queued")
    lease = kept.store.claim_job(owner=OWNER, lease_s=60, now=LONG_AGO)
    assert lease is not None
    kept.store.bury(lease, error="the GPU is on fire", now=LONG_AGO)
    study = kept.study(2)
    inputs = inputs_of(*kept.slices(2), study=study)
    for model in ("model-2", "model-3"):  # revisions later than any that the dead one has
        kept.store.enqueue(
            inputs,
            digest=inputs_digest(inputs),
            terms=JobTerms(analysis_id=model, max_attempts=3),
            now=LONG_AGO,
        )
        kept.finish(2, until="delivered", now=LONG_AGO)
    assert planned(kept, AFTER_A_WEEK) == ["1.2.3.2 received"]


def hold(kept: Bench) -> None:
    """As a restore does."""
    kept.store.hold_everything(because="restored from a backup", by="alice", now=now())


@on_both
def test_what_a_restore_holds_is_not_freed_before_anybody_could_ask_for_it(kept: Bench) -> None:
    for number, until in enumerate(("queued", "claimed", "finished", "received"), 1):
        kept.study(number, until=until)
    hold(kept)
    assert planned(kept, AFTER_A_WEEK) == []
    late = now() + timedelta(days=7, seconds=1)
    assert planned(kept, AFTER_A_WEEK, at=late) == [f"1.2.3.{n} received" for n in range(1, 5)]


@on_both
def test_results_that_a_restore_holds_are_here_and_nowhere_else(kept: Bench) -> None:
    """Those of an earlier revision were sent; those of the last were not."""
    study = kept.study(1)
    more = kept.slices(1, 3)
    kept.receive(more[-1], now=LONG_AGO)
    inputs = inputs_of(*more, study=study)
    kept.store.enqueue(
        inputs,
        digest=inputs_digest(inputs),
        terms=JobTerms(analysis_id=MODEL, max_attempts=3),
        now=LONG_AGO,
    )
    kept.finish(2, until="finished", now=LONG_AGO)
    kept.store.note_judgement(
        kept.store.study_snapshot(study),
        kind=Kind.STUDY_COMPLETE,
        reason="all is here",
        look_again_at=None,
        now=LONG_AGO,
    )
    hold(kept)
    results = RetentionConfig(results_days=30)
    assert planned(kept, results, at=now() + timedelta(days=31)) == []
    (held,) = kept.store.list_deliveries(states=[State.CANCELLED])
    kept.store.requeue_delivery(held.delivery_id, now=now())
    sent = kept.store.claim_delivery(destination="pacs", owner=OWNER, lease_s=60, now=now())
    assert sent is not None
    kept.store.finish_delivery(sent, now=now())
    assert planned(kept, results, at=now() + timedelta(days=31)) == ["1.2.3.1 results"]


def test_an_analysis_that_a_restore_holds_is_queued_when_its_study_comes_again(
    kept: Bench,
) -> None:
    study = kept.study(1, until="queued")
    hold(kept)
    (job,) = kept.store.list_jobs(study=study)
    assert (job.state, job.error) == (State.CANCELLED, "held: restored from a backup")
    slices = kept.slices(1)
    kept.receive(slices[0], now=now())
    assert kept.store.studies_to_judge(now()) == [study]
    inputs = inputs_of(*slices, study=study)
    number = kept.store.enqueue(
        inputs,
        digest=inputs_digest(inputs),
        terms=JobTerms(analysis_id=MODEL, max_attempts=3),
        now=now(),
    )
    assert number == job.job_id
    assert kept.store.job(number).state is State.QUEUED


def test_never_while_somebody_sends_to_it(kept: Bench) -> None:
    study = kept.study(1)
    sender = kept.store.open_sender(
        Sender(kind=SenderKind.FILE, name="m3node ingest"), owner=OWNER, now=now()
    )
    with kept.store._write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO contribution (sender_id, study_instance_uid, new, same, newer) "
            f"VALUES ({sender}, '{study}', 1, 0, 0)"
        )
    assert planned(kept, AFTER_A_WEEK) == []


@on_both
def test_above_the_watermark_the_oldest_go_first_and_results_last(kept: Bench) -> None:
    for number in (2, 1, 3):
        kept.study(number)
    stored = kept.store.stored_bytes()
    (first, *_) = plan(kept.store, RetentionConfig(watermark_gb=1e-9), now=now())
    assert (first.files.study_instance_uid, first.files.files) == ("1.2.3.1", 2)
    one_more = RetentionConfig(watermark_gb=(stored - first.files.size - 1) / 1e9)
    assert freed(kept, one_more) == ["1.2.3.1 received", "1.2.3.2 received"]
    assert freed(kept, RetentionConfig(watermark_gb=1e-9)) == [
        "1.2.3.3 received",
        *(f"1.2.3.{number} results" for number in (1, 2, 3)),
    ]
    assert kept.store.stored_bytes() == 0
    assert kept.files() == set()


@on_both
def test_above_the_watermark_what_was_reported_goes_before_what_was_given_up(kept: Bench) -> None:
    """However old: without its CT nobody could take up again what a restore holds, or expired."""
    kept.study(1, until="queued")
    kept.study(2, until="received")
    hold(kept)
    for number in (4, 3):
        kept.study(number)
    assert planned(kept, RetentionConfig(watermark_gb=1e-9)) == [
        "1.2.3.3 received",
        "1.2.3.4 received",
        "1.2.3.1 received",
        "1.2.3.2 received",
        "1.2.3.3 results",
        "1.2.3.4 results",
    ]


@on_both
def test_results_that_a_rebuild_found_are_kept_since_nobody_else_may_have_them(
    kept: Bench,
) -> None:
    (ct, report) = kept.slices(1)
    own = replace(report, role=Role.OWN_RESULT)
    for facts in (ct, own):
        kept.receive(facts, now=LONG_AGO)
    hold(kept)
    late = now() + timedelta(days=8)
    (ct_only,) = plan(kept.store, AFTER_A_WEEK, now=late)
    assert (ct_only.files.files, len(kept.files())) == (1, 2)
    study = ct_only.files.study_instance_uid
    assert kept.store.free(study, Files.RECEIVED, because="x", by="y", now=now())
    remove_marked(kept.store, kept.spool)
    assert len(kept.files()) == 1
    assert planned(kept, AFTER_A_WEEK, at=late) == [], "and nothing else of it is freed"
    assert kept.store.free(study, Files.RECEIVED, because="x", by="y", now=now()) is None


def test_for_ever_is_for_ever(kept: Bench) -> None:
    kept.study(1)
    config = RetentionConfig(keep="forever", received_days=0, results_days=0, watermark_gb=1e-9)
    assert planned(kept, config) == []
    assert planned(kept, RetentionConfig()) == [], "nor without a number"


def test_a_file_that_another_study_needs_stays_until_none_does(kept: Bench) -> None:
    for number in (1, 2):
        (facts,) = kept.slices(number, 1)
        kept.receive(facts, content="the same bytes", now=LONG_AGO + timedelta(days=number))
        kept.study(number)
    (shared,) = kept.paths(StudyInstanceUID("1.2.3.1")) & kept.paths(StudyInstanceUID("1.2.3.2"))
    (first, second) = plan(kept.store, AFTER_A_WEEK, now=now())
    assert (first.files.files, second.files.files) == (2, 2)
    store, spool = kept.store, kept.spool
    assert store.free(first.files.study_instance_uid, Files.RECEIVED, because="", by="", now=now())
    remove_marked(store, spool)
    assert shared in kept.files()
    assert store.free(second.files.study_instance_uid, Files.RECEIVED, because="", by="", now=now())
    remove_marked(store, spool)
    assert shared not in kept.files()


@on_both
def test_a_freed_study_that_gets_more_is_not_judged_from_a_part_of_it(kept: Bench) -> None:
    study = kept.study(1)
    freed(kept, AFTER_A_WEEK)
    first, second = kept.slices(1)
    kept.receive(first, now=now())
    snapshot = kept.store.study_snapshot(study)
    assert (len(snapshot.instances), len(snapshot.freed)) == (1, 1)
    verdict = readiness(snapshot, now=now(), rules=RULES)
    assert isinstance(verdict, Wait)
    assert verdict.reason == (
        "for the whole study to be sent again (or erased first): 1 object of it that came before "
        "were freed from this node's disk, and nothing is judged from a part of it"
    )
    kept.receive(second, now=now())
    whole = kept.store.study_snapshot(study)
    assert (len(whole.instances), len(whole.freed)) == (2, 0)
    assert kept.files() == kept.needed()
    assert planned(kept, AFTER_A_WEEK) == [], "it is young again"


def test_what_is_no_input_changes_nothing_of_a_freed_study(kept: Bench) -> None:
    study = kept.study(1)
    freed(kept, AFTER_A_WEEK)
    other = replace(
        kept.slices(1)[0], sop_instance_uid=SOPInstanceUID("9.9"), role=Role.OTHER, kind="dose"
    )
    kept.receive(other, content="dose", now=now())
    verdict = readiness(kept.store.study_snapshot(study), now=now(), rules=RULES)
    assert isinstance(verdict, Nothing)


def test_a_requeue_says_that_the_files_are_gone(kept: Bench) -> None:
    study = kept.study(1)
    (job,) = kept.store.list_jobs(study=study)
    (delivery,) = kept.store.list_deliveries(study=study)
    freed(kept, AFTER_A_WEEK)
    with pytest.raises(NotAllowed, match=r"files of 2 objects that it analyses were freed from"):
        kept.store.requeue_job(job.job_id, analysis_id="another model", now=now())
    assert kept.store.requeue_job(job.job_id, analysis_id=MODEL, now=now()).deliveries
    again = kept.store.claim_delivery(destination="pacs", owner=OWNER, lease_s=60, now=now())
    assert again is not None
    kept.store.finish_delivery(again, now=now())
    assert freed(kept, RetentionConfig(results_days=0)) == ["1.2.3.1 results"]
    with pytest.raises(NotAllowed, match="cannot be sent again: their files were freed from"):
        kept.store.requeue_job(job.job_id, analysis_id=MODEL, now=now())
    with pytest.raises(NotAllowed, match="cannot be sent again: their files were freed from"):
        kept.store.requeue_delivery(delivery.delivery_id, now=now())


def test_a_file_that_is_written_again_meanwhile_is_not_removed(kept: Bench) -> None:
    study = kept.study(1)
    store = kept.store
    assert store.free(study, Files.RECEIVED, because="", by="", now=now())
    for each in kept.slices(1):
        kept.receive(each, now=now())
    remove_marked(store, kept.spool)
    assert kept.files() == kept.needed()
    assert len(kept.needed()) == 4


def test_a_file_that_vanished_before_its_row_is_not_acknowledged(kept: Bench) -> None:
    with kept.spool.begin() as part:
        part.write(b"slice")
        file = part.keep()
        kept.spool.locate(file.path).unlink()
        with pytest.raises(FileNotFoundError):
            kept.spool.require(file)


def test_the_keeper_frees_removes_and_looks_for_what_no_row_knows(kept: Bench) -> None:
    kept.study(1)
    stray = kept.spool.write([b"of a receiver that died"])
    keeper = Keeper(kept.store, kept.spool, AFTER_A_WEEK, clock=now)
    keeper.step(within_s=60)
    assert len(kept.files()) == 3
    later = UnknownFiles(kept.store, kept.spool, lambda: now() + timedelta(days=2))
    assert sum(later.look() for _ in range(256)) == 1
    assert remove_marked(kept.store, kept.spool) == 1
    assert stray.path not in kept.files()
    assert kept.files() == kept.needed()
