"""`m3node job`: analyses, and what an operator may do to them."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.many import for_each, require_choice, say_nothing_done
from node.cli.options import (
    config_option,
    json_option,
    loaded,
    opened_store,
    person,
    show_fields,
    show_json,
    since_option,
    state_option,
)
from node.cli.rows import show_jobs, show_nodules
from node.cli.work_list import WorkList, work_list
from node.core.states import SETTLED, State
from node.persistence.asked import WorkAsked

if TYPE_CHECKING:
    from node.persistence.rows import JobRow
    from node.persistence.store import Store


@click.group()
def job() -> None:
    """Analyses: list, show, requeue, cancel."""


@job.command("list")
@work_list
def list_jobs(typed: WorkList, config_path: Path | None) -> None:
    """Jobs, newest first."""
    with opened_store(loaded(config_path)) as store:
        page = store.jobs(typed.asked(WorkAsked, store))
    typed.show(page, "job", show_jobs)


@job.command("show")
@click.argument("job_id", metavar="JOB", type=int)
@json_option
@config_option
def show_job(job_id: int, as_json: bool, config_path: Path | None) -> None:
    """One job: its state, its nodules and the objects that it wrote."""
    from node.app import spool_directory
    from node.listed.cautions import judged

    config = loaded(config_path)
    with opened_store(config) as store:
        row = store.job(job_id)
        came = judged(store, store.find_study(row.study_instance_uid))
        artifacts = store.artifacts(job_id)
    files = [
        {
            "kind": a.kind,
            "report_variant": a.report_variant,
            "capture_variant": a.capture_variant,
            "sop_instance_uid": a.sop_instance_uid,
            "path": str(spool_directory(config.storage) / a.path),
        }
        for a in artifacts
    ]
    if as_json:
        show_json(
            {
                **asdict(row),
                "job_in_force": came.job_in_force,
                "cautions": [asdict(each) for each in came.cautions],
                "artifacts": files,
            }
        )
        return
    show_fields(
        {
            "job": row.job_id,
            "study": row.study_instance_uid,
            "revision": row.revision,
            "state": row.state,
            "says": row.headline,
            "error": row.error,
            "tries": f"{row.tries} of {row.max_attempts}",
            "made": row.created_at,
            "settled": row.settled_at,
            "held by": row.owner,
            "analysis": row.analysis_id,
            "inputs": row.input_digest,
        }
    )
    if came.job_in_force == job_id:
        for caution in came.cautions:
            click.echo(f"caution: {caution.says}")
    elif came.job_in_force is not None:
        click.echo(f"caution: What stands is of another analysis, job {came.job_in_force}.")
    show_nodules(row.summary.get("nodules", ()))
    for file in files:
        forms = [v for v in (file["report_variant"], file["capture_variant"]) if v]
        of = f" ({', '.join(forms)})" if forms else ""
        click.echo(f"{file['kind']}{of}: {file['path']}")


@job.command("requeue")
@click.argument("ids", metavar="[JOB]...", type=int, nargs=-1)
@state_option(SETTLED)
@click.option("--study", metavar="STUDY_UID|ACCESSION", help="The latest job of this study.")
@since_option("Only those made since")
@click.option("--dry-run", is_flag=True, help="Only list what would be requeued.")
@config_option
def requeue(
    ids: tuple[int, ...],
    states: tuple[State, ...],
    study: str | None,
    since: datetime | None,
    dry_run: bool,
    config_path: Path | None,
) -> None:
    """Ask for jobs again: those named, or the latest of each study that the options choose.

    A dead or cancelled job is analysed again.  Of a done one the stored results are sent again,
    or, if model, template or settings have changed since, the study is analysed anew.  Without
    --state and --study only dead jobs are chosen.
    """
    require_choice("job", ids, state=states, study=study, since=since)
    from node.app import analysis_id_of, outbox_of

    config = loaded(config_path)
    with opened_store(config) as store:
        if ids:
            rows = [store.job(job_id) for job_id in ids]
        else:
            chosen = states or (tuple(SETTLED) if study else (State.DEAD,))
            rows = _latest(store, _jobs(store, states=chosen, study=study, since=since))
        if dry_run or not rows:
            show_jobs(rows)
            say_nothing_done("job", len(rows), verb="requeue", past="requeued")
            return
        analysis_id = analysis_id_of(config)

        def requeued(job_id: int) -> str:
            return store.requeue_job(
                job_id,
                analysis_id=analysis_id,
                now=datetime.now(UTC),
                by=person(),
                outbox=outbox_of(config),
            ).sentence

        for_each("job", [row.job_id for row in rows], requeued, past="requeued")


@job.command("cancel")
@click.argument("ids", metavar="JOB...", type=int, nargs=-1, required=True)
@config_option
def cancel(ids: tuple[int, ...], config_path: Path | None) -> None:
    """Cancel jobs that are queued, running or dead; nothing of one that runs is kept or sent."""
    with opened_store(loaded(config_path)) as store:

        def cancelled(job_id: int) -> str:
            store.cancel_job(job_id, now=datetime.now(UTC), by=person())
            return f"job {job_id} cancelled"

        for_each("job", ids, cancelled, past="cancelled")


def _jobs(
    store: "Store",
    *,
    states: tuple[State, ...],
    study: str | None,
    since: datetime | None,
) -> "list[JobRow]":
    uid = store.find_study(study).study_instance_uid if study else None
    return store.list_jobs(study=uid, states=states, since=since)


def _latest(store: "Store", rows: "list[JobRow]") -> "list[JobRow]":
    """Those that no later job of their study has overtaken."""
    newest = {
        uid: store.list_jobs(study=uid, limit=1)[0].job_id
        for uid in {row.study_instance_uid for row in rows}
    }
    return [row for row in rows if newest[row.study_instance_uid] == row.job_id]
