"""Searches for studies, series and instances: one statement each, along an index.

What is asked for reaches the database as bound values alone.  Found are what `searched` counts:
the current version of what was received, and the results in force.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    literal_column,
    select,
    text,
    union_all,
)

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.dicom.searchable import Attribute, Level, Value
from node.persistence.matching import BetweenMoments, Condition, Matching
from node.persistence.schema import FOUND, IN_FORCE, Artifact, Instance, Series, Study
from node.persistence.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is asked for.

    study, series : within which; None: in all
    answered      : attributes with a column, whose values are wanted
    limit, offset : so many, after so many
    """

    level: Level
    study: StudyInstanceUID | None = None
    series: SeriesInstanceUID | None = None
    conditions: tuple[Condition, ...] = ()
    answered: tuple[Attribute, ...]
    limit: int
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer: of each row the values of `Search.answered`, in their order.

    more : whether there are others behind these
    """

    rows: Sequence[Sequence[Value]] = field(repr=False)
    more: bool


class Searches(Transactions):
    """What is here is found."""

    def search(self, asked: Search) -> Found:
        """Studies by their date and time, the newest first; all else by its UIDs and numbers."""
        statement = _Statement(asked, glob=self._engine.dialect.name == "sqlite").whole()
        with self._read() as connection:
            rows = connection.execute(statement).all()
        return Found(rows=[tuple(row) for row in rows[: asked.limit]], more=len(rows) > asked.limit)


_STUDIES, _SERIES = cast(Table, Study.__table__), cast(Table, Series.__table__)
_RECEIVED, _MADE = cast(Table, Instance.__table__), cast(Table, Artifact.__table__)
_ABOVE = ("study_instance_uid", "series_instance_uid")
_KEYS = (*_ABOVE, "sop_instance_uid")


class _Statement:
    """The statement of one search.

    glob : as `Matching` wants to know
    """

    def __init__(self, asked: Search, *, glob: bool) -> None:
        self._asked = asked
        self._glob = glob

    def whole(self) -> Select[Any]:
        asked = self._asked
        if asked.level is Level.INSTANCE:
            return self._of_both_kinds().limit(asked.limit + 1).offset(asked.offset)
        table = _STUDIES if asked.level is Level.STUDY else _SERIES
        answered = [self._column(table, each) for each in asked.answered]
        query = self._filtered(table, answered, joined=asked.answered)
        newest_first = asked.level is Level.STUDY
        return (
            query.where(table.c.number_of_instances > 0)
            .order_by(*(each.desc() if newest_first else each for each in self._ordered_by(table)))
            .limit(asked.limit + 1)
            .offset(asked.offset)
        )

    def _of_both_kinds(self) -> Select[Any]:
        """Received and made, each along its own index and no further than can be needed.

        Columns are named as text: to make them from those of a subquery takes SQLAlchemy longer
        than the search takes.
        """
        asked = self._asked
        own = [each for each in asked.answered if self._table(_RECEIVED, each) is _RECEIVED]
        orders = [f"order_{at}" for at in range(len(_KEYS))]
        arms = []
        for table, condition in ((_RECEIVED, FOUND), (_MADE, IN_FORCE)):
            columns = [
                *(table.c[key] for key in _ABOVE),
                *(self._column(table, each).label(f"answer_{at}") for at, each in enumerate(own)),
                *(
                    each.label(order)
                    for each, order in zip(self._ordered_by(table), orders, strict=True)
                ),
            ]
            arm = (
                self._filtered(table, columns)
                .where(text(condition))
                .order_by(*self._ordered_by(table))
                .limit(asked.offset + asked.limit + 1)
            )
            arms.append(select(text("*")).select_from(arm.subquery()))
        both = union_all(*arms).subquery("found")
        joined: FromClause = both
        for other, keys in ((_SERIES, _ABOVE), (_STUDIES, _ABOVE[:1])):
            if other in {self._table(_RECEIVED, each) for each in asked.answered}:
                of_found = (other.c[key] == literal_column(f"found.{key}") for key in keys)
                joined = joined.join(other, and_(*of_found))
        names: Mapping[Attribute, ColumnElement[Any]] = {
            each: literal_column(f"found.answer_{at}") for at, each in enumerate(own)
        }
        return (
            select(*(names.get(each, self._column(_RECEIVED, each)) for each in asked.answered))
            .select_from(joined)
            .order_by(*(literal_column(f"found.{order}") for order in orders))
        )

    def _filtered(
        self, table: Table, columns: Sequence[Any], *, joined: Sequence[Attribute] = ()
    ) -> Select[Any]:
        """What of the table is asked for; beside it stand the tables that `joined` need."""
        asked = self._asked
        needed = {self._table(table, each) for each in joined}
        for condition in asked.conditions:
            one = condition.date if isinstance(condition, BetweenMoments) else condition
            needed.add(self._table(table, one.attribute))
        source: FromClause = table
        for other, keys in ((_SERIES, _ABOVE), (_STUDIES, _ABOVE[:1])):
            if other is not table and other in needed:
                source = source.join(other, and_(*(other.c[key] == table.c[key] for key in keys)))
        matching = Matching(partial(self._column, table), glob=self._glob)
        conditions = [matching.condition(each) for each in asked.conditions]
        if asked.study is not None:
            conditions.append(table.c.study_instance_uid == asked.study)
        if asked.series is not None:
            conditions.append(table.c.series_instance_uid == asked.series)
        return select(*columns).select_from(source).where(*conditions)

    def _ordered_by(self, table: Table) -> list[Column[Any]]:
        if table is _STUDIES:
            names: tuple[str, ...] = ("study_date", "study_time", "study_instance_uid")
        elif self._asked.study is None:
            names = _KEYS[: 2 if table is _SERIES else 3]
        elif table is _SERIES:
            names = ("series_number", "series_instance_uid")
        else:
            names = ("series_instance_uid", "instance_number", "sop_instance_uid")
        return [table.c[name] for name in names]

    def _table(self, table: Table, attribute: Attribute) -> Table:
        if attribute.level is self._asked.level or attribute.column in _KEYS:
            return table  # UIDs stand in every table of their level and below
        return _STUDIES if attribute.level is Level.STUDY else _SERIES

    def _column(self, table: Table, attribute: Attribute) -> Column[Any]:
        return self._table(table, attribute).c[attribute.column]
