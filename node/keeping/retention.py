"""What is freed, when and why: by age, and above the watermark the oldest first of each kind.

`plan` says it beforehand; `run` does it; the scheduler does it in small steps (`Keeper`).  What may
not go at all is known to the database (`node.persistence.retention`).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.config import RetentionConfig
from node.core.keeping import Files, Freeable
from node.keeping.removal import UnknownFiles, remove_marked
from node.logs import event
from node.persistence.spool import Spool
from node.persistence.store import Store

BY_ITSELF = "retention"
"""Who freed it, in the diary, if nobody asked."""
_ABOVE_THE_WATERMARK = (
    (Files.RECEIVED, True),
    (Files.RECEIVED, False),
    (Files.RESULTS, None),
)
"""Whose report has been delivered loses nothing without its CT; one that was given up before could
not be judged any more without having it sent again."""
_PAGE = 50
_PLAN_EVERY_S = 10.0
_REST = 100.0
"""What looks long at a large database rests so many times longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Files of a study that are to be freed, and why."""

    files: Freeable
    because: str


def plan(store: Store, config: RetentionConfig, *, now: datetime) -> Iterator[Planned]:
    """What is to be freed now, in this order; what is freed meanwhile changes nothing of it."""
    if config.keep == "forever":
        return
    planned: set[tuple[str, Files]] = set()
    excess = 0.0
    if config.watermark_gb is not None:
        excess = store.stored_bytes() - config.watermark_gb * 1e9
    for what, key, days in (
        (Files.RECEIVED, "received_days", config.received_days),
        (Files.RESULTS, "results_days", config.results_days),
    ):
        if days is None:
            continue
        because = f"kept for {days:g} days (retention.{key})"
        for each in _all(store, what, before=now - timedelta(days=days)):
            planned.add((each.study_instance_uid, what))
            excess -= each.size
            yield Planned(files=each, because=because)
    for what, answered in _ABOVE_THE_WATERMARK:
        if excess <= 0:
            return
        because = f"more than {config.watermark_gb:g} GB were stored (retention.watermark_gb)"
        for each in _all(store, what, answered=answered):
            if (each.study_instance_uid, what) not in planned:
                yield Planned(files=each, because=because)
                excess -= each.size
                if excess <= 0:
                    return


def run(
    store: Store, spool: Spool, config: RetentionConfig, *, by: str, now: datetime
) -> Iterator[Planned]:
    """What is planned is freed; each as soon as its files are gone."""
    for each in plan(store, config, now=now):
        if freed := _free(store, each, by=by, now=now):
            remove_marked(store, spool)
            yield freed


class Keeper:
    """Frees what is due, removes what is noted, looks for what is unknown: a little at a time."""

    def __init__(
        self, store: Store, spool: Spool, config: RetentionConfig, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._spool = spool
        self._config = config
        self._clock = clock
        self._unknown = UnknownFiles(store, spool, clock)
        self._plan_at_s = 0.0

    def step(self, *, within_s: float) -> None:
        """As much as that time allows; the rest is left to the next step."""
        end = time.monotonic() + within_s
        remove_marked(self._store, self._spool, within_s=within_s)
        if not self._plan_at_s <= time.monotonic() < end:
            return
        now, began_s = self._clock(), time.monotonic()
        for each in plan(self._store, self._config, now=now):
            _free(self._store, each, by=BY_ITSELF, now=now)
            remove_marked(self._store, self._spool, within_s=within_s)
            if time.monotonic() >= end:
                return  # the plan goes on with the next step
        if unknown := self._unknown.look():
            event("spool.unknown", files=unknown)
        took_s = time.monotonic() - began_s
        self._plan_at_s = time.monotonic() + max(_PLAN_EVERY_S, _REST * took_s)


def _free(store: Store, planned: Planned, *, by: str, now: datetime) -> Planned | None:
    files = planned.files
    freed = store.free(
        files.study_instance_uid, files.what, because=planned.because, by=by, now=now
    )
    if freed is None:
        return None
    event(
        "study.freed",
        study=freed.study_instance_uid,
        what=freed.what,
        files=freed.files,
        megabytes=round(freed.size / 1e6, 1),
        because=planned.because,
    )
    return Planned(files=freed, because=planned.because)


def _all(
    store: Store, what: Files, *, before: datetime | None = None, answered: bool | None = None
) -> Iterator[Freeable]:
    after: Freeable | None = None
    while page := store.freeable(what, before=before, answered=answered, most=_PAGE, after=after):
        yield from page
        after = page[-1]
