"""`m3train compare`: runs on the same nodules, pair by pair."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from training.measure.bootstrap import Difference
from training.measure.compare import Comparison, compare
from training.measure.predictions import PredictionsUnusable, outputs_in, read_predictions

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("compare")
@click.argument("first", type=FOLDER)
@click.argument("others", type=FOLDER, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def compare_command(first: Path, others: tuple[Path, ...], as_json: bool) -> None:
    """Compare the run FIRST with each of OTHERS on their test nodules, which must be the same.

    A run is the folder that stage1, stage2 or evaluate --out left; of several outputs the first
    counts, which is the fused one if there is one.  Differences are FIRST minus the other, their
    intervals over patients.
    """
    try:
        ours = read_predictions(first, outputs_in(first)[0])
        found = {
            str(other): compare(ours, read_predictions(other, outputs_in(other)[0]))
            for other in others
        }
    except PredictionsUnusable as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps({other: asdict(each) for other, each in found.items()}))
        return
    for other, each in found.items():
        click.echo(f"{first} minus {other}, {each.nodules} nodules")
        click.echo(f"       AUC  {_text(each.auc)}")
        click.echo(f"  accuracy  {_text(each.accuracy)}")
        click.echo(f"   McNemar  {_pairs(each)}")


def _text(difference: Difference) -> str:
    low, high = difference.low, difference.high
    return f"{difference.estimate:+.3f} [{low:+.3f}, {high:+.3f}], p = {difference.p_value:.3f}"


def _pairs(found: Comparison) -> str:
    right = f"{found.only_first_right} rightly called by the first alone"
    return f"{right}, {found.only_second_right} by the other alone, p = {found.mcnemar_p:.3f}"
