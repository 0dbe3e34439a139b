"""A process says that it runs, and which of its parts has moved least lately.

A thread of its own says it: a process that is stopped, or hangs with the interpreter's lock, says
nothing any more.  One whose thread goes on while its work hangs is known by its parts; one that
has none only waits for others to call it, and is known by its answers.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from node.logs import event
from node.persistence.process_identity import this_process
from node.persistence.watching import PulseRow
from node.watch.moment import boot_id

BEATS = 3
"""Within the time after which a silent process counts as frozen."""


class Moved(Protocol):
    """Says that a part of the process has gone on."""

    def __call__(self, doing: str | None = None, *, part: str = "") -> None:
        """`doing` is what the part does from now on; None if it waits for something to do."""
        ...


def unseen(doing: str | None = None, *, part: str = "") -> None:
    """Nobody is told: of a process that is not watched."""
    del doing, part


class KeepsPulses(Protocol):
    """What a pulse asks of the store."""

    def beat(self, pulse: PulseRow) -> None:
        """The process has said that it runs."""
        ...

    def end_pulse(self, *, host: str, role: str) -> None:
        """The process has said that it ends."""
        ...


class Pulse:
    """That of this process; a context, within which it beats.  Any thread may say that it moves.

    beaten : called after every beat, whether or not the database has taken it
    """

    def __init__(
        self,
        store: KeepsPulses,
        *,
        role: str,
        every_s: float,
        clock: Callable[[], datetime],
        beaten: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._role = role
        self._every_s = every_s
        self._clock = clock
        self._beaten = beaten
        self._started_at = clock()
        self._moved: dict[str, tuple[float, str | None]] = {}
        self._over = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._beat_on, name="pulse", daemon=True)

    def moved(self, doing: str | None = None, *, part: str = "") -> None:
        """The part of the process has gone on; `doing` is what it does from now on, if anything."""
        self._moved[part] = time.monotonic(), doing

    def row(self) -> PulseRow:
        """What is said now."""
        now = time.monotonic()
        moved_tick, doing = min(
            self._moved.copy().values(), key=lambda each: each[0], default=(now, None)
        )
        return PulseRow(
            host=socket.gethostname(),
            role=self._role,
            owner=this_process(),
            boot=boot_id(),
            started_at=self._started_at,
            at=self._clock(),
            tick=now,
            moved_tick=moved_tick,
            doing=doing,
        )

    def __enter__(self) -> Self:
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del error, trace
        self._over.set()
        self._thread.join()
        if kind is None:
            with suppress(Exception):  # the database may be what ended it
                self._store.end_pulse(host=socket.gethostname(), role=self._role)

    def _beat_on(self) -> None:
        while not self._over.wait(self._every_s):
            self._beat()

    def _beat(self) -> None:
        try:
            self._store.beat(self.row())
        except Exception as error:
            # An outer loop: the database may be away; what then does not come is itself a sign.
            if not self._failed:
                event("pulse.missed", level=logging.WARNING, error=error)
            self._failed = True
        else:
            self._failed = False
        self._beaten()
