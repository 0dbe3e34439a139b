"""A table as CSV and as Markdown: ours, the paper's beside it, and what has to be known."""

from collections.abc import Mapping, Sequence

import numpy as np

from training.measure.bootstrap import Difference, patient_interval
from training.measure.compare import THRESHOLD, Comparison
from training.measure.predictions import Predictions
from training.tables.columns import counts_of, percents
from training.tables.grid import Grid
from training.tables.paper import (
    METRICS,
    OURS_IN,
    implied_counts,
    printed_results,
    what_bacc_is,
)
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


AUC = "AUC of ours minus this"
MCNEMAR = "McNemar"

PAIRED = (
    "AUC of ours minus this: row {reference} minus this one on the same nodules, with its 95 % "
    "interval over patients (paired bootstrap). McNemar: the nodules that row {reference} alone "
    "calls rightly, those that this row alone does, and the exact p of it. Neither is corrected "
    "for the number of rows."
)
SEVERAL = (
    "Numbers are means over {seeds} seeds, ± their standard deviation; confusion matrices in the "
    "CSV are sums over seeds. Rows are compared by the mean probability over seeds."
)


def as_lines(
    grid: Grid, results: Sequence[RowResult], *, compared: Mapping[str, Comparison]
) -> list[Line]:
    """One line of the CSV per row; a number that is not there is empty.

    compared : row -> M³Net whole against it, where both are done
    """
    paper = printed_results(grid.number)
    lines = []
    for result in results:
        row, printed = result.row, paper.get(result.row.key, {})
        implied = implied_counts(grid.number, row.key)
        line: Line = {"row": row.key}
        line |= dict(zip(grid.columns, row.cells, strict=True))
        line |= {"status": result.status, "run": " ".join(result.runs), "output": row.output}
        line["started_from"] = "; ".join(result.started_from)
        ours = _ours(result)
        of_seeds = ("seeds", "acc_sd", "roc_sd")
        for name in (*METRICS, *TRUE, "acc_low", "acc_high", "tn", "fp", "fn", "tp", *of_seeds):
            line[f"ours_{name}"] = ours.get(name, "")
        line |= _compared(compared.get(row.key))
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
    """Means over the seeds; counts are sums."""
    every = result.predictions
    if not every:
        return {}
    is_ours = result.row.baseline is None
    of_seeds = [percents(each, bacc_is_recall=is_ours) for each in every]
    counts = [counts_of(each) for each in every]
    low, high = result.reports[0]["accuracy_95"]
    found = {name: _text(float(np.mean([each[name] for each in of_seeds]))) for name in of_seeds[0]}
    if len(every) > 1:
        low, high = _accuracy_interval(every)
        for name in ("acc", "roc"):
            deviation = np.std([each[name] for each in of_seeds], ddof=1)
            found[f"{name}_sd"] = _text(float(deviation))
    return {
        **found,
        "acc_low": _text(100 * low),
        "acc_high": _text(100 * high),
        "seeds": str(len(every)),
        **{n: str(sum(getattr(c, n) for c in counts)) for n in ("tn", "fp", "fn", "tp")},
    }


def _accuracy_interval(every: Sequence[Predictions]) -> tuple[float, float]:
    """Of the mean accuracy over seeds, over patients."""
    first = every[0]
    right = np.mean([(each.p >= THRESHOLD) == each.truth for each in every], axis=0)  # (N,)
    found = patient_interval(
        lambda _, share: float(share.mean()),
        labels=first.truth,
        probabilities=right,
        patients=first.patients,
    )
    return found.low, found.high


def _compared(found: Comparison | None) -> Line:
    """The columns of M³Net whole against this row, as fractions."""
    keys = ("estimate", "low", "high", "p_value")
    line = {}
    for name in ("auc", "accuracy"):
        difference: Difference | None = None if found is None else getattr(found, name)
        for key in keys:
            value = "" if difference is None else f"{getattr(difference, key):.4f}"
            line[f"ours_minus_this_{name}_{key}"] = value
    for name in ("only_first_right", "only_second_right"):
        column = name.replace("first", "ours").replace("second", "this")
        line[column] = "" if found is None else str(getattr(found, name))
    line["mcnemar_p"] = "" if found is None else f"{found.mcnemar_p:.4f}"
    return line


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
    paired = any(line["mcnemar_p"] for line in lines)
    seeds = max((int(line["ours_seeds"] or 0) for line in lines), default=0)
    heads += [AUC, MCNEMAR] if paired else []
    reading = [*COMMON, *grid.notes]
    reading += [PAIRED.format(reference=OURS_IN[grid.number])] if paired else []
    reading += [SEVERAL.format(seeds=seeds)] if seeds > 1 else []
    text += markdown_table(
        [*grid.columns, *heads], [_cells(grid, line, shown, paired=paired) for line in lines]
    )
    absent = [f"{line['row']}: {line['status']}" for line in lines if line["status"] != "done"]
    text += _section("Rows without numbers of ours", absent)
    text += _section("How it was run", [*stated, *_starts(lines)])
    text += _section("How to read it", reading)
    text += _section(
        "Where networks depart",
        [f"{row}: {each}" for row, all_ in departs.items() for each in all_],
    )
    return "\n".join(text) + "\n"


def _cells(grid: Grid, line: Line, shown: Sequence[str], *, paired: bool) -> list[str]:
    cells = [line[name] for name in grid.columns]
    for name in shown:
        ours, paper = line[f"ours_{name}"] or "-", line[f"paper_{name}"] or "-"
        if deviation := line.get(f"ours_{name}_sd"):
            ours += f" ± {float(deviation):.1f}"
        if name == "acc" and line["ours_acc"]:
            ours += f" [{float(line['ours_acc_low']):.1f}, {float(line['ours_acc_high']):.1f}]"
        cells.append(f"{ours} ({paper})")
    return [*cells, *_paired(line)] if paired else cells


def _paired(line: Line) -> tuple[str, str]:
    if not line["mcnemar_p"]:
        return "", ""
    estimate, low, high = (
        float(line[f"ours_minus_this_auc_{key}"]) for key in ("estimate", "low", "high")
    )
    return (
        f"{estimate:+.3f} [{low:+.3f}, {high:+.3f}]",
        f"{line['only_ours_right']} : {line['only_this_right']}, p = {line['mcnemar_p']}",
    )


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
