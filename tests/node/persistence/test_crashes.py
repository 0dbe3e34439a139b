"""The crash table: a real process dies by SIGKILL at each step; what does the next one find?"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.core.states import State
from node.inbound.intake import Intake
from node.persistence.process_identity import this_process
from node.persistence.rows import Arrival
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import STUDY
from tests.node.objects import ct_image
from tests.node.persistence.filling import artifact, finish, queued
from tests.node.persistence.processes import killed


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'm3node.sqlite'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """This process's own store, before and after the other one dies."""
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """What the scanner sends, and sends again if it was not told that it has arrived."""
    path = tmp_path / "sent.dcm"
    ct_image(0).save_as(path, enforce_file_format=True)
    return path


def send_again(store: Store, tmp_path: Path, sent: Path) -> Arrival:
    intake = Intake(spool=Spool(tmp_path / "spool"), store=store, min_free_bytes=0, clock=now)
    return intake.accept_file(sent, sender_id=None)


def files(tmp_path: Path, pattern: str) -> list[Path]:
    return sorted((tmp_path / "spool").rglob(pattern))


def test_before_the_rename_a_part_file_stays_and_the_sweep_removes_it(
    store: Store, url: str, tmp_path: Path, sent: Path
) -> None:
    killed("receive", url, tmp_path, "before the rename")
    assert len(files(tmp_path, "*.part")) == 1
    assert files(tmp_path, "*.dcm") == []
    assert store.list_studies() == []
    assert send_again(store, tmp_path, sent) is Arrival.NEW
    assert Spool(tmp_path / "spool").sweep_parts(now()) == 1
    assert files(tmp_path, "*.part") == []
    assert len(files(tmp_path, "*.dcm")) == 1


def test_after_the_rename_before_the_row_the_file_is_known_to_nobody_until_it_is_sent_again(
    store: Store, url: str, tmp_path: Path, sent: Path
) -> None:
    killed("receive", url, tmp_path, "before the row")
    (left,) = files(tmp_path, "*.dcm")
    assert store.list_studies() == []
    assert send_again(store, tmp_path, sent) is Arrival.NEW
    assert files(tmp_path, "*.dcm") == [left]


def test_after_the_row_before_the_answer_the_sender_repeats_and_changes_nothing(
    store: Store, url: str, tmp_path: Path, sent: Path
) -> None:
    killed("receive", url, tmp_path, "before the answer")
    assert send_again(store, tmp_path, sent) is Arrival.SAME
    assert len(store.list_instances(STUDY)) == 1
    # The receiver took its association with it: it must not keep the study from being quiet.
    assert store.study_snapshot(STUDY).open_senders == 1
    assert store.close_senders_of_dead(now()) == 1
    assert store.study_snapshot(STUDY).open_senders == 0


def test_while_analysing_the_lease_of_the_dead_is_released_and_the_next_claim_is_attempt_2(
    store: Store, url: str, tmp_path: Path
) -> None:
    queued(store, 0)
    killed("work", url, tmp_path, "while analysing")
    assert store.claim_job(owner=this_process(), lease_s=60, now=now()) is None
    assert store.release_leases(now=now()) == 1
    assert store.list_jobs()[0].error == "its process died in try 1 of 3"
    lease = store.claim_job(owner=this_process(), lease_s=60, now=now())
    assert lease is not None
    assert lease.attempt == 2


def test_a_study_that_kills_the_worker_every_time_ends_dead_and_can_be_requeued(
    store: Store, url: str, tmp_path: Path
) -> None:
    job_id = queued(store, 0, max_attempts=2)
    for state in (State.QUEUED, State.DEAD):
        killed("work", url, tmp_path, "while analysing")
        store.release_leases(now=now())
        assert store.list_jobs()[0].state is state
    store.requeue_job(job_id, analysis_id="model-1", now=now())
    lease = store.claim_job(owner=this_process(), lease_s=60, now=now())
    assert lease is not None
    assert (lease.attempt, lease.tries) == (3, 1)


def test_after_the_result_files_before_the_commit_they_are_written_again_under_the_same_names(
    store: Store, url: str, tmp_path: Path
) -> None:
    queued(store, 0)
    killed("work", url, tmp_path, "before the commit")
    (left,) = files(tmp_path, "*.dcm")
    assert store.list_deliveries() == []
    store.release_leases(now=now())
    lease = store.claim_job(owner=this_process(), lease_s=60, now=now())
    assert lease is not None
    Spool(tmp_path / "spool").write([f"report of {lease.job_id}".encode()])
    finish(store, lease)
    assert files(tmp_path, "*.dcm") == [left]
    assert len(store.list_deliveries()) == 1


def test_after_the_send_before_the_settle_the_same_objects_are_sent_twice(
    store: Store, url: str, tmp_path: Path
) -> None:
    job_id = queued(store, 0)
    lease = store.claim_job(owner=this_process(), lease_s=60, now=now())
    assert lease is not None
    finish(store, lease)
    killed("deliver", url, tmp_path, "before the settle")
    store.release_leases(now=now())
    again = store.claim_delivery(destination="pacs", owner=this_process(), lease_s=60, now=now())
    assert again is not None
    sent = (tmp_path / "destination").read_text().split()
    assert sent == [item.sop_instance_uid for item in again.artifacts]
    assert sent[1] == artifact(f"report of {job_id}").sop_instance_uid
    store.finish_delivery(again, now=now())
    assert store.counts()["delivery"] == {State.DONE: 1}
