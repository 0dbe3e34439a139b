"""`m3node study`: what has been received, and what came of it."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from node.cli.delete import delete_study
from node.cli.options import (
    config_option,
    json_option,
    loaded,
    opened_store,
    phi_option,
    show_fields,
    show_json,
    show_list,
    show_table,
    since_option,
)
from node.cli.paging import Paging, paged
from node.cli.rows import show_nodules
from node.core.standing import Standing
from node.core.states import State
from node.listed.studies import series_json, state_in_words, study_json, uid_ends
from node.persistence.asked import StudiesAsked, StudyOrder


@click.group()
def study() -> None:
    """What has been received, and what came of it."""


@study.command("list")
@click.option(
    "--state",
    "states",
    type=click.Choice([each.value for each in Standing]),
    multiple=True,
    help="Only those that stand so; as often as you like.",
)
@click.option(
    "--deliveries",
    type=click.Choice([each.value for each in State]),
    multiple=True,
    help="Only those of which the last delivery to some destination stands so.",
)
@since_option("Only what received something since")
@paged({StudyOrder.ARRIVAL: False, StudyOrder.ACCESSION: True, StudyOrder.DATE: False})
@json_option
@phi_option
@config_option
def list_studies(
    states: tuple[str, ...],
    deliveries: tuple[str, ...],
    since: datetime | None,
    search: str,
    paging: Paging[StudyOrder],
    as_json: bool,
    phi: bool,
    config_path: Path | None,
) -> None:
    """Studies, the last to receive something first.

    Every verb takes the end of a UID that is shown here in the place of the whole.  With --phi
    --search finds Patient IDs as well.
    """
    asked = StudiesAsked(
        search=search,
        with_patients=phi,
        since=since,
        standings=tuple(map(Standing, states)),
        delivery_states=tuple(map(State, deliveries)),
        order=paging.order,
        forwards=paging.forwards,
        limit=paging.limit,
        offset=paging.offset,
    )
    with opened_store(loaded(config_path)) as store:
        page = store.studies(asked)
    told = paging.told(page, "study")
    if as_json:
        show_json([study_json(row, phi=phi) for row in page.rows])
        click.echo(told, err=True, nl=bool(told))
        return
    ends = uid_ends([row.study_instance_uid for row in page.rows])
    columns = ["study", "accession", "last arrival", "objects", "state", "says"]
    cells = [
        [
            ends[row.study_instance_uid],
            row.identity.accession_number,
            row.last_arrival_at,
            row.instances,
            state_in_words(row),
            row.says,
        ]
        for row in page.rows
    ]
    if phi:
        columns[2:2] = ["patient id", "name"]
        for row, line in zip(page.rows, cells, strict=True):
            line[2:2] = [row.identity.patient_id, row.identity.patient_name]
    show_list(columns, cells, told)


@study.command("show")
@click.argument("study_or_accession", metavar="STUDY_UID|ACCESSION")
@json_option
@phi_option
@config_option
def show_study(study_or_accession: str, as_json: bool, phi: bool, config_path: Path | None) -> None:
    """One study: its series, what was fetched, its analyses with their nodules, its deliveries.

    Before them stands why the last report may not be the last word.
    """
    from node.listed.cautions import judged

    with opened_store(loaded(config_path)) as store:
        row = store.find_study(study_or_accession)
        came = judged(store, row)
        series = store.list_series(row.study_instance_uid)
        fetches = store.list_fetches(row.study_instance_uid)
    if as_json:
        show_json(
            {
                **study_json(row, phi=phi),
                "cautions": [asdict(each) for each in came.cautions],
                "series": series_json(series),
                "job_list": [asdict(job) for job in came.jobs],
                "deliveries": [asdict(delivery) for delivery in came.deliveries],
                "fetches": [asdict(each) for each in fetches],
            }
        )
        return
    fields: dict[str, object] = {
        "study": row.study_instance_uid,
        "accession": row.identity.accession_number,
    }
    if phi:
        fields |= {"patient id": row.identity.patient_id, "name": row.identity.patient_name}
    fields |= {
        "first arrival": row.first_arrival_at,
        "last arrival": row.last_arrival_at,
        "stored": f"{row.instances} objects, {row.bytes / 1e6:.0f} MB",
        "state": state_in_words(row),
        "says": row.says,
    }
    show_fields(fields)
    for each in came.cautions:
        click.echo(f"caution: {each.says}")
    click.echo()
    show_table(
        ["series", "modality", "description", "objects", "of them", "UID"],
        [
            [
                each.number,
                each.modality,
                each.description,
                each.instances,
                ", ".join(f"{number} {kind}" for kind, number in each.kinds.items()),
                each.series_instance_uid,
            ]
            for each in series
        ],
    )
    if fetches:
        click.echo()
        show_table(
            ["fetch", "source", "state", "tries", "error"],
            [
                [f.number, f.source, f.state, f"{f.tries} of {f.max_attempts}", f.error]
                for f in fetches
            ],
        )
    for job in came.jobs:
        click.echo()
        click.echo(f"job {job.job_id} ({job.state}, revision {job.revision}): {job.says or ''}")
        show_nodules(job.summary.get("nodules", ()))
    if came.deliveries:
        click.echo()
        show_table(
            ["delivery", "job", "destination", "state", "objects", "error"],
            [
                [d.delivery_id, d.job_id, d.destination, d.state, d.delivered, d.error]
                for d in came.deliveries
            ],
        )


study.add_command(delete_study)
