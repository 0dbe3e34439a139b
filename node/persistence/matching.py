"""What a search asks of one value, as a condition of SQL; what a client said is bound to it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, not_, or_

from node.dicom.searchable import Attribute, name_key
from node.dicom.searchable import Matching as How


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


class Matching:
    """Writes conditions.

    column_of : where the values of an attribute stand
    glob      : whether the database has GLOB, since its LIKE takes capital letters for small ones
    """

    def __init__(self, column_of: Callable[[Attribute], Column[Any]], *, glob: bool) -> None:
        self._column_of = column_of
        self._glob = glob

    def condition(self, condition: Condition) -> ColumnElement[bool]:
        """It holds, in the words of this database."""
        match condition:
            case OneOf():
                return or_(*self._any_of(condition))
            case Between():
                return _between(self._column_of(condition.attribute), condition)
            case BetweenMoments():
                return _between_moments(
                    self._column_of(condition.date.attribute),
                    self._column_of(condition.time.attribute),
                    condition,
                )

    def _any_of(self, asked: OneOf) -> list[ColumnElement[bool]]:
        attribute = asked.attribute
        column = self._column_of(attribute)
        match attribute.matching:
            case How.UID:
                return [column.in_(asked.values)]
            case How.NUMBER:
                return [column.in_([int(value) for value in asked.values])]
            case How.NAME:
                key = column.table.c[f"{attribute.column}_key"]
                patterns = [pattern for value in asked.values for pattern in _of_a_name(value)]
                return [self._like(key, pattern) for pattern in patterns]
            case How.CODE if attribute.keyword == "ModalitiesInStudy":
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
            conditions = [begins_with(column, fixed), *conditions]
        if pattern.rstrip("*") == fixed:
            conditions = conditions[:-1] or [column.is_not(None)]
        return and_(*conditions)

    def _has_form(self, column: Column[Any], pattern: str) -> ColumnElement[bool]:
        if self._glob:
            return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
        for character in "/%_":
            pattern = pattern.replace(character, f"/{character}")
        return column.like(pattern.replace("*", "%").replace("?", "_"), escape="/")


def begins_with(column: Any, beginning: str) -> ColumnElement[bool]:
    """The text begins so; where it is sorted by bytes, an index finds it."""
    return and_(column >= beginning, *_below(column, beginning))


def _below(column: Any, beginning: str) -> list[ColumnElement[bool]]:
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
    return f"{asked.high}~" if asked.attribute.matching is How.TIME else asked.high


def _between_moments(
    date: Column[Any], time: Column[Any], asked: BetweenMoments
) -> ColumnElement[bool]:
    conditions = [_between(date, asked.date)]
    if asked.date.low and asked.time.low:
        conditions.append(not_(and_(date == asked.date.low, time < asked.time.low)))
    if asked.date.high and asked.time.high:
        conditions.append(not_(and_(date == asked.date.high, time > _end_of(asked.time))))
    return and_(*conditions)
