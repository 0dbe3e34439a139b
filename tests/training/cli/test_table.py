"""`m3train table` end to end: what it writes, and that a finished row is not run again."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.training import learning
from training.cli import main
from training.cli.table import _against_ours as against_ours
from training.measure.compare import Comparison
from training.measure.predictions import Predictions, read_predictions
from training.tables.grid import TABLE_5
from training.tables.rows import RowResult

TINY = ("run.device=cpu", "data.limit=4", "network.changes.micro.encoder.grid=16")


def table(number: int, directory: Path, *more: str) -> Result:
    cutouts = directory / "cutouts"
    given = ["--data", str(cutouts), "--split", str(cutouts / "split.csv"), "--budget", "smoke"]
    for change in TINY:
        given += ["--set", change]
    return CliRunner().invoke(
        main, ["table", str(number), *given, "--out", str(directory / "out"), *more]
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table 8 with two of its rows, Table 3 with three, beside the cut-outs."""
    directory = tmp_path_factory.mktemp("tables")
    learning.write_cutouts(directory / "cutouts")
    rows = {8: ("CE only", "e"), 3: ("3D-CNN", "MLSL-Net", "M3Net")}
    for number, keys in rows.items():
        result = table(number, directory, *(x for key in keys for x in ("--row", key)))
        assert result.exit_code == 0, result.output
    return directory


def lines(directory: Path, number: int) -> dict[str, dict[str, str]]:
    text = (directory / "out" / f"table-{number}.csv").read_text()
    return {line["row"]: line for line in csv.DictReader(text.splitlines())}


def test_ours_stands_beside_the_papers(done: Path) -> None:
    found = lines(done, 8)
    assert list(found) == ["CE only", "a", "b", "c", "d", "e"]
    assert {key: line["status"] for key, line in found.items() if key in {"e", "a"}} == {
        "e": "done",
        "a": "not run: not asked for",
    }
    assert found["e"]["paper_acc"] == "86.96"
    assert found["e"]["paper_balanced_accuracy"] == "80.12"
    assert sum(int(found["e"][f"ours_{cell}"]) for cell in ("tn", "fp", "fn", "tp")) == 4
    assert found["CE only"]["paper_acc"] == ""
    assert found["CE only"]["started_from"] == "without pretrained weights"


def test_the_text_says_what_departs(done: Path) -> None:
    text = (done / "out" / "table-3.md").read_text()
    assert "| MLSL-Net | - (82.67) |" in text
    assert "MLSL-Net: not run: its layers are described only in a paper that is not open" in text
    assert "DeepLung: not run: not asked for" in text
    assert "The numbers say nothing." in text
    assert "epochs of a stage: 1 (the paper: 200)" in text
    assert "Pretrained weights that --init NAME=FILE did not give: ViT-B (ImageNet" in text
    assert "BACC is macro precision in its baselines' rows" in text
    assert "4 training, 4 validation, 4 test nodules" in text


def test_rows_of_two_tables_that_are_one_run_are_run_once(done: Path) -> None:
    assert lines(done, 3)["M3Net"]["run"] == lines(done, 8)["e"]["run"]
    runs = sorted(path.name.rpartition("-")[0] for path in (done / "out" / "runs").iterdir())
    assert runs == ["3d-cnn", "stage1", "stage2", "stage2"]


def test_a_finished_row_is_not_run_again(done: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (done / "out" / "runs").rglob("*")}
    result = table(8, done, "--row", "e")
    assert result.exit_code == 0, result.output
    assert "row 6 of 6" not in result.stderr
    assert lines(done, 8)["CE only"]["status"] == "done"
    assert {p: p.stat().st_mtime_ns for p in (done / "out" / "runs").rglob("*")} == before


def test_a_cut_off_row_goes_on_to_the_same_end(done: Path) -> None:
    run = done / "out" / lines(done, 8)["CE only"]["run"]
    said = (run / "test.csv").read_text()
    (run / "summary.json").unlink()
    (run / "test.csv").unlink()
    result = table(8, done, "--row", "CE only")
    assert result.exit_code == 0, result.output
    assert "row 1 of 6" in result.stderr
    assert (run / "test.csv").read_text() == said


@pytest.mark.parametrize(
    ("number", "row", "paper_acc"),
    [
        (2, "ResNet-18 48", "82.37"),
        (4, "c", "86.37"),
        (5, "d", "83.85"),
        (6, "without", "86.37"),
    ],
)
def test_a_row_of_every_other_table_is_trained_and_set_beside_the_papers(
    done: Path, number: int, row: str, paper_acc: str
) -> None:
    result = table(number, done, "--row", row)
    assert result.exit_code == 0, result.output
    found = lines(done, number)[row]
    assert found["status"] == "done"
    assert found["paper_acc"] == paper_acc
    assert sum(int(found[f"ours_{cell}"]) for cell in ("tn", "fp", "fn", "tp")) == 4


def test_table_1_counts_what_is_there(done: Path) -> None:
    result = table(1, done)
    assert result.exit_code == 0, result.output
    assert "from 8 subjects with a nodule" in result.stdout
    assert "| 16 (8 benign, 8 malignant: mean score above 3) | 2,625 (1,992 benign" in result.stdout
    assert "distance of slices 1.25 to 1.25 mm" in result.stdout


def test_table_7_needs_no_data(tmp_path: Path) -> None:
    command = ["table", "7", "--row", "NASLung", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "| NASLung | 28.456 | 28.456 |" in result.stdout
    assert "| 21.335 | 21.333 | 83.70 |" in result.stdout


def test_mistakes_are_named(tmp_path: Path, done: Path) -> None:
    assert (
        "table 3 needs --data"
        in CliRunner().invoke(main, ["table", "3", "--out", str(tmp_path)]).output
    )
    assert "table 4 has no row z; there are a, b, c" in table(4, done, "--row", "z").output
    wrong = table(3, done, "--init", "ResNet-50=x").output
    assert "NAME is one of micro, meso, macro, ResNet-18" in wrong


def test_rows_of_several_seeds_are_means_and_are_compared_pair_by_pair(done: Path) -> None:
    result = table(5, done, "--seeds", "2", "--row", "a", "--row", "g")
    assert result.exit_code == 0, result.output
    found = lines(done, 5)
    a, g = found["a"], found["g"]
    assert (a["ours_seeds"], g["ours_seeds"]) == ("2", "2")
    runs = g["run"].split()
    assert len({*runs}) == 2
    assert g["run"].split()[0] == lines(done, 8)["e"]["run"], "seed 0 was trained before"
    right = [read_predictions(done / "out" / run, "fused") for run in runs]
    assert right[0].names == right[1].names
    accuracies = [float(((each.p >= 0.5) == each.truth).mean()) for each in right]
    assert float(g["ours_acc"]) == pytest.approx(100 * np.mean(accuracies), abs=0.01)
    assert float(g["ours_acc_sd"]) == pytest.approx(100 * np.std(accuracies, ddof=1), abs=0.01)
    assert sum(int(g[f"ours_{cell}"]) for cell in ("tn", "fp", "fn", "tp")) == 8
    assert g["mcnemar_p"] == ""
    assert 0 < float(a["mcnemar_p"]) <= 1
    text = (done / "out" / "table-5.md").read_text()
    assert "| AUC of ours minus this | McNemar |" in text
    assert "Numbers are means over 2 seeds" in text
    assert "Seeds of each row: 2." in text
    draw = ["figure", "roc", "--from", str(done / "out"), "--table", "5"]
    drawn = CliRunner().invoke(main, [*draw, "--out", str(done / "roc.png")])
    assert drawn.exit_code == 0, drawn.output


def test_rows_of_one_run_are_compared_by_their_own_outputs() -> None:
    """The scales alone are branches of one stage 1."""
    truth = np.arange(20) % 2 == 1

    def said(key: str, *, wrong: int) -> RowResult:
        p = np.where(truth ^ (np.arange(20) < wrong), 0.9, 0.1)
        names = tuple(f"n{i}" for i in range(20))
        predictions = Predictions(names=names, patients=names, truth=truth, p=p)
        row = next(row for row in TABLE_5.rows if row.key == key)
        runs = ("runs/stage2-1",) if key == "g" else ("runs/stage1-1",)
        return RowResult(row=row, status="done", runs=runs, predictions=(predictions,))

    found = {key: said(key, wrong=wrong) for key, wrong in (("a", 4), ("b", 8), ("g", 0))}
    known: dict[str, Comparison] = {}
    for _ in range(2):
        against = against_ours(TABLE_5, found, known=known)
        assert {key: each.only_first_right for key, each in against.items()} == {"a": 4, "b": 8}


def test_the_published_network_is_a_row_trained_as_its_code_does(done: Path) -> None:
    given = ["--preset", "release", "--row", "a", "--row", "d", "--row", "g"]
    result = table(5, done, *given, "--out", str(done / "released"))
    assert result.exit_code == 0, result.output
    text = (done / "released" / "table-5.csv").read_text()
    found = {line["row"]: line for line in csv.DictReader(text.splitlines())}
    assert found["g"]["status"] == "done"
    assert "fusion 'logits' has no stand-in for a scale" in found["d"]["status"]
    config = json.loads((done / "released" / found["g"]["run"] / "config.json").read_text())
    assert (config["stage2"]["freeze"], config["run"]["amp"]) == ("all_but_head", "off")
    assert config["data"]["augmentation"] == "release"
    assert (config["loss"]["alpha"], config["loss"]["beta"]) == (0.0, 0.0)
    assert "M³Net is the published network" in result.stdout
    for number, reason in {4: "no module that can be left out", 8: "no alignment loss"}.items():
        refused = table(number, done, "--preset", "release")
        assert refused.exit_code == 2
        assert reason in " ".join(refused.output.split())


def test_seeds_are_not_said_twice(done: Path) -> None:
    result = table(5, done, "--seeds", "2", "--set", "run.seed=7")
    assert result.exit_code == 2
    assert "leave --set run.seed out" in result.output
