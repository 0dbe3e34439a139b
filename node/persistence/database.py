"""An engine whose transactions keep their promises, on a schema that is up to date.

SQLite: WAL, synchronous=FULL (a commit survives a power cut), foreign keys, BEGIN IMMEDIATE (a
writer waits at its beginning, never in the middle).  PostgreSQL: as it comes.
"""

from contextlib import ExitStack
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from node.core.errors import ConfigError

READ_ONLY = "m3node_read_only"
"""Execution option: on SQLite the transaction takes no write lock."""
BUSY_TIMEOUT_S = 60
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6D33_6E6F_6465
"""Key of PostgreSQL's advisory lock: "m3node"."""


def open_engine(url: str, *, patience_s: float | None = None) -> Engine:
    """An engine on the newest schema; its file and directory are made if they are missing.

    patience_s : how long a transaction waits for another process to end its own; on SQLite

    Any number of processes may call this at once: one migrates, the others wait.
    Raises ConfigError for a URL of another kind, or a database that a newer program has written.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"database url {url!r} is no URL; write sqlite:///path or postgresql+psycopg://..."
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigError("database url names no file; write sqlite:///path/m3node.sqlite")
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                parsed,
                hide_parameters=True,  # an error's text would name patients
                connect_args={"timeout": patience_s or BUSY_TIMEOUT_S, "check_same_thread": False},
            )
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        case "postgresql":
            engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                pool_pre_ping=True,
            )
        case other:
            raise ConfigError(f"database {other!r} is not supported; use sqlite or postgresql")
    with ExitStack() as on_failure:
        on_failure.callback(engine.dispose)
        _migrate(engine)
        on_failure.pop_all()
    return engine


def _configure_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # sqlite3 must not open transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    # Looked at first without any lock: nearly always there is nothing to do, and whoever only
    # reads must not wait for a writer.
    with engine.execution_options(**{READ_ONLY: True}).connect() as connection:
        if _is_newest(connection, script):
            return
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
                if not _is_newest(connection, script):
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
        finally:
            if engine.dialect.name == "sqlite":
                _execute_outside(connection, "PRAGMA foreign_keys = ON")


def _is_newest(connection: Connection, script: ScriptDirectory) -> bool:
    """Whether there is nothing to do.  Raises ConfigError for the schema of a newer program."""
    newest = script.get_current_head()
    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and present not in {r.revision for r in script.walk_revisions()}:
        raise ConfigError(
            f"the database is at schema {present}, this program knows up to {newest}; "
            "install the newer program again, or restore the backup made before it"
        )
    return present == newest


def _execute_outside(connection: Connection, statement: str) -> None:
    """On SQLite, where some settings cannot be changed within a transaction."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()
