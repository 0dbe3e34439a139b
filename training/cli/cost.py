"""`m3train cost`: parameters and multiply-accumulates, ours beside Table 7."""

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from training.measure.costs import COLUMNS, as_cells, cost_row, costed


@click.command()
@click.option("--model", "models", multiple=True, help="Only this one; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list and nothing else.")
def cost(models: tuple[str, ...], as_json: bool) -> None:
    """Count what M³Net and the baselines cost, at the paper's input sizes and at the true ones."""
    unknown = set(models) - set(costed())
    if unknown:
        raise click.UsageError(
            f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(costed())}"
        )
    rows = [
        cost_row(model)
        for model in track(
            models or costed(), console=Console(stderr=True), disable=as_json, transient=True
        )
    ]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*as_cells(row))
    Console().print(table)
    click.echo(
        "GMACs: convolutions, linear layers, attention. The paper's column mixes MACs of inputs of "
        "32 x 32 x 56 (M³Net's three, DeepLung), twice that (NASLung), and other inputs (MVCS, "
        "DINOv3); the last column counts as it did, at those inputs."
    )
