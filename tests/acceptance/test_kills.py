"""kill -9 at the worst moment loses nothing and repeats nothing that anybody sees."""

import os
import signal
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from dicomweb_client import DICOMwebClient

from node.demo.annotations import measurement_report, segmentation
from node.persistence.spool import Spool
from node.watch.roles import ROLES
from tests.acceptance import studies
from tests.acceptance.bed import PATIENCE_S, Bed
from tests.node.web.dicomweb.posting import MULTIPART, multipart, part10
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


def _count(bed: Bed, table: str, where: str) -> int:
    """Rows, asked of the database itself."""
    database = bed.config.parent / "data" / "m3node.sqlite"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (number,) = connection.execute(f"select count(*) from {table} where {where}").fetchone()
    return int(number)


def _is_running(bed: Bed) -> bool:
    """Asked of the database itself: the command line would need longer than the analysis."""
    return _count(bed, "job", "state = 'running'") > 0


def test_a_web_process_killed_amid_a_transaction_keeps_what_it_acknowledged(node: Bed):
    phantom = studies.phantom("kill-web")
    uid = studies.study_uid(phantom)
    client = DICOMwebClient(f"http://127.0.0.1:{node.web_port}/dicom-web")
    objects = studies.marked(phantom)
    acknowledged, rest = objects[:30], objects[30:]
    assert len(client.store_instances(acknowledged).ReferencedSOPSequence) == 30
    body = multipart([part10(each) for each in rest])
    head = (
        "POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", node.web_port), timeout=30) as amid:
        amid.sendall(head.encode() + body[: len(body) // 2])
        wait_until(lambda: _count(node, "sender", "closed_at is null") == 1, "it stores", 30)
        of_study = f"study_instance_uid = '{uid}'"
        wait_until(lambda: _count(node, "instance", of_study) > 30, "more is stored", 30)
        killed = node.role("web")
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
    wait_until(lambda: _count(node, "sender", "closed_at is null") == 0, "it is closed", PATIENCE_S)
    wait_until(lambda: node.role("web") not in (None, killed), "another one runs", PATIENCE_S)
    wait_until(lambda: listens(node.web_port), "it listens", PATIENCE_S)
    kept = {each["00080018"]["Value"][0] for each in client.search_for_instances(uid)}
    assert kept >= {each.SOPInstanceUID for each in acknowledged}
    assert len(client.store_instances(rest).ReferencedSOPSequence) == 31
    (report,) = node.wait_for_reports(uid)
    assert "60 of 60 slices of the CT series were received" in report.to_json()
    assert "127.0.0.1 was cut off" in node.cli("why", uid)
    spool = node.config.parent / "data" / "spool"
    left = list(spool.glob("parts/*.part"))
    assert len(left) <= 1
    assert Spool(spool).sweep_parts(datetime.now(UTC) + timedelta(hours=1)) == len(left)
