"""`m3train export`: finished runs as one set of weights for the node."""

import json
from pathlib import Path

import click

from m3net.errors import WeightsError
from training.measure.predictions import PredictionsUnusable
from training.shipped.export import ExportUnusable, export


@click.command("export")
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help=".safetensors"
)
@click.option("--version", required=True, help="On the model card, and in every report.")
@click.option("--name", default=None, help="On the model card; default: the runs'.")
@click.option("--json", "as_json", is_flag=True, help="The model card as one JSON object.")
def export_command(
    runs: tuple[Path, ...], out: Path, version: str, name: str | None, as_json: bool
) -> None:
    """Make one set of weights of finished RUNS that differ in their seeds.

    Their networks decide together; the temperature is fitted on their validation part.
    """
    if out.suffix != ".safetensors":
        raise click.UsageError(f"--out {out}: weights are a .safetensors file")
    try:
        card = export(runs, out, version=version, name=name)
    except (ExportUnusable, PredictionsUnusable) as error:
        raise click.UsageError(str(error)) from error
    except WeightsError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(card.to_json()))
        return
    found = card.metrics
    click.echo(f"{card.name} {card.version}: {len(runs)} network{'s' if len(runs) > 1 else ''}")
    click.echo(
        f"AUC {found['auc']:.3f} ({found['auc_low']:.3f} to {found['auc_high']:.3f})  "
        f"accuracy {found['accuracy']:.3f}  ECE {found['ece']:.3f}  "
        f"temperature {card.temperature:.2f}"
    )
    click.echo(f"written to {out} and {out.with_suffix('.json')}")
