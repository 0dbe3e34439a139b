"""`m3node model`: the network's weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from node.cli.options import config_option, json_option, loaded, show_fields, show_json


@click.group()
def model() -> None:
    """The network's weights: show, verify, import."""


_weights = click.argument("weights", metavar="[WEIGHTS]", required=False)


@model.command("show")
@_weights
@json_option
@config_option
def show(weights: str | None, as_json: bool, config_path: Path | None) -> None:
    """The model card: of WEIGHTS, or of the configured ones."""
    from m3net.model_files import load_card

    card = load_card(_meant(weights, config_path)).to_json()
    if as_json:
        show_json(card)
        return
    metrics = card.pop("metrics")
    told = {key: card.pop(key) for key in ("calibration", "panel", "reliability")}
    card.pop("config")
    show_fields({name.replace("_", " "): value for name, value in card.items()})
    if metrics:
        click.echo("metrics")
        show_fields({f"  {name}": value for name, value in metrics.items()})
    for words, each in _of_ways_of_telling(**told).items():
        if each:
            click.echo(words)
            show_fields({f"  {name}": value for name, value in each})


def _of_ways_of_telling(
    calibration: Mapping[str, Mapping[str, float]],
    panel: Mapping[str, Sequence[Mapping[str, float]]],
    reliability: Mapping[str, Sequence[Mapping[str, float]]],
) -> dict[str, list[tuple[str, str]]]:
    """What is known of nodules told by an outline, a diameter or a centre: title, then lines."""
    from m3net.told import IN_WORDS

    return {
        "log odds, told": [
            (IN_WORDS[told], f"{each['slope']:g} x margin {each['shift']:+g}")
            for told, each in calibration.items()
        ],
        "nine in ten panels of radiologists rated, 1 to 5 for suspicion, told": [
            (
                f"{IN_WORDS[told]}, from {100 * band['from']:g} %",
                f"{band['low']:g} to {band['high']:g} of {band['nodules']:.0f} nodules",
            )
            for told, bands in panel.items()
            for band in bands
        ],
        "rated above 3 of 5, by what was said on average, told": [
            (
                f"{IN_WORDS[told]}, {100 * tenth['said']:.0f} %",
                f"{100 * tenth['was']:.0f} % of {tenth['nodules']:.0f} nodules",
            )
            for told, tenths in reliability.items()
            for tenth in tenths
        ],
    }


@model.command("verify")
@_weights
@config_option
def verify(weights: str | None, config_path: Path | None) -> None:
    """Compare the weights with their card: sha256, and the shape of every tensor."""
    from m3net.weights import verify as verified

    card = verified(_meant(weights, config_path))
    click.echo(f"{card.name} {card.version}: unaltered")
    if not card.trained:
        click.echo("UNTRAINED: its probabilities are no results", err=True)


@model.command("import")
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("output", metavar="OUTPUT.safetensors", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite OUTPUT.")
def import_checkpoint(checkpoint: Path, output: Path, force: bool) -> None:
    """Write a checkpoint of the paper's authors as safetensors with a model card."""
    from m3net.weights import import_released

    if output.suffix != ".safetensors":
        raise click.UsageError(f"{output} does not end in .safetensors")
    if output.exists() and not force:
        raise click.ClickException(f"{output} is there already; --force overwrites it")
    card = import_released(checkpoint, output)
    click.echo(f"{output} and {output.with_suffix('.json')} written: {card.name} {card.version}")


def _meant(weights: str | None, config_path: Path | None) -> str | Path:
    return weights if weights is not None else loaded(config_path).model.weights
