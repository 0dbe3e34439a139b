"""`m3train synthetic`: what weights make of nodules that are known to the voxel."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from m3net.errors import InferenceError, WeightsError
from m3net.weights import load_classifier
from training.data.synthetic import ACQUISITIONS, CASES
from training.figures.style import save, styled
from training.figures.synthetic import draw_synthetic
from training.measure.synthetic import Said, say


@click.command("synthetic")
@click.option("--weights", default="default", show_default=True, help="A .safetensors file.")
@click.option(
    "--acquired", "names", type=click.Choice(list(ACQUISITIONS)), multiple=True,
    help="Only this way; may be repeated.",
)  # fmt: skip
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), default=None,
    help="Draws them too, acquired in the first of these ways, with what was said of each.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def synthetic(weights: str, names: tuple[str, ...], picture: Path | None, as_json: bool) -> None:
    """Ask weights about drawn nodules, and set p beside the range that a radiologist would sign.

    "refused" is what the node does with a mark that is no nodule in lung; a * marks what a
    radiologist would not sign.
    """
    ways = names or tuple(ACQUISITIONS)
    found: dict[str, dict[str, Said]] = {}
    try:
        classifier = load_classifier(weights, device="cpu")
        if not as_json:
            click.echo(f"{'':<34}{'expected':<14}" + "".join(f"{way:>10}" for way in ways))
        for name, case in CASES.items():
            found[name] = {way: say(classifier, case, ACQUISITIONS[way]) for way in ways}
            if not as_json:
                click.echo(f"{name:<34}{_expected(name):<14}{_cells(found[name])}")
    except (WeightsError, InferenceError) as error:
        raise click.ClickException(str(error)) from error
    if picture is not None:
        with styled():
            first = {name: row[ways[0]] for name, row in found.items()}
            save(draw_synthetic(first, ACQUISITIONS[ways[0]]), picture)
    if as_json:
        every = {n: {w: asdict(said) for w, said in row.items()} for n, row in found.items()}
        click.echo(json.dumps(every))


def _expected(name: str) -> str:
    expected = CASES[name].expected
    return "refused" if expected is None else f"{expected[0]:.2f} to {expected[1]:.2f}"


def _cells(row: Mapping[str, Said]) -> str:
    cells = []
    for said in row.values():
        text = "refused" if said.p is None else f"{said.p:.2f}"
        cells.append(f"{text + ('' if said.signed else '*'):>10}")
    return "".join(cells)
