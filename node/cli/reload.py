"""`m3node reload`: the running node takes over what has changed in its configuration."""

from pathlib import Path

import click

from node.cli.check import show_finding
from node.cli.options import config_option, loaded


@click.command()
@click.option("--force", is_flag=True, help="Even if `m3node check` finds something that fails.")
@config_option
def reload(force: bool, config_path: Path | None) -> None:
    """Check the configuration, and have the running node take it over.

    The receiver goes on, with new allow-lists; every other process is started anew when it has
    finished what it holds.  All of it is taken over or nothing: what only a restart changes
    ([storage], [database], [serve], most of [receiver]) is named, and so is what is wrong.
    """
    from node.app import reach
    from node.operator.check import check_node
    from node.operator.findings import Status
    from node.process.reloading import ask_to_reload

    config = loaded(config_path, warn=False)
    failed = False
    for finding in check_node(config, reach()):
        if finding.status is Status.FAIL:
            failed = True
        if finding.status is not Status.OK:
            show_finding(finding)
    if failed and not force:
        raise click.ClickException("nothing has been changed; --force does it all the same")
    outcome = ask_to_reload(config.storage.directory)
    click.echo(outcome.says, err=not outcome.taken)
    if not outcome.taken:
        raise SystemExit(1)
