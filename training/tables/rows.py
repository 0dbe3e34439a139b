"""One row of a table after the other: trained if it was not yet, and read back."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from m3net.errors import WeightsError
from training.baselines import BASELINES
from training.data.errors import SettingsUnusable
from training.data.nodules import Nodules
from training.data.sources import open_parts
from training.learn.losses import NonFiniteLoss
from training.learn.settings import Settings, load_settings, merged
from training.learn.stage1 import stage1
from training.learn.stage2 import stage2
from training.measure.predictions import Predictions, read_predictions
from training.tables.grid import Changes, Row

CONFIGS = Path(__file__).parents[1] / "configs"
TableBudget = Literal["smoke", "paper"]

SMOKE = ("run.epochs=1", "run.batch_size=4", "data.limit=8")
"""Besides what every smoke run is told: a table is many runs."""

NOT_ASKED = "not run: not asked for"

RELEASE = "release"
"""The preset, the config and the augmentation of the published code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """What all rows of a table have in common.

    directory : where tables lie and, in runs/, the runs
    preset    : of the M³Net rows; baselines read what `paper` reads
    seeds     : every row is trained with each
    changes   : "section.key=value", laid over both stages' configs
    starts    : baseline's name or scale -> file of pretrained weights
    """

    directory: Path
    data: Path
    split: str
    preset: str
    budget: TableBudget
    changes: tuple[str, ...] = ()
    starts: Mapping[str, Path]
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What became of a row.

    status      : "done", or why there are no numbers
    runs        : of each seed the folder of its last run, relative to the table's directory
    started_from: of the row's networks, one sentence each
    predictions : of each seed what the run said of the row's output, and
    reports     : what was measured of it (`training.measure.evaluate.assess`)
    """

    row: Row
    status: str
    runs: tuple[str, ...] = ()
    started_from: tuple[str, ...] = ()
    predictions: tuple[Predictions, ...] = ()
    reports: tuple[Mapping[str, Any], ...] = ()


def base_settings(
    table: TableSettings,
    stage: Literal["stage1", "stage2"],
    preset: str,
    *,
    seed: int | None = None,
) -> Settings:
    """Of one stage of a network of this preset, before a row changes them.

    Whatever is no network's own, baselines share with the M³Net rows.

    Raises SettingsUnusable.
    """
    shipped = CONFIGS / (f"{stage}.toml" if table.preset == "paper" else f"{table.preset}.toml")
    given = [
        *([] if seed is None else [f"run.seed={seed}"]),
        f"network.preset={json.dumps(preset)}",
        f"data.directory={json.dumps(str(table.data.resolve()))}",
        f"data.split={json.dumps(table.split)}",
        *(SMOKE if table.budget == "smoke" else ()),
        *table.changes,
    ]
    return load_settings(
        shipped, changes=given, budget="smoke" if table.budget == "smoke" else "full"
    )


def check_parts(table: TableSettings) -> tuple[dict[str, int], str]:
    """How many nodules each part has, and a digest of which they are.

    Raises SettingsUnusable if a part that is needed has not both classes; CutoutsUnusable,
    CropsUnusable.
    """
    settings = base_settings(table, "stage1", table.preset)
    parts = open_parts(settings.data, settings.network.config())
    every: dict[str, Nodules] = {
        "training": parts.train,
        "validation": parts.validation,
        "test": parts.test,
    }
    for name, nodules in every.items():
        classes = {label.malignant for label in nodules.labels}
        if len(classes) < 2 and (name != "validation" or classes):
            raise SettingsUnusable(
                f"the {name} part of {table.data.name} by {table.split} has "
                f"{len(nodules.labels)} nodules, not of both classes; use more nodules or another "
                "--split"
            )
    listed = [[x.name, x.malignant] for nodules in every.values() for x in nodules.labels]
    return {name: len(each.labels) for name, each in every.items()}, _digest(listed)


def run_row(
    row: Row,
    table: TableSettings,
    *,
    nodules: str,
    asked: bool = True,
    on_run: Callable[[str], None] = lambda _: None,
) -> RowResult:
    """The row, trained as far as that was not done before; its reason if it cannot be.

    nodules : the digest of `check_parts`
    asked   : False: it is only read back, if it was finished
    on_run  : called with the name of each folder in which training begins
    """
    if row.baseline is not None and BASELINES[row.baseline].make is None:
        return RowResult(row=row, status=BASELINES[row.baseline].status)
    try:
        of_seeds = [_steps(row, table, nodules=nodules, seed=seed) for seed in table.seeds]
        waiting = [
            step
            for steps in of_seeds
            for step in steps
            if not (table.directory / step[0] / "summary.json").exists()
        ]
        if waiting and not asked:
            return RowResult(row=row, status=NOT_ASKED)
        for name, stage, settings in waiting:
            on_run(name)
            stage(settings, table.directory / name, resume=True)
    except (NonFiniteLoss, SettingsUnusable, WeightsError, torch.OutOfMemoryError) as error:
        return RowResult(row=row, status=f"not run: {error}")
    return _read_back(row, table.directory, [[name for name, _, _ in steps] for steps in of_seeds])


Step = tuple[str, Callable[..., dict[str, Any]], Settings]


def _steps(row: Row, table: TableSettings, *, nodules: str, seed: int = 0) -> Sequence[Step]:
    """The runs of a row in order: folder, stage and settings; equal runs have equal folders."""
    if row.baseline is not None:
        settings = _baseline_settings(row, table, seed=seed)
        return [(_folder(row.baseline, settings, nodules), stage1, settings)]
    both = _both(row, table)
    first = _changed(base_settings(table, "stage1", table.preset, seed=seed), both)
    starts = tuple(
        f"{scale}={file.resolve()}"
        for scale, file in table.starts.items()
        if scale in first.network.config().scales
    )
    first = _with_starts(first, starts)
    name = _folder("stage1", first, nodules)
    steps: list[Step] = [(name, stage1, first)]
    if row.fusion is not None:
        second = _changed(base_settings(table, "stage2", table.preset, seed=seed), both)
        second = _changed(second, row.fusion)
        folder = _folder("stage2", second, nodules, name)
        weights = table.directory.resolve() / name / "weights.safetensors"
        steps.append((folder, stage2, _with_starts(second, (str(weights),))))
    return steps


def _both(row: Row, table: TableSettings) -> Changes:
    """What both stages are told; the published augmentation of the published code is its own."""
    if table.preset == RELEASE and row.both == {"data": {"augmentation": "paper"}}:
        return {"data": {"augmentation": RELEASE}}
    return row.both


def _baseline_settings(row: Row, table: TableSettings, *, seed: int) -> Settings:
    assert row.baseline is not None  # noqa: S101
    settings = base_settings(table, "stage1", "paper", seed=seed)
    depth = settings.network.config().meso.patch.size[0]
    patch = {"patch": {"size": [depth, row.side, row.side]}}
    network = {"baseline": row.baseline, "changes": {"meso": patch}}
    settings = _changed(_changed(settings, {"network": network}), row.both)
    start = table.starts.get(row.baseline)
    return _with_starts(settings, () if start is None else (str(start.resolve()),))


def _changed(settings: Settings, changes: Changes) -> Settings:
    return Settings.model_validate(merged(settings.model_dump(), changes))


def _with_starts(settings: Settings, starts: tuple[str, ...]) -> Settings:
    run = settings.run.model_copy(update={"init": (*settings.run.init, *starts)})
    return settings.model_copy(update={"run": run})


def _folder(name: str, settings: Settings, *more: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).lower()
    return f"runs/{slug}-{_digest([settings.model_dump(mode='json'), *more])}"


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]


def _read_back(row: Row, directory: Path, of_seeds: Sequence[Sequence[str]]) -> RowResult:
    """of_seeds : of each seed the folders of its runs, in order."""

    def read(name: str, file: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((directory / name / file).read_text(encoding="utf-8"))
        return content

    started: Sequence[str] = read(of_seeds[0][0], "environment.json")["started_from"]
    last = [runs[-1] for runs in of_seeds]
    return RowResult(
        row=row,
        status="done",
        runs=tuple(last),
        started_from=tuple(started),
        predictions=tuple(read_predictions(directory / run, row.output) for run in last),
        reports=tuple(read(run, "summary.json")["test"][row.output] for run in last),
    )
