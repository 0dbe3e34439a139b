"""A study that comes and goes over DICOMweb alone, with real processes."""

import socket
import time
from contextlib import ExitStack

import pytest
from dicomweb_client import DICOMwebClient

from node.demo.reading import read_report
from tests.acceptance import studies
from tests.acceptance.bed import Bed

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]


def test_a_study_that_is_stored_over_the_web_is_analysed_and_its_results_are_found_there(
    node: Bed,
):
    phantom = studies.phantom("web")
    uid = studies.study_uid(phantom)
    client = DICOMwebClient(f"http://127.0.0.1:{node.web_port}/dicom-web")
    stored = client.store_instances(studies.marked(phantom), study_instance_uid=uid)
    assert len(stored.ReferencedSOPSequence) == 61
    (sent,) = node.wait_for_reports(uid)
    assert read_report(sent, {}).headline == "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed."
    told = node.cli("why", uid)
    assert "127.0.0.1 began to send over STOW-RS" in told
    assert "127.0.0.1 has ended: 61 new, 0 known" in told
    (found,) = client.search_for_studies(search_filters={"StudyInstanceUID": uid})
    assert sorted(found["00080061"]["Value"]) == ["CT", "OT", "SEG", "SR"]
    (series,) = client.search_for_series(uid, search_filters={"Modality": "SR"})
    (report,) = client.retrieve_series(uid, series["0020000E"]["Value"][0])
    assert report == sent


def test_fifty_clients_that_are_slow_over_the_web_do_no_harm_to_c_store(node: Bed):
    phantom = studies.phantom("beside", slices=12)
    half = b"POST /dicom-web/studies HTTP/1.1\r\nContent-Type: application/dicom\r\n"
    with ExitStack() as held:
        for _ in range(50):
            slow = socket.create_connection(("127.0.0.1", node.web_port), timeout=10)
            held.enter_context(slow).sendall(half)
        begun = time.monotonic()
        node.send(phantom.ct)
        assert time.monotonic() - begun < 20
