"""`m3node delivery`: what is sent where."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import (
    config_option,
    json_option,
    loaded,
    opened_store,
    show_json,
    since_option,
    state_option,
)
from node.cli.rows import show_deliveries
from node.core.states import SETTLED, State

if TYPE_CHECKING:
    from node.persistence.rows import DeliveryRow
    from node.persistence.store import Store


@click.group()
def delivery() -> None:
    """What is sent where: list, requeue."""


@delivery.command("list")
@state_option(State)
@click.option("--destination", metavar="NAME", help="Only what goes there.")
@click.option("--study", metavar="STUDY_UID|ACCESSION", help="Only this study's.")
@since_option("Only those made since")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@config_option
def list_deliveries(
    states: tuple[State, ...],
    destination: str | None,
    study: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Deliveries, newest first."""
    with opened_store(loaded(config_path)) as store:
        rows = _deliveries(
            store, states=states, destination=destination, study=study, since=since, limit=limit
        )
    if as_json:
        show_json([asdict(row) for row in rows])
    else:
        show_deliveries(rows)


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
    chosen = bool(states or destination or study or since)
    if not ids and not chosen:
        raise click.UsageError(
            "name deliveries, or choose them with --state, --destination, --study or --since"
        )
    if ids and chosen:
        raise click.UsageError("either name deliveries or choose them with options, not both")
    from node.core.errors import NodeError, UnknownEntry

    failed = False
    with opened_store(loaded(config_path)) as store:
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
            click.echo(f"{len(rows)} would be requeued" if dry_run else "no delivery to requeue")
            return
        for row in rows:
            try:
                number = store.requeue_delivery(row.delivery_id, now=datetime.now(UTC))
            except NodeError as error:
                failed = True
                click.echo(f"delivery {row.delivery_id} not requeued: {error}", err=True)
            else:
                click.echo(f"delivery {number} to {row.destination} queued")
    if failed:
        raise SystemExit(1)


def _deliveries(
    store: "Store",
    *,
    states: tuple[State, ...],
    destination: str | None,
    study: str | None,
    since: datetime | None,
    limit: int | None = None,
) -> "list[DeliveryRow]":
    uid = store.find_study(study).study_instance_uid if study else None
    return store.list_deliveries(
        study=uid,
        destination=destination,
        states=states,
        since=since,
        limit=limit,
    )
