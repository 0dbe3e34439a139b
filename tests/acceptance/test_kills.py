"""kill -9 at the worst moment loses nothing and repeats nothing that anybody sees."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest

from node.demo.annotations import measurement_report, segmentation
from node.watch.roles import ROLES
from tests.acceptance import studies
from tests.acceptance.bed import PATIENCE_S, Bed
from tests.peers import listens, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]


def test_a_worker_killed_in_mid_analysis_is_replaced_and_one_report_arrives(own: Bed):
    own.start()
    phantom = studies.phantom("kill-worker")
    own.send([*phantom.ct, segmentation(phantom), measurement_report(phantom)])
    uid = studies.study_uid(phantom)
    wait_until(lambda: _is_running(own), "a worker has the job", PATIENCE_S)
    worker = own.role("worker")
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    own.wait_for_reports(uid, within_s=90)
    (job,) = own.json("job", "list")
    assert (job["state"], job["tries"]) == ("done", 2)
    assert len(own.captures(uid)) == 7  # one a nodule, and one of all of them


def test_no_process_outlives_a_killed_supervisor(own: Bed):
    with own.config.open("a") as file:
        file.write('[[sources]]\nname = "archive"\nkind = "dicomweb"\nurl = "http://127.0.0.1:9"\n')
    own.start()
    wait_until(lambda: all(map(own.role, ROLES)), "all roles run", PATIENCE_S)
    own.kill(group=False)
    wait_until(lambda: not own.processes() and not listens(own.port), "no orphan", 5)


def test_a_node_killed_after_the_last_store_reports_once_it_is_back(own: Bed):
    own.start()
    phantom = studies.phantom("kill-all")
    own.send(studies.marked(phantom))
    own.kill(group=True)
    wait_until(lambda: not own.processes(), "nothing runs", 5)
    own.start()
    own.wait_for_reports(studies.study_uid(phantom), within_s=90)


def _is_running(bed: Bed) -> bool:
    """Asked of the database itself: the command line would need longer than the analysis."""
    database = bed.config.parent / "data" / "m3node.sqlite"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return (
            connection.execute("select 1 from job where state = 'running'").fetchone() is not None
        )
