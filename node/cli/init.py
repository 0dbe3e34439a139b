"""`m3node init`: a folder from which a node serves at once."""

from pathlib import Path

import click


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def init(directory: Path) -> None:
    """Make DIR with a complete, commented node.toml.

    As written, the node serves at 127.0.0.1:11112 as M3NODE and keeps its data under DIR.
    """
    from node.config import commented_toml

    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "node.toml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(commented_toml())
    except FileExistsError:
        raise click.ClickException(
            f"{path} is there already and stays as it is; remove it or choose another folder"
        ) from None
    click.echo(f"{path} written; edit its destinations, then:")
    click.echo(f"  m3node check --config {path}")
    click.echo(f"  m3node serve --config {path}")
