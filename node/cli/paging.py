"""What every list takes: a search, an order and a page; and how a page says what it is part of."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import click

if TYPE_CHECKING:
    from node.persistence.asked import Page

F = TypeVar("F", bound=Callable[..., Any])
Order = TypeVar("Order", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging(Generic[Order]):
    """Which part of a list is shown.

    order    : what it is sorted by
    forwards : whether the least comes first; else the greatest, which is the newest
    limit    : so many rows
    offset   : after so many
    """

    order: Order
    forwards: bool
    limit: int
    offset: int

    def told(self, page: "Page[Any]", noun: str) -> str:
        """What stands below a list that is not the whole; empty below one that is."""
        shown, total = len(page.rows), page.total
        if shown == total:
            return "" if shown else f"no {noun}"
        if not shown:
            return f"none of {total:,} here; --page {-(-total // self.limit)} is the last"
        ends = page.offset + shown
        said = f"{page.offset + 1:,} to {ends:,} of {total:,}"
        if ends == total:
            return said
        return f"{said}; --page {page.offset // self.limit + 2} shows the next, --limit more"


def paged(orders: Mapping[Order, bool]) -> Callable[[F], F]:
    """--search, --sort, --reverse, --limit, --page; the verb gets `search` and `paging`.

    orders : what the list can be sorted by, the usual first, and whether the least comes first then
    """
    names = {order.value: order for order in orders}
    usual = next(iter(names))

    def with_paging(command: F) -> F:
        @functools.wraps(command)
        def verb(
            *arguments: Any, sort: str, reverse: bool, limit: int, page: int, **others: Any
        ) -> Any:
            order = names[sort]
            paging = Paging(
                order=order,
                forwards=orders[order] is not reverse,
                limit=limit,
                offset=(page - 1) * limit,
            )
            return command(*arguments, paging=paging, **others)

        for option in (
            click.option("--page", type=click.IntRange(min=1), default=1, help="Which part."),
            click.option(
                "--limit",
                type=click.IntRange(min=1),
                default=50,
                show_default=True,
                help="Rows of a part.",
            ),
            click.option("--reverse", is_flag=True, help="The other way round."),
            click.option(
                "--sort", type=click.Choice(list(names)), default=usual, show_default=True
            ),
            click.option(
                "--search",
                metavar="TEXT",
                default="",
                help="An accession number or how it begins, a UID or how it ends, or the AE title "
                "of a sender.",
            ),
        ):
            verb = option(verb)
        return cast(F, verb)

    return with_paging
