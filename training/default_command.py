"""`m3train default-weights`: the weights that ship with the node, and everything said of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress

from m3net.card import ModelCard
from m3net.config import SMALL
from m3net.weights import save_weights
from training.as_served import Marking
from training.calibration import calibrate_across_folds, fit_temperature
from training.committee import load_committee
from training.default_report import (
    OutOfFold,
    against_baselines,
    moved_by_a_slice,
    row,
    told_less,
)
from training.default_weights import (
    Recipe,
    out_of_fold_margins,
    save_member,
    train_folds,
    train_member,
)
from training.splits import voi_folds
from training.variants import Variation, draw_variants
from training.voi import read_cutouts

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
SERVED = replace(SMALL, mirrored=True)
FINAL_SEED = 9
"""Of the members trained on all nodules; folds take 0 to 4."""

MEANING = (
    "probability that radiologists would rate the nodule above 3 of 5 for suspicion of malignancy "
    "on average; learnt from nodules that at least three of four readers marked; not histology"
)
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
@click.option("--variants", default=10, show_default=True, help="Drawn of each nodule.")
@click.option("--epochs", default=Recipe().epochs, show_default=True)
@click.option("--version", default="1.0", show_default=True, help="On the model card.")
def default_weights(
    voi: Path, run: Path, members: int, variants: int, epochs: int, version: str
) -> None:
    """Train `small` on cut-outs, measure it in five folds, export it with its card.

    What lies in the run folder already is not done again.
    """
    recipe, cutouts = Recipe(epochs=epochs), read_cutouts(voi)
    where = voi_folds()
    folds = np.array([where[cutout.label.name] for cutout in cutouts])
    scores = np.array([cutout.label.mean_score for cutout in cutouts])
    seeds = range(members)
    with Progress(console=Console(stderr=True)) as progress:
        drawing = progress.add_task("variants", total=len(cutouts))
        drawn = draw_variants(
            cutouts,
            SMALL,
            variation=Variation(),
            count=variants,
            seed=0,
            directory=run / "variants",
            on_nodule=lambda: progress.advance(drawing),
        )
        training = progress.add_task("members", total=members * (len(set(folds)) + 1))
        by_fold = train_folds(
            drawn,
            mean_scores=scores,
            folds=folds,
            seeds=seeds,
            recipe=recipe,
            directory=run / "cv",
            on_member=lambda: progress.advance(training),
        )
        (run / "final").mkdir(exist_ok=True)
        final = [run / "final" / f"seed{seed}.safetensors" for seed in seeds]
        for seed, file in zip(seeds, final, strict=True):
            if not file.is_file():
                network = train_member(
                    drawn,
                    mean_scores=scores,
                    train=np.arange(len(cutouts)),
                    recipe=recipe,
                    seed=1000 * seed + FINAL_SEED,
                )
                save_member(network, file)
            progress.advance(training)
    found = OutOfFold(
        cutouts=cutouts,
        folds=folds,
        members=by_fold,
        margins=out_of_fold_margins(drawn, folds=folds, members=by_fold, config=SERVED),
        config=SERVED,
    )
    report = _report(found)
    (run / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    committee = load_committee(SERVED, final)
    temperature = 1 / fit_temperature(found.labels, found.margins).slope
    card = _card(report, version=version, temperature=temperature)
    card = save_weights(committee, card, run / "small.safetensors")
    click.echo(json.dumps({"weights": str(run / "small.safetensors"), **dict(card.metrics)}))


def _report(found: OutOfFold) -> dict[str, Any]:
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
    table = against_baselines(found)
    table["ours, without mean exactly 3"] = row(without_3, p[clear])
    table["ours, centre and diameter told"] = row(found, told_less(found, Marking.DIAMETER))
    table["ours, centre told"] = row(found, told_less(found, Marking.CENTRE))
    return {"table": table, "moved_by_a_slice": moved_by_a_slice(found)}


def _card(report: dict[str, Any], *, version: str, temperature: float) -> ModelCard:
    table, moved = report["table"], report["moved_by_a_slice"]
    rows = {
        "": "ours",
        "_centre_and_diameter": "ours, centre and diameter told",
        "_centre": "ours, centre told",
        "_without_mean_3": "ours, without mean exactly 3",
        "_of_size_alone": "size alone",
        "_of_gradient_boosting": "gradient boosting",
    }
    metrics: dict[str, float] = {}
    for suffix, name in rows.items():
        metrics[f"auc{suffix}"] = round(table[name]["auc"]["estimate"], 4)
        metrics[f"accuracy{suffix}"] = round(table[name]["accuracy"]["estimate"], 4)
    metrics["auc_low"] = round(table["ours"]["auc"]["low"], 4)
    metrics["auc_high"] = round(table["ours"]["auc"]["high"], 4)
    metrics["ece"] = round(table["ours"]["ece"], 4)
    for change, spread in moved.items():
        for key in ("median", "percentile_90", "percentile_99"):
            metrics[f"moved_by_a_slice_{change}_{key}"] = round(spread[key], 4)
    return ModelCard(
        name="M3Net small",
        version=version,
        preset=SMALL.preset,
        trained=True,
        threshold=0.5,
        meaning=MEANING,
        preprocessing="",
        training_data=TRAINING_DATA,
        licence="Apache-2.0",
        metrics=metrics,
        attribution=ATTRIBUTION,
        temperature=temperature,
    )
