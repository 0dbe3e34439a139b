"""A model against readers, and readers against readers, on the same truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from training.cli import main
from training.measure.readers import _icc, _judged, ceiling
from training.shipped.out_of_fold import OutOfFold, write_out_of_fold


def test_agreement_is_that_of_shrout_and_fleiss() -> None:
    """Their table of six targets and four judges: ICC(1,1) 0.17, ICC(1,4) 0.44."""
    table = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    ).astype(float)
    assert _icc(table, mean=False) == pytest.approx(0.17, abs=0.005)
    assert _icc(table, mean=True) == pytest.approx(0.44, abs=0.005)


def test_every_reader_is_left_out_in_turn() -> None:
    table = np.array([[1.0, 3.0, 5.0, 5.0]])
    truth, others = _judged(table, 3)
    assert truth.tolist() == [[False, False, True, True]]
    assert others.tolist() == [[5.0, 5.0, 3.0, 1.0]]
    truth, others = _judged(table, 1)
    assert truth.tolist() == [[False, False, True, True]]
    assert others[0] == pytest.approx([13 / 3, 11 / 3, 3, 3])
    truth, _ = _judged(table, 2)
    assert truth.tolist() == [[False, False, False, True, True, True]]


def _nodules() -> tuple[list[tuple[int, ...]], list[str]]:
    """Sixty nodules, thirty of them benign, each reader off by one now and then."""
    random = np.random.default_rng(0)
    scores = [
        tuple(int(s) for s in np.clip((2, 4)[i % 2] + random.integers(-1, 2, 4), 1, 5))
        for i in range(60)
    ]
    return scores, [f"P{i // 2}" for i in range(60)]


def test_a_model_that_knows_the_truth_beats_readers_and_one_that_guesses_does_not() -> None:
    scores, patients = _nodules()
    mean = np.array([np.mean(each) for each in scores])
    knowing = ceiling(scores, mean / 5, patients, resamples=100)
    guessing = ceiling(scores, np.full(60, 0.5), patients, resamples=100)
    assert [each.truth for each in knowing.against] == ["three judge", "one judges", "two judge"]
    assert [each.pairs for each in knowing.against] == [240, 240, 360]
    for known, guessed in zip(knowing.against, guessing.against, strict=True):
        assert known.difference.low > 0
        assert guessed.model.estimate == 0.5
        assert guessed.difference.high < 0
        assert known.readers == guessed.readers
    assert (knowing.nodules, knowing.patients) == (60, 30)


def test_nodules_of_fewer_readers_do_not_count() -> None:
    scores, patients = _nodules()
    fewer = [each[:3] if i >= 40 else each for i, each in enumerate(scores)]
    p = np.linspace(0, 1, 60)
    assert ceiling(fewer, p, patients, resamples=10) == ceiling(
        scores[:40], p[:40], patients[:40], resamples=10
    )
    with pytest.raises(ValueError, match="no nodule has 4 readers"):
        ceiling([each[:3] for each in scores], p, patients)


def test_the_command_reads_what_was_kept_out_of_fold(tmp_path: Path) -> None:
    scores, patients = _nodules()
    mean = np.array([np.mean(each) for each in scores])
    found = OutOfFold(
        names=tuple(f"n{i}" for i in range(60)),
        patients=tuple(patients),
        folds=np.arange(60) // 2 % 2,
        scores=tuple(scores),
        long_axes_mm=np.full(60, 9.0),
        margins={"ours": mean - 3, "size_alone": 3 - mean},
    )
    write_out_of_fold(found, tmp_path / "table.csv")
    called = ["readers", "--from", str(tmp_path / "table.csv")]
    result = CliRunner().invoke(main, [*called, "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert (measured["model"], measured["nodules"]) == ("ours", 60)
    assert measured["against"][0]["model"]["estimate"] > 0.9
    assert "there are ours, size_alone" in CliRunner().invoke(main, [*called, "--row", "x"]).output
    assert "give one of --from and --voi" in CliRunner().invoke(main, ["readers"]).output
