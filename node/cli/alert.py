"""`m3node alert`: whether those who are to be told of what is wrong can be."""

from pathlib import Path

import click

from node.cli.options import config_option, loaded


@click.group()
def alert() -> None:
    """Who is told of what is wrong."""


@alert.command("test")
@config_option
def test(config_path: Path | None) -> int:
    """Tell everybody under [alerts] that this is a test.

    Exit status 1 if somebody does not hear it.
    """
    from node.app import node_name, now_utc
    from node.core.errors import NodeError
    from node.watch.alert import test_of
    from node.watch.telling import tellers

    config = loaded(config_path)
    told = tellers(config.alerts)
    if not told:
        click.echo("error: nobody is told: write [alerts.webhook] or [alerts.mail]", err=True)
        return 1
    failed = 0
    for each in told:
        try:
            each.tell(test_of(node_name(config), now_utc()))
        except NodeError as error:
            failed = 1
            click.echo(f"{each.name}: {error}", err=True)
        else:
            click.echo(f"{each.name}: heard")
    return failed
