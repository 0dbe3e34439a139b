"""No tick, no claim and no list reads a table from its beginning to its end.

Every statement that the store sends is caught on its way and explained by the database itself.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind
from node.core.fetching import Findings, Scope, Wanted
from node.core.keeping import Files
from node.core.standing import Standing
from node.core.states import State
from node.persistence.arrivals import PREPARED
from node.persistence.asked import (
    DeliveriesAsked,
    FetchesAsked,
    StudiesAsked,
    StudyOrder,
    WorkAsked,
    WorkOrder,
)
from node.persistence.prepared import Prepared
from node.persistence.process_identity import this_process
from node.persistence.requested_items import ItemAsked
from node.persistence.rows import Outbox
from node.persistence.store import Store, open_store
from node.persistence.work_items import WorkItemsAsked
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import (
    MODEL,
    NOON,
    SCANNER,
    arrive,
    artifact,
    at,
    claimed,
    ct_slice,
    finish,
    queued,
    sent,
)
from tests.node.persistence.history import fill
from tests.node.persistence.postgresql import emptied

OLD = StudyInstanceUID("1.2.3.4.7")

Action = Callable[[Store], object]


def opened(store: Store) -> int:
    return store.open_sender(SCANNER, owner=this_process(), now=NOON)


def arrival(store: Store) -> None:
    association = opened(store)
    arrive(store, ct_slice(0), sender_id=association)
    arrive(store, ct_slice(0, identity="corrected"), sender_id=association)
    store.close_sender(association, NOON)


def judgement(store: Store) -> None:
    arrive(store, ct_slice(0))
    assert store.studies_to_judge(NOON) == [STUDY]
    store.postpone_judgement(STUDY, reason="x", look_again_at=at(1), now=NOON)
    store.note_judgement(
        store.study_snapshot(STUDY),
        kind=Kind.STUDY_WAITS,
        reason="y",
        look_again_at=None,
        now=NOON,
    )


def dead_and_released(store: Store) -> None:
    opened(store)
    queued(store, 0)
    claimed(store)
    assert store.release_leases(now=at(999)) == 1
    assert store.close_senders_of_dead(at(999)) == 0
    claimed(store, owner="again:1:1", now=at(999))
    assert store.give_back_leases("again:1:1", now=at(999)) == 1


def analysis(store: Store) -> None:
    queued(store, 0)
    lease = claimed(store)
    store.extend(lease, 60, NOON)
    store.retry(lease, error="x", not_before=NOON, now=NOON)
    finish(store, claimed(store))
    assert store.claim_job(owner="host-a:1:1", lease_s=60, now=NOON) is None


def newer_inputs(store: Store) -> None:
    queued(store, 0)
    queued(store, 0, 1)
    queued(store, 0)


def failure(store: Store) -> None:
    job_id = queued(store, 0)
    store.bury(claimed(store), error="x", now=NOON)
    dead = store.unreported_failure(except_for=[9])
    assert dead is not None
    assert store.report_failure(
        dead,
        artifacts=[artifact("failure")],
        outbox=Outbox(destinations=("pacs",), max_attempts=3),
        now=NOON,
    )
    assert store.unreported_failure() is None
    store.requeue_job(job_id, analysis_id=MODEL, now=NOON)
    store.cancel_job(job_id, now=NOON)


def delivery(store: Store) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    for settled in (False, True):
        lease = store.claim_delivery(destination="pacs", owner="host-a:1:1", lease_s=60, now=NOON)
        assert lease is not None
        if settled:
            first, *_ = (sent(artifact) for artifact in lease.artifacts)
            store.mark_begun(lease, first, now=NOON)
            store.mark_refused(lease, first)
            store.mark_delivered(lease, first, status=0, now=NOON)
            store.superseded(lease, sent=[first.sop_instance_uid])
            store.mark_rejected(lease, first, [first], status=0, now=NOON)
            store.finish_delivery(lease, now=NOON)
        else:
            store.retry(lease, error="x", not_before=NOON, now=NOON)
    store.requeue_delivery(lease.number, now=NOON)


def requeueing(store: Store) -> None:
    store.requeue_job(7, analysis_id="a", now=NOON)
    store.requeue_job(6, analysis_id="b", now=NOON)


def freeing(store: Store) -> None:
    (old, *_) = store.freeable(Files.RECEIVED, before=HALF_AN_HOUR_AGO, most=5)
    store.freeable(Files.RESULTS, before=HALF_AN_HOUR_AGO, most=5, after=old)
    assert store.free(old.study_instance_uid, Files.RECEIVED, because="x", by="y", now=NOON)
    store.when_freed(old.study_instance_uid)
    assert store.is_removing()
    with store.removing(10):
        pass
    store.note_unknown(["aa/unknown.dcm"], now=NOON)


def fetching(store: Store) -> None:
    wanted = Wanted(scope=Scope.STUDY, content="c")
    store.ask_for_study(OLD, "pacs", wanted, max_attempts=3, now=NOON)
    for settled in (False, True):
        lease = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=NOON)
        assert lease is not None
        store.patient_of(OLD)
        store.instances_here(OLD)
        if settled:
            store.finish_fetch(lease, Findings(series=()), says="x", now=NOON)
        else:
            store.retry(lease, error="x", not_before=NOON, now=NOON)
    store.list_fetches(OLD)
    store.study_snapshot(OLD)


def requested(store: Store) -> None:
    known, unknown = SOPInstanceUID("1.2.901"), SOPInstanceUID("1.2.902")
    terms: dict[str, Any] = {"client": "192.0.2.7", "max_attempts": 3, "now": NOON}
    store.request_item(ItemAsked(uid=known, study_instance_uid=OLD, source="pacs"), **terms)
    new = ItemAsked(uid=unknown, study_instance_uid=STUDY, otherwise="pacs")
    store.request_item(new, **terms)
    store.cancel_item(unknown, client="192.0.2.7", now=NOON)
    lease = store.claim_fetch(source="pacs", owner="host-a:1:1", lease_s=60, now=NOON)
    assert lease is not None
    store.bury(lease, error="x", now=NOON)
    store.work_items(WorkItemsAsked(uids=(known, unknown), limit=20))
    judged = {"reason": "x", "look_again_at": None, "now": NOON}
    store.note_judgement(store.study_pulse(OLD), kind=Kind.STUDY_WAITS, **judged)
    store.request_item(ItemAsked(uid=None, study_instance_uid=STUDY, otherwise="pacs"), **terms)
    store.list_fetches(STUDY)


HALF_AN_HOUR_AGO = NOON - timedelta(minutes=30)

ACTIONS: dict[str, Action] = {
    action.__name__: action
    for action in (
        arrival,
        judgement,
        dead_and_released,
        analysis,
        newer_inputs,
        failure,
        delivery,
        requeueing,
        freeing,
        fetching,
        requested,
    )
}
LISTS: dict[str, Action] = {
    "studies": lambda store: store.list_studies(limit=20),
    "studies since": lambda store: store.list_studies(since=HALF_AN_HOUR_AGO, limit=20),
    "a study by its UID or accession number": lambda store: store.find_study("A7"),
    "a study by how its UID ends": lambda store: store.find_study("2.3.4.7"),
    **{
        f"studies that stand {' or '.join(each)}": lambda store, each=each: store.studies(
            StudiesAsked(standings=each, limit=20)
        )
        for each in (*((one,) for one in Standing), (Standing.WAITING, Standing.DEAD))
    },
    **{
        f"studies by {order}": lambda store, order=order: store.studies(
            StudiesAsked(order=order, limit=20, offset=40)
        )
        for order in StudyOrder
    },
    "studies of a search": lambda store: store.studies(
        StudiesAsked(search="A123", with_patients=True, limit=20)
    ),
    "studies of which a delivery is dead": lambda store: store.studies(
        StudiesAsked(delivery_states=[State.DEAD], limit=20)
    ),
    "jobs of a search": lambda store: store.jobs(WorkAsked(search="A123", limit=20)),
    "jobs by state": lambda store: store.jobs(WorkAsked(order=WorkOrder.STATE, limit=20)),
    "deliveries of a search": lambda store: store.deliveries(
        DeliveriesAsked(search="A123", destination="pacs", limit=20)
    ),
    "fetches of a source": lambda store: store.fetches(FetchesAsked(source="pacs", limit=20)),
    "fetches of a search": lambda store: store.fetches(FetchesAsked(search="A123", limit=20)),
    "destinations and sources": lambda store: (store.destinations(), store.sources()),
    "series": lambda store: store.list_series(OLD),
    "instances": lambda store: store.list_instances(OLD),
    "the diary": lambda store: store.diary(OLD),
    "jobs": lambda store: store.list_jobs(limit=20),
    "jobs of a study": lambda store: store.list_jobs(study=OLD, limit=20),
    "dead jobs": lambda store: store.list_jobs(states=[State.DEAD], limit=20),
    "dead or cancelled jobs": lambda store: store.list_jobs(
        states=[State.DEAD, State.CANCELLED], limit=20
    ),
    "jobs since": lambda store: store.list_jobs(since=HALF_AN_HOUR_AGO, limit=20),
    "one job": lambda store: store.job(7),
    "artifacts": lambda store: store.artifacts(7),
    "work items": lambda store: store.work_items(WorkItemsAsked(limit=20)),
    "work items of a study": lambda store: store.work_items(
        WorkItemsAsked(studies=(OLD,), limit=20)
    ),
    "work items in a state": lambda store: store.work_items(
        WorkItemsAsked(states=(State.DEAD,), limit=20)
    ),
    "work items of a patient": lambda store: store.work_items(
        WorkItemsAsked(patient_id="7", limit=20)
    ),
    "a work item": lambda store: store.work_items(WorkItemsAsked(uids=("1.2.3",), limit=1)),
    "what is handed out": lambda store: store.held(OLD),
    "deliveries": lambda store: store.list_deliveries(limit=20),
    "deliveries of a study": lambda store: store.list_deliveries(study=OLD, limit=20),
    "deliveries of a job": lambda store: store.list_deliveries(job_id=7, limit=20),
    "deliveries by number": lambda store: store.list_deliveries(ids=[7, 8]),
    "deliveries to one": lambda store: store.list_deliveries(destination="pacs", limit=20),
    "dead deliveries to one": lambda store: store.list_deliveries(
        destination="pacs", states=[State.DEAD]
    ),
    "what signs are read from": lambda store: store.watched(ct_expected_from=("CT1",), now=NOON),
    "what a clock that was set back delays": lambda store: store.forget_future(
        longest_pause=timedelta(hours=1), now=NOON
    ),
    "deliveries since": lambda store: store.list_deliveries(since=HALF_AN_HOUR_AGO, limit=20),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is copied for every test."""
    path = tmp_path_factory.mktemp("history") / "m3node.sqlite"
    store = open_store(f"sqlite:///{path}")
    fill(store._engine, 2_000)
    store.close()
    return path


@contextmanager
def explained(engine: Engine) -> Iterator[list[tuple[str, list[str]]]]:
    """Every statement that is sent meanwhile, with the database's plan for it."""
    found: list[tuple[str, list[str]]] = []

    def explain(
        connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        if re.match(r"(SELECT|UPDATE|DELETE)", statement):
            asked = cursor.connection.cursor()
            asked.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.append((statement, [row[3] for row in asked.fetchall()]))
            asked.close()

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def scans(statement: str, plan: list[str]) -> list[str]:
    """The steps that read a whole table or a whole index.

    A list without a filter walks along the order that it shows and stops at its limit; how many
    rows a table has is counted along its smallest index.
    """
    if re.fullmatch(r"SELECT count\(\*\) AS count_1\s+FROM \w+", statement.strip()):
        return []
    whole = [
        step
        for step in plan
        if re.match(r"SCAN (?!\(subquery|CONSTANT ROW)", step)
        # An index of nothing but what is asked for, or a table of one row for each process.
        and not re.search(r"ix_(study_(waiting|expired|ignored)|instance_unread)\b", step)
        and step != "SCAN process_pulse"
    ]
    walks = (
        "LIMIT" in statement
        and " WHERE " not in statement.replace("\n", " ").rpartition("FROM")[2]
        and not any("TEMP B-TREE FOR ORDER" in step for step in plan)
    )
    return [] if walks else whole


@pytest.mark.parametrize("name", [*ACTIONS, *LISTS])
def test_no_table_is_scanned(filled: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "m3node.sqlite"
    path.write_bytes(filled.read_bytes())
    store = open_store(f"sqlite:///{path}")
    with explained(store._engine) as found:
        {**ACTIONS, **LISTS}[name](store)
    store.close()
    assert found
    assert [(s, scans(s, plan), plan) for s, plan in found if scans(s, plan)] == []


@pytest.mark.parametrize("prepared", PREPARED)
def test_what_is_executed_for_every_object_scans_no_table(filled: Path, prepared: Prepared) -> None:
    store = open_store(f"sqlite:///{filled}")
    with store._engine.connect() as connection, closing(connection.connection.cursor()) as asked:
        statement = prepared.text(store._engine.dialect)
        nothing = [None] * statement.count("?")
        asked.execute(f"EXPLAIN QUERY PLAN {statement}", nothing)
        plan = [row[3] for row in asked.fetchall()]
    store.close()
    assert scans(statement, plan) == []


def test_postgresql_uses_the_indexes_of_claims_and_ticks_as_well(postgresql_server: str) -> None:
    store = open_store(emptied(postgresql_server))
    fill(store._engine, 10_000)
    with store._engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    found: list[tuple[str, str]] = []

    def explain(
        connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        if re.match(r"(SELECT|UPDATE)", statement) and "pg_" not in statement:
            asked = cursor.connection.cursor()
            asked.execute(f"EXPLAIN {statement}", parameters)
            found.extend(
                (statement, line)
                for (line,) in asked.fetchall()
                if re.search(r"Seq Scan on (study|instance|job|artifact|delivery)\b", line)
            )
            asked.close()

    event.listen(store._engine, "before_cursor_execute", explain)
    assert store.claim_job(owner="host-a:1:1", lease_s=60, now=NOON) is None
    owner = {"owner": "host-a:1:1", "lease_s": 60, "now": NOON}
    assert store.claim_delivery(destination="pacs", **owner) is None
    assert store.unreported_failure() is None
    assert store.release_leases(now=NOON) == 0
    assert store.studies_to_judge(NOON) == []
    store.list_studies(limit=20)
    store.list_jobs(states=[State.DEAD], limit=20)
    store.close()
    assert found == []
