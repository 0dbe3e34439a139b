"""`m3train card`: the numbers of the default weights' card, recomputed from what was kept."""

import json
import sys
from pathlib import Path

import click

from m3net.card import ModelCard
from training.data.errors import DataUnusable
from training.shipped.out_of_fold import read_out_of_fold
from training.shipped.report import card_metrics, differing, report_of

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
CLOSE = 1e-4
"""A temperature is the minimum of a flat curve, found again to so much of itself."""


@click.command("card")
@click.option(
    "--from", "table", type=FILE, required=True,
    help="out_of_fold.csv, as m3train default-weights leaves it.",
)  # fmt: skip
@click.option("--check", type=FILE, help="A model card (.json) that must say the same.")
@click.option("--json", "as_json", is_flag=True, help="The whole report as one JSON object.")
def card_command(table: Path, check: Path | None, as_json: bool) -> None:
    """Recompute every number of the card but those of the maps, from the predictions out of fold.

    No image and no network is read.  With --check it fails where the card says otherwise.
    """
    try:
        report = report_of(read_out_of_fold(table))
    except DataUnusable as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(report))
    else:
        for key, value in card_metrics(report).items():
            click.echo(f"{key:<44}{value:g}")
        click.echo(f"{'temperature':<44}{report['temperature']:.6f}")
    if check is None:
        return
    held = ModelCard.from_json(json.loads(check.read_text(encoding="utf-8")))
    wrong = [*differing(report, held)]
    if abs(held.temperature / report["temperature"] - 1) > CLOSE:
        wrong.append(
            f"temperature: the card has {held.temperature}, the table gives {report['temperature']}"
        )
    if held.calibration != report["calibration"]:
        wrong.append("calibration: the card has another than the table gives")
    for each in wrong:
        click.echo(each, err=True)
    if not wrong:
        click.echo(f"{check} says the same", err=True)
    sys.exit(1 if wrong else 0)
