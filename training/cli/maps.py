"""`m3train maps`: whether the maps of where the network looked lie where they should."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import click

from m3net.card import ModelCard
from m3net.errors import InferenceError, WeightsError
from m3net.predict import TorchClassifier
from m3net.weights import load_classifier
from training.cli.watched import Watched
from training.data.errors import DataUnusable
from training.data.files import replace_text
from training.data.voi import read_cutout, read_labels
from training.measure.maps import measure_maps

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--weights", default="default", show_default=True, help="A .safetensors file.")
@click.option("--voi", type=FOLDER, required=True, help="A folder of cut-outs.")
@click.option("--every", type=click.IntRange(min=1), default=1, help="Only every Nth nodule.")
@click.option(
    "--card",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A model card (.json) that is to hold the measures.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def maps(weights: str, voi: Path, every: int, card: Path | None, as_json: bool) -> None:
    """Measure the maps of where the network looked, on a folder of cut-outs."""
    try:
        classifier, labels = load_classifier(weights, device="cpu"), read_labels(voi)[::every]
    except (WeightsError, InferenceError, DataUnusable) as error:
        raise click.ClickException(str(error)) from error
    assert isinstance(classifier, TorchClassifier)  # noqa: S101  # weights are torch's here
    with Watched("nodules", total=len(labels)) as watched:
        found = measure_maps(
            classifier,
            (read_cutout(voi, label) for label in labels),
            on_nodule=watched.advance,
        )
    table = {scale.value: asdict(quality) for scale, quality in found.items()}
    if card is not None:
        _write_down(card, table, nodules=len(labels))
    if as_json:
        click.echo(json.dumps({"nodules": len(labels), **table}))
        return
    click.echo(f"{len(labels)} nodules{'':>10}" + "".join(f"{scale:>9}" for scale in table))
    for key in next(iter(table.values()), {}):
        click.echo(f"{key:<20}" + "".join(f"{row[key]:>9.2f}" for row in table.values()))


def _write_down(card: Path, table: Mapping[str, Mapping[str, float]], *, nodules: int) -> None:
    """The card holds the measures, rounded, beside those it has."""
    held = ModelCard.from_json(json.loads(card.read_text(encoding="utf-8")))
    measured = {
        f"map_{key}_{scale}": round(value, 3)
        for scale, row in table.items()
        for key, value in row.items()
    }
    whole = replace(held, metrics={**held.metrics, "map_nodules": float(nodules), **measured})
    replace_text(card, json.dumps(whole.to_json(), indent=2) + "\n")
