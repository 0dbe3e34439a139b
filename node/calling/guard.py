"""How long an exchange with a destination may last as a whole, and how much it may answer.

A socket's timeout limits one read.  A peer that gives a byte a second keeps inside it for ever, and
the courier with it, whose heartbeat keeps the lease: nothing more goes there, and nobody is told.
So the whole exchange has an end as well, at which the connection is shut down from outside; whoever
reads or writes it then finds it closed.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LARGEST_ANSWER = 1 << 20
"""Bytes of an answer that are read; what says whether one object is stored needs a few hundred."""


def allowed_s(size: int, *, timeout_s: float, slowest_kb_s: float) -> float:
    """Seconds that sending so many bytes and waiting for the answer may take.

    timeout_s until the connection stands, the bytes at the slowest pace, timeout_s for the answer.
    """
    return 2 * timeout_s + size / (1000 * slowest_kb_s)


class Guard:
    """Watches one connection; made and used by one thread."""

    def __init__(self) -> None:
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._until = self._credit_s = 0.0
        self._pace: float | None = None
        self.expired = False
        """Whether the last exchange was broken off because its time was up."""

    def watch(self, connection: socket.socket) -> None:
        """From now on this is the connection that is shut down.

        A duplicate of it is: TLS takes the descriptor away from the socket that it is laid over.
        """
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._drop()
            self._connection = duplicate
            if self.expired:
                self._shut()

    @contextmanager
    def within(self, seconds: float, *, slowest_kb_s: float | None = None) -> Iterator[None]:
        """The block has so long; then the connection is shut down and `expired` is true.

        slowest_kb_s : of an exchange whose size nobody knows: the end is put off while bytes come
                       at this pace (`received`); never to later than so many seconds from then
        """
        self.expired = False
        self._credit_s, self._until = seconds, time.monotonic() + seconds
        self._pace = None if slowest_kb_s is None else 1000 * slowest_kb_s
        over = threading.Event()
        watching = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()

    def received(self, size: int) -> None:
        """So many bytes have come."""
        if self._pace is not None:
            latest = time.monotonic() + self._credit_s
            self._until = min(self._until + size / self._pace, latest)

    def renew(self) -> None:
        """Something is done: the block has as long again."""
        self._until = time.monotonic() + self._credit_s

    def cut(self) -> None:
        """The connection is shut down now."""
        self._expire()

    def _watch(self, over: threading.Event) -> None:
        while (left_s := self._until - time.monotonic()) > 0:
            if over.wait(left_s):
                return
        if not over.is_set():
            self._expire()

    def close(self) -> None:
        """Nothing is watched any more."""
        with self._lock:
            self._drop()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._connection is not None:
            with suppress(OSError):  # it is closed already
                self._connection.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
