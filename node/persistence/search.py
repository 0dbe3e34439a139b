"""Searches for studies, series and instances: one statement each, along an index.

What is asked for reaches the database as bound values alone.  Found are what `searched` counts:
the current version of what was received, and the results in force.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
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
        width = len(asked.answered)
        return Found(
            rows=[tuple(row)[:width] for row in rows[: asked.limit]],
            more=len(rows) > asked.limit,
        )


_STUDIES, _SERIES = cast(Table, Study.__table__), cast(Table, Series.__table__)
_RECEIVED, _MADE = cast(Table, Instance.__table__), cast(Table, Artifact.__table__)
_KEYS = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


class _Statement:
    """The statement of one search.

    glob : whether the database has GLOB, whose LIKE takes capital letters for small ones
    """

    def __init__(self, asked: Search, *, glob: bool) -> None:
        self._asked = asked
        self._glob = glob

    def whole(self) -> Select[Any]:
        asked = self._asked
        if asked.level is not Level.INSTANCE:
            table = _STUDIES if asked.level is Level.STUDY else _SERIES
            query = self._filtered(table, table.c.number_of_instances > 0)
            return query.limit(asked.limit + 1).offset(asked.offset)
        # Each kind along its own index, and no further than can be needed.
        arms = [
            self._filtered(table, text(condition)).limit(asked.offset + asked.limit + 1).subquery()
            for table, condition in ((_RECEIVED, FOUND), (_MADE, IN_FORCE))
        ]
        both = union_all(*map(select, arms)).subquery()
        return (
            select(*list(both.c)[: len(asked.answered)])
            .order_by(*list(both.c)[len(asked.answered) :])
            .limit(asked.limit + 1)
            .offset(asked.offset)
        )

    def _filtered(self, table: Table, there: Any) -> Select[Any]:
        """What is in the table and asked for: what is answered, then what it is ordered by."""
        asked = self._asked
        order = self._order(table)
        wanted = [self._column(table, each) for each in asked.answered]
        query = select(
            *(column.label(f"answer_{number}") for number, column in enumerate(wanted)),
            *(column.label(f"order_{number}") for number, column in enumerate(order)),
        ).select_from(self._joined(table))
        conditions = [there, *(self._condition(table, each) for each in asked.conditions)]
        if asked.study is not None:
            conditions.append(table.c.study_instance_uid == asked.study)
        if asked.series is not None:
            conditions.append(table.c.series_instance_uid == asked.series)
        newest_first = asked.level is Level.STUDY
        return query.where(*conditions).order_by(
            *(column.desc() if newest_first else column for column in order)
        )

    def _order(self, table: Table) -> list[Column[Any]]:
        if table is _STUDIES:
            names: tuple[str, ...] = ("study_date", "study_time", "study_instance_uid")
        elif self._asked.study is None:
            names = _KEYS[: 2 if table is _SERIES else 3]
        elif table is _SERIES:
            names = ("series_number", "series_instance_uid")
        else:
            names = ("series_instance_uid", "instance_number", "sop_instance_uid")
        return [table.c[name] for name in names]

    def _joined(self, table: Table) -> FromClause:
        asked = self._asked
        attributes = list(asked.answered)
        for condition in asked.conditions:
            one = condition.date if isinstance(condition, BetweenMoments) else condition
            attributes.append(one.attribute)
        needed = {self._table(table, each) for each in attributes}
        joined: FromClause = table
        for other, keys in ((_SERIES, _KEYS[:2]), (_STUDIES, _KEYS[:1])):
            if other is not table and other in needed:
                joined = joined.join(other, and_(*(other.c[key] == table.c[key] for key in keys)))
        return joined

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
