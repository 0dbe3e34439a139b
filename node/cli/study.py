"""`m3node study`: what has been received, and what came of it."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import (
    config_option,
    in_cell,
    json_option,
    loaded,
    opened_store,
    phi_option,
    show_fields,
    show_json,
    show_table,
    since_option,
)
from node.cli.rows import show_nodules
from node.listed.studies import says, series_json, state_of, study_json

if TYPE_CHECKING:
    from node.persistence.rows import StudyRow


@click.group()
def study() -> None:
    """What has been received, and what came of it."""


@study.command("list")
@since_option("Only what received something since")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@phi_option
@config_option
def list_studies(
    since: datetime | None, limit: int, as_json: bool, phi: bool, config_path: Path | None
) -> None:
    """Studies, the last to receive something first."""
    with opened_store(loaded(config_path)) as store:
        rows = store.list_studies(since=since, limit=limit)
    if as_json:
        show_json([study_json(row, phi=phi) for row in rows])
        return
    columns = ["study", "last arrival", "instances", "state", "says"]
    cells = [
        [
            row.study_instance_uid,
            row.last_arrival_at,
            row.instances,
            in_cell(state_of(row)),
            in_cell(says(row)),
        ]
        for row in rows
    ]
    if phi:
        columns[1:1] = ["patient id", "name", "accession"]
        for row, line in zip(rows, cells, strict=True):
            line[1:1] = _identity_cells(row)
    show_table(columns, cells)


@study.command("show")
@click.argument("study_or_accession", metavar="STUDY_UID|ACCESSION")
@json_option
@phi_option
@config_option
def show_study(study_or_accession: str, as_json: bool, phi: bool, config_path: Path | None) -> None:
    """One study: its series, what was fetched, its analyses with their nodules, its deliveries."""
    with opened_store(loaded(config_path)) as store:
        row = store.find_study(study_or_accession)
        instances = store.list_instances(row.study_instance_uid)
        jobs = store.list_jobs(study=row.study_instance_uid)
        deliveries = store.list_deliveries(study=row.study_instance_uid)
        fetches = store.list_fetches(row.study_instance_uid)
    if as_json:
        show_json(
            {
                **study_json(row, phi=phi),
                "series": series_json(instances),
                "job_list": [asdict(job) for job in jobs],
                "deliveries": [asdict(delivery) for delivery in deliveries],
                "fetches": [asdict(each) for each in fetches],
            }
        )
        return
    fields: dict[str, object] = {"study": row.study_instance_uid}
    if phi:
        fields |= dict(zip(("patient id", "name", "accession"), _identity_cells(row), strict=True))
    fields |= {
        "first arrival": row.first_arrival_at,
        "last arrival": row.last_arrival_at,
        "stored": f"{row.instances} instances, {row.bytes / 1e6:.0f} MB",
        "state": in_cell(state_of(row)),
        "says": in_cell(says(row)),
    }
    show_fields(fields)
    click.echo()
    series = [[s["kind"], s["series_instance_uid"], s["instances"]] for s in series_json(instances)]
    show_table(["kind", "series", "instances"], series)
    if fetches:
        click.echo()
        show_table(
            ["fetch", "source", "state", "tries", "error"],
            [
                [f.number, f.source, f.state, f"{f.tries} of {f.max_attempts}", f.error]
                for f in fetches
            ],
        )
    for job in jobs:
        click.echo()
        click.echo(f"job {job.job_id} ({job.state}, revision {job.revision}): {job.headline or ''}")
        show_nodules(job.summary.get("nodules", ()))
    if deliveries:
        click.echo()
        show_table(
            ["delivery", "job", "destination", "state", "objects", "error"],
            [
                [d.delivery_id, d.job_id, d.destination, d.state, d.delivered, d.error]
                for d in deliveries
            ],
        )


def _identity_cells(row: "StudyRow") -> list[object]:
    identity = row.identity
    return [identity.patient_id, identity.patient_name, identity.accession_number]
