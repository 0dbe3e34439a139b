"""A new database of a test is as the migrations leave it, without their running for each test.

A migration from nothing takes a third of a second of CPU, and over a thousand tests begin with one.
So a file of SQLite's is a copy of one that was migrated in this run, and PostgreSQL's tables stay
and are emptied.  Tests of migrations themselves ask for `migrates`.
"""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from node.persistence import database
from node.persistence.upgrading import Change, migrate


class _Copies:
    """In place of `node.persistence.database.migrate`; what it finds empty it fills first."""

    def __init__(self) -> None:
        self._migrate = migrate
        self._lock = threading.RLock()
        self._migrated = b""
        self.on = True
        self._left_by_others = False

    def __call__(self, engine: Engine, change: Change) -> None:
        if self.on and change is not Change.NONE and engine.dialect.name == "sqlite":
            file = Path(str(engine.url.database))
            with self._lock:
                if file.stat().st_size == 0:
                    file.write_bytes(self._copied())
        self._migrate(engine, change)

    def _copied(self) -> bytes:
        if not self._migrated:
            with tempfile.TemporaryDirectory() as folder, self.off():
                file = Path(folder) / "migrated.sqlite"
                database.open_engine(f"sqlite:///{file}").dispose()
                self._migrated = file.read_bytes()
        return self._migrated

    def leave_tables(self) -> bool:
        """Whether the tables that are there are as the migrations left them, and may stay."""
        may_stay = self.on and not self._left_by_others
        self._left_by_others = not self.on
        return may_stay

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within the block databases are migrated."""
        was, self.on = self.on, False
        yield
        self.on = was


COPIES = _Copies()
vars(database)["migrate"] = COPIES
