"""A clock that was set back leaves times in the database that lie ahead: nothing waits for them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update

from node.core.states import State
from node.persistence.conditions import in_states, is_open
from node.persistence.leases import KINDS
from node.persistence.schema import Study
from node.persistence.transactions import Transactions

_SMALL = timedelta(seconds=5)
"""So far the clocks of two hosts may differ."""


class SetBack(Transactions):
    """What is done about it."""

    def forget_future(self, *, longest_pause: timedelta, now: datetime) -> int:
        """What came later than now came now, and no work pauses longer than it ever has to.

        longest_pause : between two tries of any work

        A study that came before waits at most twice as long as it would have.  Returns how many
        studies and pieces of work wait no longer.
        """
        ahead: list[tuple[Any, ColumnElement[bool], dict[str, Any]]] = [
            (
                Study,
                Study.last_arrival_at > now + _SMALL,
                {"last_arrival_at": now, "judge_at": now, "change": Study.change + 1},
            ),
            *(
                (
                    kind,
                    is_open(kind)
                    & in_states(kind.state, {State.QUEUED})
                    & (kind.not_before > now + longest_pause + _SMALL),
                    {"not_before": now},
                )
                for kind in KINDS
            ),
        ]
        with self._read() as connection:
            found = [
                each
                for each in ahead
                if connection.execute(select(each[0]).where(each[1]).limit(1)).first()
            ]
        if not found:
            return 0
        with self._write() as connection:
            return sum(
                connection.execute(update(table).where(where).values(**values)).rowcount
                for table, where, values in found
            )
