"""A disk that is filled to the watermark frees itself, and C-STORE goes on."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance import studies
from tests.acceptance.bed import bed
from tests.peers import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]

MEGABYTES = 3.0
"""More than one phantom, less than two."""


def status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_oldest_delivered_study_makes_room_for_the_next(tmp_path: Path):
    settings = {"M3NODE_RETENTION__WATERMARK_GB": str(MEGABYTES / 1000)}
    with bed(tmp_path, settings=settings) as node:
        node.start()
        first, second = studies.phantom("first"), studies.phantom("second")
        node.send(studies.marked(first))
        old = studies.study_uid(first)
        (report,) = node.wait_for_reports(old)
        slice_ = first.ct[0]
        address = (
            f"http://127.0.0.1:{node.web_port}/dicom-web/studies/{old}/series/"
            f"{slice_.SeriesInstanceUID}/instances/{slice_.SOPInstanceUID}"
        )
        assert status_of(address) == 200
        node.send(studies.marked(second))
        wait_until(lambda: "freed (" in node.cli("why", old), "the oldest is freed", 90)
        assert status_of(address) == 410
        node.wait_for_reports(studies.study_uid(second))
        # It is sent again: C-STORE goes on, nothing is new in it, and no second report is made.
        node.send(studies.marked(first))
        node.settle(old)
        assert [ds.SOPInstanceUID for ds in node.report_objects(old)] == [report.SOPInstanceUID]
        assert "holds the database and" in node.cli("backup", str(tmp_path / "backup"))
        assert node.stop() == 0
