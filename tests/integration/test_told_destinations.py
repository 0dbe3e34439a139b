"""A RIS gets its report through the same queue, with the same retries, as a PACS its objects."""

from pathlib import Path

from pydicom import dcmread

from node.config import FhirDestination, Hl7Destination
from node.core.states import State
from tests.integration.delivering import Queue
from tests.node.outbound.answering import answering
from tests.node.outbound.raw import speaking
from tests.node.outbound.test_fhir import DONE
from tests.node.outbound.test_hl7 import acknowledges
from tests.peers import free_port
from tests.sr_templates.objects.test_measurement_report import report


def hold_a_full_report(queue: Queue) -> None:
    """The report in the spool is one with nodules."""
    (stored,) = (
        file
        for file in queue.spool.directory.rglob("*.dcm")
        if dcmread(file, stop_before_pixels=True).Modality == "SR"
    )
    full = report()
    full.save_as(stored, enforce_file_format=True)


def test_a_fhir_server_that_wants_another_token_is_told_once_it_has_it(tmp_path: Path) -> None:
    with answering() as server:
        queue = Queue(tmp_path, FhirDestination(name="ris", url=server.url))
        hold_a_full_report(queue)
        server.answers(401)
        queue.courier.deliver_one()
        assert queue.row().state is State.QUEUED
        assert "HTTP 401" in str(queue.row().error)
        server.answers(200, DONE, "application/fhir+json")
        assert queue.try_again()
    assert (queue.row().state, queue.row().delivered) == (State.DONE, 1)


def test_an_hl7_interface_that_is_down_is_told_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    queue = Queue(tmp_path, Hl7Destination(name="ris", host="127.0.0.1", port=port, timeout_s=5))
    hold_a_full_report(queue)
    queue.courier.deliver_one()
    assert "accepts no connection" in str(queue.row().error)
    with speaking(acknowledges("AA"), port=port):
        assert queue.try_again()
    assert (queue.row().state, queue.row().delivered) == (State.DONE, 1)
