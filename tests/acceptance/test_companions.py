"""What a destination asks for beside report and captures arrives there, and only there."""

import json
from pathlib import Path

import pytest

from tests.acceptance import studies
from tests.acceptance.bed import bed

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]

ASKED = ["presentation_state", "key_objects", "pdf", "parametric_map"]
EXPECTED = ["OT", "PR", "KO", "DOC", "OT", "OT", "OT", "SR"]
"""A capture, the companions, among them a map of each scale, and the report last."""


def test_what_is_asked_for_arrives_before_the_report(tmp_path: Path) -> None:
    settings = {"M3NODE_DESTINATIONS__0__COMPANIONS": json.dumps(ASKED)}
    with bed(tmp_path, settings=settings) as node:
        node.start()
        phantom = studies.phantom("companions-sent", slices=40)
        node.send(studies.marked(phantom))
        uid = studies.study_uid(phantom)
        node.wait_for_reports(uid)
        arrived = node.pacs.received()
        assert [str(ds.Modality) for ds in arrived] == EXPECTED
        # Routed back, they are known as ours, and make no new job.
        node.send([ds for ds in arrived if not ds.file_meta.TransferSyntaxUID.is_compressed])
        assert len(node.settle(uid)["job_list"]) == 1
        assert len(node.report_objects(uid)) == 1
        assert node.stop() == 0
