"""What is sent beside captures and report never keeps them from being sent."""

from pathlib import Path

import pytest

from m3net.uids import StudyInstanceUID
from node.core.diary import sentence
from node.core.results import ArtifactKind
from node.core.states import State
from tests.integration.delivering import MULTI, REPORT, REPORT_3D, Queue, dimse, pacs
from tests.peers import storescp
from tests.results import SC_MULTI, SR, SR_3D, STUDY_UID, capture_uid, companion, report_uid

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
