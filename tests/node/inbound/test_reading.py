"""What stored objects say is read afterwards, once; nothing keeps a study waiting for ever."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.uid import Comprehensive3DSRStorage, CTImageStorage, SegmentationStorage
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from m3net.uids import StudyInstanceUID
from node.config import ReceiverConfig
from node.core.completeness import StudyRules, WaitForReading, WhenUnannotated, readiness
from node.core.errors import Refused
from node.core.inputs import Role
from node.core.results import ArtifactKind
from node.core.uids import result_series_uid
from node.dicom.searchable import ATTRIBUTES, Level
from node.inbound import reading as module
from node.inbound.intake import Intake
from node.inbound.reading import Reading
from node.persistence.rows import Arrival
from node.persistence.search import Search
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import STUDY
from tests.node.inbound.test_intake import NOW, encoded, send
from tests.node.objects import ct_image
from tests.sr_templates.encoded_text import element

RULES = StudyRules(quiet_period_s=0, max_wait_s=0, when_unannotated=WhenUnannotated.REPORT)


class Node:
    def __init__(self, folder: Path) -> None:
        self.store = open_store(f"sqlite:///{folder / 'm3node.sqlite'}")
        self.spool = Spool(folder / "spool")
        self.intake = Intake(
            spool=self.spool, store=self.store, min_free_bytes=0, clock=lambda: NOW
        )
        self.reading = Reading(self.store, self.spool, config=ReceiverConfig())

    def paths(self) -> list[Path]:
        return [self.spool.locate(row.path) for row in self.store.list_instances(STUDY)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.store.close()


def test_a_study_is_not_judged_before_what_came_has_been_read(node: Node) -> None:
    send(node.intake, ct_image(0))
    send(node.intake, ct_image(1))
    later = NOW + timedelta(seconds=9)
    verdict = readiness(node.store.study_snapshot(STUDY), now=later, rules=RULES)
    assert verdict == WaitForReading(
        reason="until 2 objects that came have been read", look_again_at=later
    )
    assert node.reading.read(within_s=60) == 2
    snapshot = node.store.study_snapshot(STUDY)
    assert (snapshot.unread, len(snapshot.instances)) == (0, 2)
    assert node.reading.read(within_s=60) == 0


def test_a_judgement_that_was_made_before_something_was_read_does_not_stand(node: Node) -> None:
    send(node.intake, ct_image(0))
    before = node.store.study_snapshot(STUDY).change
    node.reading.read(within_s=60)
    assert node.store.study_snapshot(STUDY).change == before + 1


def test_one_study_is_read_before_the_others(node: Node) -> None:
    for number in range(3):
        send(node.intake, ct_image(number, StudyInstanceUID="1.2.4"))
    send(node.intake, ct_image(5))
    assert node.reading.read(STUDY, within_s=60) == 1
    assert node.store.study_snapshot(STUDY).unread == 0


def test_time_ends_it_and_what_is_left_is_read_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for number in range(5):
        send(node.intake, ct_image(number))
    assert node.reading.read(within_s=1e-9) == 2
    assert node.reading.read(within_s=60) == 3


@pytest.mark.parametrize(
    ("sop_class", "role", "kind"),
    [
        (CTImageStorage, Role.OTHER, "CT Image with a damaged header"),
        (
            SegmentationStorage,
            Role.UNSUPPORTED_ANNOTATION,
            "Segmentation with a damaged header",
        ),
    ],
)
def test_an_object_that_names_two_studies_is_kept_under_the_first_and_known_as_unreadable(
    node: Node, sop_class: str, role: Role, kind: str
) -> None:
    image = ct_image(0, SOPClassUID=sop_class)
    data = encoded(image)
    at = data.index(b"\x28\0\2\0")  # behind the identifiers
    data = data[:at] + element(0x0020000D, b"1.2.99") + data[at:]
    send(node.intake, image, data=data, sop_class_uid=sop_class)
    node.reading.read(within_s=60)
    (facts,) = node.store.study_snapshot(STUDY).instances
    assert (facts.role, facts.kind) == (role, kind)


def test_an_object_that_kills_whoever_reads_it_is_given_up_and_takes_no_other_with_it(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        send(node.intake, ct_image(number))
    killer = node.paths()[2]
    sound = module._mapped

    def deadly(path: Path) -> memoryview:
        if path == killer:
            raise Killed
        return sound(path)

    monkeypatch.setattr(module, "_mapped", deadly)
    monkeypatch.setattr(Store, "note_facts", _unless_killed(Store.note_facts))
    deaths = 0
    while node.store.study_snapshot(STUDY).unread:
        try:
            node.reading.read(within_s=60)
        except Killed:
            deaths += 1
        assert deaths < 9
    assert deaths == 3
    roles = [facts.role for facts in node.store.study_snapshot(STUDY).instances]
    assert roles == [Role.CT, Role.CT, Role.OTHER, Role.CT]


class Killed(BaseException):
    """Stands for the end of the process: nothing that follows it is done."""


def _unless_killed(note):
    def noted(self, read, *, out_of_reach):
        if not isinstance(sys.exc_info()[1], Killed):
            note(self, read, out_of_reach=out_of_reach)

    return noted


def test_a_file_that_does_not_answer_counts_as_no_try(node: Node) -> None:
    send(node.intake, ct_image(0))
    (path,) = node.paths()
    away = path.rename(path.with_suffix(".away"))
    for _ in range(5):
        with pytest.raises(OSError, match="No such file"):
            node.reading.read(within_s=60)
    away.rename(path)
    node.reading.read(within_s=60)
    (facts,) = node.store.study_snapshot(STUDY).instances
    assert facts.role is Role.CT


def test_an_object_that_nobody_expected_holds_up_nobody(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RecursionError

    send(node.intake, ct_image(0))
    monkeypatch.setattr(module, "received_file", fails)
    assert node.reading.read(within_s=60) == 1
    (facts,) = node.store.study_snapshot(STUDY).instances
    assert facts.kind == "CT Image with content that cannot be read"


def test_a_damaged_result_of_ours_that_comes_back_marks_nothing(node: Node) -> None:
    series = result_series_uid(STUDY, ArtifactKind.REPORT, outcome=Outcome.ANALYSED)
    image = ct_image(0, SOPClassUID=Comprehensive3DSRStorage, SeriesInstanceUID=series)
    data = encoded(image)
    at = data.index(b"\x28\0\2\0")  # behind the identifiers
    data = data[:at] + element(0x0020000D, b"1.2.99") + data[at:]
    send(node.intake, image, data=data, sop_class_uid=Comprehensive3DSRStorage)
    node.reading.read(within_s=60)
    (facts,) = node.store.study_snapshot(STUDY).instances
    assert facts.role is Role.OWN_RESULT


def test_a_header_that_is_damaged_behind_the_identifiers_is_kept_and_known_for_it(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object, **__: object) -> None:
        raise Refused(0xC000, "the data set cannot be read (ValueError)")

    send(node.intake, ct_image(0))
    monkeypatch.setattr(module, "received_file", damaged)
    node.reading.read(within_s=60)
    (facts,) = node.store.study_snapshot(STUDY).instances
    assert facts.kind == "CT Image with a damaged header"


def test_an_object_that_names_two_patients_is_no_input(node: Node) -> None:
    image = ct_image(0)
    data = encoded(image)
    at = data.index(b"\x28\0\2\0")  # behind all that is looked at while it comes
    data = data[:at] + element(0x00080050, b"A-2 ") + data[at:]
    send(node.intake, image, data=data)
    node.reading.read(within_s=60)
    (facts,) = node.store.study_snapshot(STUDY).instances
    assert (facts.role, facts.kind) == (Role.OTHER, "CT Image with a damaged header")


def test_objects_that_were_read_are_not_given_up_while_the_database_takes_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        send(node.intake, ct_image(number))

    def full(*_: object, **__: object) -> None:
        raise OperationalError("update", {}, Exception("database or disk is full"))

    with monkeypatch.context() as disk:
        disk.setattr(node.store, "note_facts", full)
        for _ in range(2 * module.MOST_TRIES * 3):
            with pytest.raises(OperationalError):
                node.reading.read(within_s=60)
    assert node.reading.read(within_s=60) == 3
    assert {facts.role for facts in node.store.study_snapshot(STUDY).instances} == {Role.CT}


def test_a_file_that_is_empty_now_is_out_of_reach_and_says_so(node: Node) -> None:
    send(node.intake, ct_image(0))
    (path,) = node.paths()
    whole = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(OSError, match="the stored file is empty"):
        node.reading.read(within_s=60)
    path.write_bytes(whole)
    assert node.reading.read(within_s=60) == 1


@pytest.mark.parametrize("gone", [1, 2 * module.AT_ONCE + 1])
def test_files_that_are_gone_hold_up_their_own_study_alone(node: Node, gone: int) -> None:
    for number in range(gone):
        send(node.intake, ct_image(100 + number))
    for path in node.paths():
        path.unlink()
    for number in range(1, 40):
        send(node.intake, ct_image(number, StudyInstanceUID="1.2.4"))
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            node.reading.read(within_s=60)
    assert node.store.study_snapshot(StudyInstanceUID("1.2.4")).unread == 0
    assert node.store.study_snapshot(STUDY).unread == gone


@pytest.mark.parametrize("lost", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_what_was_lost_is_read_once_it_is_sent_again_and_that_is_said(
    node: Node, lost: Callable[[Path], object]
) -> None:
    send(node.intake, ct_image(0))
    lost(node.paths()[0])
    with pytest.raises(OSError, match="; send the study again"):
        node.reading.read(STUDY, within_s=60)
    assert send(node.intake, ct_image(0)) is Arrival.SAME
    assert node.reading.read(STUDY, within_s=60) == 1
    (facts,) = node.store.study_snapshot(STUDY).instances
    assert facts.role is Role.CT


def test_what_a_version_before_stored_is_described_when_nothing_else_is_left_to_read(
    node: Node,
) -> None:
    for number in range(20):
        send(node.intake, ct_image(number, StudyDescription="CT Thorax", InstanceNumber=number))
    node.reading.read(within_s=60)
    now = _found(node)
    assert len(now) == 20
    with node.store._write() as connection:
        connection.execute(text("UPDATE instance SET findable = NULL, read_tries = 0"))
        connection.execute(text("UPDATE study SET study_description = '', number_of_instances = 0"))
        connection.execute(text("DELETE FROM series"))
    again = Reading(node.store, node.spool, config=ReceiverConfig())
    node.paths()[7].unlink()
    again.read(within_s=60)
    assert _found(node) == [row for row in now if row[0] != 7]
    assert _studies(node) == [("CT Thorax", 19)]
    send(node.intake, ct_image(7, InstanceNumber=7, StudyDescription="CT Thorax"))
    again.read(within_s=60)
    assert _studies(node) == [("CT Thorax", 20)], "it was sent again"


def _found(node: Node) -> list[tuple[object, ...]]:
    return _rows(node, Level.INSTANCE, "InstanceNumber", "SOPInstanceUID", "Rows")


def _studies(node: Node) -> list[tuple[object, ...]]:
    return _rows(node, Level.STUDY, "StudyDescription", "NumberOfStudyRelatedInstances")


def _rows(node: Node, level: Level, *keywords: str) -> list[tuple[object, ...]]:
    known = {each.keyword: each for each in ATTRIBUTES[level]}
    answered = tuple(known[keyword] for keyword in keywords)
    rows = node.store.search(Search(level=level, answered=answered, limit=100)).rows
    return sorted(tuple(row) for row in rows)
