"""`m3node echo`: whether a destination answers."""

import time
from pathlib import Path

import click

from node.cli.many import require_known
from node.cli.options import config_option, loaded


@click.command()
@click.argument("destination", metavar="DEST")
@config_option
def echo(destination: str, config_path: Path | None) -> None:
    """Ask a destination whether it answers: C-ECHO, or an HTTP request."""
    from node.outbound.connect import connect

    config = loaded(config_path)
    named = {d.name: d for d in config.destinations}
    require_known("destination", destination, config.destinations)
    began = time.monotonic()
    connect(named[destination]).verify()
    click.echo(f"{destination} answers ({1000 * (time.monotonic() - began):.0f} ms)")
