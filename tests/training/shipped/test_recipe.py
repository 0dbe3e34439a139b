"""The networks that ship are runs of the engine: repeatable, resumable, one a seed and fold."""

import json
from pathlib import Path

import pytest

from m3net.network import build
from tests.m3net.toys import narrow
from tests.training import learning
from training.data.errors import SettingsUnusable
from training.learn.losses import LossWeights
from training.shipped.committee import CommitteeFiles, load_committee
from training.shipped.recipe import member_of_fold, plain, train_members

TOY = narrow("small").to_json()
QUICK = (
    "run.epochs=1",
    "run.batch_size=4",
    f"network.changes={{micro={{encoder={{widths={TOY['micro']['encoder']['widths']}}}}}}}",
)


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learning.write_cutouts(tmp_path_factory.mktemp("cutouts") / "voi", nodules=12)


def test_the_recipe_is_a_config_of_the_engine(tmp_path: Path) -> None:
    settings = member_of_fold(3, seed=2, voi=tmp_path, changes=(), directory=tmp_path).settings
    run, data = settings.run, settings.data
    assert (settings.network.preset, settings.stage2.freeze) == ("small", "none")
    assert (run.epochs, run.batch_size, run.learning_rate) == (16, 32, 2e-3)
    assert (run.weight_decay, run.decay, run.clip_norm) == (2e-2, "matrices", 5.0)
    assert (data.split, data.fold, data.target, data.augmentation) == (
        "four_folds", 3, "panel", "readers",
    )  # fmt: skip
    assert settings.loss.weights() == LossWeights(fused=1.0, alpha=0.3, beta=0.0)
    assert run.seed == 2003


def test_a_final_member_learns_from_all_nodules(tmp_path: Path) -> None:
    member = member_of_fold(None, seed=1, voi=tmp_path, changes=(), directory=tmp_path)
    assert (member.settings.data.split, member.settings.run.seed) == ("train", 1009)
    assert member.directory.name == "seed1"


def test_members_are_trained_once_and_the_same_seed_gives_the_same_network(
    cutouts: Path, tmp_path: Path
) -> None:
    every = [
        member_of_fold(None, seed=seed, voi=cutouts, changes=QUICK, directory=tmp_path / folder)
        for seed, folder in ((1, "one"), (1, "again"), (2, "one"))
    ]
    seen: list[None] = []
    for _ in range(2):
        train_members(every, on_member=lambda: seen.append(None))
    assert len(seen) == 6
    heads = [
        load_committee(
            member.settings.network.config(), CommitteeFiles(members=[member.weights])
        ).state_dict()["fusion.head.0.weight"]
        for member in every
    ]
    assert heads[0].numpy() == pytest.approx(heads[1].numpy(), abs=1e-6)
    assert heads[0].numpy() != pytest.approx(heads[2].numpy(), abs=1e-3)
    mean = load_committee(
        every[0].settings.network.config(), CommitteeFiles(members=[every[0].weights])
    ).state_dict()["fusion.description.mean"]
    assert mean.abs().max() > 1, "measurements are taken against the training nodules'"
    summary = json.loads((every[0].directory / "summary.json").read_text())
    assert summary["train_nodules"] == 12


def test_a_folder_goes_on_with_its_own_settings(cutouts: Path, tmp_path: Path) -> None:
    first = member_of_fold(None, seed=1, voi=cutouts, changes=QUICK, directory=tmp_path)
    train_members([first])
    (first.directory / "summary.json").unlink()
    other = member_of_fold(
        None, seed=1, voi=cutouts, changes=(*QUICK, "run.epochs=2"), directory=tmp_path
    )
    with pytest.raises(SettingsUnusable, match=r"begun with other settings: run\.epochs differ"):
        train_members([other])


def test_a_plain_network_reads_one_cube_of_the_same_nodules(tmp_path: Path) -> None:
    member = member_of_fold(0, seed=0, voi=tmp_path, changes=(), directory=tmp_path / "cv")
    config = plain(member, tmp_path / "plain").settings.network.config()
    assert config.preset == "plain 3D ResNet-18"
    names = [name for name, _ in build(config, seed=0).named_children()]
    assert names[0] == "net64"
    assert not {"net32", "net96"} & set(names)
    assert config.meso.patch.size == (24, 24, 24)
    assert config.preprocessing.channels == 3
