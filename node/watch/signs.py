"""Which signs there are: of the rows, the disk and the certificates, as they are now.

Nothing here waits for anybody: the database is read once, and no peer is called.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from node.config import NodeConfig, WatchConfig
from node.core.errors import NodeError
from node.persistence.database import sqlite_file
from node.persistence.store import Store
from node.persistence.watching import PulseRow, QueueRow, Watched
from node.watch.certificates import ending
from node.watch.moment import Moment
from node.watch.roles import SUPERVISOR, WITHOUT, roles_of
from node.watch.sign import TOLD_OF, Name, Sign, error, warning
from node.words import in_words


def signs(config: NodeConfig, store: Store, *, now: Moment) -> tuple[Sign, ...]:
    """Everything that is wrong, the worst first; what has stood before keeps its `since`."""
    found: list[Sign] = [
        *_disk(config),
        *ending(config, now=now.at, days=config.watch.certificate_days),
    ]
    try:
        seen = store.watched(
            ct_expected_from=config.watch.expect_ct_from,
            expired_after=now.at - _RECENTLY if config.watch.expect_annotations else None,
            now=now.at,
        )
        standing = store.standing_since()
    except (SQLAlchemyError, NodeError) as failed:
        found.append(unreachable(in_words(failed)))
        standing = {}
    else:
        found += signs_in(seen, config, now=now)
        found += _unheard(config, store, now)
    return in_order(
        _since(sign, standing.get(sign.key)) for sign in {each.key: each for each in found}.values()
    )


def unreachable(why: str) -> Sign:
    """The sign of a database that cannot be read."""
    says = f"{why}; nothing is taken in, and `m3node check` says more"
    return error(Name.DATABASE_UNREACHABLE, says)


def in_order(found: Iterable[Sign]) -> tuple[Sign, ...]:
    """Errors first, then by name and subject."""
    return tuple(sorted(found, key=lambda sign: (sign.severity, sign.name, sign.subject)))


def signs_in(seen: Watched, config: NodeConfig, *, now: Moment) -> Iterator[Sign]:
    """What the rows tell."""
    alive = list(_processes(seen.pulses, config, now))
    yield from alive
    if any(sign.name is Name.NODE_DOWN for sign in alive):
        busy = frozenset[str]()
    else:
        busy = frozenset(pulse.role for pulse in seen.pulses if pulse.doing is not None)
        yield from _unclaimed(seen, config, busy, now)
        yield from _unread(seen, config.watch, now)
        yield from _no_ct(seen, config.watch, now)
    yield from _destinations(seen, config, now)
    yield from _dead(seen)
    yield from _expired(seen)


def _since(sign: Sign, standing: datetime | None) -> Sign:
    if sign.since is not None or standing is None:
        return sign
    return replace(sign, since=standing)


UNHEARD = timedelta(minutes=15)


def _unheard(config: NodeConfig, store: Store, now: Moment) -> Iterator[Sign]:
    """Whom alerts do not reach: else the others believe that he knows."""
    settle = UNHEARD + timedelta(seconds=config.alerts.settle_s)
    told = {"webhook": config.alerts.webhook, "mail": config.alerts.mail}
    for recipient in (name for name, configured in told.items() if configured is not None):
        untold = store.untold(
            recipient, settle=settle, severities=TOLD_OF[config.alerts.least], now=now.at
        )
        if untold:
            yield warning(
                Name.ALERTS_UNHEARD,
                f"{_many(len(untold), 'alert')} could not be told by {recipient} for more than "
                f"15 min; `m3node alert test` says why, see alerts.{recipient}",
                subject=recipient,
                since=untold[0].seen_at,
            )


def _disk(config: NodeConfig) -> Iterator[Sign]:
    directory, least_gb = config.storage.directory, config.storage.min_free_gb
    try:
        free_gb = _free_bytes(directory) / 1e9
    except OSError as failed:
        yield error(
            Name.STORAGE_UNREADABLE,
            f"{directory} cannot be read ({failed.strerror}): nothing is taken in; "
            "see that its disk is there",
        )
        return
    if free_gb < least_gb:
        yield error(
            Name.DISK_LOW,
            f"{free_gb:.1f} GB are free in {directory}, less than storage.min_free_gb = "
            f"{least_gb:g}: every object that comes is refused with A700; free some space",
        )
    elif free_gb < 2 * least_gb:
        yield warning(
            Name.DISK_LOW,
            f"{free_gb:.1f} GB are free in {directory}; below storage.min_free_gb = {least_gb:g} "
            "every object that comes is refused with A700; free some space",
        )
    file = sqlite_file(config.database.url)
    if file is not None:
        yield from _database_disk(file.parent, directory)


_DATABASE_GB = 0.1
"""An SQLite database on a disk of its own needs so much to go on."""


def _database_disk(folder: Path, storage: Path) -> Iterator[Sign]:
    try:
        if folder.stat().st_dev == storage.stat().st_dev:
            return
        free_gb = _free_bytes(folder) / 1e9
    except OSError:
        return  # the database itself says so
    if free_gb < _DATABASE_GB:
        yield error(
            Name.DISK_LOW,
            f"{free_gb:.2f} GB are free in {folder}, where the database is; free some space",
            subject="database",
        )


def _free_bytes(directory: Path) -> int:
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def _processes(pulses: Sequence[PulseRow], config: NodeConfig, now: Moment) -> Iterator[Sign]:
    watch = config.watch
    silent_s = {
        (pulse.host, pulse.role): now.age_s(boot=pulse.boot, tick=pulse.tick, at=pulse.at)
        for pulse in pulses
    }
    if all(age_s > watch.frozen_after_s for age_s in silent_s.values()):
        last = max((pulse.at for pulse in pulses), default=None)
        yield error(
            Name.NODE_DOWN,
            "no process of the node says that it runs: start it with `m3node serve`, "
            "or see why it ended in its log",
            since=last,
        )
        return
    for role in roles_of(config):
        if not any(pulse.role == role for pulse in pulses):
            yield error(
                Name.PROCESS_MISSING,
                f"the {role} does not run, so {WITHOUT[role]}; see process.ended in the log",
                subject=role,
            )
    for pulse in pulses:
        if pulse.role in WITHOUT:
            yield from _process(pulse, silent_s[pulse.host, pulse.role], watch, now)


def _process(pulse: PulseRow, silent_s: float, watch: WatchConfig, now: Moment) -> Iterator[Sign]:
    pid = pulse.owner.rsplit(":", 2)[1]
    who = f"the {pulse.role} (process {pid} on {pulse.host})"
    again = "start the node again" if pulse.role == SUPERVISOR else "it is started again"
    if silent_s > watch.frozen_after_s:
        yield error(
            Name.PROCESS_FROZEN,
            f"{who} has not said for {_long(silent_s)} that it runs, so {WITHOUT[pulse.role]}; "
            f"`kill -9 {pid}`, and {again}",
            subject=pulse.role,
            since=pulse.at,
        )
        return
    still_s = silent_s + pulse.tick - pulse.moved_tick
    since = now.at - timedelta(seconds=still_s)
    if pulse.role == "scheduler" and still_s > watch.tick_late_after_s:
        yield error(
            Name.TICK_LATE,
            f"{who} has not looked at the studies for {_long(still_s)}: none is judged complete; "
            f"if it does not go on, `kill -9 {pid}`, and it is started again",
            subject=pulse.role,
            since=since,
        )
    elif still_s > watch.stuck_after_s:
        does = f"is at {pulse.doing} and" if pulse.doing else "waits for nothing and"
        yield error(
            Name.PROCESS_STUCK,
            f"{who} {does} has not got on for {_long(still_s)}; "
            f"`kill -9 {pid}`, and it is started again",
            subject=pulse.role,
            since=since,
        )


_CLAIMANT = {"job": "worker", "delivery": "deliverer", "fetch": "puller"}


def _unclaimed(
    seen: Watched, config: NodeConfig, busy: frozenset[str], now: Moment
) -> Iterator[Sign]:
    configured = {
        "job": {""},
        "delivery": {each.name for each in config.destinations},
        "fetch": {each.name for each in config.sources},
    }
    long = timedelta(seconds=config.watch.unclaimed_after_s)
    for queue in seen.queues:
        role = _CLAIMANT[queue.kind]
        if queue.due_since is None or queue.running or now.at - queue.due_since <= long:
            continue
        if queue.name not in configured[queue.kind] or (queue.kind == "job" and role in busy):
            continue
        what = f"{queue.kind} list --state queued"
        of = f" for {queue.name}" if queue.name else ""
        yield error(
            Name.WORK_UNCLAIMED,
            f"{_many(queue.queued, queue.kind)}{of} {_wait(queue.queued)} and the {role} takes "
            f"none of them; `m3node {what}` names them, the log of the {role} says why",
            subject=f"{role} {queue.name}".rstrip(),
            since=queue.due_since,
        )


def _unread(seen: Watched, watch: WatchConfig, now: Moment) -> Iterator[Sign]:
    since = seen.unread_since
    if since is not None and now.at - since > timedelta(seconds=watch.unread_after_s):
        yield error(
            Name.STUDIES_UNREAD,
            f"{_many(seen.unread, 'object')} came and nobody has read what they say, so their "
            "studies are not judged; the log of the scheduler says why",
            since=since,
        )
    due = seen.judge_due_since
    if due is not None and now.at - due > timedelta(seconds=watch.tick_late_after_s):
        yield error(
            Name.STUDIES_UNREAD,
            f"{_many(seen.judged_late, 'study')} should have been judged complete or not by now; "
            "the log of the scheduler says why",
            subject="judging",
            since=due,
        )


def _no_ct(seen: Watched, watch: WatchConfig, now: Moment) -> Iterator[Sign]:
    long = timedelta(hours=watch.expect_ct_within_h)
    up_since = min((pulse.started_at for pulse in seen.pulses), default=now.at)
    for title, last in seen.ct_from.items():
        since = last or up_since
        if now.at - since > long:
            came = "no CT has come" if last is None else f"no CT has come since {_when(last)}"
            yield warning(
                Name.NO_CT,
                f"{came} from {title}; see that it sends here, and what it says",
                subject=title,
                since=since,
            )


_RECENTLY = timedelta(days=1)
"""So long it is told that a study has expired."""


def _expired(seen: Watched) -> Iterator[Sign]:
    if seen.expired:
        yield warning(
            Name.STUDIES_EXPIRED,
            f"{_many(seen.expired, 'study')} expired during the last day: no annotation came "
            "within study.unannotated_expires_s; `m3node study list --state expired` names them, "
            "see that annotations are sent here",
            since=seen.expired_since,
        )


def _destinations(seen: Watched, config: NodeConfig, now: Moment) -> Iterator[Sign]:
    named = {each.name for each in config.destinations}
    long = timedelta(seconds=config.watch.destination_down_after_s)
    for queue in seen.queues:
        if queue.kind != "delivery":
            continue
        if queue.name not in named and queue.queued:
            yield warning(
                Name.DESTINATION_UNKNOWN,
                f"{_many(queue.queued, 'delivery')} {_wait(queue.queued)} for {queue.name}, which "
                "no [[destinations]] names: nothing sends them until one does; "
                f"`m3node delivery cancel --destination {queue.name}` ends them",
                subject=queue.name,
            )
        elif queue.name in named and queue.failing_from is not None:
            since = max(queue.failing_from, queue.done_at or queue.failing_from)
            if now.at - since > long:
                yield _down(queue, since)


def _down(queue: QueueRow, since: datetime) -> Sign:
    waiting = queue.queued + queue.running  # what is tried once more has not been taken either
    return error(
        Name.DESTINATION_DOWN,
        f"{queue.name} has taken nothing since {_when(since)}, and "
        f"{_many(waiting, 'delivery')} {_wait(waiting)} for it; `m3node echo {queue.name}` and "
        f"`m3node delivery list --state queued` say why",
        subject=queue.name,
        since=since,
    )


def _dead(seen: Watched) -> Iterator[Sign]:
    name = {
        "job": Name.JOBS_DEAD,
        "delivery": Name.DELIVERIES_DEAD,
        "fetch": Name.FETCHES_DEAD,
    }
    for dead in seen.dead:
        where = {"job": "", "delivery": f" to {dead.name}", "fetch": f" at {dead.name}"}[dead.kind]
        do = (
            "`m3node why STUDY` says why, `m3node fetch --study UID` asks again, "
            "`m3node fetch cancel` ends it"
            if dead.kind == "fetch"
            else f"`m3node {dead.kind} list --state dead` says why, requeue or cancel"
        )
        says = (
            f"{_many(dead.number, dead.kind)}{where} {'is' if dead.number == 1 else 'are'} dead "
            f"and {_wait(dead.number)} for a person: {do}"
        )
        make = warning if dead.kind == "fetch" else error
        yield make(name[dead.kind], says, subject=dead.name, since=dead.since)


_PLURAL = {"study": "studies", "delivery": "deliveries", "fetch": "fetches"}


def _many(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else _PLURAL.get(noun, f'{noun}s')}"


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _when(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M")
