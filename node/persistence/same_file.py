"""A database file that was deleted or replaced is noticed before anything is acknowledged.

SQLite goes on writing to a file that no name leads to any more; what is committed there is gone
with the last process that has it open.  So after each transaction, and before anybody is told of
it, the names of the file and of its write-ahead log have to lead where they led before.  It costs
two calls of stat(2), some microseconds.
"""

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from node.core.errors import DatabaseLost

_LOG = "m3node.write_ahead_log"
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_DAMAGED_STATES = frozenset({"XX001", "XX002"})
"""PostgreSQL's data_corrupted and index_corrupted."""
_PRIMARY = 0xFF
"""An extended result code of SQLite holds the primary one in these bits."""
_THEN = (
    "stop the node; then restore the last backup (m3node restore), or make the database again from "
    "the stored objects (m3node rebuild)"
)


class SameFile:
    """The file of an engine's database, as it was when the engine was opened."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is watched of a database that is no file."""
        self._path: Path | None = None
        if engine.dialect.name == "sqlite":
            self._path = Path(str(engine.url.database))
            self._log = self._path.with_name(f"{self._path.name}-wal")
            self._opened = _inode(self._path)

    def require(self, connection: Connection) -> None:
        """What the connection has committed is where others will look for it.

        Raises DatabaseLost.
        """
        if self._path is None:
            return
        if _inode(self._path) != self._opened:
            raise DatabaseLost(
                f"the database file {self._path} was deleted or replaced while it was in use; "
                "nothing more is stored. Put the right one in its place, with the node stopped"
            )
        # A connection that is open keeps the log from being removed by whoever closes the last.
        log = _inode(self._log)
        if log is None or connection.info.setdefault(_LOG, log) != log:
            raise DatabaseLost(
                f"the database's log {self._log} was deleted or replaced while it was in use; "
                f"what was committed last may be lost: {_THEN}"
            )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def tell_damage(engine: Engine) -> None:
    """What the engine raises is DatabaseLost if the database says that it is damaged."""
    name = engine.url.render_as_string(hide_password=True)

    @event.listens_for(engine, "handle_error")
    def _is_damage(context: ExceptionContext) -> None:
        error = context.original_exception
        damaged = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY in _DAMAGED
        if damaged or getattr(error, "sqlstate", None) in _DAMAGED_STATES:
            said = str(error).strip().partition("\n")[0]
            raise DatabaseLost(f"the database {name} is damaged ({said}): {_THEN}") from error
