"""A database as it is at one moment, copied into a file of SQLite, and back into any database.

SQLite copies itself (its backup API: consistent, and nobody waits).  Of PostgreSQL the rows are
copied within one snapshot: the copy needs no pg_dump of the server's version, has the same form as
SQLite's, and can be restored into either.
"""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from node.core.errors import ConfigError
from node.persistence.database import open_engine
from node.persistence.private import make_file
from node.persistence.schema import Base
from node.persistence.transactions import Transactions

_AT_ONCE = 500


class Copying(Transactions):
    """The whole database."""

    def copy_to(self, file: Path) -> None:
        """The new file holds every row as it is at one moment; the node may run meanwhile.

        Raises OSError(ENOSPC) if the file's disk is full.
        """
        make_file(file)
        try:
            self._copy_to(file)
        except (sqlite3.Error, SQLAlchemyError) as error:
            of_sqlite = error.orig if isinstance(error, DBAPIError) else error
            if getattr(of_sqlite, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from error
            raise

    def _copy_to(self, file: Path) -> None:
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:
                source = connection.connection.driver_connection
                if not isinstance(source, sqlite3.Connection):
                    raise TypeError("SQLite's driver is sqlite3")
                with closing(sqlite3.connect(file)) as target:
                    source.backup(target)
                    target.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside
            return
        target_engine = open_engine(f"sqlite:///{file}")
        try:
            snapshot = self._engine.execution_options(isolation_level="REPEATABLE READ")
            with snapshot.begin() as source, target_engine.begin() as connection:
                copy_rows(source, connection)
        finally:
            _close_to_one_file(target_engine)

    def copy_from(self, file: Path) -> None:
        """The database, which is empty, holds every row of the file.

        Raises ConfigError if it is not empty.
        """
        source_engine = open_engine(f"sqlite:///{file}")
        try:
            with source_engine.connect() as source, self._write() as connection:
                _require_empty(connection)
                copy_rows(source, connection)
        finally:
            _close_to_one_file(source_engine)

    def is_empty(self) -> bool:
        """Whether no table has a row."""
        with self._read() as connection:
            return _is_empty(connection)

    def require_empty(self) -> None:
        """No table has a row.  Raises ConfigError."""
        with self._read() as connection:
            _require_empty(connection)


def copy_rows(
    source: Connection, target: Connection, *, told: Callable[[str], None] = lambda _table: None
) -> None:
    """Every row of every table; numbers that the target draws go on after them."""
    for table in Base.metadata.sorted_tables:
        told(table.name)
        rows = source.execution_options(yield_per=_AT_ONCE).execute(
            select(table).order_by(*table.primary_key.columns)
        )
        for some in rows.mappings().partitions(_AT_ONCE):
            target.execute(table.insert(), [dict(row) for row in some])
        if [column.name for column in table.primary_key.columns] == ["id"]:
            _go_on_after(target, table, _last_number(source, table))


def _last_number(source: Connection, table: Table) -> int | None:
    """The highest number that was ever given, as far as it is known; None if none was."""
    highest = source.execute(select(func.max(table.c.id))).scalar_one()
    if source.dialect.name == "sqlite":
        given = source.execute(
            text("SELECT seq FROM sqlite_sequence WHERE name = :table"), {"table": table.name}
        ).scalar_one_or_none()
    else:
        given = source.execute(
            text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, 'id')::regclass)"),
            {"table": table.name},
        ).scalar_one()
    return max((number for number in (highest, given) if number is not None), default=None)


def _go_on_after(target: Connection, table: Table, last: int | None) -> None:
    """A number that was given before is not given again."""
    if last is None:
        return
    values = {"table": table.name, "last": last}
    if target.dialect.name == "sqlite":
        if table.dialect_options["sqlite"]["autoincrement"]:
            target.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), values)
            target.execute(text("INSERT INTO sqlite_sequence VALUES (:table, :last)"), values)
    else:
        target.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, 'id')::regclass, :last)"), values
        )


def _require_empty(connection: Connection) -> None:
    if not _is_empty(connection):
        raise ConfigError(
            "the database is not empty; restore into an empty one, and nothing is overwritten"
        )


def _is_empty(connection: Connection) -> bool:
    return not any(_has_rows(connection, table.name) for table in Base.metadata.sorted_tables)


def _has_rows(connection: Connection, table: str) -> bool:
    rows = connection.execute(select(text("1")).select_from(Base.metadata.tables[table]).limit(1))
    return rows.first() is not None


def _close_to_one_file(engine: Engine) -> None:
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA journal_mode = DELETE")
        cursor.close()
    engine.dispose()
