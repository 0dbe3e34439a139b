"""What worker and deliverer do alike with what they hold: keep its lease, settle its failure."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Protocol, TypeVar

from node.core.retry import RetryPolicy, Verdict, classify
from node.core.states import State
from node.logs import event
from node.persistence.rows import Lease
from node.persistence.store import Store
from node.words import in_words

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


Held = TypeVar("Held", bound=Lease, contravariant=True)


class Bury(Protocol[Held]):
    """`Store.bury_job` or `Store.bury_delivery`."""

    def __call__(self, lease: Held, /, *, error: str, now: datetime) -> None:
        """It is dead and waits for a person."""
        ...


class RetryLater(Protocol[Held]):
    """`Store.retry_job` or `Store.retry_delivery`."""

    def __call__(self, lease: Held, /, *, error: str, not_before: datetime, now: datetime) -> State:
        """It is queued again, or dead if this was its last try."""
        ...


def settle_failure(
    lease: Held,
    error: Exception,
    *,
    bury: Bury[Held],
    retry_later: RetryLater[Held],
    policy: RetryPolicy,
    rng: Random,
    now: datetime,
) -> State:
    """The work is tried again after a pause, or dead; which of them.  Raises LeaseLost."""
    if classify(error) is Verdict.PERMANENT:
        bury(lease, error=in_words(error), now=now)
        return State.DEAD
    pause = timedelta(seconds=policy.delay_s(lease.tries, rng))
    return retry_later(lease, error=in_words(error), not_before=now + pause, now=now)
