"""An engine whose transactions keep their promises, on a schema that is up to date.

SQLite: WAL, synchronous=FULL (a commit survives a power cut), foreign keys, BEGIN IMMEDIATE (a
writer waits at its beginning, never in the middle).  PostgreSQL: as it comes.
"""

from contextlib import ExitStack
from enum import Enum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from node.core.errors import ConfigError, DatabaseBehind
from node.logs import event as event_logged
from node.persistence.private import make_file, make_folder, tighten
from node.persistence.same_file import tell_damage

READ_ONLY = "m3node_read_only"
"""Execution option: on SQLite the transaction takes no write lock."""
BUSY_TIMEOUT_S = 60
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6D33_6E6F_6465
"""Key of PostgreSQL's advisory lock: "m3node"."""


class Change(Enum):
    """What may be done to a database so that it has the newest schema."""

    NONE = "none"
    """Nothing, not even make it: for whoever looks."""
    MAKE = "make"
    """One without a table gets them; one of an earlier version may be in use by its program."""
    UPGRADE = "upgrade"


def open_engine(
    url: str, *, patience_s: float | None = None, change: Change = Change.UPGRADE
) -> Engine:
    """An engine on the newest schema; its file and directory are made if they are missing.

    A file of SQLite's, and those beside it, are closed to other users.

    patience_s : how long a transaction waits for another process to end its own; on SQLite
    change     : what may be done for it

    Any number of processes may call this at once: one migrates, the others wait.
    Raises ConfigError for a URL of another kind, or a database that a newer program has written,
    DatabaseBehind if it needs a change that may not be made, and DatabaseLost if it is damaged.
    """
    parsed, file = parsed_url(url), sqlite_file(url)
    match parsed.get_backend_name(), file:
        case "sqlite", Path():
            if change is Change.NONE and not file.exists():
                raise DatabaseBehind(
                    f"no database at {file} yet; `m3node serve` or `m3node ingest` make it"
                )
            _make_private(file)
            engine = create_engine(
                parsed,
                hide_parameters=True,  # an error's text would name patients
                connect_args={"timeout": patience_s or BUSY_TIMEOUT_S, "check_same_thread": False},
            )
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        case "postgresql", None:
            engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                pool_pre_ping=True,
            )
        case _:
            raise ConfigError(
                "database.url is of a kind that is not supported; use sqlite:///FILE or "
                "postgresql+psycopg://USER@HOST/NAME"
            )
    tell_damage(engine)
    with ExitStack() as on_failure:
        on_failure.callback(engine.dispose)
        _migrate(engine, change)
        on_failure.pop_all()
    return engine


def sqlite_file(url: str) -> Path | None:
    """The file of the database; None if it is not one.  Raises ConfigError."""
    parsed = parsed_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigError("database url names no file; write sqlite:///path/m3node.sqlite")
    return Path(parsed.database)


def parsed_url(url: str) -> URL:
    """Raises ConfigError, which quotes nothing: a password may stand anywhere in what is no URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "database.url is no URL; write sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from None
    if "@" in (parsed.host or ""):
        raise ConfigError(
            'database.url has an "@" in its password: write it %40, or use database.password_file'
        )
    return parsed


def files_of_sqlite(file: Path) -> tuple[Path, ...]:
    """The file, its write-ahead log and the log's index; these two get the mode of the first."""
    return (file, *(file.with_name(file.name + suffix) for suffix in ("-wal", "-shm")))


def _make_private(file: Path) -> None:
    make_folder(file.parent)
    make_file(file)
    for each in files_of_sqlite(file):
        tighten(each)


def _configure_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # sqlite3 must not open transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten, so that an erased patient does not stay in unused pages.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _migrate(engine: Engine, change: Change) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    # Looked at first without any lock: nearly always there is nothing to do, and whoever only
    # reads must not wait for a writer.
    with engine.execution_options(**{READ_ONLY: True}).connect() as connection:
        if _is_newest(connection, script):
            return
        _require_allowed(change, connection, script)
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
                    _require_allowed(change, connection, script)
                    config.attributes["connection"] = connection
                    present = MigrationContext.configure(connection).get_current_revision()
                    newest = script.get_current_head()
                    if present is not None:  # one killed on the way has changed nothing
                        event_logged("database.upgrading", present=present, newest=newest)
                    command.upgrade(config, "head")
                    if present is not None:
                        event_logged("database.upgraded", present=present, newest=newest)
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


def _require_allowed(change: Change, connection: Connection, script: ScriptDirectory) -> None:
    """Raises DatabaseBehind if the database needs a change that may not be made."""
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None and change is Change.NONE:
        raise DatabaseBehind(
            "the database has no tables yet; `m3node serve` or `m3node ingest` make them"
        )
    if present is not None and change is not Change.UPGRADE:
        raise DatabaseBehind(
            f"the database is at schema {present}, of an earlier version, and this program is at "
            f"{script.get_current_head()}: make a backup, then start `m3node serve` anew: it "
            "upgrades the database"
        )


def _execute_outside(connection: Connection, statement: str) -> None:
    """On SQLite, where some settings cannot be changed within a transaction."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()
