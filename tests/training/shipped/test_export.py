"""Runs that differ in their seeds become one model that says what they say together."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.special import expit, logit

from m3net.weights import load_card, load_classifier
from tests.training import learning
from training.cli import main
from training.data.cutouts import crop_of
from training.data.voi import read_cutouts
from training.learn.settings import load_settings
from training.learn.stage1 import stage1
from training.learn.stage2 import stage2
from training.measure.evaluate import predict
from training.measure.predictions import PredictionsUnusable
from training.shipped.export import ExportUnusable, export


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage 1 in folder s1, and stage 2 from two seeds in a and b."""
    directory = tmp_path_factory.mktemp("runs")
    cutouts = learning.write_cutouts(directory / "cutouts")
    config = learning.write_config(directory / "config.json", cutouts)
    stage1(load_settings(config), directory / "s1")
    start = f"run.init=['{directory / 's1' / 'weights.safetensors'}']"
    for seed, folder in enumerate("ab"):
        settings = load_settings(config, changes=[start, f"run.seed={seed}", "stage2.freeze=none"])
        stage2(settings, directory / folder)
    return directory


def test_the_model_says_the_calibrated_mean_of_what_the_runs_said(runs: Path) -> None:
    path = runs / "together.safetensors"
    card = export([runs / "a", runs / "b"], path, version="7")
    tables = [learning.table(runs / folder / "test.csv") for folder in "ab"]
    said = [[float(row["p_fused"]) for row in table] for table in tables]
    assert said[0] != said[1]
    expected = expit(logit(np.array(said)).mean(axis=0) / card.temperature)
    test = {row["name"] for row in tables[0]}
    crops = [crop_of(c) for c in read_cutouts(runs / "cutouts") if c.label.name in test]
    found = predict(load_classifier(path, device="cpu"), crops)
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_card_says_what_was_averaged_and_on_what_it_was_calibrated(runs: Path) -> None:
    card = export([runs / "a", runs / "b"], runs / "card.safetensors", version="7", name="Ours")
    assert (card.name, card.version, card.config["members"]) == ("Ours", "7", 2)
    assert card.training_data.endswith(
        "2 networks averaged; temperature fitted on 4 validation nodules, metrics on 4 test nodules"
    )
    assert set(card.metrics) == {"auc", "auc_low", "auc_high", "accuracy", "ece"}
    assert load_card(runs / "card.safetensors") == card


def test_branches_without_a_fusion_are_no_model_to_export(runs: Path) -> None:
    with pytest.raises(ExportUnusable, match="the fusion was not trained yet"):
        export([runs / "s1"], runs / "no.safetensors", version="1")
    assert not (runs / "no.safetensors").exists()


def test_runs_on_other_nodules_are_not_averaged(runs: Path) -> None:
    other = runs / "other"
    other.mkdir()
    for name in ("weights.safetensors", "weights.json", "validation.csv", "test.csv"):
        text = (runs / "a" / name).read_bytes()
        (other / name).write_bytes(text.replace(b"n10,", b"n99,"))
    with pytest.raises(ExportUnusable, match=r"other nodules in test\.csv: one split"):
        export([runs / "a", other], runs / "no.safetensors", version="1")


def test_a_run_without_predictions_of_its_validation_part_is_refused(runs: Path) -> None:
    bare = runs / "bare"
    bare.mkdir()
    for name in ("weights.safetensors", "weights.json", "test.csv"):
        (bare / name).write_bytes((runs / "a" / name).read_bytes())
    with pytest.raises(PredictionsUnusable, match=r"validation\.csv is missing"):
        export([bare], runs / "no.safetensors", version="1")


def test_the_command_prints_the_card(runs: Path) -> None:
    arguments = ["export", str(runs / "a"), "--out", str(runs / "one.safetensors")]
    result = CliRunner().invoke(main, [*arguments, "--version", "2", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["version"] == "2"
    assert CliRunner().invoke(main, [*arguments[:3], "x.pt", "--version", "2"]).exit_code == 2
