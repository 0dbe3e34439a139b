"""`m3train evaluate`: any weights on any folder of cut-outs."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from m3net.errors import InferenceError, WeightsError
from m3net.weights import load_classifier
from training.data.errors import DataUnusable
from training.data.told import ToldAs
from training.data.voi import read_cutout, read_labels
from training.measure.evaluate import OneClass, assess, predict

SHOWN = ("nodules", "malignant", "patients", "auc", "auc_95", "accuracy", "accuracy_95", "ece")
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--weights", default="default", show_default=True, help="A .safetensors file.")
@click.option("--voi", type=FOLDER, required=True, help="A folder of cut-outs.")
@click.option(
    "--marking",
    type=click.Choice([each.value for each in ToldAs]),
    default=ToldAs.MASK.value,
    show_default=True,
    help="What the model is told of each nodule.",
)
@click.option("--threshold", type=float, default=None, help="Default: the model card's, else 0.5.")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def evaluate(
    weights: str, voi: Path, marking: str, threshold: float | None, device: str, as_json: bool
) -> None:
    """Measure weights on a folder of cut-outs (image/, mask/, labels.csv)."""
    try:
        classifier, labels = load_classifier(weights, device=device), read_labels(voi)
    except (WeightsError, InferenceError, DataUnusable) as error:
        raise click.ClickException(str(error)) from error
    card = classifier.card
    cutouts = (read_cutout(voi, label) for label in labels)
    with Progress(console=Console(stderr=True), disable=as_json) as progress:
        task = progress.add_task("nodules", total=len(labels))
        probabilities = predict(
            classifier,
            cutouts,
            marking=ToldAs(marking),
            on_nodule=lambda: progress.advance(task),
        )
    if threshold is None:
        threshold = 0.5 if card.threshold is None else card.threshold
    try:
        measured = assess(labels, probabilities, threshold=threshold)
    except OneClass as error:
        raise click.ClickException(str(error)) from error
    report = {
        "model": f"{card.name} {card.version}",
        "trained": card.trained,
        "marking": marking,
        **measured,
    }
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"{report['model']}{'' if card.trained else ' (UNTRAINED)'}, {marking} given")
    for key in SHOWN:
        click.echo(f"{key:>12}  {report[key]}")
