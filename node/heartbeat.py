"""Keeps a lease alive while its holder is busy with pixels or with the network."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from node.logs import event
from node.persistence.rows import Lease
from node.persistence.store import Store

BEATS_PER_LEASE = 3
"""So that two beats may be missed before the lease lapses."""


class Heartbeat:
    """Extends the lease until the block is left.

    A lease that somebody else has taken is let go silently: settling it raises LeaseLost, which is
    where it is decided.
    """

    def __init__(
        self, store: Store, lease: Lease, *, lease_s: float, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._lease = lease
        self._lease_s = lease_s
        self._clock = clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._lease_s / BEATS_PER_LEASE):
            try:
                if not self._store.extend(self._lease, self._lease_s, self._clock()):
                    return
            except Exception as error:
                # One beat missed is not the lease lost; the next may succeed.
                event("lease.beat_missed", level=logging.WARNING, error=error)
