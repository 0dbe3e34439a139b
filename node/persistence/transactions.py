"""What every transaction of the store has in common: begin, commit, and the diary's line in it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from node.core.errors import DatabaseLost
from node.persistence.same_file import SameFile
from node.persistence.schema import Base, EventLog, Study
from node.persistence.upgrading import READ_ONLY


class Transactions:
    """An engine, and the two ways to use it.  Any number of threads may share one.

    when_lost : called, in whichever thread, when the database turns out to be lost
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file = SameFile(engine)
        self.when_lost: Callable[[DatabaseLost], None] = lambda _error: None
        self._reader = engine.execution_options(**{READ_ONLY: True})
        # SQLite has one writer at a time.  Threads that queue here do so fairly and at once; those
        # that queue in SQLite sleep and poll.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One transaction; committed at the end, durable when the block is left.

        Raises DatabaseLost if it has gone to a file that nobody will find.
        """
        with self._turn, self._losses_are_told(), self._engine.connect() as connection:
            with connection.begin():
                yield connection
            self._file.require(connection)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """One consistent view that blocks no writer."""
        with self._losses_are_told(), self._reader.begin() as connection:
            yield connection
            self._file.require(connection)

    @contextmanager
    def _losses_are_told(self) -> Iterator[None]:
        try:
            yield
        except DatabaseLost as error:
            self.when_lost(error)
            raise

    def forget_deleted(self) -> None:
        """Nothing that was deleted stands in SQLite's log any more, if nobody reads just now.

        PostgreSQL forgets it with its next VACUUM.
        """
        if self._engine.dialect.name == "sqlite":
            with self._turn, self._engine.connect() as connection:
                cursor = connection.connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.close()

    def close(self) -> None:
        """Every pooled connection is closed."""
        self._engine.dispose()


def record(
    connection: Connection,
    kind: str,
    *,
    study: str,
    now: datetime,
    job_id: int | None = None,
    delivery_id: int | None = None,
    **details: Any,
) -> None:
    """The diary has a line of it, if the transaction commits."""
    connection.execute(
        insert(EventLog).values(
            at=now,
            study_instance_uid=study,
            job_id=job_id,
            delivery_id=delivery_id,
            kind=kind,
            details=details,
        )
    )


_FILES_LOCK = 0x6D33_6669_6C65
"""Key of PostgreSQL's advisory lock: "m3file"."""


def files_stay(connection: Connection) -> None:
    """Until the transaction is over no file of the spool is removed (`files_go`).

    On SQLite the transaction itself is the lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock_shared(_FILES_LOCK)))


def files_go(connection: Connection) -> None:
    """Until the transaction is over nobody records that a file of the spool is here."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_FILES_LOCK)))


def inserted(connection: Connection, table: type[Base], **values: Any) -> bool:
    """Whether the row is new; one with such a key is left as it is."""
    insert_into = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    row = insert_into(table).values(**values).on_conflict_do_nothing().returning(literal(1))
    return connection.execute(row).one_or_none() is not None


def lock_study(connection: Connection, study: str) -> None:
    """Whoever else asks for this waits until the transaction is over.

    Revisions are counted, and what they make outdated is withdrawn, by one at a time.  On SQLite
    the transaction itself is the lock.  Rows that refer to the study can be written meanwhile.
    """
    connection.execute(
        select(Study.change)
        .where(Study.study_instance_uid == study)
        .with_for_update(key_share=True)
    )


def judge_again(connection: Connection, study: str, now: datetime) -> None:
    """Whether the study is complete is asked anew."""
    connection.execute(
        update(Study)
        .where(Study.study_instance_uid == study)
        .values(change=Study.change + 1, judge_at=now)
    )
