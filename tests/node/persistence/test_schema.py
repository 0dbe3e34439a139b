"""What the database itself refuses, on both kinds; the machine of `node.core.states` in SQL."""

import itertools
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, insert, inspect, text
from sqlalchemy.exc import IntegrityError

from node.core.errors import ConfigError
from node.core.states import LEASED, SETTLED, State
from node.persistence.database import open_engine
from node.persistence.schema import Base, Instance, Job, Study
from node.persistence.upgrading import MIGRATIONS, revisions
from tests.node.persistence.filling import NOON

pytestmark = pytest.mark.usefixtures("migrates")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    with opened.begin() as connection:
        connection.execute(insert(Study).values(study_row("1.2.3")))
    yield opened
    opened.dispose()


def study_row(uid: str) -> dict[str, Any]:
    return {
        "study_instance_uid": uid,
        "patient_id": "",
        "patient_name": "",
        "accession_number": "",
        "study_date": "",
        "first_arrival_at": NOON,
        "last_arrival_at": NOON,
        "change": 1,
    }


def job_row(**changed: Any) -> dict[str, Any]:
    return {
        "study_instance_uid": "1.2.3",
        "input_digest": "d",
        "analysis_id": "a",
        "revision": 1,
        "inputs": {},
        "summary": {},
        "state": "queued",
        "attempt": 1,
        "tries": 1,
        "max_attempts": 3,
        "not_before": NOON,
        "created_at": NOON,
        **changed,
    }


def accepted(engine: Engine, row: dict[str, Any]) -> bool:
    try:
        with engine.begin() as connection:
            connection.execute(insert(Job).values(row))
            connection.execute(text("DELETE FROM job"))
    except IntegrityError:
        return False
    return True


def test_the_migrations_make_exactly_the_tables_that_the_program_uses(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_names_of_the_steps_are_their_revisions_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    walked = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()]
    assert walked == revisions()[::-1]
    assert walked[-1] == "0001"


def test_the_migrations_make_exactly_the_checks_that_the_program_relies_on(
    tmp_path: Path,
) -> None:
    # On SQLite, which keeps the text; PostgreSQL is given the same and rewrites it.
    engine = open_engine(f"sqlite:///{tmp_path / 'm3node.sqlite'}")
    plain = create_engine(f"sqlite:///{tmp_path / 'plain.sqlite'}")
    Base.metadata.create_all(plain)
    for table in Base.metadata.tables:
        migrated = inspect(engine).get_check_constraints(table)
        declared = inspect(plain).get_check_constraints(table)
        assert {(c["name"], c["sqltext"]) for c in migrated} == {
            (c["name"], c["sqltext"]) for c in declared
        }
    plain.dispose()
    engine.dispose()


def test_the_database_agrees_with_the_state_machine_for_every_state(engine: Engine) -> None:
    moments: list[datetime | None] = [None, NOON]
    for state, lease, owner, settled in itertools.product(
        State, moments, [None, "host-a:1:1"], moments
    ):
        sound = (
            (lease is not None) == (state in LEASED)
            and (owner is not None) == (state in LEASED)
            and (settled is not None) == (state in SETTLED)
        )
        row = job_row(
            state=state,
            lease_until=lease,
            owner=owner,
            settled_at=settled,
            outcome="analysed" if state is State.DONE else None,
        )
        assert accepted(engine, row) == sound, row


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "sleeping"},
        {"tries": 4, "attempt": 4},
        {"tries": 2, "attempt": 1},
        {"tries": -1},
        {"outcome": "analysed"},
        {"study_instance_uid": "9.9.9"},
    ],
    ids=str,
)
def test_the_database_refuses_what_cannot_be(engine: Engine, changed: dict[str, Any]) -> None:
    assert not accepted(engine, job_row(**changed))


def test_two_jobs_of_one_study_cannot_run_at_once(engine: Engine) -> None:
    running = {"state": "running", "lease_until": NOON, "owner": "host-a:1:1"}
    with engine.begin() as connection:
        connection.execute(insert(Job).values(job_row(**running)))
    second = job_row(**running, input_digest="e", revision=2)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(Job).values(second))


def test_an_instance_has_one_current_version(engine: Engine) -> None:
    row = {
        "study_instance_uid": "1.2.3",
        "series_instance_uid": "1.2.3.9",
        "sop_instance_uid": "1.2.3.4",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "role": "ct",
        "kind": "CT",
        "version": 1,
        "current": True,
        "content_digest": "c",
        "path": "p",
        "size": 1,
        "facts": "{}",
        "received_at": NOON,
    }
    with engine.begin() as connection:
        connection.execute(insert(Instance).values(row | {"sha256": "a"}))
        connection.execute(insert(Instance).values(row | {"sha256": "b", "current": False}))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(Instance).values(row | {"sha256": "c"}))


def test_sqlite_keeps_a_commit_through_a_power_cut(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new' / 'm3node.sqlite'}")
    with engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    engine.dispose()
    assert pragmas == ["wal", 2, 1, 60_000]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("not a url", "is no URL"),
        ("hunter2", "is no URL"),
        ("postgresql://anna:hunter2@db:port/m3node", "is no URL"),
        ("postgresql://anna:@hunter2@db/m3node", 'has an "@" in its password'),
        ("sqlite://", "names no file"),
        ("sqlite:////usr", "/usr is a folder, and database.url has to name a file"),
        ("mysql+pymysql://localhost/m3node", "is of a kind that is not supported"),
    ],
)
def test_a_url_of_another_kind_is_a_config_error(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as told:
        open_engine(url)
    assert "hunter2" not in str(told.value), "a password may stand anywhere in it"


def test_a_database_that_a_newer_program_wrote_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm3node.sqlite'}"
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigError, match="the database is at schema 9999"):
        open_engine(url)
