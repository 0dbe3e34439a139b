"""`m3node why`: the diary of one study, in words."""

from dataclasses import asdict
from pathlib import Path

import click

from node.cli.options import (
    config_option,
    in_cell,
    json_option,
    loaded,
    opened_store,
    show_json,
)


@click.command()
@click.argument("study_or_accession", metavar="ACCESSION|STUDY_UID")
@json_option
@config_option
def why(study_or_accession: str, as_json: bool, config_path: Path | None) -> None:
    """Say what happened to a study, what it waits for, and whether its report is the last word."""
    from node.listed.cautions import judged
    from node.listed.diary import event_json, folded, zone

    with opened_store(loaded(config_path)) as store:
        row = store.find_study(study_or_accession)
        came = judged(store, row)
        events = store.diary(row.study_instance_uid)
        fetches = store.list_fetches(row.study_instance_uid)
    waiting = [each for each in came.deliveries if each.waits]
    retried = [each for each in fetches if each.waits]
    if as_json:
        show_json(
            {
                "study_instance_uid": row.study_instance_uid,
                "cautions": [asdict(each) for each in came.cautions],
                "waiting_for": row.waiting_for,
                "look_again_at": row.look_again_at,
                "deliveries_waiting": [
                    {
                        "delivery_id": each.delivery_id,
                        "destination": each.destination,
                        "because": each.error,
                        "next_try_at": each.not_before,
                        "tries": each.tries,
                        "max_attempts": each.max_attempts,
                    }
                    for each in waiting
                ],
                "fetches_waiting": [
                    {
                        "fetch": each.number,
                        "source": each.source,
                        "because": each.error,
                        "next_try_at": each.not_before,
                        "tries": each.tries,
                        "max_attempts": each.max_attempts,
                    }
                    for each in retried
                ],
                "events": [event_json(event) for event in events],
            }
        )
        return
    click.echo(f"study {row.study_instance_uid}, times in {zone(row.last_arrival_at)}")
    for line in folded(events):
        click.echo(f"{in_cell(line.until)}  {line.says}")
    for caution in came.cautions:
        click.echo(f"caution: {caution.says}")
    if row.waiting_for:
        again = f" (next look {in_cell(row.look_again_at)})" if row.look_again_at else ""
        click.echo(f"now: waiting: {row.waiting_for}{again}")
    for each in waiting:
        click.echo(
            f"now: delivery {each.delivery_id} to {each.destination} waits, next try "
            f"{in_cell(each.not_before)} ({each.tries} of {each.max_attempts} made): {each.error}"
        )
    for fetch in retried:
        click.echo(
            f"now: fetch {fetch.number} from {fetch.source} waits, next try "
            f"{in_cell(fetch.not_before)} ({fetch.tries} of {fetch.max_attempts} made): "
            f"{fetch.error}"
        )
