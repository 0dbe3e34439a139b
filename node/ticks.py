"""Ticks: plain functions that are called again and again, by time that no clock's change moves.

A clock that is set, forward or back, neither delays a tick nor makes up for any.  A tick that is
late is called once, not as often as it was missed; ticks do not overlap.  One that fails is logged
when it begins to fail and when it is over, and the next one comes all the same.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from node.logs import event


@dataclass(slots=True, kw_only=True)
class Tick:
    """One function and how often it is called.

    do : may return in how many seconds it wants to be called again, if that is sooner
    """

    name: str
    every_s: float
    do: Callable[[], float | None]
    next_s: float = 0.0
    failed: str | None = field(default=None)


def keep_ticking(
    ticks: Sequence[Tick],
    stop: threading.Event,
    *,
    ticked: Callable[[str], None] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] | None = None,
) -> None:
    """Each is called at once, and then in its time, until `stop` is set.

    ticked : told the name of each that was called
    wait   : returns after so many seconds or when `stop` is set
    """
    wait = wait or stop.wait
    for tick in ticks:
        tick.next_s = monotonic()
    while not stop.is_set():
        for tick in ticks:
            if tick.next_s <= monotonic() and not stop.is_set():
                sooner_s = _called(tick)
                pause_s = tick.every_s if sooner_s is None else min(sooner_s, tick.every_s)
                tick.next_s = monotonic() + pause_s
                ticked(tick.name)
        wait(max(0.0, min(tick.next_s for tick in ticks) - monotonic()))


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
