"""A node that speaks DICOM over TLS alone, from the scanner to the PACS."""

from pathlib import Path

import pytest

from tests.acceptance import studies
from tests.acceptance.bed import bed
from tests.certificates import authority
from tests.peers import free_port, storescp, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]

_DESTINATION = """
[[destinations]]
name = "secured"
kind = "dimse"
host = "127.0.0.1"
port = {port}
ae_title = "STORESCP"
tls = true
ca_file = "{ca_file}"
certificate_file = "{certificate_file}"
key_file = "{key_file}"
"""


def test_a_study_comes_and_its_report_leaves_over_tls(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    own, peer, port = ca.issue("m3node"), ca.issue("pacs"), free_port()
    options = (
        *("+tls", str(peer.key_file), str(peer.certificate_file)),
        *("+cf", str(ca.ca_file)),
    )
    settings = {
        "M3NODE_RECEIVER__PORT": "0",
        "M3NODE_RECEIVER__TLS__PORT": str(port),
        "M3NODE_RECEIVER__TLS__CERTIFICATE_FILE": str(own.certificate_file),
        "M3NODE_RECEIVER__TLS__KEY_FILE": str(own.key_file),
        "M3NODE_RECEIVER__TLS__CA_FILE": str(ca.ca_file),
    }
    (tmp_path / "bed").mkdir()
    with storescp(tmp_path, options=options) as pacs:
        destination = _DESTINATION.format(
            port=pacs.port,
            ca_file=ca.ca_file,
            certificate_file=own.certificate_file,
            key_file=own.key_file,
        )
        with bed(tmp_path / "bed", settings=settings, more_destinations=destination) as node:
            node.port = port
            node.start()
            assert node.cli("health") == "M3NODE answers a C-ECHO\n"
            phantom = studies.phantom("tls")
            node.send(studies.marked(phantom), options=("-R", *options))
            node.wait_for_reports(studies.study_uid(phantom))
            wait_until(lambda: len(pacs.files()) == 2, "report and capture are there", 60)
            assert sorted(each.Modality for each in pacs.received()) == ["OT", "SR"]
            assert "CN=pacs" in node.log.read_text()
            assert node.stop() == 0
