"""Two models on the same nodules: who is better, and by how much that may be chance."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from training.cli import main
from training.measure.compare import averaged, compare, mcnemar
from training.measure.predictions import Predictions, PredictionsUnusable


def _predictions(p: list[float]) -> Predictions:
    count = len(p)
    return Predictions(
        names=tuple(f"n{i}" for i in range(count)),
        patients=tuple(f"P{i // 2}" for i in range(count)),
        truth=np.arange(count) % 2 == 1,
        p=np.array(p),
    )


def test_mcnemar_is_the_binomial_of_the_pairs_that_fall_apart() -> None:
    """Exact values: 2 * (1 + 8 + 28) / 2 ** 8 of the table of binomial coefficients."""
    assert mcnemar(6, 2) == pytest.approx(2 * (1 + 8 + 28) / 2**8)
    assert mcnemar(2, 6) == mcnemar(6, 2)
    assert mcnemar(10, 0) == pytest.approx(2 / 2**10)
    assert mcnemar(4, 4) == 1.0
    assert mcnemar(0, 0) == 1.0


def test_a_model_that_is_right_where_the_other_errs_wins_pair_by_pair() -> None:
    good = _predictions([0.1, 0.9] * 20)
    poor = _predictions([0.1, 0.9] * 10 + [0.8, 0.2] * 10)
    found = compare(good, poor, resamples=200)
    assert (found.nodules, found.only_first_right, found.only_second_right) == (40, 20, 0)
    assert found.mcnemar_p == pytest.approx(2 / 2**20)
    assert found.accuracy.estimate == 0.5
    assert 0.2 < found.accuracy.low < 0.4 < 0.6 < found.accuracy.high < 0.8
    assert found.auc.estimate == pytest.approx(0.25)
    back = compare(poor, good, resamples=200)
    assert back.accuracy.estimate == -0.5
    assert (back.only_first_right, back.only_second_right) == (0, 20)


def test_other_nodules_are_not_compared() -> None:
    some = _predictions([0.1, 0.9] * 4)
    other = replace(some, names=tuple(f"m{i}" for i in range(8)))
    relabelled = replace(some, truth=~some.truth)
    for each in (other, relabelled):
        with pytest.raises(PredictionsUnusable, match="predictions of other nodules"):
            compare(some, each)
    with pytest.raises(PredictionsUnusable, match="8 and 6, 6 of them the same"):
        averaged([some, _predictions([0.1, 0.9] * 3)])
    one_class = replace(some, truth=np.zeros(8, dtype=bool))
    with pytest.raises(PredictionsUnusable, match="one class"):
        compare(one_class, one_class)


def test_seeds_are_averaged_by_their_probabilities() -> None:
    found = averaged([_predictions([0.2, 0.4]), _predictions([0.4, 0.8])])
    assert found.p.tolist() == pytest.approx([0.3, 0.6])


def test_the_command_says_first_minus_each_other(tmp_path: Path) -> None:
    for name, malignant_p in {"a": 0.9, "b": 0.2, "c": 0.7}.items():
        rows = ["name,patient_id,malignant,p_fused,p_micro"]
        rows += [f"n{i},P{i},{i % 2},{malignant_p if i % 2 else 0.3},0.5" for i in range(12)]
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.csv").write_text("\n".join(rows) + "\n")
    runs = [str(tmp_path / name) for name in "abc"]
    result = CliRunner().invoke(main, ["compare", *runs, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert list(found) == runs[1:]
    assert found[runs[1]]["auc"]["estimate"] == 1.0
    assert found[runs[2]]["auc"]["estimate"] == 0.0
    assert found[runs[1]]["only_first_right"] == 6
    said = CliRunner().invoke(main, ["compare", *runs]).stdout
    assert "6 rightly called by the first alone, 0 by the other alone, p = 0.031" in said
    (tmp_path / "empty").mkdir()
    failed = CliRunner().invoke(main, ["compare", runs[0], str(tmp_path / "empty")])
    assert failed.exit_code == 2
    assert "holds no finished run" in failed.output
