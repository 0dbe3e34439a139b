"""The ticks: judge studies, read what came, take back leases, sweep what the dead left behind.

What a tick does is a plain function, and `ticks` calls it; all in one thread, so they do not
compete with one another for the database, which may be away for a while.  A study whose quiet
period ends is judged then, and not at the next look.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from node.logs import event
from node.persistence.spool import Spool
from node.ticks import Tick, keep_ticking
from node.watch.pulse import Moved, unseen
from node.work.planner import Planner, ReadsInstances

RELEASE_EVERY_S = 5.0
READ_EVERY_S = 0.5
READ_S = 0.25
"""So long objects are read in advance, before studies have their turn."""
SOONEST_S = 0.05
SWEEP_EVERY_S = 600.0
KEEP_EVERY_S = 5.0
PART_AGE = timedelta(hours=1)
"""No writer takes so long for one file."""


class KeepsTime(Protocol):
    """What the scheduler asks of the store: what is due, and who runs no more."""

    def next_judgement(self) -> datetime | None:
        """When the next study is to be judged."""
        ...

    def release_leases(self, *, now: datetime) -> int:
        """Leases that nobody keeps any more are given up."""
        ...

    def close_senders_of_dead(self, now: datetime) -> int:
        """Senders whose process runs no more are closed."""
        ...

    def forget_future(self, *, longest_pause: timedelta, now: datetime) -> int:
        """Nothing waits for a time that a clock set back has moved away."""
        ...


def run(
    planner: Planner,
    *,
    reading: ReadsInstances,
    store: KeepsTime,
    spool: Spool,
    keep: Callable[[], None],
    look_every_s: float,
    longest_pause_s: float,
    clock: Callable[[], datetime],
    stop: threading.Event,
    moved: Moved = unseen,
) -> None:
    """Ticks until `stop` is set; a tick that has begun is brought to its end.

    keep            : frees a little of what may go from the disk
    longest_pause_s : between two tries of any work
    """

    def plan() -> float:
        for number in planner.plan(clock()):
            event("job.queued", job=number)
        due = store.next_judgement()
        wait_s = look_every_s if due is None else (due - clock()).total_seconds()
        return max(SOONEST_S, wait_s)

    def read() -> None:
        with suppress(OSError):  # what does not answer is told when its study is judged
            reading.read(within_s=READ_S)

    def release() -> None:
        closed = store.close_senders_of_dead(clock())
        released = store.release_leases(now=clock())
        if closed or released:
            event("leases.released", leases=released, senders=closed)

    def mend() -> None:
        mended = store.forget_future(longest_pause=timedelta(seconds=longest_pause_s), now=clock())
        if mended:
            event("clock.set_back", level=logging.WARNING, no_longer_waiting=mended)

    def sweep() -> None:
        swept = spool.sweep_parts(clock() - PART_AGE)
        if swept:
            event("spool.swept", files=swept)

    # The sweep comes too seldom to be missed.
    seen = {plan.__name__, read.__name__, release.__name__}

    def ticked(name: str) -> None:
        if name in seen:
            moved(part=name)

    keep_ticking(
        [
            Tick(name=do.__name__, every_s=every_s, do=do)
            for do, every_s in (
                (release, RELEASE_EVERY_S),
                (mend, RELEASE_EVERY_S),
                (read, READ_EVERY_S),
                (plan, look_every_s),
                (sweep, SWEEP_EVERY_S),
                (keep, KEEP_EVERY_S),
            )
        ],
        stop,
        ticked=ticked,
    )
