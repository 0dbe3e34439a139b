"""What figures are drawn from: rows of a table that are done, or one run."""

import csv
from pathlib import Path

import numpy as np
import pytest

from training.figures.series import read_series, same_nodules
from training.measure.metrics import Counts
from training.measure.predictions import PredictionsUnusable
from training.tables.columns import percents


def write_run(run: Path, p: dict[str, list[float]], *, malignant: list[int]) -> Path:
    """A run's test.csv; nodules n0, n1, ..."""
    run.mkdir(parents=True)
    with (run / "test.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "patient_id", "malignant", *(f"p_{each}" for each in p)])
        for i, truth in enumerate(malignant):
            writer.writerow([f"n{i}", f"P{i}", truth, *(each[i] for each in p.values())])
    return run


def write_table(directory: Path, rows: dict[str, list[float]], *, malignant: list[int]) -> Path:
    """Table 3 with these rows done, and ViT-B not run."""
    lines = [["row", "status", "run", "output"], ["ViT-B", "not run: not asked for", "", "meso"]]
    for row, p in rows.items():
        output = "fused" if row == "M3Net" else "meso"
        write_run(directory / "runs" / row, {output: p}, malignant=malignant)
        lines.append([row, "done", f"runs/{row}", output])
    with (directory / "table-3.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return directory


def test_rows_that_are_done_are_drawn_with_the_papers_numbers(tmp_path: Path) -> None:
    table = write_table(tmp_path, {"NASLung": [0.2, 0.9], "M3Net": [0.1, 0.7]}, malignant=[0, 1])
    nas, ours = read_series(table)
    assert (nas.name, nas.ours, nas.is_baseline) == ("NASLung", False, True)
    assert (ours.name, ours.ours, ours.is_baseline) == ("M³Net", True, False)
    assert ours.implied == Counts(tn=478, fp=34, fn=54, tp=109)
    assert nas.printed["roc"] == 85.03
    assert ours.predictions.p.tolist() == [0.1, 0.7]


def test_a_run_is_drawn_by_its_outputs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"fused": [0.2], "micro": [0.9]}, malignant=[1])
    assert [(each.name, each.ours) for each in read_series(run)] == [
        ("fused", True),
        ("micro", False),
    ]


def test_bacc_is_macro_precision_for_baselines(tmp_path: Path) -> None:
    p = [0.1, 0.2, 0.6, 0.4, 0.9]
    run = write_run(tmp_path / "run", {"fused": p}, malignant=[0, 0, 0, 1, 1])
    (series,) = read_series(run)
    # tn 2, fp 1, fn 1, tp 1
    found = percents(series.predictions, bacc_is_recall=False)
    assert found["bacc"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    found = percents(series.predictions)
    assert found["bacc"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    assert found["acc"] == found["spec"] == found["rec"] == pytest.approx(60)
    assert (found["sensitivity"], found["specificity"]) == pytest.approx((50, 200 / 3))


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(PredictionsUnusable, match="neither a run nor table 3"):
        read_series(tmp_path)
    table = write_table(tmp_path, {"NASLung": [0.2, 0.9]}, malignant=[0, 1])
    first = read_series(table)
    second = read_series(write_run(tmp_path / "run", {"fused": [0.5]}, malignant=[1]))
    with pytest.raises(PredictionsUnusable, match="tested on different nodules"):
        same_nodules([*first, *second])
    assert np.array_equal(first[0].predictions.truth, [False, True])
