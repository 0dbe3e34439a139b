"""`m3train robustness`: how far p moves with slices, kernel, dose and grid."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import click

from m3net.card import ModelCard
from m3net.errors import InferenceError, WeightsError
from m3net.weights import load_classifier
from training.cli.watched import Watched
from training.data.acquired import ACQUIRED
from training.data.errors import DataUnusable
from training.data.files import replace_text
from training.data.voi import read_cutout, read_labels
from training.measure.robustness import Moved, measure_robustness

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("robustness")
@click.option("--weights", default="default", show_default=True, help="A .safetensors file.")
@click.option("--voi", type=FOLDER, required=True, help="A folder of cut-outs.")
@click.option("--every", type=click.IntRange(min=1), default=1, help="Only every Nth nodule.")
@click.option(
    "--card",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A model card (.json) that is to hold the measures.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def robustness(weights: str, voi: Path, every: int, card: Path | None, as_json: bool) -> None:
    """Measure how far p moves when the same nodules are acquired otherwise."""
    try:
        classifier, labels = load_classifier(weights, device="cpu"), read_labels(voi)[::every]
        cutouts = [read_cutout(voi, label) for label in labels]
    except (WeightsError, InferenceError, DataUnusable) as error:
        raise click.ClickException(str(error)) from error
    with Watched("nodules", total=len(cutouts)) as watched:
        found = measure_robustness(
            classifier,
            cutouts,
            ACQUIRED,
            threshold=0.5 if classifier.card.threshold is None else classifier.card.threshold,
            on_nodule=watched.advance,
        )
    if card is not None:
        _write_down(card, found)
    if as_json:
        click.echo(json.dumps({name: asdict(moved) for name, moved in found.items()}))
        return
    click.echo(
        f"{'':<20}{'nodules':>9}{'median':>9}{'90 %':>9}{'most':>9}{'mean':>9}{'flipped':>9}"
    )
    for name, moved in found.items():
        numbers = (moved.median, moved.percentile_90, moved.most, moved.mean, moved.flipped)
        click.echo(f"{name:<20}{moved.nodules:>9}" + "".join(f"{x:>9.3f}" for x in numbers))


def _write_down(card: Path, found: Mapping[str, Moved]) -> None:
    """The card holds the measures, rounded, beside those it has."""
    held = ModelCard.from_json(json.loads(card.read_text(encoding="utf-8")))
    measured = {
        f"acquired_{name}_{key}": round(float(value), 4)
        for name, moved in found.items()
        for key, value in asdict(moved).items()
    }
    whole = replace(held, metrics={**held.metrics, **measured})
    replace_text(card, json.dumps(whole.to_json(), indent=2) + "\n")
