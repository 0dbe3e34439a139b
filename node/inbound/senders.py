"""The rows of senders: a study is not quiet while one that delivered to it is open.

A row is there from the first object of an association, or of a DICOMweb transaction, until it is
over, in whatever way.  A C-ECHO or
a load balancer's probe leaves none.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from node.core.sender import Sender
from node.logs import event
from node.persistence.process_identity import this_process


class KeepsSenders(Protocol):
    """What the receiver asks of the store."""

    def open_sender(self, sender: Sender, *, owner: str, now: datetime) -> int:
        """Open a row and return its id."""
        ...

    def keep_senders(self, owner: str, now: datetime) -> None:
        """Say that this process still serves its rows."""
        ...

    def close_sender(self, sender_id: int, now: datetime) -> None:
        """Close the row."""
        ...


class Senders:
    """The rows that this process has opened; any number of threads may share it."""

    def __init__(self, store: KeepsSenders, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._left_over: set[int] = set()

    def open(self, sender: Sender) -> int:
        """There is a row of it."""
        return self._store.open_sender(sender, owner=this_process(), now=self._clock())

    def close(self, row: int) -> None:
        """The row is closed, or will be by `close_left_over`."""
        with self._lock:
            self._left_over.add(row)
        self.close_left_over()

    def close_left_over(self) -> None:
        """Close the rows of ended associations; one that fails now is tried again later."""
        with self._lock:
            rows = sorted(self._left_over)
        for row in rows:
            try:
                self._store.close_sender(row, self._clock())
            except (SQLAlchemyError, OSError) as error:
                event("association.not_closed", level=logging.WARNING, error=error, association=row)
                return
            with self._lock:
                self._left_over.discard(row)

    def look_after(self) -> None:
        """What is due every few seconds, so that no row is left open and none is taken for dead."""
        self.close_left_over()
        self.keep()

    def keep(self) -> None:
        """Other hosts that share the database know that the open rows are served."""
        try:
            self._store.keep_senders(this_process(), self._clock())
        except (SQLAlchemyError, OSError) as error:
            event("sender.not_kept", level=logging.WARNING, error=error)
