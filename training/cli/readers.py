"""`m3train readers`: the model against each reader, beside the other readers against the same."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from training.cli.watched import Watched
from training.data.cutouts import Cutouts
from training.data.errors import DataUnusable
from training.data.shown import ShownNodules
from training.data.splits import voi_folds
from training.data.targets import target_of
from training.data.voi import Cutout, read_cutouts
from training.measure.calibration import calibrate_across_folds
from training.measure.readers import Ceiling, ceiling
from training.shipped.expert import expert_out_of_fold
from training.shipped.out_of_fold import OURS, read_out_of_fold
from training.shipped.recipe import member_of_fold
from training.shipped.report import calibrated

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
EXPERT = "expert_alone"
Floats = NDArray[np.float64]


@click.command("readers")
@click.option("--from", "table", type=FILE, help="out_of_fold.csv of m3train default-weights.")
@click.option("--row", "key", default=OURS, show_default=True, help="Of that table.")
@click.option("--voi", type=FOLDER, help="The 791 cut-outs: the expert alone, fitted here anew.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def readers_command(table: Path | None, key: str, voi: Path | None, as_json: bool) -> None:
    """What readers agree on, and how a model compares with one of them, on unseen nodules.

    --from takes predictions out of fold; --voi needs none: it fits the expert in five folds, in a
    minute.
    """
    if (table is None) == (voi is None):
        raise click.UsageError("give one of --from and --voi")
    try:
        if table is not None:
            found = read_out_of_fold(table)
            if key not in found.margins:
                rows = ", ".join(found.margins)
                raise click.UsageError(f"{table} has no row {key}; there are {rows}")
            name, p = key, calibrated(found, key)
            scores: Sequence[Sequence[int]] = found.scores
            patients: Sequence[str] = found.patients
        else:
            assert voi is not None  # noqa: S101  # one of the two is given
            name, cutouts = EXPERT, read_cutouts(voi)
            p = _expert(cutouts, voi)
            scores = [cutout.label.scores for cutout in cutouts]
            patients = [cutout.label.patient_id for cutout in cutouts]
        measured = ceiling(scores, p, patients)
    except (DataUnusable, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"model": name, **asdict(measured)}))
        return
    _say(name, measured)


def _expert(cutouts: Sequence[Cutout], voi: Path) -> Floats:
    """Its calibrated p of each nodule, by the expert that did not see the nodule's fold: (N,)."""
    where = voi_folds()
    folds = np.array([where[cutout.label.name] for cutout in cutouts])
    settings = member_of_fold(None, seed=0, voi=voi, changes=(), directory=voi).settings
    nodules = ShownNodules(Cutouts(cutouts), config=settings.network.config())
    described = []
    with Watched("nodules measured", total=len(cutouts)) as watched:
        for index in range(len(cutouts)):
            described.append(nodules.item(index, None)["description"].numpy())
            watched.advance()
    targets = [float(target_of(cutout.label.scores, settings.data.target)) for cutout in cutouts]
    margins = expert_out_of_fold(
        np.stack(described),
        np.array(targets, np.float32),
        [cutout.label.patient_id for cutout in cutouts],
        folds,
    )
    labels = np.array([cutout.label.malignant for cutout in cutouts])
    return calibrate_across_folds(labels, margins, folds)


def _say(name: str, measured: Ceiling) -> None:
    click.echo(f"{measured.nodules} nodules of {measured.patients} patients with four readers")
    click.echo(f"ICC of one reader {measured.icc_single}, of the mean of four {measured.icc_mean}")
    click.echo(f"{'AUC against':<14}{'other readers':<24}{name:<24}{name} minus readers")
    for each in measured.against:
        moved = each.difference
        click.echo(
            f"{each.truth:<14}{each.readers!s:<24}{each.model!s:<24}"
            f"{moved.estimate:+.3f} [{moved.low:+.3f}, {moved.high:+.3f}]"
        )
