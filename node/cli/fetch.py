"""`m3node fetch`: a source is asked for a study; and what sources have been asked for."""

from datetime import UTC, datetime
from pathlib import Path

import click

from node.cli.many import for_each, require_known
from node.cli.options import (
    config_option,
    json_option,
    loaded,
    opened_store,
    person,
    show_json,
)
from node.cli.rows import show_fetches
from node.cli.work_list import WorkList, work_list
from node.persistence.asked import FetchesAsked


@click.group(invoke_without_command=True)
@click.option("--accession", metavar="A", help="The study of this accession number.")
@click.option("--study", metavar="UID", help="The study of this Study Instance UID.")
@click.option("--source", "name", metavar="NAME", help="Who is asked; default: the first.")
@json_option
@config_option
@click.pass_context
def fetch(
    context: click.Context,
    accession: str | None,
    study: str | None,
    name: str | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Ask a source for every CT series and every annotation of a study that is not here whole.

    The node that serves fetches it; `m3node why` says what came of it.  `m3node fetch list` shows
    what has been asked.
    """
    if context.invoked_subcommand is not None:
        if accession or study or name or as_json or config_path:
            raise click.UsageError(f"options stand after {context.invoked_subcommand}")
        return
    from m3net.uids import StudyInstanceUID
    from node.core.errors import UnknownEntry
    from node.core.fetching import Scope, Wanted
    from node.dicom.header_text import is_uid
    from node.pull.connect import connect

    if bool(accession) == bool(study):
        raise click.UsageError("say which study: --accession A or --study UID")
    if study and not is_uid(study):
        raise click.BadParameter("that is no UID", param_hint="--study")
    config = loaded(config_path)
    sources = {source.name: source for source in config.sources}
    if not sources:
        raise click.UsageError("no source is configured: add [[sources]] to the configuration")
    require_known("source", name, config.sources)
    source = sources[name or next(iter(sources))]
    with opened_store(config) as store:
        if study:
            studies = [StudyInstanceUID(study)]
        else:
            studies = list(connect(source).find_studies(accession or ""))
        if not studies:
            raise UnknownEntry(f"{source.name} holds no study of that accession number")
        if len(studies) > 1:
            raise click.UsageError(
                f"{source.name} holds {len(studies)} studies of that accession number; say which "
                "with --study: " + ", ".join(studies)
            )
        now = datetime.now(UTC)
        asked = [
            {
                "fetch": store.ask_for_study(
                    each,
                    source.name,
                    Wanted(scope=Scope.STUDY, content="asked for by a person"),
                    max_attempts=config.pull.max_attempts,
                    now=now,
                    by=person(),
                ),
                "study_instance_uid": each,
                "source": source.name,
            }
            for each in studies
        ]
    if as_json:
        show_json(asked)
        return
    for each in asked:
        click.echo(
            f"fetch {each['fetch']} from {each['source']} queued: study "
            f"{each['study_instance_uid']}"
        )


@fetch.command("list")
@click.option("--source", "name", metavar="NAME", help="Only what was asked of it.")
@work_list
def list_fetches(typed: WorkList, name: str | None, config_path: Path | None) -> None:
    """What sources were asked for, newest first."""
    config = loaded(config_path)
    with opened_store(config) as store:
        require_known("source", name, config.sources, store.sources())
        page = store.fetches(typed.asked(FetchesAsked, store, source=name))
    typed.show(page, "fetch", show_fetches)


@fetch.command("cancel")
@click.argument("numbers", metavar="FETCH...", type=int, nargs=-1, required=True)
@config_option
def cancel(numbers: tuple[int, ...], config_path: Path | None) -> None:
    """Cancel fetches that are queued, running or dead; their studies go on without them."""
    with opened_store(loaded(config_path)) as store:

        def cancelled(number: int) -> str:
            store.cancel_fetch(number, now=datetime.now(UTC), by=person())
            return f"fetch {number} cancelled"

        for_each("fetch", numbers, cancelled, past="cancelled")
