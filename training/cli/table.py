"""`m3train table N`: the grid that is asked for, ours beside the paper's."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from m3net.config import PRESETS
from m3net.scales import Scale
from training.baselines import BASELINES
from training.cli.watched import Watched
from training.data.errors import DataUnusable, SettingsUnusable
from training.data.files import replace_text, write_rows
from training.data.sources import open_folder
from training.measure.compare import Comparison, averaged, compare
from training.measure.costs import TABLE_7
from training.tables.characteristics import characteristics
from training.tables.costs import HEADS, NOTES, cost_cells
from training.tables.grid import GRIDS, Grid
from training.tables.paper import OURS_IN
from training.tables.rows import (
    RELEASE,
    RowResult,
    TableBudget,
    TableSettings,
    base_settings,
    check_parts,
    run_row,
)
from training.tables.write import (
    as_lines,
    as_markdown,
    markdown_table,
)

SMOKE_NODULES = 16
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("table")
@click.argument("number", type=click.IntRange(1, 8))
@click.option("--data", type=FOLDER, help="What m3train prepare wrote, or a folder of cut-outs.")
@click.option(
    "--out", "directory", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="For all tables; rows that two tables share are run once.",
)  # fmt: skip
@click.option("--budget", type=click.Choice(get_args(TableBudget)), default="paper")
@click.option(
    "--split", default="patient", show_default=True,
    help='"nodule" as published; "nodule_675", "folds", or a CSV with name, part.',
)  # fmt: skip
@click.option(
    "--preset", type=click.Choice(sorted(PRESETS)), default="paper",
    show_default=True, help="Of the M³Net rows; release: the published code's, trained its way.",
)  # fmt: skip
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True,
    help="So many runs of each row, seeds 0 and up; numbers are their means.",
)  # fmt: skip
@click.option("--row", "keys", multiple=True, help="Only this one; may be given again.")
@click.option(
    "--init", "starts", multiple=True, metavar="NAME=FILE",
    help="Pretrained weights: of a baseline by its name, of M³Net by its scale.",
)  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="SECTION.KEY=VALUE", help="For all rows.")
def table(
    number: int,
    data: Path | None,
    directory: Path,
    budget: TableBudget,
    split: str,
    preset: str,
    seeds: int,
    keys: tuple[str, ...],
    starts: tuple[str, ...],
    changes: tuple[str, ...],
) -> None:
    """Run one of the paper's tables, 1 to 8, and print ours beside the paper's.

    Killed or interrupted, the same command goes on where it was: a finished row is not run again.
    Writes table-N.csv and table-N.md.
    """
    if number != 7 and data is None:
        raise click.UsageError(f"table {number} needs --data")
    if preset == RELEASE and number in LEFT_OUT_OF_RELEASE:
        raise click.UsageError(f"table {number} --preset release: {LEFT_OUT_OF_RELEASE[number]}")
    if seeds > 1 and any(change.startswith("run.seed") for change in changes):
        raise click.UsageError("--seeds says which seeds there are; leave --set run.seed out")
    directory.mkdir(parents=True, exist_ok=True)
    try:
        if number == 7:
            _costs(directory, _known(number, list(TABLE_7), keys))
        elif number == 1:
            assert data is not None  # noqa: S101
            _characteristics(data, directory, limit=SMOKE_NODULES if budget == "smoke" else 0)
        else:
            assert data is not None  # noqa: S101
            table = TableSettings(
                directory=directory,
                data=data,
                split=split,
                preset=preset,
                budget=budget,
                changes=changes,
                starts=_starts(starts),
                seeds=tuple(range(seeds)),
            )
            grid = GRIDS[number]
            _grid(grid, table, _known(number, [row.key for row in grid.rows], keys))
    except (SettingsUnusable, DataUnusable) as error:
        raise click.UsageError(str(error)) from error
    click.echo((directory / f"table-{number}.md").read_text(encoding="utf-8"))


def _starts(given: Sequence[str]) -> Mapping[str, Path]:
    starts = {}
    for each in given:
        name, _, file = each.partition("=")
        if name not in {*BASELINES, *Scale}:
            raise click.UsageError(
                f"--init {each}: NAME is one of {', '.join([*Scale, *BASELINES])}"
            )
        if not Path(file).is_file():
            raise click.UsageError(f"--init {each}: there is no such file")
        starts[name] = Path(file)
    return starts


def _known(number: int, every: Sequence[str], keys: Sequence[str]) -> list[str]:
    """The rows that are asked for, in the table's order."""
    if unknown := set(keys) - set(every):
        raise click.UsageError(
            f"table {number} has no row {', '.join(sorted(unknown))}; there are {', '.join(every)}"
        )
    return [key for key in every if not keys or key in keys]


def _grid(grid: Grid, table: TableSettings, asked: Sequence[str]) -> None:
    counts, nodules = check_parts(table)
    stated = [*_stated(table, counts), *_not_given(grid, table)]
    departs = {
        row.key: BASELINES[row.baseline].departs
        for row in grid.rows
        if row.baseline is not None and (grid.number != 2 or row.side == 32)
    }
    compared: dict[str, Comparison] = {}
    # finished rows first, so that a table which is cut short shows what there is
    found: dict[str, RowResult] = {
        row.key: run_row(row, table, nodules=nodules, asked=False) for row in grid.rows
    }
    console = Console(stderr=True)
    for number, row in enumerate(grid.rows, start=1):
        if row.key in asked:
            label = f"table {grid.number}, row {number} of {len(grid.rows)}: {row.key}"
            say = partial(console.print, label)
            found[row.key] = run_row(row, table, nodules=nodules, on_run=say)
        against = _against_ours(grid, found, known=compared)
        lines = as_lines(grid, [found[each.key] for each in grid.rows], compared=against)
        path = table.directory / f"table-{grid.number}"
        write_rows(path.with_suffix(".csv"), lines)
        text = as_markdown(grid, lines, stated=stated, departs=departs)
        replace_text(path.with_suffix(".md"), text)


def _against_ours(
    grid: Grid,
    found: Mapping[str, RowResult],
    *,
    known: dict[str, Comparison],
) -> Mapping[str, Comparison]:
    """Row -> M³Net whole against it, of those that are done; `known` keeps what was computed.

    Rows of one run may be of its several outputs: each is compared by itself.
    """
    ours = found.get(OURS_IN.get(grid.number, ""))
    if ours is None or not ours.predictions:
        return {}
    for key, theirs in found.items():
        if key not in known and theirs is not ours and theirs.predictions:
            known[key] = compare(averaged(ours.predictions), averaged(theirs.predictions))
    return known


def _stated(table: TableSettings, counts: Mapping[str, int]) -> list[str]:
    """What holds for every row."""
    settings = base_settings(table, "stage1", table.preset)
    run = settings.run
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    stated = [
        f"Budget {table.budget}; epochs of a stage: {run.epochs} (the paper: 200), nodules in a "
        f"batch: {run.batch_size} (32). Seeds of each row: {len(table.seeds)}.",
        f"{table.data.name}, split {table.split}: {parts} nodules (the paper, by nodule: 1,837, "
        "263, 525 of LIDC-IDRI).",
        f"All rows: learning rate {run.learning_rate:g}, weight decay {run.weight_decay:g}, "
        f"{settings.data.target} targets, augmentation {settings.data.augmentation} unless a row "
        f"says otherwise; weights of {_SELECTED[run.select]}.",
        _PRESETS[table.preset],
    ]
    if table.budget == "smoke":
        stated.insert(
            0,
            "A trial of the machinery: networks of a few channels, a handful of nodules, 16 of the "
            "56 slices. The numbers say nothing.",
        )
    if table.changes:
        stated.append(f"Set by hand: {', '.join(table.changes)}.")
    return stated


_SELECTED = {
    "best": "the epoch with the lowest cross-entropy on validation",
    "last": "the last epoch",
}

LEFT_OUT_OF_RELEASE = {
    4: "the published fusion has no module that can be left out; use --preset paper",
    8: "the published code has no alignment loss to ablate; use --preset paper",
}

_PRESETS = {
    "paper": "M³Net is the preset paper: what the paper's text says made sound (features fused as "
    "spatial tokens), not the network that was published, which fuses logits.",
    "release": "M³Net is the published network, trained as its code does where that is known: the "
    "three scales are augmented apart, each crop is scaled by its own minimum and maximum, stage 2 "
    "trains the last head alone, by cross-entropy of the fused output. It departs in that frozen "
    "norms stand still, and in that the cosine falls over the whole run.",
    "small": "M³Net is the preset small, for CPUs: three cubes in millimetres, the nodule's mask "
    "among its inputs, which no other row has.",
}


def _not_given(grid: Grid, table: TableSettings) -> list[str]:
    """Pretrained weights that rows go without."""
    wanted = {
        row.baseline: BASELINES[row.baseline].weights
        for row in grid.rows
        if row.baseline is not None and BASELINES[row.baseline].weights is not None
    }
    named = {name: weights for name, weights in wanted.items() if name not in table.starts}
    if table.preset in {"paper", RELEASE} and any(row.baseline is None for row in grid.rows):
        named |= {} if Scale.MICRO in table.starts else {"micro": "ImageNet, of M³Net's ConvNeXt-B"}
    if not named:
        return []
    listed = "; ".join(f"{name} ({weights})" for name, weights in named.items())
    return [f"Pretrained weights that --init NAME=FILE did not give: {listed}."]


def _characteristics(data: Path, directory: Path, *, limit: int) -> None:
    count = len(open_folder(data).labels)
    total = min(limit or count, count)
    with Watched("nodules read", total=total) as watched:
        found = characteristics(data, limit=limit, on_nodule=watched.advance)
    rows = [(each.attribution, each.ours, each.paper) for each in found]
    note = (
        "The paper's 2,625 nodules are of 875 patients; it counts all CT of LIDC-IDRI. The matrix "
        "of 512 x 512 is not kept with a crop."
    )
    if limit and limit == total:
        note += f" Budget smoke: the first {limit} nodules alone."
    text = ["# Table 1. Dataset characteristics", ""]
    text += markdown_table(("Attribution", f"Ours ({data.name})", "Paper (LIDC-IDRI)"), rows)
    replace_text(directory / "table-1.md", "\n".join([*text, "", note]) + "\n")
    write_rows(directory / "table-1.csv", [asdict(each) for each in found])


def _costs(directory: Path, models: Sequence[str]) -> None:
    console = Console(stderr=True)
    rows = cost_cells(models, on_row=lambda model: console.print(f"table 7: {model}"))
    text = ["# Table 7. Costs", "", *markdown_table(HEADS, rows), ""]
    text += [f"- {each}" for each in NOTES]
    replace_text(directory / "table-7.md", "\n".join(text) + "\n")
    write_rows(directory / "table-7.csv", [dict(zip(HEADS, row, strict=True)) for row in rows])
