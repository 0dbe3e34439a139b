"""The stages end to end on synthetic cut-outs: what each keeps, starts from and writes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from m3net.weights import load_card, load_classifier
from tests.training import learning
from training.cli import main
from training.data.errors import SettingsUnusable
from training.data.seeding import for_choice
from training.data.sources import open_parts
from training.learn.few_shot import divide, few_shot
from training.learn.settings import FewShotSettings, load_settings
from training.learn.stage1 import stage1
from training.learn.stage2 import stage2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage 1 and stage 2 in folders s1 and s2, on the cut-outs beside them."""
    directory = tmp_path_factory.mktemp("runs")
    cutouts = learning.write_cutouts(directory / "cutouts")
    config = learning.write_config(directory / "config.json", cutouts)
    stage1(load_settings(config, changes=["run.select=best"]), directory / "s1")
    start = f"run.init=['{directory / 's1' / 'weights.safetensors'}']"
    stage2(load_settings(config, changes=[start, "stage2.freeze=all"]), directory / "s2")
    return directory


def test_stage_1_trains_each_branch_and_leaves_the_fusion(trained: Path) -> None:
    metrics = learning.table(trained / "s1" / "metrics.csv")
    assert [k for k in metrics[0] if k.startswith("CE_")] == ["CE_micro", "CE_meso", "CE_macro"]
    assert "validation_fused_auc" not in metrics[0]
    assert load_card(trained / "s1" / "weights.safetensors").trained is False


def test_stage_2_starts_from_the_branches_of_stage_1_and_keeps_the_frozen_ones(
    trained: Path,
) -> None:
    first, second = (load_file(trained / s / "weights.safetensors") for s in ("s1", "s2"))
    backbones = [name for name in first if name.startswith("net")]
    assert backbones
    assert all(torch.equal(first[name], second[name]) for name in backbones)
    assert not torch.equal(first["fusion.head.0.weight"], second["fusion.head.0.weight"])


def test_the_weights_of_stage_2_are_a_classifier_that_the_node_can_load(trained: Path) -> None:
    classifier = load_classifier(trained / "s2" / "weights.safetensors", device="cpu")
    assert classifier.card.trained
    assert "not histology" in classifier.card.meaning


def test_a_run_folder_says_what_the_run_was(trained: Path) -> None:
    environment = json.loads((trained / "s2" / "environment.json").read_text())
    assert environment["seed"] == 0
    assert "weights.safetensors" in environment["started_from"][0]
    assert json.loads((trained / "s1" / "environment.json").read_text())["started_from"] == [
        "without pretrained weights"
    ]
    assert {"torch", "numpy"} <= set(environment["packages"])
    assert list((trained / "s2" / "tensorboard").iterdir())
    assert json.loads((trained / "s2" / "config.json").read_text())["stage2"]["freeze"] == "all"


def test_every_nodule_of_the_test_part_is_in_the_table_of_predictions(trained: Path) -> None:
    rows = learning.table(trained / "s2" / "test.csv")
    assert [row["name"] for row in rows] == ["n10", "n11", "n22", "n23"]
    assert set(rows[0]) == {
        "name", "patient_id", "malignant", "p_fused", "p_micro", "p_meso", "p_macro",
    }  # fmt: skip


def test_stage_2_does_not_freeze_backbones_that_nothing_was_learnt_by(
    tmp_path: Path, trained: Path
) -> None:
    config = trained / "config.json"
    branches = load_file(trained / "s1" / "weights.safetensors")
    micro = {n: t for n, t in branches.items() if n.startswith("net32.")}
    save_file(micro, tmp_path / "micro.safetensors")
    starts = {
        "micro, meso, macro": "run.init=[]",
        "meso, macro": f"run.init=['{tmp_path / 'micro.safetensors'}']",
    }
    for freeze in ("all", "lower"):
        for number, (left, start) in enumerate(starts.items()):
            settings = load_settings(config, changes=[start, f"stage2.freeze={freeze}"])
            with pytest.raises(SettingsUnusable, match=rf"random backbones \({left}\): give") as e:
                stage2(settings, tmp_path / f"{freeze}{number}")
            assert "--set stage2.freeze=none" in str(e.value)
    settings = load_settings(config, changes=["stage2.freeze=none", "run.epochs=1"])
    assert stage2(settings, tmp_path / "none")["stage"] == "stage2"


@pytest.mark.parametrize("stage", [stage1, stage2])
def test_a_split_that_is_for_testing_alone_has_nothing_to_train_on(
    tmp_path: Path, trained: Path, stage: Callable[..., object]
) -> None:
    changes = ["data.split=all", "stage2.freeze=none"]
    settings = load_settings(trained / "config.json", changes=changes)
    with pytest.raises(SettingsUnusable, match=r"nothing to train on: data\.split = 'all'"):
        stage(settings, tmp_path / "run")


def test_what_cannot_be_trained_is_said_on_the_command_line(tmp_path: Path) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts", nodules=12)
    config = learning.write_config(tmp_path / "config.json", cutouts)
    for change, found in {
        "data.directory=nowhere": "neither prepared crops (manifest.jsonl) nor cut-outs",
        "data.split=all": "has nothing to train on",
        "run.batch_size=64": "8 nodules to train on and batches of 64; lower run.batch_size",
    }.items():
        # into one folder: what could not be run is in nobody's way
        called = ["stage1", "--config", str(config), "--out", str(tmp_path / "run")]
        result = CliRunner().invoke(main, [*called, "--set", change])
        assert result.exit_code == 2, (change, result.output)
        assert found in " ".join(result.output.split())


def _few_shot(trained: Path, *changes: str) -> dict[str, object]:
    target = {"directory": str(trained / "cutouts"), "split": "all", "slice_mm": 5.0}
    path = learning.write_config(
        trained / "few_shot.json",
        trained / "cutouts",
        target=target,
        few_shot={"pairs": 2, "replay_pairs": 3},
    )
    start = f"run.init=['{trained / 's2' / 'weights.safetensors'}']"
    settings = load_settings(path, changes=[start, *changes])
    return few_shot(settings, trained / "fs")


def test_few_shot_refuses_to_learn_from_what_the_network_was_trained_on(trained: Path) -> None:
    with pytest.raises(SettingsUnusable, match=r"16 nodules of .target. are in the training part"):
        _few_shot(trained)


def test_few_shot_measures_both_places_before_and_after(tmp_path: Path, trained: Path) -> None:
    other = learning.write_cutouts(tmp_path / "elsewhere", nodules=12, place="Q")
    path = learning.write_config(
        tmp_path / "config.json",
        trained / "cutouts",
        target={"directory": str(other), "split": "all", "slice_mm": 5.0},
        few_shot={"pairs": 2, "replay_pairs": 3},
        run={"init": [str(trained / "s2" / "weights.safetensors")]},
    )
    summary = few_shot(load_settings(path), tmp_path / "run")
    shots = learning.table(tmp_path / "run" / "shots.csv")
    assert [row["of"] for row in shots] == ["new"] * 4 + ["old"] * 6
    assert sum(int(row["malignant"]) for row in shots) == 5
    replayed = {row["name"] for row in shots if row["of"] == "old"}
    parts = open_parts(load_settings(path).data, learning.config())
    assert replayed <= {label.name for label in parts.train.labels}
    tested = {row["name"] for row in learning.table(tmp_path / "run" / "new_after.csv")}
    learnt = {row["patient_id"] for row in shots if row["of"] == "new"}
    assert not {f"Q{int(name[1:]) // 2}" for name in tested} & learnt
    assert summary["before"]["old"]["fused"]["nodules"] == 4
    assert summary["after"]["new"]["fused"]["nodules"] == len(tested)


def test_few_shot_tests_the_old_place_on_no_patient_that_it_learnt_from_in_another_guise(
    tmp_path: Path, trained: Path
) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts", nodules=48)
    split = str(cutouts / "split.csv")
    path = learning.write_config(
        tmp_path / "config.json",
        cutouts,
        target={"directory": str(cutouts), "split": split, "slice_mm": 5.0},
        few_shot={"pairs": 1, "replay_pairs": 1},
        run={"init": [str(trained / "s2" / "weights.safetensors")], "epochs": 1},
    )
    few_shot(load_settings(path), tmp_path / "run")
    learnt = {row["patient_id"] for row in learning.table(tmp_path / "run" / "shots.csv")}
    tested = {
        row["patient_id"]
        for place in ("new", "old")
        for row in learning.table(tmp_path / "run" / f"{place}_after.csv")
    }
    assert tested
    assert not tested & learnt


def test_a_run_trains_one_network_as_it_is(tmp_path: Path) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts")
    config = learning.write_config(tmp_path / "config.json", cutouts)
    for change in ("mirrored=true", "members=2"):
        settings = load_settings(config, changes=[f"network.changes.{change}"])
        with pytest.raises(SettingsUnusable, match="one run trains one network"):
            stage1(settings, tmp_path / "run")


def test_by_nodule_only_the_nodules_learnt_from_are_not_tested() -> None:
    nodules = learning.NumberNodules(learning.config(), count=12)
    for by, tested in (("nodule", 8), ("patient", 12 - 2 * 4)):
        settings = FewShotSettings(pairs=2, replay_pairs=2, by=by)
        learnt, rest = divide(nodules, settings, random=for_choice(1))
        assert len(learnt.labels) == 4
        assert len(rest.labels) >= tested
        assert not {x.name for x in learnt.labels} & {x.name for x in rest.labels}


def test_smoke_budgets_run_from_the_command_line(tmp_path: Path) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts", nodules=48)
    data = {"directory": str(cutouts), "split": str(cutouts / "split.csv"), "limit": 4}
    (tmp_path / "config.json").write_text(json.dumps({"data": data}))
    common = ["--config", str(tmp_path / "config.json"), "--budget", "smoke"]
    common += ["--set", "run.epochs=1", "--set", "data.limit=4", "--json"]
    result = CliRunner().invoke(main, ["stage1", *common, "--out", str(tmp_path / "s1")])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["test"]) == {"micro", "meso", "macro"}
    again = CliRunner().invoke(main, ["stage1", *common, "--out", str(tmp_path / "s1")])
    assert again.exit_code == 2
    assert "holds a run; use --resume" in again.output


def test_a_baseline_is_a_branch_of_its_own(tmp_path: Path) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts")
    config = learning.write_config(tmp_path / "config.json", cutouts)
    content = json.loads(config.read_text())
    content["network"] = {"preset": "paper", "baseline": "ResNet-18", "narrow": True}
    content["network"]["changes"] = {"meso": {"patch": {"size": [16, 32, 32]}}}
    config.write_text(json.dumps(content))
    settings = load_settings(config, changes=["run.epochs=1"])
    assert set(stage1(settings, tmp_path / "run")["test"]) == {"meso"}
    with pytest.raises(SettingsUnusable, match="this network has none"):
        stage2(settings, tmp_path / "other")


def test_a_baseline_is_adapted_from_its_own_weights(tmp_path: Path, trained: Path) -> None:
    other = learning.write_cutouts(tmp_path / "elsewhere", nodules=12, place="Q")
    config = learning.write_config(
        tmp_path / "config.json",
        trained / "cutouts",
        target={"directory": str(other), "split": "all"},
        few_shot={"pairs": 2, "replay_pairs": 2},
    )
    content = json.loads(config.read_text())
    content["network"] = {"preset": "paper", "baseline": "DINOv2", "narrow": True}
    content["network"]["changes"] = {"meso": {"patch": {"size": [16, 32, 32]}}}
    config.write_text(json.dumps(content))
    stage1(load_settings(config, changes=["run.epochs=1"]), tmp_path / "alone")
    weights = tmp_path / "alone" / "weights.safetensors"
    start = f"run.init=['{weights}']"
    settings = load_settings(config, changes=[start, "run.epochs=1"])
    summary = few_shot(settings, tmp_path / "adapted")
    assert set(summary["after"]["new"]) == {"meso"}
    learnt = load_file(weights)
    said = json.loads((tmp_path / "adapted" / "environment.json").read_text())["started_from"]
    assert said == [f"{len(learnt)} of {len(learnt)} tensors from weights.safetensors"]
    adapted = load_file(tmp_path / "adapted" / "weights.safetensors")
    assert adapted.keys() == learnt.keys()
    assert any(not torch.equal(adapted[name], learnt[name]) for name in learnt)


def test_as_published_stage_2_trains_the_last_head_alone(tmp_path: Path, trained: Path) -> None:
    start = f"run.init=['{trained / 's1' / 'weights.safetensors'}']"
    changes = [start, "stage2.freeze=all_but_head", "run.epochs=1", "loss.beta=0", "loss.alpha=0"]
    stage2(load_settings(trained / "config.json", changes=changes), tmp_path / "run")
    first = load_file(trained / "s1" / "weights.safetensors")
    second = load_file(tmp_path / "run" / "weights.safetensors")
    moved = {name for name in first if not torch.equal(first[name], second[name])}
    assert {name.rpartition(".")[0] for name in moved} == {"fusion.head.0", "fusion.head.3"}
