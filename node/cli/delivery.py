"""`m3node delivery`: what is sent where."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.many import for_each, require_choice, require_known, say_nothing_requeued
from node.cli.options import (
    config_option,
    loaded,
    opened_store,
    since_option,
    state_option,
)
from node.cli.rows import show_deliveries
from node.cli.work_list import WorkList, work_list
from node.core.states import SETTLED, State
from node.persistence.asked import DeliveriesAsked

if TYPE_CHECKING:
    from node.persistence.rows import DeliveryRow
    from node.persistence.store import Store


@click.group()
def delivery() -> None:
    """What is sent where: list, requeue."""


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


@delivery.command("requeue")
@click.argument("ids", metavar="[DELIVERY]...", type=int, nargs=-1)
@state_option(SETTLED)
@click.option("--destination", metavar="NAME", help="Only what goes there.")
@click.option("--study", metavar="STUDY_UID|ACCESSION", help="Only this study's.")
@since_option("Only those made since")
@click.option("--dry-run", is_flag=True, help="Only list what would be requeued.")
@config_option
def requeue(
    ids: tuple[int, ...],
    states: tuple[State, ...],
    destination: str | None,
    study: str | None,
    since: datetime | None,
    dry_run: bool,
    config_path: Path | None,
) -> None:
    """Send again: the deliveries named, or those that the options choose.

    The stored objects are sent as they are.  Without --state only dead deliveries are chosen.
    """
    require_choice("delivery", ids, state=states, destination=destination, study=study, since=since)
    from node.core.errors import UnknownEntry

    config = loaded(config_path)
    with opened_store(config) as store:
        require_known("destination", destination, config.destinations, store.destinations())
        if ids:
            rows = store.list_deliveries(ids=ids)
            if absent := sorted(set(ids) - {row.delivery_id for row in rows}):
                raise UnknownEntry(f"there is no delivery {absent[0]}")
        else:
            rows = _deliveries(
                store,
                states=states or (State.DEAD,),
                destination=destination,
                study=study,
                since=since,
            )
        if dry_run or not rows:
            show_deliveries(rows)
            say_nothing_requeued("delivery", len(rows))
            return
        goes_to = {row.delivery_id: row.destination for row in rows}

        def requeued(delivery_id: int) -> str:
            number = store.requeue_delivery(delivery_id, now=datetime.now(UTC))
            return f"delivery {number} to {goes_to[delivery_id]} queued"

        for_each("delivery", goes_to, requeued, past="requeued")


def _deliveries(
    store: "Store",
    *,
    states: tuple[State, ...],
    destination: str | None,
    study: str | None,
    since: datetime | None,
) -> "list[DeliveryRow]":
    uid = store.find_study(study).study_instance_uid if study else None
    return store.list_deliveries(study=uid, destination=destination, states=states, since=since)
