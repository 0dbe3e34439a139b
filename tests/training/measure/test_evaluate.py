"""`m3train evaluate` says what weights are worth on a folder of cut-outs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.volume import CTVolume
from tests.training import learning
from training import cli
from training.data.cutouts import crop_of
from training.data.errors import CropsUnusable
from training.data.told import ToldAs
from training.data.voi import CutoutLabel, read_cutouts
from training.measure.evaluate import OneClass, assess, predict
from training.measure.predictions import read_predictions


class Ruler:
    """Judges by the marked diameter: p = diameter / 10 mm, or 0.5 where none is told."""

    card = learning.CARD

    def probability(self, volume: CTVolume, nodule: Nodule) -> float:
        return (nodule.diameter_mm or 5.0) / 10

    def box_needed(self, volume: CTVolume, nodule: Nodule) -> GridBox:
        return GridBox(first=(-5, -5, -5), shape=(40, 40, 40))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six nodules of 1 to 6 voxels of 1 mm in a row; the longer three are malignant."""
    rows = ["file,patient_id,malignancy_scores"]
    for length in range(1, 7):
        mask = np.zeros((3, 9, 9), np.uint8)
        mask[1, 4, :length] = 1
        for kind in ("image", "mask"):
            (tmp_path / kind).mkdir(exist_ok=True)
            sitk.WriteImage(sitk.GetImageFromArray(mask), str(tmp_path / kind / f"{length}.nii.gz"))
        rows.append(f"{length}.nii.gz,P{length},{'5 4' if length > 3 else '1 2'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_each_nodule_is_judged_once_and_in_order(folder: Path) -> None:
    p = predict(Ruler(), map(crop_of, read_cutouts(folder)))
    assert p.tolist() == pytest.approx([np.hypot(n, 1) / 10 for n in range(1, 7)])


def test_the_command_prints_one_json_object(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.cli.evaluate.load_classifier", lambda *_, **__: Ruler())
    result = CliRunner().invoke(cli.main, ["evaluate", "--voi", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["auc"], report["nodules"], report["model"]) == (1.0, 6, "Ruler 1")
    # 4, 5 and 6 voxels are malignant; only 4.1 mm lies under 5 mm.
    assert report["accuracy"] == pytest.approx(5 / 6)
    assert report["confusion"] == {"tn": 3, "fp": 0, "fn": 1, "tp": 2}


def test_told_less_the_ruler_knows_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.cli.evaluate.load_classifier", lambda *_, **__: Ruler())
    arguments = ["evaluate", "--voi", str(folder), "--marking", "centre", "--json"]
    report = json.loads(CliRunner().invoke(cli.main, arguments).stdout)
    assert report["auc"] == 0.5
    assert report["marking"] == "centre"


def test_nodules_of_mean_exactly_3_are_set_apart() -> None:
    labels = [
        CutoutLabel(file=f"{number}", patient_id=f"P{number}", scores=scores)
        for number, scores in enumerate([(1, 2), (3, 3), (2, 4), (4, 5), (5, 5)])
    ]
    report = assess(labels, np.array([0.1, 0.9, 0.9, 0.8, 0.7]), resamples=20)
    assert report["without_mean_3"] == {"nodules": 3, "auc": 1.0, "accuracy": 1.0}
    assert report["auc"] == pytest.approx(2 / 6)


def test_nodules_of_one_class_are_a_clear_error_and_no_endless_resampling() -> None:
    labels = [CutoutLabel(file=f"{n}", patient_id=f"P{n}", scores=(1, 2)) for n in range(3)]
    with pytest.raises(OneClass, match="all 3 nodules are benign; an AUC needs both"):
        assess(labels, np.array([0.1, 0.2, 0.3]))


def test_without_mean_3_one_class_may_be_left_over() -> None:
    labels = [
        CutoutLabel(file=f"{number}", patient_id=f"P{number}", scores=scores)
        for number, scores in enumerate([(3, 3), (4, 5), (5, 5), (4, 4)])
    ]
    report = assess(labels, np.array([0.4, 0.9, 0.8, 0.7]), resamples=20)
    assert report["without_mean_3"] == {"nodules": 3, "auc": None, "accuracy": 1.0}


def test_a_folder_without_labels_is_a_clear_error(tmp_path: Path) -> None:
    arguments = ["evaluate", "--weights", "untrained", "--voi", str(tmp_path)]
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 1
    assert "neither prepared crops (manifest.jsonl) nor cut-outs (labels.csv" in result.output


def test_what_prepare_wrote_is_measured_like_what_it_was_prepared_from(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli.evaluate.load_classifier", lambda *_, **__: Ruler())
    crops = tmp_path / "crops"
    prepared = CliRunner().invoke(cli.main, ["prepare", "--voi", str(folder), "--out", str(crops)])
    assert prepared.exit_code == 0, prepared.output
    said = []
    for number, data in enumerate((folder, crops)):
        for marking in ToldAs:
            out = tmp_path / f"said{number}{marking}"
            arguments = [
                "evaluate",
                "--data",
                str(data),
                "--marking",
                marking.value,
                "--out",
                str(out),
            ]
            result = CliRunner().invoke(cli.main, arguments)
            assert result.exit_code == 0, result.output
            said.append((out / "test.csv").read_text())
    assert said[:3] == said[3:]
    assert said[0].splitlines()[:2] == [
        "name,patient_id,malignant,p_fused", f"1,P1,0,{np.hypot(1, 1) / 10}",
    ]  # fmt: skip
    assert read_predictions(tmp_path / "said0mask", "fused").truth.tolist() == 3 * [False] + (
        3 * [True]
    )
    assert json.loads((tmp_path / "said0mask" / "summary.json").read_text())["auc"] == 1.0


def test_a_block_that_ends_before_the_model_has_seen_enough_is_not_judged(folder: Path) -> None:
    crop = crop_of(read_cutouts(folder)[0])
    assert len(predict(Ruler(), [crop])) == 1
    inner = replace(crop, ends=np.array([[True, True], [True, False], [True, True]]))
    with pytest.raises(CropsUnusable, match="1: the model looks beyond the block of 3 x 9 x 9"):
        predict(Ruler(), [inner])
