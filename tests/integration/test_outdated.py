"""A PACS that was down and is back gets the newest report, and no older one after it."""

from pathlib import Path
from random import Random

from m3net.uids import StudyInstanceUID
from node.core.diary import sentence
from node.core.states import State
from node.outbound.deliverer import Courier
from tests.integration.delivering import (
    MULTI,
    QUICK,
    REPORT_3D,
    Clock,
    Queue,
    dimse,
    pacs,
)
from tests.integration.queueing import NOON, open_node, queue_results
from tests.peers import free_port, storescp
from tests.results import STUDY_UID, capture_uid, report_uid

FIRST = [capture_uid(MULTI), report_uid(REPORT_3D, MULTI)]
SECOND = [f"{uid}.2" for uid in FIRST]


def test_a_study_corrected_while_the_pacs_was_down_arrives_once_and_in_its_last_form(
    tmp_path: Path,
) -> None:
    port = free_port()
    queue = Queue(tmp_path, dimse(port))
    assert queue.courier.deliver_one()
    assert queue.try_again()
    assert queue.row().state is State.QUEUED
    queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
    with storescp(tmp_path, port=port) as peer:
        assert queue.courier.deliver_one()
        for _ in range(5):
            assert not queue.try_again()
        assert [d.SOPInstanceUID for d in peer.received()] == SECOND
    told = [sentence(event) for event in queue.store.diary(StudyInstanceUID(STUDY_UID))]
    assert (
        "delivery 1 to pacs withdrawn: outdated: job 2 (revision 2) has newer inputs and is "
        "reported"
    ) in told
    assert told[-1] == "delivery 2 to pacs done: 2 objects stored"


def test_a_correction_that_is_done_while_the_older_report_is_sent_comes_after_it(
    tmp_path: Path,
) -> None:
    store, spool, intake = open_node(tmp_path / "node")
    queue_results(store, spool, intake, ["pacs"])
    clock = Clock()
    with pacs() as (port, received):
        older = store.claim_delivery(destination="pacs", owner="other:1:1", lease_s=30, now=clock())
        assert older is not None
        queue_results(store, spool, intake, ["pacs"], revision=2)
        courier = Courier(QUICK, dimse(port), store, spool, clock=clock, rng=Random(1))
        assert not courier.deliver_one(), "the older one is on its way"
        store.finish_delivery(older, now=clock())
        assert courier.deliver_one()
    assert received == SECOND


def test_of_two_destinations_one_that_was_down_gets_the_newest_report_alone(tmp_path: Path) -> None:
    store, spool, intake = open_node(tmp_path / "node")
    queue_results(store, spool, intake, ["up", "down"])
    clock, port = Clock(), free_port()
    down = Courier(QUICK, dimse(port, name="down"), store, spool, clock=clock, rng=Random(1))
    assert down.deliver_one()
    queue_results(store, spool, intake, ["up", "down"], revision=2)
    with pacs() as (up_port, received):
        up = Courier(QUICK, dimse(up_port, name="up"), store, spool, clock=clock, rng=Random(1))
        while up.deliver_one():
            pass
    assert received == SECOND, "the first was withdrawn before it was sent"
    clock.now = NOON.replace(hour=18)
    with storescp(tmp_path, port=port) as peer:
        while down.deliver_one():
            pass
        assert [d.SOPInstanceUID for d in peer.received()] == SECOND
    assert {row.state for row in store.list_deliveries() if row.job_id == 2} == {State.DONE}
