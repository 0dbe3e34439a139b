"""Destinations as an operator sees them: what arrived there last, what waits, what is dead."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from node.core.states import State
from node.persistence.conditions import in_states, is_open
from node.persistence.schema import Delivery
from node.persistence.transactions import Transactions

_LOOKED_AT = 100
"""Successful deliveries, the last made, of which the last to end counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRow:
    """One destination, as far as its deliveries tell.

    counts            : deliveries that are queued, running or dead; those that are done are not
                        counted
    last_success_at   : None if nothing has been delivered there
    oldest_waiting_at : when the first of those that are under way was made
    error             : why the last try failed, if something waits because of it
    """

    name: str
    counts: Mapping[State, int]
    last_success_at: datetime | None
    oldest_waiting_at: datetime | None
    error: str | None


class DestinationLists(Transactions):
    """Where results go."""

    def destination_rows(self) -> list[DestinationRow]:
        """Every destination that something was ever to be delivered to, by name."""
        with self._read() as connection:
            names = connection.execute(
                select(Delivery.destination).distinct().order_by(Delivery.destination)
            ).scalars()
            return [_row(connection, name) for name in names.all()]


def _row(connection: Connection, name: str) -> DestinationRow:
    counted = connection.execute(
        select(Delivery.state, func.count(), func.min(Delivery.created_at))
        .where(
            Delivery.destination == name,
            is_open(Delivery),
        )
        .group_by(Delivery.state)
    ).all()
    dead = connection.execute(
        select(func.count()).where(
            in_states(Delivery.state, {State.DEAD}), Delivery.destination == name
        )
    ).scalar_one()
    done = (
        select(Delivery.settled_at)
        .where(Delivery.destination == name, in_states(Delivery.state, {State.DONE}))
        .order_by(Delivery.id.desc())
        .limit(_LOOKED_AT)
        .subquery()
    )
    return DestinationRow(
        name=name,
        counts={State(state): number for state, number, _ in counted} | {State.DEAD: dead},
        last_success_at=connection.execute(select(func.max(done.c.settled_at))).scalar_one(),
        oldest_waiting_at=min((made_at for _, _, made_at in counted), default=None),
        error=connection.execute(
            select(Delivery.error)
            .where(
                Delivery.destination == name,
                is_open(Delivery),
                Delivery.error.is_not(None),
                Delivery.tries > 0,
            )
            .order_by(Delivery.not_before.desc())
            .limit(1)
        ).scalar_one_or_none(),
    )
