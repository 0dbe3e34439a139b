"""Deliveries to real peers: what they hold afterwards, and what happens when they are down."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import Dataset

from node.config import DestinationConfig, DicomwebDestination, DimseDestination
from node.core.states import State
from node.outbound import deliverer
from node.outbound.deliverer import Courier
from node.outbound.destination import OnBegun, OnStored, OutgoingObject
from node.persistence.spool import Spool
from node.persistence.store import Store
from tests.integration.delivering import (
    EXPLICIT,
    IMPLICIT,
    MULTI,
    QUICK,
    REPORT,
    REPORT_3D,
    SINGLE,
    Queue,
    dimse,
    pacs,
)
from tests.integration.queueing import open_node, queue_results
from tests.peers import free_port, orthanc, storescp, wait_until
from tests.results import SC_MULTI, SR_3D, capture_uid, pixels, report_uid


def test_storescp_gets_the_capture_and_then_the_report(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        queue = Queue(tmp_path, dimse(peer.port))
        assert queue.courier.deliver_one()
        received = peer.received()
    assert [d.SOPInstanceUID for d in received] == [
        capture_uid(MULTI),
        report_uid(REPORT_3D, MULTI),
    ]
    assert received[0].PatientName == "Müller^Anna"
    assert (queue.row().state, queue.row().delivered) == (State.DONE, 2)
    assert not queue.try_again()


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_objects_are_encoded_as_the_peer_wants_them(tmp_path: Path, syntax: str) -> None:
    with storescp(tmp_path, accepts={SR_3D: [syntax], SC_MULTI: [syntax]}) as peer:
        queue = Queue(tmp_path, dimse(peer.port))
        queue.courier.deliver_one()
        assert queue.row().state is State.DONE
        capture, report = peer.received()
    assert capture.file_meta.TransferSyntaxUID == report.file_meta.TransferSyntaxUID == syntax
    assert capture.PixelData == pixels().tobytes()


@pytest.mark.parametrize("warning", [0xB000, 0xB006, 0xB007])
def test_a_warning_counts_as_stored(tmp_path: Path, warning: int) -> None:
    with pacs(answers=(warning, warning)) as (port, _):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
    assert (queue.row().state, queue.row().delivered) == (State.DONE, 2)


def test_out_of_resources_is_tried_again_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with pacs(answers=(0x0000, 0xA700)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
        assert queue.row().state is State.QUEUED
        assert "is out of resources: status A700" in str(queue.row().error)
        assert not queue.courier.deliver_one(), "not before the pause is over"
        assert queue.try_again()
    report = report_uid(REPORT_3D, MULTI)
    assert received == [capture_uid(MULTI), report, report]
    assert queue.row().state is State.DONE


def test_a_refusal_is_for_a_person_and_keeps_a_comment_in_known_words(tmp_path: Path) -> None:
    answer = Dataset()
    answer.Status = 0xC000
    answer.ErrorComment = "Duplicate object of Doe^Jane, 4711: access denied"
    with pacs(answers=(answer,)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
        assert not queue.try_again()
    assert received == [capture_uid(MULTI)]
    assert queue.row().state is State.DEAD
    assert "status C000 (Duplicate object of \N{HORIZONTAL ELLIPSIS} access denied)" in str(
        queue.row().error
    )


def test_a_comment_that_names_the_patient_reaches_no_list(tmp_path: Path) -> None:
    answer = Dataset()
    answer.Status = 0xA900
    answer.ErrorComment = "P-1234 is unknown"
    with pacs(answers=(answer,)) as (port, _):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
    assert "P-1234" not in str(queue.row().error)


def test_a_peer_that_is_down_for_two_tries_gets_everything_at_the_third(tmp_path: Path) -> None:
    port = free_port()
    queue = Queue(tmp_path, dimse(port))
    assert queue.courier.deliver_one()
    assert queue.try_again()
    assert queue.row().state is State.QUEUED
    assert queue.row().tries == 2
    with storescp(tmp_path, port=port) as peer:
        assert queue.try_again()
        assert len(peer.files()) == 2
    assert queue.row().state is State.DONE


def test_a_peer_that_stays_down_is_given_up_and_served_when_requeued(tmp_path: Path) -> None:
    port = free_port()
    queue = Queue(tmp_path, dimse(port), max_attempts=2)
    queue.courier.deliver_one()
    queue.try_again()
    assert queue.row().state is State.DEAD
    assert not queue.try_again()
    queue.store.requeue_delivery(queue.row().delivery_id, now=queue.clock())
    with storescp(tmp_path, port=port) as peer:
        assert queue.try_again()
        assert len(peer.files()) == 2


def test_a_peer_that_has_not_registered_this_node_yet_gets_everything_once_it_has(
    tmp_path: Path,
) -> None:
    with storescp(tmp_path, options=("--refuse",)) as peer:
        queue = Queue(tmp_path, dimse(peer.port))
        queue.courier.deliver_one()
    row = queue.row()
    assert row.state is State.QUEUED
    assert "called as M3NODE, which has to be registered there" in str(row.error)
    assert row.not_before - queue.clock() >= timedelta(seconds=30), "the slow pause, not the quick"
    with storescp(tmp_path, port=peer.port) as peer:
        assert queue.try_again()
        assert len(peer.files()) == 2
    assert queue.row().state is State.DONE


def test_a_picture_that_is_not_taken_for_an_hour_is_sent_in_its_poorer_form(
    tmp_path: Path,
) -> None:
    with pacs(answers=(0x0110,) * 7) as (port, received):
        queue = Queue(tmp_path, dimse(port), max_attempts=9)
        queue.courier.deliver_one()
        for _ in range(6):
            queue.try_again()
    assert received[:7] == [capture_uid(MULTI)] * 7
    assert received[7] == capture_uid(SINGLE)
    assert (queue.row().state, queue.row().tries) == (State.DONE, 7)
    assert queue.row().capture_variant is SINGLE


def test_what_is_not_taken_for_an_hour_is_an_alarm_long_before_it_is_dead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pacs(answers=(0x0110,) * 10) as (port, _):  # in either form, at the two last tries
        queue = Queue(tmp_path, dimse(port), max_attempts=9)
        queue.courier.deliver_one()
        for _ in range(7):
            queue.try_again()
    assert queue.row().state is State.QUEUED
    alarms = [
        (each.__dict__["action"], each.__dict__["fields"]["tries"])
        for each in caplog.records
        if each.levelname == "ERROR"
    ]
    assert alarms == [("delivery.failed", 7), ("delivery.failed", 8)]


def test_what_nobody_sees_to_is_dead_in_the_end_and_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pacs(answers=(0x0110, 0x0110, 0x0110)) as (port, _):
        queue = Queue(tmp_path, dimse(port), max_attempts=3)
        queue.courier.deliver_one()
        queue.try_again()
        assert queue.row().state is State.QUEUED
        queue.try_again()
    assert queue.row().state is State.DEAD
    assert "status 0110, which is often passing (try 3, the last)" in str(queue.row().error)
    alarms = [each.__dict__["action"] for each in caplog.records if each.levelname == "ERROR"]
    assert alarms == ["delivery.dead"]


@pytest.mark.parametrize("when", ["--abort-during", "--abort-after"])
def test_a_peer_that_aborts_is_tried_again(tmp_path: Path, when: str) -> None:
    with storescp(tmp_path, options=(when,)) as peer:
        queue = Queue(tmp_path, dimse(peer.port))
        queue.courier.deliver_one()
    assert queue.row().state is State.QUEUED


def test_a_peer_that_never_answers_is_tried_again_over_a_new_association(tmp_path: Path) -> None:
    with storescp(tmp_path, options=("--sleep-during", "60")) as peer:
        queue = Queue(
            tmp_path,
            DimseDestination(
                name="pacs", host="127.0.0.1", port=peer.port, ae_title="STORESCP", timeout_s=0.5
            ),
        )
        queue.courier.deliver_one()
        assert queue.row().state is State.QUEUED
        assert "no answer to a C-STORE" in str(queue.row().error)


def test_orthanc_holds_what_was_sent_over_dimse_and_over_dicomweb(tmp_path: Path) -> None:
    with orthanc(tmp_path) as peer:
        by_dimse = dimse(peer.dicom_port, ae_title="ORTHANC")
        Queue(tmp_path, by_dimse).courier.deliver_one()
        first = {capture_uid(MULTI), report_uid(REPORT_3D, MULTI)}
        assert peer.sop_instance_uids() == first
        by_web = DicomwebDestination(
            name="web", url=peer.dicomweb_url, report=REPORT, captures=SINGLE
        )
        (tmp_path / "second").mkdir()
        queue = Queue(tmp_path / "second", by_web)
        queue.courier.deliver_one()
        assert queue.row().state is State.DONE
        second = {capture_uid(SINGLE, 1), capture_uid(SINGLE, 2), report_uid(REPORT, SINGLE)}
        assert peer.sop_instance_uids() == first | second
        assert peer.tags(report_uid(REPORT, SINGLE))["PatientName"] == "Müller^Anna"


def test_orthanc_wants_the_password_from_the_headers_file(tmp_path: Path) -> None:
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"alice": "wonder"}}
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Basic YWxpY2U6d29uZGVy\n")
    with orthanc(tmp_path, settings=settings) as peer:
        without = Queue(tmp_path, DicomwebDestination(name="web", url=peer.dicomweb_url))
        without.courier.deliver_one()
        assert without.row().state is State.QUEUED
        assert "HTTP 401" in str(without.row().error)
        (tmp_path / "second").mkdir()
        stale = headers.read_text().replace("YWxpY2U6d29uZGVy", "YWxpY2U6c3RhbGU=")
        renewed = headers.read_text()
        headers.write_text(stale)
        with_it = Queue(
            tmp_path / "second",
            DicomwebDestination(name="web", url=peer.dicomweb_url, headers_file=headers),
        )
        with_it.courier.deliver_one()
        assert "the credentials in headers_file are not taken" in str(with_it.row().error)
        headers.write_text(renewed)
        with_it.try_again()
        assert with_it.row().state is State.DONE


def test_a_destination_that_is_down_delays_nobody_else(tmp_path: Path) -> None:
    store, spool, intake = open_node(tmp_path / "node")
    with storescp(tmp_path) as peer:
        silent = DimseDestination(name="down", host="127.0.0.1", port=free_port(), ae_title="X")
        destinations = [silent, dimse(peer.port, name="up")]
        queue_results(store, spool, intake, ["down", "up"])
        with running(store, spool, destinations):
            wait_until(lambda: state_of(store, "up") is State.DONE, "the one that is up has all")
            wait_until(lambda: state_of(store, "down") is State.QUEUED, "the other one waits")
        assert len(peer.files()) == 2


def test_stopping_ends_every_thread(tmp_path: Path) -> None:
    store, spool, _ = open_node(tmp_path / "node")
    before = threading.active_count()
    with running(store, spool, [dimse(free_port(), name=f"d{n}") for n in range(3)]):
        wait_until(lambda: threading.active_count() >= before + 4, "three couriers run")
    assert threading.active_count() == before


def state_of(store: Store, destination: str) -> State:
    return next(r.state for r in store.list_deliveries() if r.destination == destination)


@contextmanager
def running(store: Store, spool: Spool, destinations: list[DestinationConfig]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=deliverer.run, args=(QUICK, destinations, store, spool, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


class Slow:
    """A destination that is overtaken while it sends."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def send(
        self, objects: Sequence[OutgoingObject], on_stored: OnStored, *, on_begun: OnBegun
    ) -> None:
        on_begun(objects[0])
        on_stored(objects[0], 0x0000)
        self.meanwhile()
        on_stored(objects[1], 0x0000)

    def verify(self) -> None:
        raise AssertionError("nobody asks")


def test_a_deliverer_that_lost_its_lease_settles_nothing_and_its_objects_are_not_sent_again(
    tmp_path: Path,
) -> None:
    queue = Queue(tmp_path, dimse(free_port()))

    def somebody_else_claims() -> None:
        queue.clock.now += timedelta(minutes=5)
        lease = queue.store.claim_delivery(
            destination="pacs", owner="other:1:1", lease_s=30, now=queue.clock()
        )
        assert lease is not None
        assert len(lease.already_delivered) == 1

    slow = Slow(somebody_else_claims)
    courier = Courier(
        QUICK,
        queue.destination,
        queue.store,
        queue.spool,
        connect=lambda _: slow,
        clock=queue.clock,
    )
    assert courier.deliver_one()
    assert queue.row().state is State.RUNNING
    assert (queue.row().owner, queue.row().delivered) == ("other:1:1", 2)


def test_an_error_that_nobody_foresaw_is_tried_again_and_quotes_nothing(tmp_path: Path) -> None:
    queue = Queue(tmp_path, dimse(free_port()))

    def fail() -> None:
        raise ValueError("invalid value for PN: Müller^Anna")

    courier = Courier(
        QUICK,
        queue.destination,
        queue.store,
        queue.spool,
        connect=lambda _: Slow(fail),
        clock=queue.clock,
    )
    courier.deliver_one()
    assert queue.row().state is State.QUEUED
    assert str(queue.row().error).startswith("unexpected ValueError")
    assert "Müller" not in str(queue.row().error)


def test_a_result_whose_file_is_gone_is_for_a_person(tmp_path: Path) -> None:
    queue = Queue(tmp_path, dimse(free_port()))
    for file in queue.spool.directory.rglob("*.dcm"):
        file.unlink()
    queue.courier.deliver_one()
    assert queue.row().state is State.DEAD
    assert "is gone from this node's storage" in str(queue.row().error)
