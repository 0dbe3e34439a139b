"""`m3node study delete`: an erasure request."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from node.cli.options import config_option, json_option, loaded, opened_store, person, show_json


@click.command("delete")
@click.argument("study_or_accession", metavar="STUDY_UID|ACCESSION")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@click.option("--force", is_flag=True, help="Also if something of it is not delivered.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@config_option
def delete_study(
    study_or_accession: str,
    dry_run: bool,
    force: bool,
    yes: bool,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Erase one study: every row that tells of it, and every file that no other study needs.

    What stays is that something was erased, when and by whom.  What is at destinations and in
    backups stays there.  Refused while something of it is received, analysed or sent, and, unless
    forced, if something of it is not delivered.
    """
    from node.app import open_spool
    from node.keeping.erasure import erase

    config = loaded(config_path)
    with opened_store(config) as store:
        study = store.find_study(study_or_accession).study_instance_uid
        taken = store.what_erasing_takes(study)
        if not as_json:
            click.echo(
                f"study {study}: {taken.objects} objects received, {taken.results} made; "
                f"{taken.files} files, {taken.size / 1e6:.1f} MB"
            )
            for each in taken.undelivered:
                click.echo(f"  not delivered: {each}")
        if dry_run:
            if as_json:
                show_json(asdict(taken))
            return
        if not yes and not as_json:
            click.confirm("Erase it? It cannot be brought back", abort=True)
        taken = erase(
            store,
            open_spool(config.storage),
            study,
            by=person(),
            forced=force,
            now=datetime.now(UTC),
        )
    if as_json:
        show_json(asdict(taken))
    else:
        click.echo("erased")
