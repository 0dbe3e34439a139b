"""A database of the version before, with a study's whole life in it, is read by this one."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alembic import command, op
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text

from node.core.diary import sentence
from node.core.digest import NO_PATIENT
from node.core.errors import ConfigError, DatabaseBehind, NotAllowed
from node.core.inputs import Role
from node.dicom.searchable import ATTRIBUTES, Described, Level
from node.persistence import database
from node.persistence.matching import OneOf
from node.persistence.search import Search
from node.persistence.store import Store, open_store
from node.persistence.upgrading import MIGRATIONS, Change
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import NOON, SCANNER

BEFORE = "0001"
KNOWN = {each.keyword: each for level in Level for each in ATTRIBUTES[level]}
STUDIES = Search(
    level=Level.STUDY,
    answered=tuple(
        KNOWN[keyword]
        for keyword in (
            "PatientName",
            "StudyDescription",
            "ModalitiesInStudy",
            "NumberOfStudyRelatedInstances",
        )
    ),
    limit=10,
)
FACTS = {
    "study_instance_uid": STUDY,
    "series_instance_uid": "1.2.3.10",
    "sop_instance_uid": "1.2.3.10.0",
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
    "transfer_syntax_uid": "1.2.840.10008.1.2.1",
    "role": "ct",
    "kind": "CT",
    "patient_key": "k",
    "identity_digest": "i",
    "content_digest": "c",
    "series_number": 3,
    "slice_thickness_mm": 2.5,
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "study": [
        {
            "study_instance_uid": STUDY,
            "patient_id": "4711",
            "patient_name": "Doe^Jane",
            "accession_number": "A17",
            "study_date": "20260301",
            "first_arrival_at": NOON,
            "last_arrival_at": NOON,
            "change": 3,
        }
    ],
    "association": [
        {
            "id": 1,
            "calling_ae": "CT1",
            "called_ae": "M3NODE",
            "peer": "10.0.0.1",
            "owner": "another-host:1:1",
            "opened_at": NOON,
        },
        {
            "id": 2,
            "calling_ae": "INGEST",
            "called_ae": "M3NODE",
            "peer": "this machine",
            "owner": "another-host:2:2",
            "opened_at": NOON,
            "closed_at": NOON,
        },
    ],
    "contribution": [
        {"association_id": 1, "study_instance_uid": STUDY, "new": 1, "same": 0, "newer": 0},
        {"association_id": 2, "study_instance_uid": STUDY, "new": 0, "same": 1, "newer": 0},
    ],
    "instance": [
        {
            "id": 1,
            "study_instance_uid": STUDY,
            "sop_instance_uid": "1.2.3.10.0",
            "version": 1,
            "current": True,
            "content_digest": "c",
            "sha256": "s",
            "path": "aa/s.dcm",
            "size": 10,
            "facts": json.dumps(FACTS),
            "received_at": NOON,
        }
    ],
    "job": [],
    "artifact": [],
    "delivery": [],
    "event": [
        {
            "at": NOON,
            "study_instance_uid": STUDY,
            "kind": "association.opened",
            "details": json.dumps({"calling_ae": "CT1", "called_ae": "M3NODE", "peer": "10.0.0.1"}),
        },
        {
            "at": NOON,
            "study_instance_uid": STUDY,
            "kind": "job.claimed",
            "job_id": 2,
            "details": json.dumps({"owner": "host:1:1", "tries": 1, "max_attempts": 3}),
        },
        {
            "at": NOON,
            "study_instance_uid": STUDY,
            "kind": "job.cancelled",
            "job_id": 2,
            "details": "{}",
        },
    ],
}
WORK = {
    "attempt": 1,
    "tries": 1,
    "max_attempts": 3,
    "not_before": NOON,
    "created_at": NOON,
}
INPUTS = {
    "intent": "report_not_annotated",
    "series": None,
    "ct": [1],
    "annotations": [],
    "elsewhere": [],
    "missing": [],
    "reason": None,
    "unread": [],
    "remarks": [],
}

pytestmark = pytest.mark.usefixtures("migrates")


def job(number: int, state: str, **more: Any) -> dict[str, Any]:
    return {
        **WORK,
        "id": number,
        "study_instance_uid": STUDY,
        "input_digest": f"d{number}",
        "analysis_id": "model-1",
        "revision": number,
        "inputs": json.dumps(INPUTS),
        "summary": "{}",
        "state": state,
        "settled_at": None if state == "queued" else NOON,
        "outcome": "not_annotated" if state == "done" else None,
        **more,
    }


def delivery(number: int, of_job: int, state: str, outcome: str) -> dict[str, Any]:
    return {
        **WORK,
        "id": number,
        "job_id": of_job,
        "destination": "pacs",
        "outcome": outcome,
        "round": 1,
        "state": state,
        "settled_at": None if state == "queued" else NOON,
    }


def artifact(number: int, of_job: int, outcome: str) -> dict[str, Any]:
    return {
        "id": number,
        "job_id": of_job,
        "outcome": outcome,
        "kind": "report",
        "report_variant": "comprehensive_3d",
        "capture_variant": "multi_frame",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34",
        "sop_instance_uid": f"2.25.{number}",
        "series_instance_uid": "2.25.1",
        "path": f"aa/{number}.dcm",
        "sha256": "s",
        "size": 10,
    }


ROWS["job"] = [job(1, "done"), job(2, "done"), job(3, "dead"), job(4, "queued")]
ROWS["artifact"] = [
    artifact(1, 1, "not_annotated"),
    artifact(2, 2, "not_annotated"),
    artifact(3, 2, "technical_failure"),
]
ROWS["delivery"] = [
    delivery(1, 1, "queued", "not_annotated"),
    delivery(2, 2, "dead", "technical_failure"),
    delivery(3, 2, "queued", "not_annotated"),
]
ROWS["delivered"] = [{"delivery_id": 3, "artifact_id": 2, "status": 0xB000, "at": NOON}]


@pytest.fixture
def before(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database as the version before left it."""
    with monkeypatch.context() as patched:
        patched.setattr(database, "migrate", _migrate_to_before)
        engine = database.open_engine(url)
    with engine.begin() as connection:
        for table, rows in ROWS.items():
            for row in rows:
                _insert(connection, table, row)
    engine.dispose()
    return url


def _migrate_to_before(engine: Engine, _change: Change) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)


def _insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({values})'), row)


@pytest.fixture
def store(before: str) -> Iterator[Store]:
    opened = open_store(before)
    yield opened
    opened.close()


def test_every_instance_keeps_its_facts(store: Store) -> None:
    (row,) = store.list_instances(STUDY)
    assert (row.series_instance_uid, row.kind, row.path) == ("1.2.3.10", "CT", "aa/s.dcm")
    (facts,) = store.study_snapshot(STUDY).instances
    assert facts.role is Role.CT
    assert (facts.content_digest, facts.series_number, facts.slice_thickness_mm) == ("c", 3, 2.5)


def test_associations_are_senders_and_ingested_files_are_files(store: Store, before: str) -> None:
    engine = create_engine(before)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id, kind, name, called, peer, closed_at IS NULL FROM sender ORDER BY id")
        ).all()
        kept = connection.execute(text("SELECT sender_id, new FROM contribution")).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [
        (1, "dimse", "CT1", "M3NODE", "10.0.0.1", True),
        (2, "file", "m3node ingest", None, None, False),
    ]
    assert sorted(tuple(row) for row in kept) == [(1, 1), (2, 0)]
    assert store.find_study("A17").open_senders == 1
    assert store.open_sender(SCANNER, owner="host:1:1", now=NOON) == 3


def test_the_diary_is_read_as_before(store: Store) -> None:
    assert [sentence(event) for event in store.diary(STUDY)][:3] == [
        "CT1 at 10.0.0.1 began to send to M3NODE",
        "job 2 taken by host:1:1, try 1 of 3",
        "job 2 cancelled by an operator",
    ]


def test_what_would_have_been_sent_after_a_newer_report_is_withdrawn(store: Store) -> None:
    states = {row.delivery_id: row.state.value for row in store.list_deliveries()}
    assert states == {1: "cancelled", 2: "cancelled", 3: "queued"}
    assert [sentence(event) for event in store.diary(STUDY)][3:] == [
        "delivery 1 to pacs withdrawn: outdated: a later revision of the study has been reported",
        "delivery 2 to pacs withdrawn: the job has a result now",
    ]
    with pytest.raises(NotAllowed, match="job 2 of the same study has been reported since"):
        store.requeue_delivery(1, now=NOON)


def test_the_queue_goes_on(store: Store) -> None:
    sent = store.claim_delivery(destination="pacs", owner="host:1:1", lease_s=60, now=NOON)
    assert sent is not None
    assert (sent.number, sent.study_instance_uid) == (3, STUDY)
    assert sent.already_delivered == {"2.25.2"}
    lease = store.claim_job(owner="host:1:1", lease_s=60, now=NOON)
    assert lease is not None
    assert (lease.number, [facts.kind for facts in lease.inputs.ct]) == (4, ["CT"])
    assert lease.numbered_above == 0, "its results go on in the series that they have"
    failure = store.unreported_failure()
    assert failure is not None, "job 3 has died, and nothing later is reported"
    assert failure.number == 3


def test_a_migration_that_is_broken_off_changes_nothing_and_is_done_again(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_space(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(op, "create_index", out_of_space)
        for _ in range(2):
            with pytest.raises(OSError, match="no space left"):
                open_store(before)
    engine = create_engine(before)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [
            (BEFORE,)
        ]
        assert connection.execute(text("SELECT count(*) FROM association")).scalar_one() == 2
        assert json.loads(connection.execute(text("SELECT facts FROM instance")).scalar_one()) == (
            FACTS
        )
    engine.dispose()
    for _ in range(2):
        store = open_store(before)
        assert [row.delivery_id for row in store.list_deliveries()] == [3, 2, 1]
        store.close()


def test_a_migration_that_is_killed_changes_nothing_and_is_done_again(before: str) -> None:
    child = os.fork()
    if child == 0:
        op.create_index = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        try:
            open_store(before)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    for change in (Change.NONE, Change.MAKE):
        with pytest.raises(DatabaseBehind, match=r"at schema 0001.*start `m3node serve` anew"):
            open_store(before, change=change)
    store = open_store(before)
    assert [row.delivery_id for row in store.list_deliveries()] == [3, 2, 1]
    store.close()


def test_an_older_program_says_what_to_do_with_a_newer_database(before: str) -> None:
    open_store(before).close()
    engine = create_engine(before)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigError, match=r"schema 9999.*install the newer program again, or rest"):
        open_store(before)


def test_what_was_running_is_released_and_what_is_outdated_of_it_withdrawn(before: str) -> None:
    held = {"owner": "another-host:1:1", "lease_until": NOON, "settled_at": None}
    engine = create_engine(before)
    with engine.begin() as connection:
        _insert(connection, "job", {**job(5, "running"), **held})
        _insert(
            connection,
            "delivery",
            {**delivery(4, 1, "running", "not_annotated"), **held, "round": 2},
        )
    engine.dispose()
    store = open_store(before)
    assert store.release_leases(now=NOON + timedelta(days=1)) == 2
    assert store.job(5).state.value == "queued"
    states = {row.delivery_id: row.state.value for row in store.list_deliveries()}
    assert states == {1: "cancelled", 2: "cancelled", 3: "queued", 4: "cancelled"}
    store.close()


def test_who_named_no_patient_names_none(before: str) -> None:
    nobody = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # of "[]"
    engine = create_engine(before)
    with engine.begin() as connection:
        facts = json.dumps(FACTS | {"patient_key": nobody})
        connection.execute(text("UPDATE instance SET facts = :facts"), {"facts": facts})
    engine.dispose()
    store = open_store(before)
    (found,) = store.study_snapshot(STUDY).instances
    assert found.patient_key == NO_PATIENT
    store.close()


def test_foreign_keys_hold_after_the_tables_were_changed(store: Store, before: str) -> None:
    engine = create_engine(before)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    engine.dispose()
    with store._read() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_what_was_stored_before_is_found_once_it_has_been_read_again(store: Store) -> None:
    slices, *results = store.not_described(most=16), store.not_described(most=16)
    assert [(each.number, each.path, each.tries) for each in slices] == [(1, "aa/s.dcm", 0)]
    assert [(each.number, each.tries) for each in results[0]] == [(1, 1)], "it may kill its reader"
    assert store.search(STUDIES).rows == []
    assert [each.received for each in store.held(STUDY)] == [True], "but it is handed out"
    says = Described(
        study={"study_description": "CT Thorax", "referring_physician_name": "House^G"},
        series={"modality": "CT", "series_number": 3},
        instance={"instance_number": 1, "rows": 512},
    )
    store.note_described({slices[0]: (says, "1.2.840.10008.1.2.1")}, out_of_reach=[])
    assert store.search(STUDIES).rows == [("Doe^Jane", "CT Thorax", "\\CT\\", 1)]
    made = store.not_described(most=16)
    assert [(each.number, each.made) for each in made] == [(3, True), (2, True), (1, True)]
    report = Described(study={}, series={"modality": "SR"}, instance={"instance_number": 1})
    store.note_described(dict.fromkeys(made, (report, "1.2.840.10008.1.2.1")), out_of_reach=[])
    assert store.not_described(most=16) == []
    assert [each.path for each in store.held(STUDY) if not each.received] == ["aa/2.dcm"]
    assert store.search(STUDIES).rows == [("Doe^Jane", "CT Thorax", "\\CT\\SR\\", 2)]
    by_name = OneOf(attribute=KNOWN["PatientName"], values=("DOE*",))
    assert len(store.search(replace(STUDIES, conditions=(by_name,))).rows) == 1


def test_what_does_not_answer_when_it_is_read_again_counts_as_no_try(store: Store) -> None:
    for _ in range(5):
        (lost,) = store.not_described(most=16)
        assert lost.tries == 0
        store.note_described({}, out_of_reach=[lost])
    assert [each.made for each in store.not_described(most=1, apart_from=[lost])] == [True]
