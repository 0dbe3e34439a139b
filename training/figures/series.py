"""What is drawn: the models of a table, or the outputs of one run."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.measure.compare import averaged
from training.measure.metrics import Counts
from training.measure.predictions import (
    TEST_TABLE,
    Predictions,
    PredictionsUnusable,
    outputs_in,
    read_predictions,
)
from training.tables.grid import GRIDS
from training.tables.paper import OURS_IN, implied_counts, printed_results


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One model on its test nodules.

    runs   : of each seed one; `predictions` is the mean of what they said
    ours   : M³Net, to be stressed among others
    printed: metric -> percent, and the confusion matrix behind it, as the paper has them
    """

    name: str
    runs: tuple[Path, ...]
    ours: bool
    is_baseline: bool
    predictions: Predictions
    printed: Mapping[str, float]
    implied: Counts | None


def read_series(directory: Path, *, table: int = 3) -> list[Series]:
    """The finished rows of a table in `directory`, or the outputs of the run that it is.

    Raises PredictionsUnusable if there is neither.
    """
    if (directory / TEST_TABLE).is_file():
        return [
            Series(
                name=output,
                runs=(directory,),
                ours=output == "fused",
                is_baseline=False,
                predictions=read_predictions(directory, output),
                printed={},
                implied=None,
            )
            for output in outputs_in(directory)
        ]
    path = directory / f"table-{table}.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [line for line in csv.DictReader(file) if line["status"] == "done"]
    except OSError as error:
        raise PredictionsUnusable(
            f"{directory} holds neither a run nor table {table}: {error}; m3train table makes it"
        ) from error
    if not lines:
        raise PredictionsUnusable(f"no row of {path} is done; give m3train table {table} again")
    printed = printed_results(table)
    baselines = {row.key for row in GRIDS[table].rows if row.baseline is not None}
    return [
        Series(
            name=line["row"].replace("M3Net", "M³Net"),
            runs=tuple(directory / run for run in line["run"].split()),
            ours=line["row"] == OURS_IN.get(table),
            is_baseline=line["row"] in baselines,
            predictions=averaged(
                [read_predictions(directory / run, line["output"]) for run in line["run"].split()]
            ),
            printed=printed.get(line["row"], {}),
            implied=implied_counts(table, line["row"]),
        )
        for line in lines
    ]


def same_nodules(series: list[Series]) -> None:
    """Raises PredictionsUnusable unless all models were tested on the same nodules."""
    first = series[0]
    for each in series[1:]:
        if each.predictions.names != first.predictions.names:
            raise PredictionsUnusable(
                f"{first.name} and {each.name} were tested on different nodules; run the table's "
                "rows again on the same data and split"
            )
