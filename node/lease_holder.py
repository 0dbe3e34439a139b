"""Holds leased work of any kind: keeps its lease while it is done, and settles its failure.

What a process does with a lease is the same for an analysis and for a delivery, and stands here
once: the heartbeat, the verdict on a failure, and the lines in the log (`job.done`,
`delivery.dead`, ...).
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

from node.core.errors import LeaseLost
from node.core.retry import FailureKind, RetryPolicy, classify, pause_s
from node.core.states import State
from node.logs import event
from node.persistence.rows import Lease
from node.words import in_words

Clock = Callable[[], datetime]

BEATS_PER_LEASE = 3
"""So that two beats may be missed before the lease lapses."""


class KeepsLeases(Protocol):
    """What the store does with any lease."""

    def extend(self, lease: Lease, lease_s: float, now: datetime) -> bool:
        """The lease ends `lease_s` from now; False if it is no longer this process's own."""
        ...

    def retry(self, lease: Lease, *, error: str, not_before: datetime, now: datetime) -> State:
        """The work is queued again, or dead if this was its last try."""
        ...

    def bury(self, lease: Lease, *, error: str, now: datetime) -> None:
        """The work is dead and waits for a person."""
        ...


class HoldingConfig(Protocol):
    """What the sections [worker] and [delivery] say alike."""

    @property
    def lease_s(self) -> float:
        """Seconds after which a lease that nobody extends lapses."""
        ...

    @property
    def retry_policies(self) -> Mapping[FailureKind, RetryPolicy]:
        """The pauses after each kind of failure that is tried again."""
        ...


class LeaseHolder:
    """Does leased work, one piece at a time."""

    def __init__(
        self,
        config: HoldingConfig,
        store: KeepsLeases,
        *,
        clock: Clock = lambda: datetime.now(UTC),
        rng: Random | None = None,
    ) -> None:
        self._lease_s = config.lease_s
        self._policies = config.retry_policies
        self._store = store
        self._clock = clock
        self._rng = rng or Random()

    def hold(self, lease: Lease, do: Callable[[], Mapping[str, Any]]) -> None:
        """The work is settled: finished by `do`, or as its failure demands.

        do : does the work and finishes it; returns what the log says of it
        """
        with Heartbeat(self._store, lease, lease_s=self._lease_s, clock=self._clock):
            try:
                fields = do()
            except LeaseLost:
                log("lost", lease, level=logging.WARNING)
            except Exception as error:
                # An outer loop: whatever it was, the queue decides what becomes of the work.
                self._settle_failure(lease, error)
            else:
                log("done", lease, **fields)

    def _settle_failure(self, lease: Lease, error: Exception) -> None:
        """The work is tried again after a pause, or dead."""
        now = self._clock()
        try:
            pause = pause_s(error, lease.tries, self._policies, self._rng)
            if pause is None:
                self._store.bury(lease, error=in_words(error), now=now)
                state = State.DEAD
            else:
                not_before = now + timedelta(seconds=pause)
                state = self._store.retry(
                    lease, error=in_words(error), not_before=not_before, now=now
                )
        except LeaseLost:
            log("lost", lease, level=logging.WARNING)
            return
        if state is State.DEAD:
            log("dead", lease, level=logging.ERROR, error=error)
        else:
            # What lasts is for somebody to see to, and not only after the last try.
            level = logging.ERROR if self.lasts(lease, error) else logging.WARNING
            log("failed", lease, level=level, error=error)

    def lasts(self, lease: Lease, error: Exception) -> bool:
        """Whether it will not be over soon, it seems: the pauses grow no more from this try on."""
        policy = self._policies.get(classify(error))
        return policy is not None and policy.is_at_its_longest(lease.tries)


class Heartbeat:
    """Extends the lease until the block is left.

    A lease that somebody else has taken is let go silently: settling it raises LeaseLost, which is
    where it is decided.
    """

    def __init__(self, store: KeepsLeases, lease: Lease, *, lease_s: float, clock: Clock) -> None:
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


def log(
    what: str,
    lease: Lease,
    *,
    level: int = logging.INFO,
    error: Exception | None = None,
    **fields: object,
) -> None:
    """One line about the work: `job.done`, `delivery.dead`, ..."""
    event(f"{lease.noun}.{what}", level=level, error=error, **lease.log_fields(), **fields)


def keep_working(
    work_one: Callable[[], bool],
    *,
    poll_s: float,
    stop: threading.Event,
    interrupted: str,
    moved: Callable[[], None] = lambda: None,
    **fields: object,
) -> None:
    """Work until `stop` is set; what is being done then is brought to its end.

    work_one    : False if there is nothing to do now
    moved       : called before each turn, so that somebody may see that there are some
    interrupted : the log's word for a piece of work that could not even be settled
    """
    while not stop.is_set():
        moved()
        try:
            worked = work_one()
        except Exception as error:
            # The outer loop: the lease lapses and the work is claimed again.
            event(interrupted, level=logging.ERROR, error=error, **fields)
            worked = False
        if not worked:
            stop.wait(poll_s)
