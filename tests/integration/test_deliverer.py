"""Deliveries to real peers: what they hold afterwards, and what happens when they are down."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
)
from pynetdicom import AE, evt

from m3net.uids import StudyInstanceUID
from node.config import (
    DeliveryConfig,
    DestinationConfig,
    DicomwebDestination,
    DimseDestination,
)
from node.core.diary import sentence
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.states import State
from node.outbound import deliverer
from node.outbound.deliverer import Courier
from node.outbound.destination import OnStored, OutgoingObject
from node.persistence.rows import DeliveryRow
from node.persistence.spool import Spool
from node.persistence.store import Store
from tests.integration.queueing import NOON, open_node, queue_results
from tests.peers import free_port, orthanc, storescp, wait_until
from tests.results import (
    SC_MULTI,
    SC_SINGLE,
    SR,
    SR_3D,
    STUDY_UID,
    capture_uid,
    companion,
    old_report_uid,
    pixels,
    report_uid,
)

MULTI, SINGLE = CaptureVariant.MULTI_FRAME, CaptureVariant.SINGLE_FRAME
REPORT_3D, REPORT = ReportVariant.COMPREHENSIVE_3D, ReportVariant.COMPREHENSIVE
IMPLICIT, EXPLICIT = ImplicitVRLittleEndian, ExplicitVRLittleEndian
QUICK = DeliveryConfig(retry_base_s=10, retry_cap_s=100, poll_s=0.02)


class Clock:
    def __init__(self) -> None:
        self.now = NOON + timedelta(minutes=1)

    def __call__(self) -> datetime:
        return self.now


class Queue:
    """One job's results, and a courier to one destination whose time we set."""

    def __init__(self, tmp_path: Path, destination: DestinationConfig, **options: Any) -> None:
        self.clock, self.destination = Clock(), destination
        self.store, self.spool, self.intake = open_node(tmp_path / "node")
        queue_results(self.store, self.spool, self.intake, [destination.name], **options)
        self.courier = Courier(
            QUICK, destination, self.store, self.spool, clock=self.clock, rng=Random(1)
        )

    def row(self) -> DeliveryRow:
        (row,) = self.store.list_deliveries()
        return row

    def try_again(self) -> bool:
        self.clock.now += timedelta(hours=1)
        return self.courier.deliver_one()


def dimse(port: int, *, ae_title: str = "STORESCP", name: str = "pacs", **more: Any) -> Any:
    return DimseDestination(
        name=name, host="127.0.0.1", port=port, ae_title=ae_title, timeout_s=5, **more
    )


@contextmanager
def pacs(
    sop_classes: tuple[str, ...] = (SR_3D, SR, SC_MULTI, SC_SINGLE),
    answers: tuple[int | Dataset, ...] = (),
    transfer_syntaxes: tuple[str, ...] = (EXPLICIT,),
) -> Iterator[tuple[int, list[str]]]:
    """A small Storage SCP that gives these answers first and success afterwards."""
    received: list[str] = []
    pending = list(answers)

    def on_store(event: evt.Event) -> int | Dataset:
        received.append(str(event.request.AffectedSOPInstanceUID))
        return pending.pop(0) if pending else 0x0000

    ae = AE(ae_title="STORESCP")
    for uid in sop_classes:
        ae.add_supported_context(uid, list(transfer_syntaxes))
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)]
    )
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()


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


def test_a_peer_that_rejects_comprehensive_3d_gets_comprehensive_with_its_own_set(
    tmp_path: Path,
) -> None:
    accepts = {SR: [EXPLICIT], SC_MULTI: [EXPLICIT], SC_SINGLE: [EXPLICIT]}
    with storescp(tmp_path, accepts=accepts) as peer:
        queue = Queue(tmp_path, dimse(peer.port))
        queue.courier.deliver_one()
        capture, report = peer.received()
    assert (capture.SOPInstanceUID, report.SOPInstanceUID) == (
        capture_uid(MULTI),
        report_uid(REPORT, MULTI),
    )
    assert (queue.row().report_variant, queue.row().capture_variant) == (REPORT, MULTI)


def test_a_peer_that_knows_old_classes_only_gets_single_frames_and_their_report(
    tmp_path: Path,
) -> None:
    with storescp(tmp_path, accepts={SR: [IMPLICIT], SC_SINGLE: [IMPLICIT]}) as peer:
        queue = Queue(tmp_path, dimse(peer.port))
        queue.courier.deliver_one()
        received = peer.received()
    assert [d.SOPInstanceUID for d in received] == [
        capture_uid(SINGLE, 1),
        capture_uid(SINGLE, 2),
        report_uid(REPORT, SINGLE),
    ]
    report = received[-1]
    referenced = report.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert referenced == capture_uid(SINGLE, 1)


def test_single_frames_are_the_first_and_the_key_frame_and_say_which_slice_they_show(
    tmp_path: Path,
) -> None:
    with storescp(tmp_path, accepts={SR: [EXPLICIT], SC_SINGLE: [EXPLICIT]}) as peer:
        Queue(tmp_path, dimse(peer.port)).courier.deliver_one()
        first, key, _ = peer.received()
    assert [each.ImageComments for each in (first, key)] == [
        "Nodule 1, slice 1",
        "Nodule 1, slice 2",
    ]
    assert [each.PixelData for each in (first, key)] == [
        pixels()[0].tobytes(),
        pixels()[1].tobytes(),
    ]
    (source,) = key.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == "2.25.502"
    assert len(first.SourceImageSequence) == 3
    assert "NumberOfFrames" not in key
    assert key.InstanceNumber == 2


@pytest.mark.parametrize("compression", ["accepted", "never"])
def test_pictures_travel_compressed_where_that_is_taken_and_wished(
    tmp_path: Path, compression: str
) -> None:
    with storescp(tmp_path, options=("+xa",)) as peer:
        Queue(tmp_path, dimse(peer.port, compression=compression)).courier.deliver_one()
        capture, report = peer.received()
    assert capture.file_meta.TransferSyntaxUID == (
        JPEGLSLossless if compression == "accepted" else EXPLICIT
    )
    assert report.file_meta.TransferSyntaxUID == EXPLICIT
    assert capture.pixel_array.tobytes() == pixels().tobytes()


def test_a_peer_that_takes_no_compressed_pictures_gets_the_very_same_pixels(
    tmp_path: Path,
) -> None:
    with storescp(tmp_path) as peer:  # dcmtk's default: uncompressed alone
        Queue(tmp_path, dimse(peer.port)).courier.deliver_one()
        capture, _ = peer.received()
    assert capture.file_meta.TransferSyntaxUID == EXPLICIT
    assert capture.PixelData == pixels().tobytes()


def test_single_frames_travel_compressed_too(tmp_path: Path) -> None:
    accepts = {SR: [EXPLICIT], SC_SINGLE: [JPEGLSLossless, EXPLICIT]}
    with storescp(tmp_path, accepts=accepts) as peer:
        Queue(tmp_path, dimse(peer.port)).courier.deliver_one()
        first, key, _ = peer.received()
    assert key.file_meta.TransferSyntaxUID == JPEGLSLossless
    assert [each.pixel_array.tobytes() for each in (first, key)] == [
        pixels()[0].tobytes(),
        pixels()[1].tobytes(),
    ]


def test_a_picture_that_is_refused_compressed_is_sent_once_more_uncompressed(
    tmp_path: Path,
) -> None:
    both = (JPEGLSLossless, EXPLICIT)
    with pacs(transfer_syntaxes=both, answers=(0xC000,)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
    assert received == [capture_uid(MULTI), capture_uid(MULTI), report_uid(REPORT_3D, MULTI)]
    assert (queue.row().state, queue.row().delivered) == (State.DONE, 2)


def test_a_peer_that_takes_pictures_compressed_alone_gets_them_so(tmp_path: Path) -> None:
    accepts = {SR_3D: [EXPLICIT], SC_MULTI: [JPEGLSLossless]}
    with storescp(tmp_path, accepts=accepts) as peer:
        Queue(tmp_path, dimse(peer.port)).courier.deliver_one()
        capture, _ = peer.received()
    assert capture.file_meta.TransferSyntaxUID == JPEGLSLossless


def test_a_peer_that_takes_pictures_in_lossy_jpeg_alone_gets_none_and_a_person_is_told(
    tmp_path: Path,
) -> None:
    with pacs(transfer_syntaxes=(JPEGBaseline8Bit,)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
    assert received == []
    assert queue.row().state is State.DEAD
    assert "rejects the presentation context of SOP class" in str(queue.row().error)


def test_a_retry_after_half_of_the_single_frames_sends_the_rest_under_the_same_uids(
    tmp_path: Path,
) -> None:
    with pacs(sop_classes=(SR, SC_SINGLE), answers=(0x0000, 0xA700)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
        assert queue.row().state is State.QUEUED
        assert queue.try_again()
    assert received == [
        capture_uid(SINGLE, 1),
        capture_uid(SINGLE, 2),
        capture_uid(SINGLE, 2),
        report_uid(REPORT, SINGLE),
    ]
    assert (queue.row().state, queue.row().delivered) == (State.DONE, 3)


def test_what_a_version_before_left_behind_is_sent_as_it_is(tmp_path: Path) -> None:
    with storescp(tmp_path, accepts={SR: [IMPLICIT], SC_SINGLE: [IMPLICIT]}) as peer:
        queue = Queue(tmp_path, dimse(peer.port), before=True)
        queue.courier.deliver_one()
        assert [each.SOPInstanceUID for each in peer.received()] == [
            "2.25.211",
            "2.25.212",
            old_report_uid(REPORT, SINGLE),
        ]
    assert queue.row().state is State.DONE


@pytest.mark.parametrize("before", [True, False], ids=["by a version before", "by this one"])
def test_a_report_in_a_poorer_form_names_its_predecessor_in_that_form(
    tmp_path: Path, before: bool
) -> None:
    store, spool, intake = open_node(tmp_path / "node")
    queue_results(store, spool, intake, ["pacs"], before=before)
    follows = old_report_uid(REPORT_3D, MULTI) if before else report_uid(REPORT_3D, MULTI)
    queue_results(store, spool, intake, ["pacs"], revision=2, follows=follows)
    with storescp(tmp_path, accepts={SR: [EXPLICIT], SC_SINGLE: [EXPLICIT]}) as peer:
        Courier(QUICK, dimse(peer.port), store, spool, clock=Clock(), rng=Random(1)).deliver_one()
        *_, report = peer.received()
    (series,) = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    (named,) = series.ReferencedSOPSequence
    assert named.ReferencedSOPClassUID == SR
    assert named.ReferencedSOPInstanceUID == (
        old_report_uid(REPORT, SINGLE) if before else report_uid(REPORT, SINGLE)
    )


KEYS = companion(ArtifactKind.KEY_OBJECTS, "1.2.840.10008.5.1.4.1.1.88.59", 1)
STATE = companion(ArtifactKind.PRESENTATION_STATE, "1.2.840.10008.5.1.4.1.1.11.1", 2)


def test_companions_that_are_asked_for_go_out_between_captures_and_report(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        wish = dimse(peer.port, companions=["key_objects", "presentation_state"])
        Queue(tmp_path, wish, companions=[KEYS, STATE]).courier.deliver_one()
        assert [each.SOPInstanceUID for each in peer.received()] == [
            capture_uid(MULTI),
            "2.25.402",
            "2.25.401",
            report_uid(REPORT_3D, MULTI),
        ]


def test_companions_that_nobody_asked_for_stay(tmp_path: Path) -> None:
    with pacs() as (port, received):
        Queue(tmp_path, dimse(port), companions=[KEYS, STATE]).courier.deliver_one()
    assert received == [capture_uid(MULTI), report_uid(REPORT_3D, MULTI)]


@pytest.mark.parametrize("how", ["its class", "the object itself"])
def test_a_companion_that_is_not_taken_keeps_no_report_from_being_sent(
    tmp_path: Path, how: str
) -> None:
    classes: tuple[str, ...] = (SR_3D, SC_MULTI)
    answers: tuple[int, ...] = ()
    if how == "the object itself":
        classes, answers = (*classes, KEYS.dataset.SOPClassUID), (0x0000, 0xC000)
    with pacs(sop_classes=classes, answers=answers) as (port, received):
        queue = Queue(tmp_path, dimse(port, companions=["key_objects"]), companions=[KEYS])
        queue.courier.deliver_one()
    assert [uid for uid in received if uid != "2.25.401"] == [
        capture_uid(MULTI),
        report_uid(REPORT_3D, MULTI),
    ]
    assert queue.row().state is State.DONE
    told = [sentence(event) for event in queue.store.diary(StudyInstanceUID(STUDY_UID))]
    assert any("delivery 1 to pacs goes without key objects: " in line for line in told)


def test_a_companion_that_cannot_be_stored_just_now_keeps_no_report_from_being_sent(
    tmp_path: Path,
) -> None:
    classes = (SR_3D, SC_MULTI, KEYS.dataset.SOPClassUID)
    with pacs(sop_classes=classes, answers=(0x0000, 0xA700)) as (port, received):
        queue = Queue(tmp_path, dimse(port, companions=["key_objects"]), companions=[KEYS])
        queue.courier.deliver_one()
        assert received == [capture_uid(MULTI), "2.25.401", report_uid(REPORT_3D, MULTI)]
        assert queue.row().state is State.QUEUED
        assert queue.try_again()
    assert received[3:] == ["2.25.401"]
    assert queue.row().state is State.DONE


def test_a_report_that_goes_before_its_companion_falls_back_too(tmp_path: Path) -> None:
    classes = (SR_3D, SR, SC_MULTI, KEYS.dataset.SOPClassUID)
    with pacs(sop_classes=classes, answers=(0x0000, 0xA700, 0x0122)) as (port, received):
        queue = Queue(tmp_path, dimse(port, companions=["key_objects"]), companions=[KEYS])
        queue.courier.deliver_one()
        assert received[2:] == [report_uid(REPORT_3D, MULTI), report_uid(REPORT, MULTI)]
        assert "is out of resources" in str(queue.row().error)
        assert queue.try_again()
    assert received[4:] == ["2.25.401"]
    assert queue.row().state is State.DONE


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


SET = [capture_uid(MULTI), report_uid(REPORT_3D, MULTI)]
KOS = "1.2.840.10008.5.1.4.1.1.88.59"


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


def test_only_what_a_destination_has_confirmed_is_rejected_there(tmp_path: Path) -> None:
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


def test_a_form_that_the_configuration_fixes_has_no_fallback(tmp_path: Path) -> None:
    with storescp(tmp_path, accepts={SR: [EXPLICIT], SC_MULTI: [EXPLICIT]}) as peer:
        queue = Queue(tmp_path, dimse(peer.port, report=REPORT_3D))
        queue.courier.deliver_one()
        assert peer.files() == []
    assert queue.row().state is State.DEAD
    assert f"rejects the presentation context of SOP class {SR_3D}" in str(queue.row().error)


def test_a_class_refused_by_its_status_falls_back_and_sends_no_capture_twice(
    tmp_path: Path,
) -> None:
    with pacs(answers=(0x0000, 0x0122)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
    assert received == [
        capture_uid(MULTI),
        report_uid(REPORT_3D, MULTI),
        report_uid(REPORT, MULTI),
    ]
    assert queue.row().state is State.DONE


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


def test_a_refusal_is_for_a_person_and_keeps_a_comment_of_64_characters(tmp_path: Path) -> None:
    answer = Dataset()
    answer.Status = 0xC000
    answer.ErrorComment = "x" * 64
    with pacs(answers=(answer,)) as (port, received):
        queue = Queue(tmp_path, dimse(port))
        queue.courier.deliver_one()
        assert not queue.try_again()
    assert received == [capture_uid(MULTI)]
    assert queue.row().state is State.DEAD
    assert f"status C000 ({'x' * 64})" in str(queue.row().error)


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


def test_a_peer_that_rejects_the_association_for_good_is_for_a_person(tmp_path: Path) -> None:
    with storescp(tmp_path, options=("--refuse",)) as peer:
        queue = Queue(tmp_path, dimse(peer.port))
        queue.courier.deliver_one()
    assert queue.row().state is State.DEAD
    assert "rejected the association" in str(queue.row().error)


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
        assert without.row().state is State.DEAD
        assert "HTTP 401" in str(without.row().error)
        (tmp_path / "second").mkdir()
        with_it = Queue(
            tmp_path / "second",
            DicomwebDestination(name="web", url=peer.dicomweb_url, headers_file=headers),
        )
        with_it.courier.deliver_one()
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

    def send(self, objects: Sequence[OutgoingObject], on_stored: OnStored) -> None:
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
