"""`m3node fetch`: a source is asked for a study."""

from datetime import UTC, datetime
from pathlib import Path

import click

from node.cli.options import config_option, json_option, loaded, opened_store, show_json


@click.command()
@click.option("--accession", metavar="A", help="The studies of this accession number.")
@click.option("--study", metavar="UID", help="The study of this Study Instance UID.")
@click.option("--source", "name", metavar="NAME", help="Who is asked; default: the first.")
@json_option
@config_option
def fetch(
    accession: str | None,
    study: str | None,
    name: str | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Ask a source for every CT series and every annotation of a study that is not here whole.

    The node that serves fetches it; `m3node why` says what came of it.
    """
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
    if name is not None and name not in sources:
        raise click.UsageError(f"no source {name!r} is configured; there are: {', '.join(sources)}")
    source = sources[name or next(iter(sources))]
    with opened_store(config) as store:
        if study:
            studies = [StudyInstanceUID(study)]
        else:
            studies = list(connect(source).find_studies(accession or ""))
        if not studies:
            raise UnknownEntry(f"{source.name} holds no study of that accession number")
        now = datetime.now(UTC)
        asked = [
            {
                "fetch": store.ask_for_study(
                    each,
                    source.name,
                    Wanted(scope=Scope.STUDY, content="asked for by a person"),
                    max_attempts=config.pull.max_attempts,
                    now=now,
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
