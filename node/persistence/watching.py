"""What signs of trouble are read from, in one consistent look; and the pulses of processes.

Every query here has an index or a table of a few rows: they are asked for at every look at a page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, select
from sqlalchemy.orm import aliased

from node.core.states import State
from node.persistence.conditions import in_states, is_open
from node.persistence.holding import UNTIL_SENT_AGAIN
from node.persistence.process_identity import is_dead_here, is_of_this_host
from node.persistence.schema import (
    Contribution,
    Delivery,
    Fetching,
    Instance,
    Job,
    LeasedWork,
    ProcessPulse,
    Sender,
    Study,
)
from node.persistence.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseRow:
    """What one process last said of itself; `schema.ProcessPulse` explains the fields."""

    host: str
    role: str
    owner: str
    boot: str
    started_at: datetime
    at: datetime
    tick: float
    moved_tick: float
    doing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue: jobs, or what is sent to one destination, or asked of one source.

    kind         : "job", "delivery", "fetch"
    name         : of the destination or source; empty for jobs
    queued       : pieces of work that wait
    running      : pieces of work that somebody holds
    due_since    : since when the longest due of the queued waits to be taken
    failing_from : when the first was made that has been tried in vain, if any has; it waits for
                   its next try, or that runs now
    done_at      : when the last was done; asked only where some fail
    """

    kind: str
    name: str
    queued: int
    running: int
    due_since: datetime | None
    failing_from: datetime | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadRow:
    """Dead work of one queue: how many pieces, and since when there is some."""

    kind: str
    name: str
    number: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was seen in one look.

    ct_from : of each asked calling AE title, when it last began an association that brought a CT
    unread  : stored objects that nobody has read yet, and since when the oldest waits
    judged_late : studies whose time to be judged is over, and since when the first one's is
    expired : studies that have expired after the asked moment, and when the first one did
    """

    pulses: Sequence[PulseRow]
    queues: Sequence[QueueRow]
    dead: Sequence[DeadRow]
    ct_from: Mapping[str, datetime | None]
    unread: int
    unread_since: datetime | None
    judged_late: int
    judge_due_since: datetime | None
    expired: int = 0
    expired_since: datetime | None = None


class Watching(Transactions):
    """Pulses, and the look at everything that may be wrong."""

    def beat(self, pulse: PulseRow) -> None:
        """The process has said that it runs."""
        with self._write() as connection:
            _forget(connection, host=pulse.host, role=pulse.role)
            connection.execute(
                insert(ProcessPulse).values(
                    **{name: getattr(pulse, name) for name in PulseRow.__slots__}
                )
            )

    def end_pulse(self, *, host: str, role: str) -> None:
        """The process has said that it ends, as it should."""
        with self._write() as connection:
            _forget(connection, host=host, role=role)

    def forget_pulses_of_dead(self) -> None:
        """Of a node that starts no process is looked for that ended without a word.

        A process of this host is asked; on SQLite those of other hosts are of a container that this
        one has replaced: its disk is its own.
        """
        on_own_disk = self._engine.dialect.name == "sqlite"
        with self._write() as connection:
            for row in connection.execute(
                select(ProcessPulse.host, ProcessPulse.role, ProcessPulse.owner)
            ).all():
                if is_dead_here(row.owner) or (on_own_disk and not is_of_this_host(row.owner)):
                    _forget(connection, host=row.host, role=row.role)

    def pulses(self) -> Sequence[PulseRow]:
        """What each process said last."""
        with self._read() as connection:
            return _pulses(connection)

    def watched(
        self,
        *,
        ct_expected_from: Sequence[str],
        expired_after: datetime | None = None,
        now: datetime,
    ) -> Watched:
        """One look at everything; at what has expired only if it is asked since when."""
        with self._read() as connection:
            unread = connection.execute(
                select(func.count(), func.min(Instance.received_at)).where(Instance.facts.is_(None))
            ).one()
            late = connection.execute(
                select(func.count(), func.min(Study.judge_at)).where(Study.judge_at <= now)
            ).one()
            expired = (0, None) if expired_after is None else _expired(connection, expired_after)
            return Watched(
                expired=expired[0],
                expired_since=expired[1],
                pulses=_pulses(connection),
                queues=[
                    *_queues(connection, Job, None, now),
                    *_queues(connection, Delivery, Delivery.destination, now),
                    *_queues(connection, Fetching, Fetching.source, now),
                ],
                dead=[
                    *_dead(connection, Job, None, may_be_overtaken=True),
                    *_dead(connection, Delivery, Delivery.destination),
                    *_dead(connection, Fetching, Fetching.source, may_be_overtaken=True),
                ],
                ct_from={name: _last_ct(connection, name) for name in ct_expected_from},
                unread=unread[0],
                unread_since=unread[1],
                judged_late=late[0],
                judge_due_since=late[1],
            )


def _pulses(connection: Connection) -> list[PulseRow]:
    return [
        PulseRow(**row._asdict())
        for row in connection.execute(select(*ProcessPulse.__table__.columns))
    ]


def _forget(connection: Connection, *, host: str, role: str) -> None:
    connection.execute(
        delete(ProcessPulse).where(ProcessPulse.host == host, ProcessPulse.role == role)
    )


def _queues(
    connection: Connection, work: type[LeasedWork], name: Any, now: datetime
) -> list[QueueRow]:
    """Counted by the index of open work alone; only what fails is looked for in the rows."""
    queued, running = in_states(work.state, {State.QUEUED}), in_states(work.state, {State.RUNNING})
    query = select(
        func.count().filter(queued).label("queued"),
        func.count().filter(running).label("running"),
        func.min(work.not_before).filter(queued, work.not_before <= now).label("due_since"),
        *([] if name is None else [name.label("name")]),
    ).where(is_open(work))
    if name is not None:
        query = query.group_by(name)
    found = []
    for row in connection.execute(query).all():
        failing_from = done_at = None
        if name is not None:
            failing_from = _first_in_vain(connection, work, name, row.name)
        if failing_from is not None:
            done_at = _last_done(connection, work, name, row.name)
        found.append(
            QueueRow(
                kind=work.__tablename__,
                name="" if name is None else row.name,
                queued=row.queued,
                running=row.running,
                due_since=row.due_since,
                failing_from=failing_from,
                done_at=done_at,
            )
        )
    return found


def _first_in_vain(
    connection: Connection, work: type[LeasedWork], name: Any, of: str
) -> datetime | None:
    """When the first made of the open that has been tried before was made."""
    return connection.execute(
        select(work.created_at)
        .where(
            name == of,
            is_open(work),
            work.tries > 0,
            work.error.is_not(None),  # a first try that runs has none yet
        )
        .order_by(work.id)
        .limit(1)
    ).scalar_one_or_none()


def _last_done(
    connection: Connection, work: type[LeasedWork], name: Any, of: str
) -> datetime | None:
    """Of the last made that is done: near enough, and it needs no look at all of them."""
    return connection.execute(
        select(work.settled_at)
        .where(name == of, work.state == State.DONE)
        .order_by(work.id.desc())
        .limit(1)
    ).scalar_one_or_none()


def _dead(
    connection: Connection, work: type[LeasedWork], name: Any, *, may_be_overtaken: bool = False
) -> list[DeadRow]:
    """What waits for a person: not what a later one of the same study has made good.

    may_be_overtaken : whether that can be; of outdated deliveries none stays dead
    """
    later = aliased(work)
    query = select(
        func.count().label("number"),
        func.min(work.settled_at).label("since"),
        *([] if name is None else [name.label("name")]),
    ).where(work.state == State.DEAD)
    if may_be_overtaken:
        query = query.where(
            ~exists().where(
                later.study_instance_uid == work.study_instance_uid,
                later.id > work.id,
                later.state == State.DONE,
            )
        )
    query = query.group_by(name) if name is not None else query
    return [
        DeadRow(
            kind=work.__tablename__,
            name="" if name is None else row.name,
            number=row.number,
            since=row.since,
        )
        for row in connection.execute(query).all()
        if row.number
    ]


def _expired(connection: Connection, after: datetime) -> tuple[int, datetime | None]:
    """What a restore holds has not: it waits for a person."""
    row = connection.execute(
        select(func.count(), func.min(Study.expired_at)).where(
            Study.expired_at > after, ~Study.waiting_for.startswith(UNTIL_SENT_AGAIN)
        )
    ).one()
    return row[0], row[1]


def _last_ct(connection: Connection, calling_ae: str) -> datetime | None:
    brought = exists().where(
        Contribution.sender_id == Sender.id,
        Contribution.new + Contribution.newer > 0,
        Contribution.study_instance_uid == Study.study_instance_uid,
        Study.modalities.contains("\\CT\\", autoescape=True),
    )
    return connection.execute(
        select(Sender.opened_at)
        .where(Sender.name == calling_ae, brought)
        .order_by(Sender.id.desc())
        .limit(1)
    ).scalar_one_or_none()
