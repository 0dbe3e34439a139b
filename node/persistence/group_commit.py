"""Many threads, each with a row to commit, and one transaction for all that wait.

Whoever comes while nobody commits does so, for itself and for those who are getting their rows
ready at that moment: a transaction costs what several rows in it cost, so they are waited for, a
little.  Those that come meanwhile wait; the first of them commits for all of them.  So one sender
waits for nobody, and of many each waits for two commits at most.  There is no thread of its own.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from node.core.errors import Refused

Row = TypeVar("Row")
Answer = TypeVar("Answer")
MOST_AT_ONCE = 64
PATIENCE_S = 0.005
"""A few times what a disk takes to sync a file."""


class _Entry(Generic[Row, Answer]):
    """A row that waits; its thread is woken to take its answer, or to commit."""

    __slots__ = ("answer", "failure", "row", "settled", "wake")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.wake = _held()
        self.settled = False
        self.answer: Answer | None = None
        self.failure: BaseException | None = None


def _held() -> threading.Lock:
    """A lock that somebody waits for, until it is released."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class GroupCommit(Generic[Row, Answer]):
    """`commit` writes rows in one transaction, and returns an answer for each."""

    def __init__(self, commit: Callable[[Sequence[Row]], Sequence[Answer]]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: list[_Entry[Row, Answer]] = []
        self._committing = False
        self._begun = self._ready = 0  # how many ever got their rows ready, and had them ready
        self._awaited = 0
        self._all_ready = _held()

    def submit(self, prepare: Callable[[], Row]) -> Answer:
        """The row that `prepare` returns is committed.  Raises what kept it from being so."""
        with self._lock:
            self._begun += 1
        try:
            entry: _Entry[Row, Answer] = _Entry(prepare())
        except BaseException:
            with self._lock:
                self._one_is_ready()
            raise
        with self._lock:
            self._waiting.append(entry)
            self._one_is_ready()
            leads = not self._committing
            self._committing = True
        if not leads:
            entry.wake.acquire()
        if not entry.settled:
            self._lead()
        if entry.failure is not None:
            raise entry.failure
        return cast(Answer, entry.answer)

    def _one_is_ready(self) -> None:
        self._ready += 1
        if self._ready == self._awaited:
            self._all_ready.release()

    def _gather(self) -> None:
        """As many as were getting ready are, or have been waited for."""
        with self._lock:
            if self._ready == self._begun:
                return
            self._awaited, self._all_ready = self._begun, _held()
            all_ready = self._all_ready
        all_ready.acquire(timeout=PATIENCE_S)

    def _lead(self) -> None:
        """Commit for all that wait, and hand on to the first of those that came meanwhile."""
        self._gather()
        with self._lock:
            batch = self._waiting[:MOST_AT_ONCE]
            del self._waiting[:MOST_AT_ONCE]
        try:
            self._settle(batch)
        finally:
            with self._lock:
                if any(isinstance(entry.failure, OperationalError) for entry in batch):
                    # The database is away: nobody is to wait for it as long once more.
                    failure = next(e.failure for e in batch if e.failure is not None)
                    for entry in self._waiting:
                        entry.failure, entry.settled = failure, True
                    batch += self._waiting
                    self._waiting.clear()
                self._committing = bool(self._waiting)
                following = self._waiting[0] if self._waiting else None
            for entry in batch:
                entry.wake.release()
            if following is not None:
                following.wake.release()

    def _settle(self, batch: Sequence[_Entry[Row, Answer]]) -> None:
        try:
            answers = self._commit([entry.row for entry in batch])
        except OperationalError as error:
            for entry in batch:
                entry.failure = error
        except (SQLAlchemyError, OSError, Refused) as error:
            if len(batch) == 1:
                batch[0].failure = error
            else:  # one row that cannot be written must not take the others with it
                for entry in batch:
                    self._settle([entry])
        except BaseException as error:
            for entry in batch:
                entry.failure = error
            raise
        else:
            for entry, answer in zip(batch, answers, strict=True):
                entry.answer = answer
        finally:
            for entry in batch:
                entry.settled = True
