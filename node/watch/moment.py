"""Time that no clock's change moves: seconds since the host's start, the same for its processes."""

import time
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now: by the clock, which may be set, and in seconds of one boot of the host, which grow."""

    at: datetime
    boot: str
    tick: float

    def age_s(self, *, boot: str, tick: float, at: datetime) -> float:
        """How long ago that was; after another boot, or on another host, by the clock."""
        if boot == self.boot:
            return self.tick - tick
        return (self.at - at).total_seconds()


def moment(at: datetime) -> Moment:
    """The moment of this call, whose time by the clock is `at`."""
    return Moment(at=at, boot=boot_id(), tick=time.monotonic())


@cache
def boot_id() -> str:
    """What tells this start of this host from any other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
