"""Many processes, some of them killed: every job is settled exactly once."""

from collections import Counter
from dataclasses import replace

import pytest

from m3net.uids import StudyInstanceUID
from node.core.inputs import Intent, StudyInputs
from node.persistence import database
from node.persistence.rows import JobTerms
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import ct_slice
from tests.node.persistence.filling import NOON, arrive
from tests.node.persistence.processes import start

JOBS = 200
PROCESSES = 4


def fill(store: Store, jobs: int = JOBS) -> None:
    """Jobs of as many studies."""
    for number in range(jobs):
        study = StudyInstanceUID(f"1.2.3.4.{number}")
        slice_ = replace(ct_slice(0), study_instance_uid=study)
        arrive(store, slice_)
        store.enqueue(
            StudyInputs(
                study_instance_uid=study,
                intent=Intent.REPORT_NOT_ANNOTATED,
                series=None,
                ct=(slice_,),
                annotations=(),
            ),
            digest="digest",
            terms=JobTerms(analysis_id="model-1", max_attempts=50),
            now=NOON,
        )


def test_of_200_jobs_and_4_processes_with_killed_and_late_ones_each_is_settled_once(
    store: Store,
    url: str,
) -> None:
    fill(store)
    process = start("settle", url, JOBS, PROCESSES)
    printed, _ = process.communicate(timeout=280)
    assert process.returncode == 0
    lines = Counter(printed.splitlines())
    assert lines.pop("killed") > 5
    assert lines.pop("overtaken") > 0
    lines.pop("ended")
    assert lines == {f"job {row.job_id}": 1 for row in store.list_jobs()}
    assert len(lines) == JOBS
    assert [row.round for row in store.list_deliveries()] == [1] * JOBS


@pytest.mark.usefixtures("migrates")
def test_many_processes_that_start_at_once_migrate_once(url: str) -> None:
    process = start("open", url, 8)
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_a_store_is_opened_and_read_beside_a_long_transaction(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every verb of the command line does."""
    fill(store, 1)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0)
    with store._write():
        reader = open_store(url)
        (row,) = reader.list_studies()
        assert reader.find_study(row.study_instance_uid) == row
        assert [job.state for job in reader.list_jobs()] == ["queued"]
        assert reader.list_deliveries() == []
        assert len(reader.diary(row.study_instance_uid)) == 1
        assert reader.counts()["job"] == {"queued": 1}
        reader.close()


def test_a_writer_in_the_middle_of_a_transaction_blocks_no_reader(store: Store, url: str) -> None:
    reader = open_store(url)
    with store._write():
        assert reader.list_jobs() == []
    reader.close()
