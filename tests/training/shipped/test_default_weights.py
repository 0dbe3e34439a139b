"""`m3train default-weights` from end to end: eleven small runs of the engine become one model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from m3net.weights import load_card, load_classifier
from tests.training import learning
from training.cli import main
from training.data.splits import voi_folds

pytestmark = [pytest.mark.soak, pytest.mark.acceptance, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic nodules a fold under names of the frozen list, both classes in each."""
    directory = learning.write_cutouts(tmp_path_factory.mktemp("voi") / "voi", nodules=30)
    of_fold = [[n for n, fold in voi_folds().items() if fold == each][:6] for each in range(5)]
    names = [name for pair in zip(*of_fold, strict=True) for name in pair]
    lines = (directory / "labels.csv").read_text().splitlines()
    for number, name in enumerate(names):
        malignant = number // 5 % 2 == 1
        source = f"n{2 * (number // 2) + malignant}.nii.gz"
        for kind in ("image", "mask"):
            content = (directory / kind / source).read_bytes()
            (directory / kind / f"{name}.nii.gz").write_bytes(content)
        scores = "5 4 4" if malignant else "1 2 3"
        lines[number + 1] = f"{name}.nii.gz,{name.split('_')[0]}-{number},{scores}"
    (directory / "labels.csv").write_text("\n".join(lines) + "\n")
    return directory


def test_the_runs_of_the_engine_become_one_calibrated_model(cutouts: Path, tmp_path: Path) -> None:
    called = ["default-weights", "--voi", str(cutouts), "--out", str(tmp_path), "--members", "1"]
    called += ["--plain", "--version", "7", "--set", "run.epochs=1", "--set", "run.batch_size=4"]
    called += ["--set", "data.limit=4"]
    result = CliRunner().invoke(main, called)
    assert result.exit_code == 0, result.output
    runs = sorted(path.parent.relative_to(tmp_path).as_posix()
                  for path in tmp_path.glob("*/*/summary.json"))  # fmt: skip
    folds = [f"seed0_fold{fold}" for fold in range(5)]
    assert runs == [
        *(f"cv/{fold}" for fold in folds), "final/seed0", *(f"plain/{fold}" for fold in folds),
    ]  # fmt: skip
    card = load_card(tmp_path / "small.safetensors")
    assert (card.version, card.config["members"], card.config["remembered"]) == ("7", 1, 30)
    assert card.config["mirrored"]
    assert card.config["appearance"]
    rows = learning.table(tmp_path / "out_of_fold.csv")
    assert len(rows) == 30
    called = ["card", "--from", str(tmp_path / "out_of_fold.csv")]
    again = CliRunner().invoke(main, [*called, "--check", str(tmp_path / "small.json")])
    assert again.exit_code == 0, again.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"ours", "networks_alone", "expert_alone", "appearance_alone", "plain_resnet18"} <= set(
        report["table"]
    )
    assert load_classifier(tmp_path / "small.safetensors", device="cpu").card.trained
