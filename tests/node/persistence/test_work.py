"""One machine for every kind of leased work: nobody else writes a state, and a third kind is cheap.

A storage commitment stands for that third kind.  All that it costs is in this file: its table, and
the transaction that claims it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select
from sqlalchemy.orm import Mapped

import node
from node.core.diary import sentence
from node.core.errors import LeaseLost, NotAllowed
from node.core.states import State, Step
from node.persistence import work
from node.persistence.leases import abandoned
from node.persistence.rows import Lease, Outbox
from node.persistence.schema import Base, LeasedWork
from node.persistence.store import Store
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import MODEL, NOON, arrive, artifact, at, claimed, ct_slice
from tests.node.persistence.filling import finish as finish_job
from tests.node.persistence.filling import queued as queued_job

THE_MACHINE = Path("persistence/work.py")
ROOMS_WITHOUT_TABLES = ("cli", "listed", "web")
"""They show rows to people and programs, in which a state has its name."""
SOURCES = Path(node.__file__).parent
WRITES = {"insert", "update", "values", "on_conflict_do_update", "dict"}


class StorageCommitment(LeasedWork):
    """A PACS is asked whether it keeps what it was sent."""

    __tablename__ = "storage_commitment"
    queued_by = ("destination",)

    destination: Mapped[str]


# Other tests compare the program's tables with what the migrations make.
Base.metadata.remove(StorageCommitment.__table__)


def queue(store: Store, destination: str = "pacs") -> int:
    with store._write() as connection:
        return work.add(
            connection,
            StorageCommitment,
            max_attempts=2,
            now=NOON,
            study_instance_uid=STUDY,
            destination=destination,
        )


def claim(store: Store, *, seconds: float = 0) -> Lease | None:
    with store._write() as connection:
        row = work.claim(
            connection,
            StorageCommitment,
            CLAIMS,
            owner="host-a:1:1",
            lease_s=60,
            now=at(seconds),
        )
        return None if row is None else work.lease_of(StorageCommitment, row)


CLAIMS = work.claims(
    StorageCommitment, eligible=lambda candidate: [candidate.destination == "pacs"]
)


def state_of(store: Store, number: int) -> str:
    with store._read() as connection:
        return connection.execute(
            select(StorageCommitment.state).where(StorageCommitment.id == number)
        ).scalar_one()


@pytest.fixture
def with_commitments(migrates: None, store: Store) -> Store:
    StorageCommitment.__table__.create(store._engine)
    arrive(store, ct_slice(0))
    return store


def test_a_third_kind_of_work_lives_the_whole_life_and_its_diary_says_so(
    with_commitments: Store,
) -> None:
    store = with_commitments
    number = queue(store)
    first = claim(store)
    assert first is not None
    assert store.extend(first, 60, at(10))
    assert store.retry(first, error="refused", not_before=at(30), now=at(20)) is State.QUEUED
    assert claim(store, seconds=29) is None
    with pytest.raises(LeaseLost):
        store.bury(first, error="late", now=at(29))
    second = claim(store, seconds=30)
    assert second is not None
    assert store.retry(second, error="refused", not_before=at(60), now=at(40)) is State.DEAD
    with store._write() as connection:
        assert work.requeue(connection, StorageCommitment, number, now=at(50))
    third = claim(store, seconds=50)
    assert third is not None
    assert (third.attempt, third.tries) == (3, 1)
    with store._write() as connection:
        work.settle(connection, third, Step.FINISH, now=at(55))
        assert not work.requeue(connection, StorageCommitment, number, now=at(56))
    assert state_of(store, number) == "done"
    assert [sentence(each) for each in store.diary(STUDY)] == [
        "storage commitment 1 queued",
        "storage commitment 1 taken by host-a:1:1, try 1 of 2",
        "storage commitment 1 failed, next try not before 2026-03-01 12:00:30: refused",
        "storage commitment 1 taken by host-a:1:1, try 2 of 2",
        "storage commitment 1 is dead and waits for a person: refused (try 2, the last)",
        "storage commitment 1 requeued by an operator",
        "storage commitment 1 taken by host-a:1:1, try 1 of 2",
        "storage commitment 1 done",
    ]


def test_its_abandoned_leases_are_released_and_what_is_cancelled_does_not_happen(
    with_commitments: Store,
) -> None:
    store = with_commitments
    number = queue(store)
    assert claim(store) is not None
    with store._read() as connection:
        ((lease, reason),) = abandoned(connection, StorageCommitment, now=at(61))
    with store._write() as connection:
        work.release(connection, lease, error=reason, now=at(61))
        meant = StorageCommitment.id == number
        assert work.cancel(connection, StorageCommitment, meant, error="no need", now=at(62)) == [1]
    assert claim(store, seconds=999) is None
    assert [sentence(each) for each in store.diary(STUDY)][-2:] == [
        "storage commitment 1 taken back: its lease lapsed in try 1 of 2",
        "storage commitment 1 cancelled: no need",
    ]


def test_the_database_holds_a_third_kind_to_the_machine_as_well(with_commitments: Store) -> None:
    row = {
        "study_instance_uid": STUDY,
        "destination": "pacs",
        "state": "running",
        "max_attempts": 1,
        "not_before": NOON,
        "created_at": NOON,
    }
    with pytest.raises(Exception, match="ck_storage_commitment_"), with_commitments._write() as it:
        it.execute(insert(StorageCommitment).values(row))


def states_written_in(source: str) -> list[int]:
    """The lines that hand a `state` to a statement that writes: `.values(state=...)` and the like.

    A dictionary with the key "state" counts wherever it stands, unless it is made for a reader
    (a call with `state=State(...)` of a row is no write: it reads one).
    """
    found = []
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.Call):
            name = (
                part.func.attr if isinstance(part.func, ast.Attribute) else ast.unparse(part.func)
            )
            if name in WRITES and any(word.arg == "state" for word in part.keywords):
                found.append(part.lineno)
        elif isinstance(part, ast.Assign | ast.AnnAssign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            if any(isinstance(t, ast.Attribute) and t.attr == "state" for t in targets):
                found.append(part.lineno)
        elif (
            isinstance(part, ast.Constant)
            and re.search(
                r"\b(UPDATE|INSERT INTO)\b.*\bstate\b", str(part.value), re.DOTALL | re.IGNORECASE
            )
        ) or (
            isinstance(part, ast.Dict)
            and any(key is not None and _is_state(key) for key in part.keys)
        ):
            found.append(part.lineno)
    return found


def _is_state(key: ast.expr) -> bool:
    """`"state"`, or a table's column of that name."""
    return ast.unparse(key).rpartition(".")[2].strip("'") == "state"


def test_rooms_that_show_rows_know_no_table() -> None:
    for room in ROOMS_WITHOUT_TABLES:
        for path in (SOURCES / room).rglob("*.py"):
            assert "node.persistence.schema" not in path.read_text(encoding="utf-8"), path


def test_no_source_but_the_machine_hands_a_state_to_the_database() -> None:
    assert len(states_written_in("update(Job).values(state=State.DEAD)")) == 1
    assert len(states_written_in("values = {'state': State.QUEUED}")) == 1
    assert len(states_written_in("row.state = 'dead'")) == 1
    assert len(states_written_in("text('UPDATE job SET state = 1')")) == 1
    assert len(states_written_in("text('update job set state = 1')")) == 1
    assert len(states_written_in("update(Job).values({Job.state: State.DEAD})")) == 1
    assert len(states_written_in("update(Job).values({table.c.state: 'dead'})")) == 1
    assert len(states_written_in("update(Job).values(**dict(state=State.DEAD))")) == 1
    writers = {
        path.relative_to(SOURCES): lines
        for path in SOURCES.rglob("*.py")
        if "migrations" not in path.parts
        and path.relative_to(SOURCES).parts[0] not in ROOMS_WITHOUT_TABLES
        and (lines := states_written_in(path.read_text(encoding="utf-8")))
    }
    assert set(writers) == {THE_MACHINE}


@contextmanager
def writers_of_states(engine: Engine) -> Iterator[set[str]]:
    """The files of the program that send statements which write a state."""
    found: set[str] = set()

    def notice(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        writes = re.match(r"(INSERT INTO|UPDATE) (job|delivery)\b(.*)", statement, re.DOTALL)
        if writes is None:
            return
        written = writes[3].partition("WHERE")[0]
        if not re.search(r"\bstate\b", written):
            return
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(SOURCES):
                found.add(str(file.relative_to(SOURCES)))
                return

    event.listen(engine, "before_cursor_execute", notice)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", notice)


def test_whatever_the_store_does_it_is_the_machine_that_writes_the_state(store: Store) -> None:
    outbox = Outbox(destinations=("pacs", "viewer"), max_attempts=1)
    with writers_of_states(store._engine) as writers:
        first = queued_job(store, 0)
        queued_job(store, 0, 1)  # supersedes the first
        queued_job(store, 0)  # ... which is queued again
        store.retry(claimed(store), error="x", not_before=NOON, now=NOON)
        store.bury(claimed(store), error="x", now=NOON)
        dead = store.unreported_failure()
        assert dead is not None
        store.report_failure(dead, artifacts=[artifact("failure")], outbox=outbox, now=NOON)
        store.requeue_job(first, analysis_id=MODEL, now=NOON)
        claimed(store)
        store.release_leases(now=at(999))
        finish_job(store, claimed(store, now=at(999)), destinations=("pacs", "viewer"))
        sent = store.claim_delivery(destination="pacs", owner="a:1:1", lease_s=60, now=at(999))
        assert sent is not None
        store.finish_delivery(sent, now=at(999))
        store.requeue_delivery(sent.number, now=at(999))
        with pytest.raises(NotAllowed, match="on their way already"):
            store.requeue_job(first, analysis_id=MODEL, now=at(999))
        again = store.requeue_job(first, analysis_id="model-2", now=at(999))
        store.cancel_job(again.job_id, now=at(999))
        other = store.claim_delivery(destination="viewer", owner="a:1:1", lease_s=60, now=at(999))
        assert other is not None
        store.give_back_leases("a:1:1", now=at(999))
    assert writers == {str(THE_MACHINE)}
    assert store.counts() == {
        "job": {"done": 1, "cancelled": 2},
        "delivery": {"done": 1, "cancelled": 2, "queued": 2},
    }
