"""Files that no row needs leave the disk; a crash at any step is finished by the next look.

Whoever frees a file notes it in the database first (`node.persistence.retention`), with its rows
marked in the same transaction.  What a writer that died has left, a file without a row, is found by
looking through the spool, one folder at a time.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from node.persistence.spool import FOLDERS, Spool
from node.persistence.store import Store

AT_ONCE = 100
UNKNOWN_AGE = timedelta(days=1)
"""A file without a row may be one whose row is just being written; no longer than this."""


def remove_marked(
    store: Store, spool: Spool, *, within_s: float | None = None, at_once: int = AT_ONCE
) -> int:
    """Files that are noted to be removed are gone, as far as time allows; how many are."""
    end = None if within_s is None else time.monotonic() + within_s
    removed = 0
    while True:
        with store.removing(at_once) as marked:
            removed += spool.remove((each.path, each.since) for each in marked)
        if not store.is_removing() or (end is not None and time.monotonic() >= end):
            return removed


class UnknownFiles:
    """Looks for files that no row knows, one folder of the spool at a call."""

    def __init__(self, store: Store, spool: Spool, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._spool = spool
        self._clock = clock
        self._next = 0

    def look(self) -> int:
        """What is unknown in the next folder is noted to be removed; how many files."""
        folder = FOLDERS[self._next]
        self._next = (self._next + 1) % len(FOLDERS)
        now = self._clock()
        paths = self._spool.files_in(folder, older_than=now - UNKNOWN_AGE)
        return self._store.note_unknown(paths, now=now) if paths else 0
