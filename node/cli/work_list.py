"""The lists of jobs, deliveries and fetches: what they take, and how a page of one is shown."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from node.cli.options import config_option, json_option, show_json, since_option, state_option
from node.cli.paging import Paging, paged
from node.core.states import State
from node.persistence.asked import Page, WorkAsked, WorkOrder

if TYPE_CHECKING:
    from node.persistence.store import Store

F = TypeVar("F", bound=Callable[..., Any])
W = TypeVar("W", bound=WorkAsked)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkList:
    """What was typed.

    study : its UID, how that ends, or an accession number; None: any
    """

    states: tuple[State, ...]
    study: str | None
    since: datetime | None
    search: str = field(repr=False)
    paging: Paging[WorkOrder]
    as_json: bool

    def asked(self, kind: type[W], store: "Store", **only: Any) -> W:
        """The same as the store is asked; `only` is what lists of this kind take besides.

        Raises UnknownEntry or Ambiguous if no one study is meant.
        """
        return kind(
            study=store.find_study(self.study).study_instance_uid if self.study else None,
            states=self.states,
            since=self.since,
            search=self.search,
            order=self.paging.order,
            forwards=self.paging.forwards,
            limit=self.paging.limit,
            offset=self.paging.offset,
            **only,
        )

    def show(self, page: Page[Row], noun: str, table: Callable[[Sequence[Row], str], None]) -> None:
        """The page is printed: for programs its rows alone, and beside them what it is part of."""
        told = self.paging.told(page, noun)
        if self.as_json:
            show_json([asdict(cast(Any, row)) for row in page.rows])
            click.echo(told, err=True, nl=bool(told))
        else:
            table(page.rows, told)


def work_list(command: F) -> F:
    """--state, --study, --since, those of `paged`, --json, --config; the verb gets `typed`."""

    @functools.wraps(command)
    def verb(
        *,
        states: tuple[State, ...],
        study: str | None,
        since: datetime | None,
        search: str,
        paging: Paging[WorkOrder],
        as_json: bool,
        **others: Any,
    ) -> Any:
        typed = WorkList(
            states=states, study=study, since=since, search=search, paging=paging, as_json=as_json
        )
        return command(typed=typed, **others)

    for option in (
        config_option,
        json_option,
        paged({WorkOrder.NUMBER: False, WorkOrder.STATE: True}),
        since_option("Only those made since"),
        click.option("--study", metavar="STUDY_UID|ACCESSION", help="Only this study's."),
        state_option(State),
    ):
        verb = option(verb)
    return cast(F, verb)
