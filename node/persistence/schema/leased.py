"""What every kind of leased work has in its table."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from node.core.states import LEASED, SETTLED, State
from node.persistence.schema.base import Base, partial_index
from node.persistence.schema.received import Study


def _states(states: Iterable[State]) -> str:
    return ", ".join(f"'{state}'" for state in State if state in states)


OPEN = f"state IN ({_states({State.QUEUED, State.RUNNING})})"
"""What a claim looks at.  The database uses a partial index only for a query that says its very
words: `node.persistence.conditions` writes them."""
RUNNING = f"state = '{State.RUNNING}'"
DEAD = f"state = '{State.DEAD}'"


class LeasedWork(Base):
    """Work that one process at a time holds on a lease; `node.core.states` is its machine.

    A kind of work is a table of this; `node.persistence.work` does its steps.

    id         : told to people; never given again, not even after an erasure
    attempt    : the fencing token; grows with every claim, for ever
    tries      : claims since it was made or requeued; bounded by max_attempts
    not_before : the end of the pause after a failed try
    error      : why the last try failed, or why it is dead or cancelled
    """

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(Study.study_instance_uid))
    state: Mapped[str]
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    not_before: Mapped[datetime]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    error: Mapped[str | None]

    queued_by: ClassVar[tuple[str, ...]] = ()
    """Columns that divide the table into queues, each claimed by itself."""

    @classmethod
    def told(cls, row: Row[Any]) -> dict[str, Any]:
        """What each of its lines in the diary holds, beside what happened."""
        return {"number": row.id}

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        """The state machine's invariants, the indexes of its claims, and what the table adds."""
        name = cls.__tablename__
        return (
            CheckConstraint(f"state IN ({_states(State)})", name="state"),
            CheckConstraint(
                f"(state IN ({_states(LEASED)})) = (lease_until IS NOT NULL)", name="lease"
            ),
            CheckConstraint(f"(state IN ({_states(LEASED)})) = (owner IS NOT NULL)", name="owner"),
            CheckConstraint(
                f"(state IN ({_states(SETTLED)})) = (settled_at IS NOT NULL)", name="settled"
            ),
            CheckConstraint("tries BETWEEN 0 AND max_attempts", name="tries"),
            CheckConstraint("attempt >= tries", name="attempt"),
            partial_index(f"ix_{name}_open", *cls.queued_by, "state", "not_before", where=OPEN),
            partial_index(f"ix_{name}_running", "state", "lease_until", where=RUNNING),
            Index(f"ix_{name}_state", "state", "id"),
            Index(f"ix_{name}_created_at", "created_at"),
            *cls.further_table_args(),
            {"sqlite_autoincrement": True},
        )

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        """What one kind of work adds."""
        return ()
