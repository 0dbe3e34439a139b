"""Leased work: a job and a delivery are claimed, kept and settled alike.

A claim is one UPDATE.  Every later change is a compare-and-swap on (id, attempt, state): whoever
has been overtaken gets LeaseLost and has changed nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update
from sqlalchemy.orm import aliased

from node.core.diary import Kind
from node.core.errors import LeaseLost
from node.core.states import SETTLED, State, Step, after, sources
from node.persistence.owner import is_dead_here
from node.persistence.rows import JobLease, Lease
from node.persistence.schema import Delivery, Job
from node.persistence.transactions import Transactions, record

Work = type[Job] | type[Delivery]


class Leases(Transactions):
    """What holds for every lease."""

    def extend(self, lease: Lease, lease_s: float, now: datetime) -> bool:
        """The lease ends `lease_s` from now; False if it is no longer this process's own."""
        with self._write() as connection:
            extended = connection.execute(
                update(table_of(lease))
                .where(held(lease))
                .values(lease_until=now + timedelta(seconds=lease_s))
            )
            return bool(extended.rowcount)

    def release_leases(self, *, now: datetime, owner: str | None = None) -> int:
        """Leases that nobody keeps any more are given up; how many were.

        Without `owner`: those that have lapsed, and those of processes of this host that run no
        more; what has used up its tries is dead, the rest queued.  With `owner`: all of its leases,
        given back willingly, so that they cost no try.
        """
        with self._write() as connection:
            return sum(_release(connection, work, owner, now) for work in (Job, Delivery))


def claim(
    connection: Connection,
    work: Work,
    *,
    eligible: Callable[[Any], Sequence[ColumnElement[bool]]],
    owner: str,
    lease_s: float,
    now: datetime,
    values: Callable[[Any], dict[str, Any]] = lambda _work: {},
) -> Row[Any] | None:
    """One piece of work is this owner's, its attempt one higher; None if there is none.

    Queued work whose pause is over, or running work whose lease has lapsed; the longest due first.
    """
    candidate = aliased(work)
    due = or_(
        and_(candidate.state == State.QUEUED, candidate.not_before <= now),
        and_(candidate.state == State.RUNNING, candidate.lease_until < now),
    )
    chosen = (
        select(candidate.id)
        .where(due, candidate.tries < candidate.max_attempts, *eligible(candidate))
        .order_by(candidate.not_before, candidate.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # left out on SQLite, which has one writer
        .scalar_subquery()
    )
    return connection.execute(
        update(work)
        .where(work.id == chosen)
        .values(
            state=State.RUNNING,
            attempt=work.attempt + 1,
            tries=work.tries + 1,
            owner=owner,
            lease_until=now + timedelta(seconds=lease_s),
            **values(work),
        )
        .returning(*work.__table__.columns)
    ).one_or_none()


def settle(
    connection: Connection, lease: Lease, step: Step, *, now: datetime, **values: Any
) -> None:
    """The held work has taken the step and is held no more.  Raises LeaseLost."""
    work = table_of(lease)
    changed = connection.execute(
        update(work).where(held(lease)).values(**entering(State.RUNNING, step, now), **values)
    )
    if not changed.rowcount:
        raise LeaseLost(
            f"{work.__tablename__} {number_of(lease)}: attempt {lease.attempt} is over, "
            "somebody else holds it or it is settled"
        )


def move(
    connection: Connection, work: Work, number: int, step: Step, *, now: datetime, **values: Any
) -> bool:
    """Work that nobody holds has taken the step; False if its state does not allow it."""
    states = sources(step) - {State.RUNNING}
    targets = {after(state, step) for state in states}
    assert len(targets) == 1, f"{step} leads to one state"  # noqa: S101
    changed = connection.execute(
        update(work)
        .where(work.id == number, work.state.in_(states))
        .values(**entering(min(states), step, now), **values)
    )
    return bool(changed.rowcount)


def held(lease: Lease) -> ColumnElement[bool]:
    """The row, if the lease is still its holder's own."""
    work = table_of(lease)
    return and_(
        work.id == number_of(lease), work.attempt == lease.attempt, work.state == State.RUNNING
    )


def table_of(lease: Lease) -> Work:
    """The table in which the leased work stands."""
    return Job if isinstance(lease, JobLease) else Delivery


def number_of(lease: Lease) -> int:
    """The leased work's number."""
    return lease.job_id if isinstance(lease, JobLease) else lease.delivery_id


def entering(state: State, step: Step, now: datetime) -> dict[str, Any]:
    """What the row holds after the step."""
    target = after(state, step)
    assert target is not None, f"{step} from {state}"  # noqa: S101
    return {
        "state": target,
        "owner": None,
        "lease_until": None,
        "settled_at": now if target in SETTLED else None,
    }


def _release(connection: Connection, work: Work, owner: str | None, now: datetime) -> int:
    released = 0
    for row in connection.execute(
        select(*work.__table__.columns).where(work.state == State.RUNNING)
    ).all():
        willing = owner is not None and row.owner == owner
        if owner is None and row.lease_until < now:
            error = f"its lease lapsed in try {row.tries} of {row.max_attempts}"
        elif owner is None and is_dead_here(row.owner):
            error = f"its process died in try {row.tries} of {row.max_attempts}"
        elif willing:
            error = "its process was stopped"
        else:
            continue
        used_up = row.tries >= row.max_attempts and not willing
        values: dict[str, Any] = {"error": error}
        if willing:
            values |= {"tries": row.tries - 1, "not_before": now}
        changed = connection.execute(
            update(work)
            .where(work.id == row.id, work.attempt == row.attempt, work.state == State.RUNNING)
            .values(
                **entering(State.RUNNING, Step.BURY if used_up else Step.RELEASE, now), **values
            )
        )
        if changed.rowcount:
            released += 1
            _tell(connection, work, row, used_up=used_up, error=error, now=now)
    return released


def _tell(
    connection: Connection, work: Work, row: Row[Any], *, used_up: bool, error: str, now: datetime
) -> None:
    if work is Job:
        record(
            connection,
            Kind.JOB_DEAD if used_up else Kind.JOB_RELEASED,
            study=row.study_instance_uid,
            now=now,
            job_id=row.id,
            error=error,
        )
    else:
        record(
            connection,
            Kind.DELIVERY_DEAD if used_up else Kind.DELIVERY_RELEASED,
            study=study_of(connection, row.job_id),
            now=now,
            job_id=row.job_id,
            delivery_id=row.id,
            destination=row.destination,
            error=error,
        )


def study_of(connection: Connection, job_id: int) -> str:
    """The study that a job is of."""
    return connection.execute(select(Job.study_instance_uid).where(Job.id == job_id)).scalar_one()
