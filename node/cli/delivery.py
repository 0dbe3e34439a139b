"""`m3node delivery`: what is sent where."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from node.cli.many import for_each, require_choice, require_known, say_nothing_done
from node.cli.options import (
    config_option,
    loaded,
    opened_store,
    person,
    since_option,
    state_option,
)
from node.cli.rows import show_deliveries
from node.cli.work_list import WorkList, work_list
from node.core.states import SETTLED, State
from node.persistence.asked import DeliveriesAsked

if TYPE_CHECKING:
    from node.config import NodeConfig
    from node.persistence.rows import DeliveryRow
    from node.persistence.store import Store


@click.group()
def delivery() -> None:
    """What is sent where: list, requeue, cancel."""


@delivery.command("list")
@click.option("--destination", metavar="NAME", help="Only what goes there.")
@work_list
def list_deliveries(typed: WorkList, destination: str | None, config_path: Path | None) -> None:
    """Deliveries, newest first."""
    config = loaded(config_path)
    with opened_store(config) as store:
        require_known("destination", destination, config.destinations, store.destinations())
        page = store.deliveries(typed.asked(DeliveriesAsked, store, destination=destination))
    typed.show(page, "delivery", show_deliveries)


F = TypeVar("F", bound=Callable[..., Any])


def _chosen(states: Collection[State], dry_run: str) -> Callable[[F], F]:
    """Deliveries that are named, or that options choose; the verb gets a `_Choice` first.

    states  : that may be chosen
    dry_run : help of --dry-run
    """

    def decorate(verb: F) -> F:
        @wraps(verb)
        def with_choice(
            ids: tuple[int, ...],
            states: tuple[State, ...],
            destination: str | None,
            study: str | None,
            since: datetime | None,
            **others: Any,
        ) -> Any:
            require_choice(
                "delivery", ids, state=states, destination=destination, study=study, since=since
            )
            choice = _Choice(
                ids=ids, states=states, destination=destination, study=study, since=since
            )
            return verb(choice, **others)

        options = (
            click.argument("ids", metavar="[DELIVERY]...", type=int, nargs=-1),
            state_option(states),
            click.option("--destination", metavar="NAME", help="Only what goes there."),
            click.option("--study", metavar="STUDY_UID|ACCESSION", help="Only this study's."),
            since_option("Only those made since"),
            click.option("--dry-run", is_flag=True, help=dry_run),
        )
        command: Any = with_choice
        for option in reversed(options):
            command = option(command)
        return cast(F, command)

    return decorate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which deliveries are meant."""

    ids: tuple[int, ...]
    states: tuple[State, ...]
    destination: str | None
    study: str | None
    since: datetime | None

    def rows(
        self, store: "Store", config: "NodeConfig", *, otherwise: Sequence[State]
    ) -> "list[DeliveryRow]":
        """The deliveries.  Raises UnknownEntry, and UsageError for a destination of no such name.

        otherwise : the states, if neither deliveries nor states are named
        """
        from node.core.errors import UnknownEntry

        require_known("destination", self.destination, config.destinations, store.destinations())
        if self.ids:
            rows = store.list_deliveries(ids=self.ids)
            if absent := sorted(set(self.ids) - {row.delivery_id for row in rows}):
                raise UnknownEntry(f"there is no delivery {absent[0]}")
            return rows
        study = store.find_study(self.study).study_instance_uid if self.study else None
        return store.list_deliveries(
            study=study,
            destination=self.destination,
            states=self.states or otherwise,
            since=self.since,
        )


@delivery.command("requeue")
@_chosen(SETTLED, "Only list what would be requeued.")
@config_option
def requeue(choice: _Choice, dry_run: bool, config_path: Path | None) -> None:
    """Send again: the deliveries named, or those that the options choose.

    The stored objects are sent as they are.  Without --state only dead deliveries are chosen.
    """
    config = loaded(config_path)
    with opened_store(config) as store:
        rows = choice.rows(store, config, otherwise=[State.DEAD])
        if dry_run or not rows:
            show_deliveries(rows)
            say_nothing_done("delivery", len(rows), verb="requeue", past="requeued")
            return
        goes_to = {row.delivery_id: row.destination for row in rows}

        def requeued(delivery_id: int) -> str:
            number = store.requeue_delivery(delivery_id, now=datetime.now(UTC), by=person())
            return f"delivery {number} to {goes_to[delivery_id]} queued"

        for_each("delivery", goes_to, requeued, past="requeued")


_CANCELLED = (State.QUEUED, State.DEAD)


@delivery.command("cancel")
@_chosen(_CANCELLED, "Only list what would be cancelled.")
@config_option
def cancel(choice: _Choice, dry_run: bool, config_path: Path | None) -> None:
    """Do not send: the deliveries named, or those queued or dead that the options choose.

    For a destination that is no more: nothing is told there, and the studies' files may be freed.
    What is cancelled can be requeued.
    """
    config = loaded(config_path)
    with opened_store(config) as store:
        rows = choice.rows(store, config, otherwise=_CANCELLED)
        if dry_run or not rows:
            show_deliveries(rows)
            say_nothing_done("delivery", len(rows), verb="cancel", past="cancelled")
            return

        def cancelled(delivery_id: int) -> str:
            store.cancel_delivery(delivery_id, now=datetime.now(UTC), by=person())
            return f"delivery {delivery_id} cancelled"

        for_each("delivery", [row.delivery_id for row in rows], cancelled, past="cancelled")
