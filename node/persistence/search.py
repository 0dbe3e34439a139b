"""Searches for studies, series and instances: one statement each, along an index.

What is asked for reaches the database as bound values alone.  Found are what `searched` counts:
the current version of what was received, and the results in force.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    literal_column,
    not_,
    or_,
    select,
    text,
    union_all,
)

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.dicom.searchable import Attribute, Level, Matching, Value, name_key
from node.persistence.schema import FOUND, IN_FORCE, Artifact, Instance, Series, Study
from node.persistence.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """The attribute is one of the values, each with wild cards (* and ?) if it may have them."""

    attribute: Attribute
    values: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A date or a time lies between the two, both included; empty: on that side without end.

    A time that names no seconds means the whole minute.
    """

    attribute: Attribute
    low: str = field(repr=False)
    high: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenMoments:
    """A date and the time that goes with it lie, together, between two moments, both included."""

    date: Between
    time: Between


Condition = OneOf | Between | BetweenMoments


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

    glob : whether the database has GLOB, whose LIKE takes capital letters for small ones
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
        conditions = [self._condition(table, each) for each in asked.conditions]
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

    def _condition(self, table: Table, condition: Condition) -> ColumnElement[bool]:
        match condition:
            case OneOf():
                return or_(*self._any_of(table, condition))
            case Between():
                return _between(self._column(table, condition.attribute), condition)
            case BetweenMoments():
                return _between_moments(
                    self._column(table, condition.date.attribute),
                    self._column(table, condition.time.attribute),
                    condition,
                )

    def _any_of(self, table: Table, asked: OneOf) -> list[ColumnElement[bool]]:
        attribute = asked.attribute
        column = self._column(table, attribute)
        match attribute.matching:
            case Matching.UID:
                return [column.in_(asked.values)]
            case Matching.NUMBER:
                return [column.in_([int(value) for value in asked.values])]
            case Matching.NAME:
                key = self._table(table, attribute).c[f"{attribute.column}_key"]
                patterns = [pattern for value in asked.values for pattern in _of_a_name(value)]
                return [self._like(key, pattern) for pattern in patterns]
            case Matching.CODE if attribute.keyword == "ModalitiesInStudy":
                return [self._like(column, f"*\\{value}\\*") for value in asked.values]
            case _:
                return [self._like(column, value) for value in asked.values]

    def _like(self, column: Column[Any], pattern: str) -> ColumnElement[bool]:
        """The value has that form; where it begins without a wild card, an index finds it."""
        fixed = re.split(r"[*?]", pattern, maxsplit=1)[0]
        if fixed == pattern:
            return column == pattern
        conditions = [self._has_form(column, pattern)]
        if fixed:
            conditions = [column >= fixed, *_below(column, fixed), *conditions]
        if pattern.rstrip("*") == fixed:
            conditions = conditions[:-1] or [column.is_not(None)]
        return and_(*conditions)

    def _has_form(self, column: Column[Any], pattern: str) -> ColumnElement[bool]:
        if self._glob:
            return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
        for character in "/%_":
            pattern = pattern.replace(character, f"/{character}")
        return column.like(pattern.replace("*", "%").replace("?", "_"), escape="/")


def _below(column: Column[Any], beginning: str) -> list[ColumnElement[bool]]:
    """What is not behind all that begins so."""
    following = ord(beginning[-1]) + 1
    if following == 0xD800:  # no text has a surrogate
        following = 0xE000
    if following > 0x10FFFF:
        return []
    return [column < beginning[:-1] + chr(following)]


def _of_a_name(value: str) -> list[str]:
    """Patterns of keys of names of which one group at least is so (PS3.4 C.2.2.2.1).

    Names in Latin letters stand in the first group, where an index finds them.
    """
    key = name_key(value)
    first = [key] if key.endswith("*") else [key, f"{key}=*"]
    return first if value.isascii() else [*first, *(f"*={each}" for each in first)]


def _between(column: Column[Any], asked: Between) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [column >= asked.low if asked.low else column > ""]
    if asked.high:
        conditions.append(column <= _end_of(asked))
    return and_(*conditions)


def _end_of(asked: Between) -> str:
    """Behind every time that begins so."""
    return f"{asked.high}~" if asked.attribute.matching is Matching.TIME else asked.high


def _between_moments(
    date: Column[Any], time: Column[Any], asked: BetweenMoments
) -> ColumnElement[bool]:
    conditions = [_between(date, asked.date)]
    if asked.date.low and asked.time.low:
        conditions.append(not_(and_(date == asked.date.low, time < asked.time.low)))
    if asked.date.high and asked.time.high:
        conditions.append(not_(and_(date == asked.date.high, time > _end_of(asked.time))))
    return and_(*conditions)
