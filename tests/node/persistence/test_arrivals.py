"""What arrives is kept, once, and the newest version is current."""

import os
import subprocess
import sys

from node.core.diary import Kind, sentence
from node.core.inputs import Role, StudyIdentity
from node.core.sender import Sender, SenderKind
from node.persistence.process_identity import this_process
from node.persistence.rows import Arrival
from node.persistence.store import Store
from tests.node.core.facts_of import STUDY, ct_slice, facts
from tests.node.persistence.filling import IDENTITY, NOON, SCANNER, arrive, at

SLICE = ct_slice(0)
RENAMED = ct_slice(0, identity="corrected")


def opened(store: Store, *, owner: str = "host-a:1:1") -> int:
    return store.open_sender(SCANNER, owner=owner, now=NOON)


def test_the_same_bytes_again_change_nothing(store: Store) -> None:
    assert arrive(store, SLICE) is Arrival.NEW
    assert arrive(store, SLICE, now=at(5)) is Arrival.SAME
    assert [row.version for row in store.list_instances(STUDY)] == [1]


def test_other_bytes_under_the_same_uid_are_a_newer_version_and_both_are_kept(
    store: Store,
) -> None:
    arrive(store, SLICE)
    assert arrive(store, RENAMED, now=at(5)) is Arrival.NEWER_VERSION
    assert [(row.version, row.current) for row in store.list_instances(STUDY)] == [
        (1, False),
        (2, True),
    ]
    assert store.study_snapshot(STUDY).instances == (RENAMED,)


def test_the_diary_says_that_a_newer_version_is_current(store: Store) -> None:
    arrive(store, SLICE)
    arrive(store, RENAMED)
    assert [sentence(event) for event in store.diary(STUDY)] == [
        "instance 1.2.3.10.0 came again with other content: version 2 is current, "
        "the earlier ones are kept"
    ]


def test_an_older_version_that_comes_again_is_current_again(store: Store) -> None:
    arrive(store, SLICE)
    arrive(store, RENAMED, now=at(5))
    assert arrive(store, SLICE, now=at(9)) is Arrival.NEWER_VERSION
    assert [(row.version, row.current) for row in store.list_instances(STUDY)] == [
        (2, False),
        (3, True),
    ]
    assert store.study_snapshot(STUDY).instances == (SLICE,)


def test_every_arrival_puts_off_the_quiet_time_and_asks_for_judgement(store: Store) -> None:
    arrive(store, SLICE)
    first = store.study_snapshot(STUDY)
    store.note_judgement(first, kind=Kind.STUDY_WAITS, reason="x", look_again_at=None, now=NOON)
    assert store.studies_to_judge(at(9)) == []
    arrive(store, SLICE, now=at(9))
    assert store.studies_to_judge(at(9)) == [STUDY]
    assert store.study_snapshot(STUDY).last_arrival_at == at(9)


def test_an_open_association_counts_for_the_studies_that_it_delivered_to(store: Store) -> None:
    association = opened(store)
    arrive(store, SLICE, sender_id=association)
    arrive(store, SLICE)
    assert store.study_snapshot(STUDY).open_senders == 1
    store.close_sender(association, at(3))
    assert store.study_snapshot(STUDY).open_senders == 0


def test_an_association_is_told_in_two_lines(store: Store) -> None:
    association = opened(store)
    arrive(store, SLICE, sender_id=association)
    arrive(store, SLICE, sender_id=association)
    arrive(store, RENAMED, sender_id=association)
    store.close_sender(association, at(3))
    store.close_sender(association, at(4))
    assert [sentence(event) for event in store.diary(STUDY)] == [
        "SCANNER at 127.0.0.1 began to send to M3NODE",
        "SCANNER has ended: 1 new, 1 known, 1 newer versions of known instances",
    ]


def test_closing_an_association_has_its_studies_judged(store: Store) -> None:
    association = opened(store)
    arrive(store, SLICE, sender_id=association)
    snapshot = store.study_snapshot(STUDY)
    store.note_judgement(
        snapshot, kind=Kind.STUDY_WAITS, reason="open", look_again_at=None, now=NOON
    )
    store.close_sender(association, at(3))
    assert store.studies_to_judge(at(3)) == [STUDY]


def test_associations_of_a_dead_receiver_are_closed_and_those_of_the_living_are_not(
    store: Store,
) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = this_process().replace(f":{os.getpid()}:", f":{child.pid}:")
    dead, alive = opened(store, owner=owner), opened(store, owner=this_process())
    elsewhere = opened(store, owner="another-host:1:1")
    child.communicate()
    for association in (dead, alive, elsewhere):
        arrive(store, SLICE, sender_id=association)
    assert store.close_senders_of_dead(at(1)) == 1
    assert store.study_snapshot(STUDY).open_senders == 2
    assert "was cut off (its process here died)" in sentence(store.diary(STUDY)[-1])


def test_a_node_that_starts_closes_what_a_replaced_container_left_open(store: Store) -> None:
    alive = opened(store, owner=this_process())
    replaced = opened(store, owner="b5c1e0a7d2f4:9:1234")
    for association in (alive, replaced):
        arrive(store, SLICE, sender_id=association)
    own_disk = store._engine.dialect.name == "sqlite"
    assert store.close_senders_of_dead(at(1), starting=True) == (1 if own_disk else 0)
    assert store.study_snapshot(STUDY).open_senders == (1 if own_disk else 2)


def test_the_scanner_names_the_study_and_a_stray_annotation_does_not(store: Store) -> None:
    arrive(store, SLICE)
    stray = facts(uid="1.2.3.50.1", role=Role.ANNOTATION, patient="somebody else")
    somebody = StudyIdentity(
        patient_id="1", patient_name="Else^Body", accession_number="", study_date=""
    )
    arrive(store, stray, identity=somebody)
    assert store.find_study("A17").identity == IDENTITY
    corrected = StudyIdentity(
        patient_id="4711", patient_name="Doe^Joan", accession_number="A17", study_date="20260301"
    )
    arrive(store, RENAMED, identity=corrected)
    assert store.find_study(STUDY).identity == corrected


def test_patient_data_stands_in_the_study_table_alone(store: Store) -> None:
    association = opened(store)
    arrive(store, SLICE, sender_id=association)
    arrive(store, RENAMED, sender_id=association)
    store.close_sender(association, at(3))
    shown = repr((store.diary(STUDY), store.list_instances(STUDY), store.list_studies()))
    assert "Doe" not in shown
    assert "4711" not in shown


def test_a_judgement_of_a_study_that_has_changed_meanwhile_does_not_stand(store: Store) -> None:
    arrive(store, SLICE)
    snapshot = store.study_snapshot(STUDY)
    arrive(store, ct_slice(1), now=at(1))
    assert not store.note_judgement(
        snapshot, kind=Kind.STUDY_IGNORED, reason="x", look_again_at=None, now=at(2)
    )
    assert store.studies_to_judge(at(2)) == [STUDY]


def test_waiting_is_told_once_for_each_reason(store: Store) -> None:
    arrive(store, SLICE)
    for second in range(3):
        store.note_judgement(
            store.study_snapshot(STUDY),
            kind=Kind.STUDY_WAITS,
            reason="for an annotation",
            look_again_at=None,
            now=at(second),
        )
    assert [sentence(event) for event in store.diary(STUDY)] == ["waiting: for an annotation"]
    assert store.find_study(STUDY).waiting_for == "for an annotation"


def test_a_sender_of_a_host_that_died_for_good_is_closed_when_it_has_been_silent(
    store: Store,
) -> None:
    """Several hosts on one database; nobody here can ask the other host's process."""
    elsewhere = opened(store, owner="another-host:1:1")
    arrive(store, SLICE, sender_id=elsewhere)
    store.keep_senders("another-host:1:1", at(60))
    assert store.close_senders_of_dead(at(179)) == 0
    assert store.study_snapshot(STUDY).open_senders == 1
    assert store.close_senders_of_dead(at(181)) == 1
    assert store.study_snapshot(STUDY).open_senders == 0
    assert store.studies_to_judge(at(181)) == [STUDY]
    assert "was cut off (its process here died)" in sentence(store.diary(STUDY)[-1])


def test_a_process_of_this_host_is_asked_and_may_be_silent(store: Store) -> None:
    mine = opened(store, owner=this_process())
    arrive(store, SLICE, sender_id=mine)
    assert store.close_senders_of_dead(at(9999)) == 0
    assert store.study_snapshot(STUDY).open_senders == 1


def test_files_that_are_taken_in_are_told_as_files(store: Store) -> None:
    sender = Sender(kind=SenderKind.FILE, name="m3node ingest")
    number = store.open_sender(sender, owner=this_process(), now=NOON)
    arrive(store, SLICE, sender_id=number)
    store.close_sender(number, at(3))
    assert [sentence(event) for event in store.diary(STUDY)] == [
        "m3node ingest began to take in files",
        "m3node ingest has ended: 1 new, 0 known, 0 newer versions of known instances",
    ]


def test_what_a_web_client_brings_is_told_with_its_address(store: Store) -> None:
    sender = Sender(kind=SenderKind.DICOMWEB, name="STOW-RS", peer="10.1.2.3")
    number = store.open_sender(sender, owner=this_process(), now=NOON)
    arrive(store, SLICE, sender_id=number)
    store.close_sender(number, at(3))
    assert [sentence(event) for event in store.diary(STUDY)] == [
        "10.1.2.3 began to send over STOW-RS",
        "10.1.2.3 has ended: 1 new, 0 known, 0 newer versions of known instances",
    ]
