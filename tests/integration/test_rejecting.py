"""Earlier results are hidden where the newer ones are stored, by a note to that destination."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from pydicom import Dataset
from pydicom.uid import JPEGLSLossless
from pynetdicom import AE, evt

from m3net.uids import StudyInstanceUID
from node.config import DicomwebDestination, DimseDestination
from node.core.diary import sentence
from node.core.results import ArtifactKind
from node.core.states import State
from node.outbound.deliverer import Courier
from tests.integration.delivering import (
    EXPLICIT,
    MULTI,
    QUICK,
    REPORT,
    REPORT_3D,
    SINGLE,
    Queue,
    dimse,
    pacs,
)
from tests.integration.queueing import queue_results
from tests.peers import orthanc, storescp
from tests.results import (
    SC_MULTI,
    SC_SINGLE,
    SR,
    SR_3D,
    STUDY_UID,
    capture_uid,
    companion,
    pixels,
    report_uid,
)

SET = [capture_uid(MULTI), report_uid(REPORT_3D, MULTI)]
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"


def rejecting(port: int) -> DimseDestination:
    wish: DimseDestination = dimse(port, reject_superseded=True)
    return wish


def rejected_by(note: Dataset) -> set[str]:
    """The objects that the note names, of which it also states series and study."""
    (study,) = note.CurrentRequestedProcedureEvidenceSequence
    stated = {
        item.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    named = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in note.ContentSequence
        if "ReferencedSOPSequence" in item
    }
    assert named == stated
    return named


def test_earlier_results_are_rejected_once_the_newer_ones_are_stored(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        queue = Queue(tmp_path, rejecting(peer.port))
        queue.courier.deliver_one()
        assert len(peer.files()) == 2, "of the first there is nothing to reject"
        queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
        queue.courier.deliver_one()
        queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=3)
        queue.courier.deliver_one()
        received = peer.received()
    first, second, third = ([f"{uid}{of}" for uid in SET] for of in ("", ".2", ".3"))
    notes = [each for each in received if each.Modality == "KO"]
    order = [str(each.SOPInstanceUID) for each in received]
    assert order == [*first, *second, order[4], *third, order[7]]
    assert [rejected_by(note) for note in notes] == [set(first), set(second)]
    title = notes[0].ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113037", "DCM")
    assert notes[0].PatientID == "P-1234"
    assert notes[0].SeriesNumber == received[1].SeriesNumber + 6
    assert notes[0].SeriesInstanceUID == notes[1].SeriesInstanceUID
    told = [sentence(event) for event in queue.store.diary(StudyInstanceUID(STUDY_UID))]
    assert "delivery 2 to pacs rejected 2 earlier objects there" in told


def test_a_companion_that_waits_keeps_no_outdated_result_in_view(tmp_path: Path) -> None:
    state = companion(ArtifactKind.PRESENTATION_STATE, GSPS, 1)
    answers = (0, 0, 0, 0, 0xA700)
    with pacs(sop_classes=(SR_3D, SC_MULTI, KOS, GSPS), answers=answers) as (port, received):
        wish = dimse(port, reject_superseded=True, companions=["presentation_state"])
        queue = Queue(tmp_path, wish, companions=[state])
        queue.courier.deliver_one()
        queue_results(
            queue.store, queue.spool, queue.intake, ["pacs"], companions=[state], revision=2
        )
        queue.courier.deliver_one()
        first = [SET[0], "2.25.401", SET[1]]
        second = [f"{uid}.2" for uid in first]
        *sent, note = received
        assert sent == [*first, *second]
        told = [sentence(event) for event in queue.store.diary(StudyInstanceUID(STUDY_UID))]
        assert "delivery 2 to pacs rejected 3 earlier objects there" in told
        assert queue.try_again()
    assert received[6:] == [note, second[1]]
    assert [row.state for row in queue.store.list_deliveries()] == [State.DONE, State.DONE]


def test_a_note_that_is_not_confirmed_is_sent_again_under_the_same_uid(tmp_path: Path) -> None:
    accepted = (SR_3D, SC_MULTI, KOS)
    with pacs(sop_classes=accepted, answers=(0, 0, 0, 0, 0xA700)) as (port, received):
        queue = Queue(tmp_path, rejecting(port))
        queue.courier.deliver_one()
        queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
        queue.courier.deliver_one()
        assert queue.try_again()
        assert not queue.try_again()
    *objects, note, again = received
    assert len(objects) == 4
    assert note == again
    assert [row.state for row in queue.store.list_deliveries()] == [State.DONE, State.DONE]


def test_what_a_destination_has_answered_that_it_does_not_keep_is_not_rejected_there(
    tmp_path: Path,
) -> None:
    with pacs(sop_classes=(SR_3D, SC_MULTI, KOS), answers=(0x0000, 0xA700)) as (port, _):
        queue = Queue(tmp_path, rejecting(port))
        queue.courier.deliver_one()
        assert queue.row().state is State.QUEUED, "it holds the capture, and no report"
    queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
    with storescp(tmp_path) as peer:
        again = Courier(
            QUICK, rejecting(peer.port), queue.store, queue.spool, clock=queue.clock, rng=Random(1)
        )
        again.deliver_one()
        note = peer.received()[-1]
    assert rejected_by(note) == {capture_uid(MULTI)}


@contextmanager
def losing_its_answer() -> Iterator[int]:
    """A Storage SCP whose connection is lost when an object has come, before it is answered."""

    def on_store(event: evt.Event) -> int:
        event.assoc.abort()
        return 0x0000

    ae = AE(ae_title="STORESCP")
    for uid in (SR_3D, SC_MULTI):
        ae.add_supported_context(uid, [EXPLICIT])
    handlers = [(evt.EVT_C_STORE, on_store)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def test_what_may_be_there_without_an_answer_is_rejected_too(tmp_path: Path) -> None:
    """And not the report, which comes last and was not begun."""
    with losing_its_answer() as port:
        queue = Queue(tmp_path, rejecting(port))
        queue.courier.deliver_one()
        assert (queue.row().state, queue.row().delivered) == (State.QUEUED, 0)
    queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
    with storescp(tmp_path) as peer:
        again = Courier(
            QUICK, rejecting(peer.port), queue.store, queue.spool, clock=queue.clock, rng=Random(1)
        )
        again.deliver_one()
        note = peer.received()[-1]
    assert rejected_by(note) == {capture_uid(MULTI)}


@pytest.mark.parametrize("report_was_stored", [False, True])
def test_a_destination_that_was_set_up_otherwise_meanwhile_keeps_one_form(
    tmp_path: Path, report_was_stored: bool
) -> None:
    """Between picture and report, and between one sending and the next of the same result."""
    with storescp(tmp_path) as peer:
        answers = (0x0000,) if report_was_stored else (0x0000, 0xA700)
        with pacs(sop_classes=(SR_3D, SC_MULTI, KOS), answers=answers) as (port, _):
            queue = Queue(tmp_path, rejecting(port))
            queue.courier.deliver_one()
        if report_was_stored:
            queue.store.requeue_delivery(queue.row().delivery_id, now=queue.clock())
        queue.clock.now += timedelta(hours=1)
        basic = dimse(peer.port, reject_superseded=True, report=REPORT, captures=SINGLE)
        again = Courier(QUICK, basic, queue.store, queue.spool, clock=queue.clock, rng=Random(1))
        again.deliver_one()
        *objects, note = peer.received()
    now = [capture_uid(SINGLE, 1), capture_uid(SINGLE, 2), report_uid(REPORT, SINGLE)]
    assert [each.SOPInstanceUID for each in objects] == now
    assert rejected_by(note) == set(SET if report_was_stored else SET[:1])


def test_a_destination_that_takes_no_notes_has_the_results_and_a_person_is_told(
    tmp_path: Path,
) -> None:
    with pacs(sop_classes=(SR_3D, SC_MULTI)) as (port, received):
        queue = Queue(tmp_path, rejecting(port))
        queue.courier.deliver_one()
        queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
        queue.courier.deliver_one()
    assert received == [*SET, *(f"{uid}.2" for uid in SET)]
    newest = max(queue.store.list_deliveries(), key=lambda row: row.delivery_id)
    assert newest.state is State.DEAD
    assert str(newest.error).startswith(
        "holds the newer results; the note that hides 2 earlier objects there is not taken: "
        f"rejects the presentation context of SOP class {KOS}"
    )


def test_nothing_is_rejected_where_nobody_asked_for_it(tmp_path: Path) -> None:
    with pacs(sop_classes=(SR_3D, SC_MULTI, KOS)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
        queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
        queue.courier.deliver_one()
    assert received == [*SET, *(f"{uid}.2" for uid in SET)]


def test_results_in_a_poorer_form_are_rejected_in_that_form(tmp_path: Path) -> None:
    accepts = {SR: [EXPLICIT], SC_SINGLE: [EXPLICIT], KOS: [EXPLICIT]}
    with storescp(tmp_path, accepts=accepts) as peer:
        queue = Queue(tmp_path, rejecting(peer.port))
        queue.courier.deliver_one()
        queue_results(queue.store, queue.spool, queue.intake, ["pacs"], revision=2)
        queue.courier.deliver_one()
        note = peer.received()[-1]
    assert rejected_by(note) == {
        capture_uid(SINGLE, 1),
        capture_uid(SINGLE, 2),
        report_uid(REPORT, SINGLE),
    }


def test_orthanc_takes_compressed_pictures_and_the_note_over_dicomweb(tmp_path: Path) -> None:
    with orthanc(tmp_path) as peer:
        web = DicomwebDestination(name="web", url=peer.dicomweb_url, reject_superseded=True)
        queue = Queue(tmp_path, web)
        queue.courier.deliver_one()
        queue_results(queue.store, queue.spool, queue.intake, ["web"], revision=2)
        queue.courier.deliver_one()
        assert {row.state for row in queue.store.list_deliveries()} == {State.DONE}
        held = peer.sop_instance_uids()
        stored = peer.stored(capture_uid(MULTI))
    assert set(SET) | {f"{uid}.2" for uid in SET} < held
    assert len(held) == 5
    assert stored.file_meta.TransferSyntaxUID == JPEGLSLossless
    assert stored.pixel_array.tobytes() == pixels().tobytes()
