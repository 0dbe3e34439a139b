"""A table as CSV and as Markdown: ours, the paper's beside it, and what has to be known."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.tables.columns import counts_of, percents
from training.tables.grid import Grid
from training.tables.paper import METRICS, implied_counts, printed_results, what_bacc_is
from training.tables.rows import RowResult

HEADINGS = {
    "acc": "Acc",
    "pre": "Pre",
    "rec": "Rec",
    "spec": "Spec",
    "f1": "F1",
    "bacc": "BACC",
    "roc": "ROC",
    "pr": "PR",
}
TRUE = ("balanced_accuracy", "macro_precision", "sensitivity", "specificity")
Line = dict[str, str]

COMMON = (
    "In percent; the paper's number in brackets. Acc is followed by its 95 % interval over "
    "patients (bootstrap); the paper's ± is about one standard error of it.",
    "Pre, Rec and F1 are weighted by class, so Rec equals Acc, in the paper as here.",
    "The paper's figures fit 675 test nodules (512 benign, 163 malignant), not the 20 % (525) of "
    "its text.",
)


def as_lines(grid: Grid, results: Sequence[RowResult]) -> list[Line]:
    """One line of the CSV per row; a number that is not there is empty."""
    paper = printed_results(grid.number)
    lines = []
    for result in results:
        row, printed = result.row, paper.get(result.row.key, {})
        implied = implied_counts(grid.number, row.key)
        line: Line = {"row": row.key}
        line |= dict(zip(grid.columns, row.cells, strict=True))
        line |= {"status": result.status, "run": result.run, "output": row.output}
        line["started_from"] = "; ".join(result.started_from)
        ours = _ours(result)
        for name in (*METRICS, *TRUE, "acc_low", "acc_high", "tn", "fp", "fn", "tp"):
            line[f"ours_{name}"] = ours.get(name, "")
        for name in METRICS:
            line[f"paper_{name}"] = _text(printed.get(name))
        line["paper_bacc_is"] = what_bacc_is(implied, printed.get("bacc"))
        true = None
        if implied is not None:
            true = 50 * (
                implied.tn / (implied.tn + implied.fp) + implied.tp / (implied.tp + implied.fn)
            )
        line["paper_balanced_accuracy"] = _text(true)
        lines.append(line)
    return lines


def _ours(result: RowResult) -> Mapping[str, str]:
    if result.predictions is None or result.report is None:
        return {}
    found = percents(result.predictions, bacc_is_recall=result.row.baseline is None)
    counts = counts_of(result.predictions)
    low, high = result.report["accuracy_95"]
    return {
        **{name: _text(value) for name, value in found.items()},
        "acc_low": _text(100 * low),
        "acc_high": _text(100 * high),
        **{name: str(getattr(counts, name)) for name in ("tn", "fp", "fn", "tp")},
    }


def _text(percent: float | None) -> str:
    return "" if percent is None else f"{percent:.2f}"


def as_markdown(
    grid: Grid,
    lines: Sequence[Line],
    *,
    stated: Sequence[str],
    departs: Mapping[str, Sequence[str]],
) -> str:
    """The table for people.

    stated  : what holds for all rows: budget, data, split
    departs : row -> what its network departs in
    """
    shown = [m for m in METRICS if any(line[f"paper_{m}"] for line in lines)]
    text = [f"# Table {grid.number}. {grid.title}", ""]
    heads = [HEADINGS[name] for name in shown]
    text += markdown_table([*grid.columns, *heads], [_cells(grid, line, shown) for line in lines])
    absent = [f"{line['row']}: {line['status']}" for line in lines if line["status"] != "done"]
    text += _section("Rows without numbers of ours", absent)
    text += _section("How it was run", [*stated, *_starts(lines)])
    text += _section("How to read it", [*COMMON, *grid.notes])
    text += _section(
        "Where networks depart",
        [f"{row}: {each}" for row, all_ in departs.items() for each in all_],
    )
    return "\n".join(text) + "\n"


def _cells(grid: Grid, line: Line, shown: Sequence[str]) -> list[str]:
    cells = [line[name] for name in grid.columns]
    for name in shown:
        ours, paper = line[f"ours_{name}"] or "-", line[f"paper_{name}"] or "-"
        if name == "acc" and line["ours_acc"]:
            ours += f" [{float(line['ours_acc_low']):.1f}, {float(line['ours_acc_high']):.1f}]"
        cells.append(f"{ours} ({paper})")
    return cells


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Its lines."""
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    return ["", f"## {title}", "", *(f"- {each}" for each in sentences)]


def _starts(lines: Sequence[Line]) -> list[str]:
    """Which rows began from what, rows that began alike in one sentence."""
    rows_of: dict[str, list[str]] = {}
    for line in lines:
        if line["started_from"]:
            rows_of.setdefault(line["started_from"], []).append(line["row"])
    if len(rows_of) == 1:
        return [f"All rows: {start}." for start in rows_of]
    return [f"{', '.join(rows)}: {start}." for start, rows in rows_of.items()]


def write_lines(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    """A CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    replace_text(path, text.getvalue())


def replace_text(path: Path, text: str) -> None:
    """The file holds this text, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
