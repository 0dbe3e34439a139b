"""How much of everything there is, in one look that reads indexes and no rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from node.core.states import State
from node.persistence.schema import (
    Delivery,
    Fetching,
    Instance,
    Job,
    LeasedWork,
    ProcessPulse,
    Sender,
    Study,
    Tally,
)
from node.persistence.tallies import TallyRow
from node.persistence.transactions import Transactions
from node.persistence.watching import PulseRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted.

    objects, associations : that have ever come; senders of other kinds count as associations
    open_senders : by kind
    oldest       : since when the oldest of each kind waits
    """

    objects: int
    associations: int
    studies: int
    waiting: int
    expired: int
    ignored: int
    open_senders: Mapping[str, int]
    jobs: Mapping[str, int]
    outcomes: Mapping[str, int]
    deliveries: Mapping[tuple[str, str], int]
    fetches: Mapping[str, int]
    oldest: Mapping[str, datetime]
    tallies: Sequence[TallyRow]
    pulses: Sequence[PulseRow]


class Counting(Transactions):
    """The look."""

    def counted(self) -> Counted:
        """One look at everything that is counted."""
        oldest = {
            # The first made is the oldest, and its index is at hand.
            "job": _first(Job),
            "delivery": _first(Delivery),
            "waiting study": select(func.min(Study.last_arrival_at)).where(
                Study.waiting_for.is_not(None)
            ),
            "unread object": select(func.min(Instance.received_at)).where(Instance.facts.is_(None)),
        }
        number = func.count()
        with self._read() as connection:

            def one(query: Select[int]) -> int:
                return connection.execute(query).scalar_one() or 0

            def by(column: Any, *where: ColumnElement[bool]) -> dict[str, int]:
                rows = connection.execute(select(column, number).where(*where).group_by(column))
                return {str(key): count for key, count in rows if key is not None}

            return Counted(
                objects=one(select(func.max(Instance.id))),
                associations=one(select(func.max(Sender.id))),
                studies=one(select(number).select_from(Study)),
                waiting=one(select(number).where(Study.waiting_for.is_not(None))),
                expired=one(select(number).where(Study.expired_at.is_not(None))),
                ignored=one(select(number).where(Study.ignored_because.is_not(None))),
                open_senders=by(Sender.kind, Sender.closed_at.is_(None)),
                jobs=by(Job.state),
                outcomes=by(Job.outcome),
                deliveries={
                    (row[0], row[1]): row[2]
                    for row in connection.execute(
                        select(Delivery.destination, Delivery.state, number).group_by(
                            Delivery.destination, Delivery.state
                        )
                    )
                },
                fetches=by(Fetching.state),
                oldest={
                    what: since
                    for what, query in oldest.items()
                    if (since := connection.execute(query).scalar_one_or_none()) is not None
                },
                tallies=[
                    TallyRow(**row._asdict())
                    for row in connection.execute(select(*Tally.__table__.columns))
                ],
                pulses=[
                    PulseRow(**row._asdict())
                    for row in connection.execute(select(*ProcessPulse.__table__.columns))
                ],
            )


def _first(work: type[LeasedWork]) -> Select[datetime]:
    return select(work.created_at).where(work.state == State.QUEUED).order_by(work.id).limit(1)
