"""The one machine for leased work: every `state` in the database is written in this file.

`node.core.states` says which steps there are, this file how they happen, for every kind of work
(a table of `schema.LeasedWork`) alike.  A step is one compare-and-swap: on the state, and for work
that is held on the attempt as well, so that whoever has been overtaken gets LeaseLost and has
changed nothing.  Its line in the diary is written in the same transaction.

    add      a new piece of work is queued
    claim    the next piece is an owner's, for a while
    extend   ... for a while longer
    settle   the holder has finished it, wants it retried, or buries it
    release  nobody keeps the lease any more
    move     a person, or newer work, has requeued or cancelled what nobody holds
    cancel_one  a person has cancelled it, held or not
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from node.core.diary import queued_entry, step_entry
from node.core.errors import LeaseLost
from node.core.states import FIRST, LEASED, SETTLED, State, Step, sources, target
from node.persistence.conditions import in_states, is_open
from node.persistence.rows import Lease
from node.persistence.schema import LeasedWork, UTCDateTime
from node.persistence.transactions import record

Work = type[LeasedWork]
"""A kind of work."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the diary says of a step, beside which work has taken it.

    entry : what the step is called there, if not by its own name
    """

    details: Mapping[str, Any] = field(default_factory=dict)
    entry: str | None = None


PLAIN = Line()
"""Only that the step was taken."""


def add(
    connection: Connection,
    work: Work,
    *,
    max_attempts: int,
    now: datetime,
    line: Line = PLAIN,
    **values: Any,
) -> int:
    """A new piece of work is queued; its number."""
    row = connection.execute(
        insert(work)
        .values(
            state=FIRST,
            attempt=0,
            tries=0,
            max_attempts=max_attempts,
            not_before=now,
            created_at=now,
            **values,
        )
        .returning(*_columns(work))
    ).one()
    _tell(connection, work, row, queued_entry(work.__tablename__), line, now)
    return cast(int, row.id)


def claims(
    work: Work,
    *,
    eligible: Callable[[Any], Sequence[ColumnElement[bool]]],
    **values: ColumnElement[Any],
) -> ReturningUpdate[Any]:
    """The statement of `claim`, to be made once: the making costs more than the running.

    eligible : what must be true of a candidate beside its being due
    values   : what a claim writes beside the lease
    """
    candidate = aliased(work)
    now = bindparam("claim_now", type_=UTCDateTime())

    def due(state: State, since: Any) -> Any:
        return (
            select(candidate.id)
            .where(
                is_open(candidate),
                in_states(candidate.state, {state}),
                since,
                candidate.tries < candidate.max_attempts,
                *eligible(candidate),
            )
            .order_by(candidate.not_before, candidate.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # left out on SQLite, which has one writer
            .scalar_subquery()
        )

    return (
        update(work)
        .where(
            work.id
            == func.coalesce(
                due(State.RUNNING, candidate.lease_until < now),
                due(State.QUEUED, candidate.not_before <= now),
            )
        )
        .values(
            state=target(Step.CLAIM),
            attempt=work.attempt + 1,
            tries=work.tries + 1,
            owner=bindparam("claim_owner"),
            lease_until=bindparam("claim_until"),
            **values,
        )
        .returning(*_columns(work))
    )


def claim(
    connection: Connection,
    work: Work,
    statement: ReturningUpdate[Any],
    *,
    owner: str,
    lease_s: float,
    now: datetime,
    **parameters: Any,
) -> Row[Any] | None:
    """One piece of work is this owner's, its attempt one higher; None if there is none.

    Running work whose lease has lapsed, else queued work whose pause is over; the longest due
    first.  `statement` is of `claims`, with its `parameters`.
    """
    row = connection.execute(
        statement,
        {
            "claim_now": now,
            "claim_owner": owner,
            "claim_until": now + timedelta(seconds=lease_s),
            **parameters,
        },
    ).one_or_none()
    if row is not None:
        line = Line({"owner": owner, "tries": row.tries, "max_attempts": row.max_attempts})
        _tell(connection, work, row, _entry(work, Step.CLAIM), line, now)
    return row


def held(lease: Lease) -> ColumnElement[bool]:
    """The row, if the lease is still its holder's own."""
    work = lease.work
    return and_(
        work.id == lease.number,
        work.attempt == lease.attempt,
        in_states(work.state, LEASED),
    )


def extend(connection: Connection, lease: Lease, *, until: datetime) -> bool:
    """The lease ends then; False if it is no longer its holder's own."""
    return bool(
        connection.execute(update(lease.work).where(held(lease)).values(lease_until=until)).rowcount
    )


def settle(
    connection: Connection,
    lease: Lease,
    step: Step,
    *,
    now: datetime,
    line: Line = PLAIN,
    **values: Any,
) -> None:
    """The held work has taken the step and is held no more.  Raises LeaseLost."""
    assert sources(step) == LEASED, f"{step} is of what is held"  # noqa: S101
    work = lease.work
    row = connection.execute(
        update(work)
        .where(held(lease))
        .values(**_at_rest(target(step), now), **values)
        .returning(*_columns(work))
    ).one_or_none()
    if row is None:
        raise LeaseLost(
            f"{work.__tablename__} {lease.number}: attempt {lease.attempt} is over, "
            "somebody else holds it or it is settled"
        )
    _tell(connection, work, row, _entry(work, step), line, now)


def retry(
    connection: Connection, lease: Lease, *, error: str, not_before: datetime, now: datetime
) -> State:
    """The work is queued again, or dead if this was its last try.  Raises LeaseLost."""
    if lease.tries >= lease.max_attempts:
        bury(connection, lease, error=f"{error} (try {lease.tries}, the last)", now=now)
        return State.DEAD
    line = Line({"error": error, "not_before": not_before.isoformat(timespec="seconds")})
    settle(connection, lease, Step.RETRY, now=now, line=line, error=error, not_before=not_before)
    return State.QUEUED


def bury(connection: Connection, lease: Lease, *, error: str, now: datetime) -> None:
    """The work is dead and waits for a person.  Raises LeaseLost."""
    settle(connection, lease, Step.BURY, now=now, line=Line({"error": error}), error=error)


def release(connection: Connection, lease: Lease, *, error: str, now: datetime) -> None:
    """The abandoned work is queued, or dead if its tries are used up.  Raises LeaseLost."""
    step = Step.BURY if lease.tries >= lease.max_attempts else Step.RELEASE
    settle(connection, lease, step, now=now, line=Line({"error": error}), error=error)


def give_back(connection: Connection, lease: Lease, *, now: datetime) -> None:
    """The work is queued, and the try that was broken off does not count.  Raises LeaseLost."""
    error = "its process was stopped"
    settle(
        connection,
        lease,
        Step.RELEASE,
        now=now,
        line=Line({"error": error}),
        error=error,
        tries=lease.tries - 1,
        not_before=now,
    )


def requeue(
    connection: Connection,
    work: Work,
    number: int,
    *,
    now: datetime,
    line: Line = PLAIN,
    **values: Any,
) -> bool:
    """Dead or cancelled work is queued with all its tries; False if it is neither."""
    where = work.id == number
    values = {"tries": 0, "not_before": now, **values}
    return bool(move(connection, work, Step.REQUEUE, where, now=now, line=line, **values))


def cancel(
    connection: Connection,
    work: Work,
    where: ColumnElement[bool],
    *,
    error: str,
    now: datetime,
    line: Line = PLAIN,
) -> list[int]:
    """Of the queued and dead work that is meant, none will happen; the numbers."""
    line = replace(line, details={"error": error, **line.details})
    return move(connection, work, Step.CANCEL, where, now=now, line=line, error=error)


def cancel_one(
    connection: Connection, row: Row[Any], work: Work, *, error: str, now: datetime, line: Line
) -> bool:
    """The work will not happen; False of what is done or cancelled.

    Who is doing it finds its lease lost, and nothing of what it did is kept.
    """
    if State(row.state) not in LEASED:
        return bool(cancel(connection, work, work.id == row.id, error=error, now=now, line=line))
    settle(connection, lease_of(work, row), Step.STOP, now=now, error=error, line=line)
    return True


def move(
    connection: Connection,
    work: Work,
    step: Step,
    where: ColumnElement[bool],
    *,
    now: datetime,
    line: Line,
    **values: Any,
) -> list[int]:
    """What nobody holds and `where` means has taken the step, if its state allows it."""
    rows = connection.execute(
        update(work)
        .where(in_states(work.state, sources(step) - LEASED), where)
        .values(**_at_rest(target(step), now), **values)
        .returning(*_columns(work))
    ).all()
    for row in rows:
        _tell(connection, work, row, _entry(work, step), line, now)
    return [row.id for row in rows]


def lease_of(work: Work, row: Row[Any]) -> Lease:
    """The lease under which the row is held."""
    return Lease(
        work=work,
        number=row.id,
        attempt=row.attempt,
        tries=row.tries,
        max_attempts=row.max_attempts,
        owner=row.owner,
        study_instance_uid=row.study_instance_uid,
    )


def _at_rest(state: State, now: datetime) -> dict[str, Any]:
    """What the row of work holds that nobody holds."""
    return {
        "state": state,
        "owner": None,
        "lease_until": None,
        "settled_at": now if state in SETTLED else None,
    }


def _columns(work: Work) -> Sequence[Any]:
    return list(cast(Table, work.__table__).columns)


def _entry(work: Work, step: Step) -> str:
    return step_entry(work.__tablename__, step)


def _tell(
    connection: Connection, work: Work, row: Row[Any], entry: str, line: Line, now: datetime
) -> None:
    record(
        connection,
        line.entry or entry,
        study=row.study_instance_uid,
        now=now,
        **{**work.told(row), **line.details},
    )
