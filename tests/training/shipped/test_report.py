"""What is said of the default weights follows from one table of predictions out of fold."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.metrics import roc_auc_score

import training.shipped
from m3net.card import ModelCard
from m3net.model_files import DEFAULT_FOLDER
from m3net.weights import load_card
from training.cli import main
from training.data.other_outlines import Outline
from training.data.splits import voi_folds
from training.measure.calibration import fit_platt
from training.shipped.card import card_of
from training.shipped.out_of_fold import (
    OutOfFold,
    TableUnusable,
    read_out_of_fold,
    write_out_of_fold,
)
from training.shipped.panel import panel_bands
from training.shipped.report import calibrated, differing, report_of

SHIPPED_TABLE = Path(training.shipped.__file__).with_name("out_of_fold.csv")
SHIPPED_CARD = DEFAULT_FOLDER / "small.json"
TOLD = ["centre_and_diameter", "centre", *(f"outline_of_{o.name.lower()}" for o in Outline)]
MOVED = [f"slice_{change}_{end}" for change in ("less", "more") for end in ("first", "last")]
THEIRS = ["size_alone", "logistic_regression", "gradient_boosting"]


def _found() -> OutOfFold:
    """Forty nodules in two folds; whoever is told less is less sure, baselines know less."""
    random = np.random.default_rng(0)
    scores = [(1 + i % 5, 1 + (i + i // 5) % 5, 3) for i in range(40)]
    mean = np.array([sum(each) / 3 - 3 for each in scores])
    ours = 2 * mean + random.normal(0, 1, 40)
    margins = {"ours": ours}
    margins |= {f"ours_{key}": 0.5 * ours + random.normal(0, 0.2, 40) for key in [*TOLD, *MOVED]}
    margins["ours_slice_more_first"] = np.where(np.arange(40) < 30, np.nan, ours)
    margins |= {key: mean + random.normal(0, 2, 40) for key in THEIRS}
    return OutOfFold(
        names=tuple(f"n{i}" for i in range(40)),
        patients=tuple(f"P{i // 2}" for i in range(40)),
        folds=np.arange(40) // 2 % 2,
        scores=tuple(scores),
        long_axes_mm=np.linspace(4.4469, 59.93, 40).round(3),
        margins={key: margin.round(6) for key, margin in margins.items()},
    )


@pytest.fixture(scope="module")
def found() -> OutOfFold:
    return _found()


@pytest.fixture(scope="module")
def report(found: OutOfFold) -> dict[str, Any]:
    return report_of(found)


def test_the_table_comes_back_as_it_was_written(found: OutOfFold, tmp_path: Path) -> None:
    write_out_of_fold(found, tmp_path / "out_of_fold.csv")
    again = read_out_of_fold(tmp_path / "out_of_fold.csv")
    assert (again.names, again.patients) == (found.names, found.patients)
    assert again.scores == found.scores
    assert again.folds.tolist() == found.folds.tolist()
    assert again.long_axes_mm.tolist() == found.long_axes_mm.tolist()
    assert list(again.margins) == list(found.margins)
    for key, margin in found.margins.items():
        assert np.array_equal(again.margins[key], margin, equal_nan=True), key


def test_a_table_of_something_else_is_refused(tmp_path: Path, found: OutOfFold) -> None:
    path = tmp_path / "other.csv"
    path.write_text("name,patient_id\nn0,P0\n")
    with pytest.raises(TableUnusable, match="lacks fold, long_axis_mm, margin_ours, scores"):
        read_out_of_fold(path)
    write_out_of_fold(found, path)
    path.write_text(path.read_text().replace("P3,1", "P3,one", 1))
    with pytest.raises(TableUnusable, match="one"):
        read_out_of_fold(path)
    with pytest.raises(TableUnusable, match="cannot be read"):
        read_out_of_fold(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("key", "by"),
    [
        ("ours", "ours_outline_of_one"),
        ("ours_centre", "ours_centre"),
        ("ours_outline_of_one", "ours_outline_of_one"),
        ("ours_outline_of_half", "ours_outline_of_one"),
        ("ours_slice_less_last", "ours_outline_of_one"),
        ("size_alone", "size_alone"),
    ],
)
def test_each_way_of_telling_is_calibrated_by_nodules_told_as_the_node_gets_them(
    found: OutOfFold, key: str, by: str
) -> None:
    here = found.folds == 1
    fitted = fit_platt(found.labels[~here], found.margins[by][~here])
    assert calibrated(found, key)[here] == pytest.approx(fitted(found.margins[key][here]))


def test_a_calibration_between_folds_moves_no_rank(
    found: OutOfFold, report: dict[str, Any]
) -> None:
    auc = report["table"]["ours_centre"]["auc"]["estimate"]
    assert auc == pytest.approx(roc_auc_score(found.labels, found.margins["ours_centre"]))


def test_a_folds_calibration_does_not_know_its_own_labels(found: OutOfFold) -> None:
    flipped = tuple(
        tuple(6 - score for score in scores) if fold == 0 else scores
        for scores, fold in zip(found.scores, found.folds, strict=True)
    )
    for key in ("ours", "ours_centre", "size_alone"):
        again, own = calibrated(replace(found, scores=flipped), key), calibrated(found, key)
        assert again[found.folds == 0] == pytest.approx(own[found.folds == 0], abs=1e-9)


def test_ours_is_compared_with_each_baseline_on_the_same_patients(found: OutOfFold) -> None:
    few = {key: found.margins[key] for key in ("ours", "ours_centre", "size_alone")}
    few["the same again"] = found.margins["ours"]
    table = report_of(replace(found, margins=few))["table"]
    same = table["the same again"]["auc_of_ours_minus_this"]
    assert same == {"estimate": 0.0, "low": 0.0, "high": 0.0, "p_value": 1.0}
    compared = [key for key in table if "auc_of_ours_minus_this" in table[key]]
    assert compared == ["size_alone", "the same again"]


def test_sensitivity_and_specificity_are_told_by_size(
    found: OutOfFold, report: dict[str, Any]
) -> None:
    rows = report["by_size"]
    assert [row["from_mm"] for row in rows] == [0, 6, 8, 10, 15]
    assert [row["nodules"] for row in rows] == [2, 1, 1, 4, 32]
    assert sum(row["above_3"] for row in rows) == found.labels.sum()
    large = found.long_axes_mm >= 15
    one = calibrated(found, "ours_outline_of_one")
    called, truth = one[large] >= 0.5, found.labels[large]
    assert rows[-1]["sensitivity"] == pytest.approx(called[truth].mean())
    assert rows[-1]["specificity"] == pytest.approx(1 - called[~truth].mean())
    single = rows[1]
    assert None in (single["sensitivity"], single["specificity"])


def test_only_outlines_that_could_be_redrawn_count_as_moved(report: dict[str, Any]) -> None:
    moved = report["moved_by_a_slice"]
    assert (moved["less"]["outlines"], moved["more"]["outlines"]) == (80, 50)


def test_the_card_tells_ours_and_two_baselines_under_the_names_of_the_shipped_one(
    report: dict[str, Any],
) -> None:
    """What maps and robustness measure is not the report's."""
    shipped = load_card("default")
    card = card_of(report, version="1")
    others = {key for key in shipped.metrics if key.startswith(("map_", "acquired_"))}
    assert card.metrics.keys() == shipped.metrics.keys() - others
    assert card.panel.keys() == shipped.panel.keys() == card.reliability.keys()
    assert card.calibration.keys() == shipped.calibration.keys() == card.panel.keys()
    assert shipped.metrics["acquired_slices_5_mm_percentile_90"] == 0.2168
    assert (card.metrics["long_axis_mm_least"], card.metrics["long_axis_mm_most"]) == (4.4, 59.9)
    assert (card.in_short, card.meaning) == (shipped.in_short, shipped.meaning)
    assert (card.training_data, card.attribution) == (shipped.training_data, shipped.attribution)


def test_a_number_of_the_card_that_is_another_is_named(report: dict[str, Any]) -> None:
    card = card_of(report, version="1")

    def said(**changed: float | None) -> Sequence[str]:
        metrics = {k: v for k, v in {**card.metrics, **changed}.items() if v is not None}
        return differing(report, replace(card, metrics=metrics))

    assert said(map_nodules=40.0) == []
    for key, value in card.metrics.items():
        (sentence,) = said(**{key: value + 0.0001})
        assert sentence.startswith(f"{key}: the card has ")
    assert said(ece_centre=None)[0].startswith("ece_centre: the card has nothing, the table")
    assert said(auc_of_luck=0.5) == ["auc_of_luck: the card has 0.5, the table gives nothing"]
    assert differing(report, replace(card, panel={}, reliability={})) == [
        "panel: the card has other bands than the table gives",
        "reliability: the card has other bands than the table gives",
    ]


def test_the_ranges_and_the_curve_are_of_nodules_told_as_a_node_gets_them(
    found: OutOfFold, report: dict[str, Any]
) -> None:
    assert list(report["panel"]) == ["outline", "centre_and_diameter", "centre"]
    one = calibrated(found, "ours_outline_of_one")
    assert report["panel"]["outline"]["bands"] == panel_bands(one, found.means)
    tenths = report["reliability"]["outline"]
    assert sum(each["nodules"] for each in tenths) == 40
    first = (one * 10).astype(int) == round(10 * tenths[0]["from"])
    assert tenths[0]["said"] == pytest.approx(one[first].mean(), abs=1e-4)
    assert tenths[0]["was"] == pytest.approx(found.labels[first].mean(), abs=1e-4)


def _checked(table: Path, card: ModelCard) -> Result:
    path = table.with_name("card.json")
    path.write_text(json.dumps(card.to_json()))
    return CliRunner().invoke(main, ["card", "--from", str(table), "--check", str(path)])


def test_one_command_recomputes_the_card_of_what_was_kept(found: OutOfFold, tmp_path: Path) -> None:
    table = tmp_path / "out_of_fold.csv"
    few = {key: found.margins[key] for key in ("ours", "ours_slice_less_last")}
    write_out_of_fold(replace(found, margins=few), table)
    card = card_of(report_of(read_out_of_fold(table)), version="1")
    result = _checked(table, card)
    assert (result.exit_code, result.stderr) == (0, f"{tmp_path / 'card.json'} says the same\n")
    names = [line.split()[0] for line in result.stdout.splitlines()]
    assert names == [*card.metrics, "temperature"]
    told = {"outline": {"slope": 9.0, "shift": 0.0}}
    (said,) = _checked(table, replace(card, calibration=told)).stderr.splitlines()
    assert said == "calibration: the card has another than the table gives"
    wrong = replace(
        card, temperature=card.temperature * 1.001, metrics={**card.metrics, "auc": 0.99}
    )
    result = _checked(table, wrong)
    said = result.stderr.splitlines()
    assert result.exit_code == 1
    assert said[0] == f"auc: the card has 0.99, the table gives {card.metrics['auc']}"
    assert said[1].startswith("temperature: the card has")


def test_every_number_of_the_shipped_card_follows_from_the_shipped_table() -> None:
    result = CliRunner().invoke(
        main, ["card", "--from", str(SHIPPED_TABLE), "--check", str(SHIPPED_CARD)]
    )
    assert (result.exit_code, result.stderr) == (0, f"{SHIPPED_CARD} says the same\n")
    found = read_out_of_fold(SHIPPED_TABLE)
    assert len(found.names) == 791
    assert len(set(found.patients)) == 430
    where = voi_folds()
    assert found.folds.tolist() == [where[name] for name in found.names]
