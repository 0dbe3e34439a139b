"""`m3node demo`."""

import signal
import sys
from pathlib import Path

import click

from node.demo.run import run_demo


@click.command()
@click.argument(
    "study", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for the results; the demo empties it when it runs again.",
)
@click.option("--keep", is_flag=True, help="Leave the node and its page running until Ctrl-C.")
def demo(study: Path | None, output: Path, keep: bool) -> None:
    """Send a study the whole way, in over C-STORE and out again, on this machine alone.

    STUDY is a folder with a chest CT and its SEG or TID 1500 SR; without it a chest phantom is
    made.  A node of the demo's own is started, fed and stopped; a running node is not touched.
    """
    # SIGTERM ends as Ctrl-C does, through the blocks that stop what was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run_demo(study, output=output, keep=keep))
