"""Ticks: plain functions that are called again and again, whatever is done to the clock.

apscheduler keeps the time, by the wall clock: when that is set back, it would wait for as long.  So
the clock is watched, and when it is set every tick comes at once, and then in its time.  Ticks do
not overlap, and one that is late is not made up for.  One that fails is logged when it begins to
fail and when it is over, and the next one comes all the same.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from node.logs import event

LOOK_AT_CLOCK_S = 1.0
LEAST_STEP_S = 0.5
"""A clock that is slewed moves by less between two looks."""


@dataclass(slots=True, kw_only=True)
class Tick:
    """One function and how often it is called.

    do : may return in how many seconds it wants to be called again, if that is sooner
    """

    name: str
    every_s: float
    do: Callable[[], float | None]
    failed: str | None = field(default=None)


def keep_ticking(
    ticks: Sequence[Tick],
    stop: threading.Event,
    *,
    ticked: Callable[[str], None] = lambda _: None,
    wall: Callable[[], float] = time.time,
) -> None:
    """Each is called at once, and then in its time, until `stop` is set; all in one thread.

    A tick that has begun is brought to its end.

    ticked : told the name of each that was called
    wall   : the seconds of the clock that may be set
    """
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        # The one thread sees to it that none overlap.  What apscheduler itself takes for an overlap
        # it leaves out, and a tick that is due again before it has quite ended would never return.
        job_defaults={"misfire_grace_time": None, "max_instances": 2},
        timezone="UTC",
    )
    calling = threading.Lock()

    def call(tick: Tick) -> None:
        with calling:
            if stop.is_set():
                return
            sooner_s = _called(tick)
            call_in(tick.every_s if sooner_s is None else min(sooner_s, tick.every_s), tick)
            ticked(tick.name)

    def call_in(pause_s: float, tick: Tick) -> None:
        # Once each time, and again when it is over: a trigger that repeats overlaps or is skipped.
        at = datetime.now(UTC) + timedelta(seconds=pause_s)
        scheduler.add_job(
            call, "date", run_date=at, args=[tick], id=tick.name, replace_existing=True
        )

    for tick in ticks:
        call_in(0, tick)
    scheduler.start()
    apart_s = wall() - time.monotonic()
    try:
        while not stop.wait(LOOK_AT_CLOCK_S):
            was_apart_s, apart_s = apart_s, wall() - time.monotonic()
            if abs(apart_s - was_apart_s) > LEAST_STEP_S:
                _come_at_once(scheduler)
    finally:
        # Paused first, and at rest once it answers: shut down amid its own work, apscheduler loses
        # sight of its jobs and fails.  To wait for a tick it would hold what the tick needs.
        scheduler.pause()
        scheduler.get_jobs()
        scheduler.shutdown(wait=False)
        with calling:
            pass


def _come_at_once(scheduler: BackgroundScheduler) -> None:
    for job in scheduler.get_jobs():
        scheduler.add_job(
            job.func,
            "date",
            run_date=datetime.now(UTC),
            args=job.args,
            id=job.id,
            replace_existing=True,
        )


def _called(tick: Tick) -> float | None:
    try:
        sooner_s = tick.do()
    except Exception as error:
        # An outer loop: whatever it was, the next tick tries again.
        kind = type(error).__name__
        if tick.failed != kind:
            event("tick.failed", level=logging.ERROR, tick=tick.name, error=error)
        tick.failed = kind
        return None
    if tick.failed is not None:
        event("tick.works_again", tick=tick.name)
    tick.failed = None
    return sooner_s
