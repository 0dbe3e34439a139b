"""The numbers that the paper printed, row by row, and what is known to be behind them."""

import csv
from collections.abc import Mapping
from importlib.resources import files

from training.measure import metrics
from training.measure.metrics import Counts
from training.published import published_rows

METRICS = ("acc", "pre", "rec", "spec", "f1", "bacc", "roc", "pr")
"""The columns of Table 3; Tables 2, 4, 5, 6 and 8 have acc, pre, rec and f1."""

LIDC = "LIDC-IDRI"
OURS = "M3Net"

OURS_IN = {3: OURS, 4: "g", 5: "g", 6: "with", 8: "e"}
"""The row that is M³Net whole, table by table; Table 2 has none."""


def printed_results(table: int, dataset: str = LIDC) -> Mapping[str, Mapping[str, float]]:
    """Row -> metric -> percent, of Tables 2 to 6 and 8; a metric that is not printed is absent."""
    return {
        row["row"]: {name: float(row[name]) for name in METRICS if row[name]}
        for row in _read("results.csv")
        if int(row["table"]) == table and row["dataset"] == dataset
    }


def printed_characteristics(dataset: str = LIDC) -> Mapping[str, str]:
    """Table 1: attribution -> value; the numbers of nodules stand in Sec. 4.1."""
    rows = _read("characteristics.csv")
    return {row["attribution"]: row["value"] for row in rows if row["dataset"] == dataset}


def implied_counts(table: int, row: str, dataset: str = LIDC) -> Counts | None:
    """The confusion matrix that a row's figures imply; None where none could be solved."""
    wanted = {(table, row), (table, f"M3Net row {row}")}
    if OURS_IN.get(table) == row:
        wanted = {(3, OURS)}
    if (table, row) == (5, "a"):  # the same figures
        wanted = {(2, "ConvNeXt-B 32")}
    return next(
        (
            each.counts
            for each in published_rows()
            if each.dataset == dataset and (each.table, each.model) in wanted
        ),
        None,
    )


def what_bacc_is(counts: Counts | None, percent: float | None) -> str:
    """What a printed BACC is, as far as its row's confusion matrix is known."""
    if counts is None or percent is None:
        return ""
    return metrics.name_of_bacc(counts, percent)


def _read(file: str) -> list[dict[str, str]]:
    text = files("training.published").joinpath(file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
