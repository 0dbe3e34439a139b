"""Conditions on a state, in the very words of the partial indexes (`schema.OPEN` and the like)."""

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import ColumnElement, bindparam

from node.core.states import State


def in_states(state: Any, states: Collection[State]) -> ColumnElement[bool]:
    """The column holds one of the states; they reach the database as literals.

    Of a bound parameter neither SQLite nor PostgreSQL knows that it implies a partial index.
    """
    values = [each.value for each in State if each in states]
    if len(values) == 1:
        return cast(ColumnElement[bool], state == bindparam(None, values[0], literal_execute=True))
    return cast(
        ColumnElement[bool],
        state.in_(bindparam(None, values, expanding=True, literal_execute=True)),
    )


def is_open(work: Any) -> ColumnElement[bool]:
    """The work is queued or running: the words of the index `ix_..._open`."""
    return in_states(work.state, {State.QUEUED, State.RUNNING})
