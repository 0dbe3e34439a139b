"""The database has the newest schema, or it is said why not and what to do.

Which revision is the newest is read from the names of the steps.  alembic, which takes as long to
load as half of the store, is loaded only where there is a step to make.
"""

from enum import Enum
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from node.core.errors import ConfigError, DatabaseBehind
from node.logs import event as event_logged

READ_ONLY = "m3node_read_only"
"""Execution option: on SQLite the transaction takes no write lock."""
MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6D33_6E6F_6465
"""Key of PostgreSQL's advisory lock: "m3node"."""
_BACKUP = {
    "sqlite": "m3node backup DIR",
    "postgresql": "pg_dump, and a copy of storage.directory",
}
"""What saves one of an earlier version."""


class Change(Enum):
    """What may be done to a database so that it has the newest schema."""

    NONE = "none"
    """Nothing, not even make it: for whoever looks."""
    LEAVE = "leave"
    """Nothing, and one of an earlier version will do: for whoever copies it as it is."""
    MAKE = "make"
    """One without a table gets them; one of an earlier version may be in use by its program."""
    UPGRADE = "upgrade"


def revisions() -> list[str]:
    """All that this program knows, the newest last; the file `m0007_fetches.py` is "0007"."""
    return sorted(path.name[1:5] for path in (MIGRATIONS / "versions").glob("m[0-9]*_*.py"))


def migrate(engine: Engine, change: Change) -> None:
    """The schema is the newest.  A step that is broken off has changed nothing.

    Raises ConfigError for the schema of a newer program, and DatabaseBehind if a change is needed
    that may not be made.
    """
    # Looked at first without any lock: nearly always there is nothing to do, and whoever only
    # reads must not wait for a writer.
    with engine.execution_options(**{READ_ONLY: True}).connect() as connection:
        if _is_newest(connection) or _may_stay(change, connection):
            return
        _require_allowed(change, connection)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # To change a table SQLite copies it; what refers to it must not notice.
            _execute_outside(connection, "PRAGMA foreign_keys = OFF")
        try:
            # On SQLite the transaction itself is the lock (BEGIN IMMEDIATE).
            with connection.begin():
                if engine.dialect.name == "postgresql":
                    lock = text("SELECT pg_advisory_xact_lock(:key)")
                    connection.execute(lock, {"key": _MIGRATION_LOCK})
                if not _is_newest(connection):
                    _require_allowed(change, connection)
                    _take_steps(connection)
        finally:
            if engine.dialect.name == "sqlite":
                _execute_outside(connection, "PRAGMA foreign_keys = ON")


def _take_steps(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    present, newest = _present(connection), revisions()[-1]
    if present is not None:  # one killed on the way has changed nothing
        event_logged("database.upgrading", present=present, newest=newest)
    command.upgrade(config, "head")
    if present is not None:
        event_logged("database.upgraded", present=present, newest=newest)


def _present(connection: Connection) -> str | None:
    """The revision that the database is at; None if it has no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _is_newest(connection: Connection) -> bool:
    """Whether there is nothing to do.  Raises ConfigError for the schema of a newer program."""
    known, present = revisions(), _present(connection)
    if present is not None and present not in known:
        raise ConfigError(
            f"the database is at schema {present}, this program knows up to {known[-1]}; "
            "install the newer program again, or restore the backup made before it"
        )
    return present == known[-1]


def _may_stay(change: Change, connection: Connection) -> bool:
    """Of PostgreSQL rows are copied, and those of an earlier version are not known here."""
    copied_as_it_is = connection.engine.dialect.name == "sqlite"
    return change is Change.LEAVE and copied_as_it_is and _present(connection) is not None


def _require_allowed(change: Change, connection: Connection) -> None:
    """Raises DatabaseBehind if the database needs a change that may not be made."""
    present = _present(connection)
    if present is None and change in (Change.NONE, Change.LEAVE):
        raise DatabaseBehind(
            "the database has no tables yet; `m3node serve` or `m3node ingest` make them"
        )
    if present is not None and change is not Change.UPGRADE:
        raise DatabaseBehind(
            f"the database is at schema {present}, of an earlier version, and this program is at "
            f"{revisions()[-1]}: make a backup ({_BACKUP[connection.engine.dialect.name]}), then "
            "start `m3node serve` anew: it upgrades the database"
        )


def _execute_outside(connection: Connection, statement: str) -> None:
    """On SQLite, where some settings cannot be changed within a transaction."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()
