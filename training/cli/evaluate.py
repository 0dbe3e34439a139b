"""`m3train evaluate`: any weights on any folder of nodules, cut out or prepared."""

import json
from pathlib import Path

import click

from m3net.errors import InferenceError, NoduleUnusable, WeightsError
from m3net.weights import load_classifier
from training.cli.watched import Watched
from training.data.errors import DataUnusable
from training.data.files import replace_text, write_rows
from training.data.sources import open_folder
from training.data.told import ToldAs
from training.learn.engine import FUSED
from training.measure.evaluate import OneClass, assess, predict
from training.measure.predictions import TEST_TABLE, prediction_rows

SHOWN = ("nodules", "malignant", "patients", "auc", "auc_95", "accuracy", "accuracy_95", "ece")
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--weights", default="default", show_default=True, help="A .safetensors file.")
@click.option(
    "--data", "--voi", "data", type=FOLDER, required=True,
    help="What m3train prepare wrote, or a folder of cut-outs.",
)  # fmt: skip
@click.option(
    "--marking",
    type=click.Choice([each.value for each in ToldAs]),
    default=ToldAs.MASK.value,
    show_default=True,
    help="What the model is told of each nodule; mask: all that there is.",
)
@click.option("--threshold", type=float, default=None, help="Default: the model card's, else 0.5.")
@click.option("--device", default="auto", show_default=True)
@click.option(
    "--out", "directory", type=click.Path(path_type=Path, file_okay=False), default=None,
    help="A folder for test.csv, p of each nodule, and summary.json; compare and figure read it.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def evaluate(
    weights: str,
    data: Path,
    marking: str,
    threshold: float | None,
    device: str,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Measure weights on the nodules of a folder."""
    try:
        classifier, nodules = load_classifier(weights, device=device), open_folder(data)
        with Watched("nodules", total=len(nodules.labels)) as watched:
            probabilities = predict(
                classifier,
                (nodules.read(label) for label in nodules.labels),
                marking=ToldAs(marking),
                on_nodule=watched.advance,
            )
    except (WeightsError, InferenceError, NoduleUnusable, DataUnusable) as error:
        raise click.ClickException(str(error)) from error
    card = classifier.card
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        rows = prediction_rows(nodules.labels, {FUSED: probabilities})
        write_rows(directory / TEST_TABLE, rows)
    if threshold is None:
        threshold = 0.5 if card.threshold is None else card.threshold
    try:
        measured = assess(nodules.labels, probabilities, threshold=threshold)
    except OneClass as error:
        raise click.ClickException(str(error)) from error
    report = {
        "model": f"{card.name} {card.version}",
        "trained": card.trained,
        "marking": marking,
        **measured,
    }
    if directory is not None:
        replace_text(directory / "summary.json", json.dumps(report, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"{report['model']}{'' if card.trained else ' (UNTRAINED)'}, {marking} given")
    for key in SHOWN:
        click.echo(f"{key:>12}  {report[key]}")
