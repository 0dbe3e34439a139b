"""Looks at the signs again and again, keeps which stand, and tells of each: a process of its own.

It depends on no other process of the node: what it tells of may be that they are frozen.  Looking
never waits for telling: each who is told has a thread.  The supervisor sees to it that the watcher
itself goes on (`beaten`), and the watcher that the supervisor does.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from node.config import NodeConfig
from node.core.errors import NodeError
from node.core.retry import RetryPolicy
from node.logs import event
from node.persistence.standing import StandingRow
from node.persistence.store import Store
from node.ticks import Tick, keep_ticking
from node.watch.alert import Alert, alert_of
from node.watch.moment import moment
from node.watch.pulse import Moved, unseen
from node.watch.roles import SUPERVISOR
from node.watch.sign import TOLD_OF, Sign
from node.watch.signs import signs, unreachable
from node.watch.supervised import SupervisorsPulse
from node.watch.telling import Tells
from node.words import in_words

LOOK_EVERY_S = 5.0
TELL_EVERY_S = 1.0
FIRST_PAUSE_S = 5.0


def run(
    config: NodeConfig,
    store: Store,
    stop: threading.Event,
    *,
    tellers: Sequence[Tells],
    node: str,
    supervisor_file: Path,
    clock: Callable[[], datetime],
    moved: Moved = unseen,
) -> None:
    """Watch until `stop` is set.

    supervisor_file : changed by the supervisor every few seconds; its process number stands in it
    """
    telling = [
        threading.Thread(
            target=Telling(config, store, each, node=node, clock=clock).run,
            args=(stop,),
            name=f"tell-{each.name}",
            daemon=True,
        )
        for each in tellers
    ]
    for thread in telling:
        thread.start()
    names = [each.name for each in tellers]
    every_s = min(LOOK_EVERY_S, config.watch.frozen_after_s / 3)

    supervisor = SupervisorsPulse(supervisor_file)

    def look() -> None:
        moved("looking", part="look")
        row = supervisor.row(moment(clock()))
        if row is not None:
            store.beat(row)
        note(config, store, clock(), recipients=names)
        moved(part="look")

    keep_ticking([Tick(name="look", every_s=every_s, do=look)], stop)
    with suppress(SQLAlchemyError, NodeError):
        store.end_pulse(host=socket.gethostname(), role=SUPERVISOR)
    for thread in telling:
        thread.join(config.alerts.timeout_s)


def note(config: NodeConfig, store: Store, now: datetime, *, recipients: Sequence[str]) -> None:
    """What is seen now stands from now on; what is over and told is forgotten."""
    seen = signs(config, store, now=moment(now))
    store.note_signs([row_of(sign, now) for sign in seen], now=now)
    settle = timedelta(seconds=config.alerts.settle_s)
    store.forget_over(recipients, settle=settle, now=now)


def row_of(sign: Sign, now: datetime) -> StandingRow:
    """The sign as it is kept."""
    return StandingRow(
        name=sign.name.value,
        subject=sign.subject,
        severity=sign.severity.value,
        says=sign.says,
        since=sign.since or now,
        seen_at=now,
        over_at=None,
    )


class Telling:
    """Tells one recipient, one alert after the other, until each was heard."""

    def __init__(
        self,
        config: NodeConfig,
        store: Store,
        teller: Tells,
        *,
        node: str,
        clock: Callable[[], datetime],
        rng: Random | None = None,
    ) -> None:
        self._store = store
        self._teller = teller
        self._node = node
        self._clock = clock
        self._settle = timedelta(seconds=config.alerts.settle_s)
        self._severities = TOLD_OF[config.alerts.least]
        self._pauses = RetryPolicy(
            base_s=min(FIRST_PAUSE_S, config.alerts.retry_cap_s), cap_s=config.alerts.retry_cap_s
        )
        self._rng = rng or Random()
        self._failures = 0
        self._lost: _Lost | None = None

    def run(self, stop: threading.Event) -> None:
        """Tell until `stop` is set."""
        keep_ticking(
            [Tick(name=f"tell {self._teller.name}", every_s=self._pauses.cap_s, do=self.tell)], stop
        )

    def tell(self) -> float:
        """What is to be told has been, or will be tried again; in how many seconds."""
        now = self._clock()
        try:
            due = self._store.untold(
                self._teller.name, settle=self._settle, severities=self._severities, now=now
            )
        except (SQLAlchemyError, NodeError) as error:
            return self._tell_of_database(in_words(error), now)
        if self._lost is not None and self._lost.told:
            pause_s = self._heard(replace(self._lost.alert, over=True, at=now))
            if pause_s is not None:
                return pause_s
        self._lost = None
        for row in due:
            pause_s = self._heard(alert_of(row, node=self._node, now=now))
            if pause_s is not None:
                return pause_s
            self._store.note_told(row, self._teller.name, now=now)
        return TELL_EVERY_S

    def _tell_of_database(self, why: str, now: datetime) -> float:
        """Told without the database, which cannot say what has been told."""
        if self._lost is None:
            row = row_of(unreachable(why), now)
            alert = alert_of(row, node=self._node, now=now)
            self._lost = _Lost(alert=alert, due_s=time.monotonic() + self._settle.total_seconds())
        if self._lost.told or time.monotonic() < self._lost.due_s:
            return TELL_EVERY_S
        pause_s = self._heard(self._lost.alert)
        self._lost.told = pause_s is None
        return pause_s or TELL_EVERY_S

    def _heard(self, alert: Alert) -> float | None:
        """None if the alert was heard, else after how many seconds it is to be told again."""
        said: dict[str, Any] = {
            "to": self._teller.name,
            "sign": alert.name,
            "subject": alert.subject,
        }
        try:
            self._teller.tell(alert)
        except NodeError as error:
            self._failures += 1
            level = logging.WARNING if self._failures == 1 else logging.INFO
            event("alert.not_heard", level=level, error=error, tries=self._failures, **said)
            return self._pauses.delay_s(self._failures, self._rng)
        self._failures = 0
        event("alert.heard", over=alert.over, **said)
        return None


@dataclass(slots=True, kw_only=True)
class _Lost:
    """The database does not answer; told from then on."""

    alert: Alert
    due_s: float
    told: bool = False
