"""An engine whose transactions keep their promises, on a schema that is up to date.

SQLite: WAL, synchronous=FULL (a commit survives a power cut), foreign keys, BEGIN IMMEDIATE (a
writer waits at its beginning, never in the middle).  PostgreSQL: as it comes.
"""

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from node.core.errors import ConfigError, DatabaseBehind
from node.persistence.private import make_file, make_folder, tighten
from node.persistence.same_file import tell_damage
from node.persistence.upgrading import READ_ONLY, Change, migrate

BUSY_TIMEOUT_S = 60


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
            if change in (Change.NONE, Change.LEAVE) and not file.exists():
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
        migrate(engine, change)
        on_failure.pop_all()
    return engine


def sqlite_file(url: str) -> Path | None:
    """The file of the database; None if it is not one.  Raises ConfigError."""
    parsed = parsed_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigError("database url names no file; write sqlite:///path/m3node.sqlite")
    file = Path(parsed.database)
    if file.is_dir():
        raise ConfigError(
            f"{file} is a folder, and database.url has to name a file: write "
            f"sqlite:///{file}/m3node.sqlite"
        )
    return file


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
