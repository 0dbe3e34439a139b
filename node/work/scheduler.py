"""The ticks: judge studies, read what came, take back leases, sweep what the dead left behind.

apscheduler keeps the time; what a tick does is a plain function.  A tick that fails is logged, and
the next one comes all the same: the database may be away for a while.  A study whose quiet period
ends is judged then, and not at the next look.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from node.logs import event
from node.persistence.spool import Spool
from node.work.planner import Planner, ReadsInstances

RELEASE_EVERY_S = 5.0
READ_EVERY_S = 0.5
READ_S = 0.25
"""So long objects are read in advance, before studies have their turn."""
SOONEST_S = 0.05
SWEEP_EVERY_S = 600.0
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


def run(
    planner: Planner,
    *,
    reading: ReadsInstances,
    store: KeepsTime,
    spool: Spool,
    look_every_s: float,
    clock: Callable[[], datetime],
    stop: threading.Event,
) -> None:
    """Ticks until `stop` is set; a tick that has begun is brought to its end."""

    def plan() -> None:
        for number in planner.plan(clock()):
            event("job.queued", job=number)
        due = store.next_judgement()
        wait_s = look_every_s if due is None else (due - clock()).total_seconds()
        if wait_s < look_every_s:
            at = datetime.now(UTC) + timedelta(seconds=max(SOONEST_S, wait_s))
            tick = _unbreakable(plan)
            scheduler.add_job(tick, "date", run_date=at, id="due", replace_existing=True)

    def read() -> None:
        with suppress(OSError):  # what does not answer is told when its study is judged
            reading.read(within_s=READ_S)

    def release() -> None:
        closed = store.close_senders_of_dead(clock())
        released = store.release_leases(now=clock())
        if closed or released:
            event("leases.released", leases=released, senders=closed)

    def sweep() -> None:
        swept = spool.sweep_parts(clock() - PART_AGE)
        if swept:
            event("spool.swept", files=swept)

    # One thread: ticks do not compete with one another for the database.
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )
    # apscheduler counts by the wall clock, whatever `clock` says.
    first = datetime.now(UTC)
    for tick, every_s in (
        (release, RELEASE_EVERY_S),
        (read, READ_EVERY_S),
        (plan, look_every_s),
        (sweep, SWEEP_EVERY_S),
    ):
        scheduler.add_job(
            _unbreakable(tick), "interval", seconds=every_s, id=tick.__name__, next_run_time=first
        )
    scheduler.start()
    try:
        stop.wait()
    finally:
        scheduler.shutdown(wait=True)


def _unbreakable(tick: Callable[[], None]) -> Callable[[], None]:
    def ticked() -> None:
        try:
            tick()
        except Exception as error:
            # An outer loop: whatever it was, the next tick tries again.
            event("tick.failed", level=logging.ERROR, tick=tick.__name__, error=error)

    return ticked
