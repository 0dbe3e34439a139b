"""Peers that do not take the richest form get a poorer one, and pixels encoded as they want."""

from pathlib import Path
from random import Random

import pytest
from pydicom.uid import JPEGBaseline8Bit, JPEGLSLossless

from node.core.states import State
from node.outbound.deliverer import Courier
from tests.integration.delivering import (
    EXPLICIT,
    IMPLICIT,
    MULTI,
    QUICK,
    REPORT,
    REPORT_3D,
    SINGLE,
    Clock,
    Queue,
    dimse,
    pacs,
)
from tests.integration.queueing import open_node, queue_results
from tests.peers import storescp
from tests.results import (
    SC_MULTI,
    SC_SINGLE,
    SR,
    SR_3D,
    capture_uid,
    old_report_uid,
    pixels,
    report_uid,
)


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
