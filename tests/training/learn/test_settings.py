"""Settings come from a file, a budget and `--set`, and misfits are named."""

from pathlib import Path

import pytest

from m3net.scales import Scale
from training.data.errors import SettingsUnusable
from training.learn.settings import load_settings

CONFIGS = Path(__file__).parents[3] / "training" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_config_that_ships_can_be_read(path: Path) -> None:
    settings = load_settings(path)
    assert settings.network.config().scales == tuple(Scale)
    assert load_settings(path, budget="smoke").run.epochs == 2


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_the_papers_settings_are_those_of_section_4_3(stage: str) -> None:
    run = load_settings(CONFIGS / f"{stage}.toml").run
    assert (run.epochs, run.batch_size, run.seed) == (200, 32, 0)
    assert (run.learning_rate, run.weight_decay) == (1e-4, 1e-5)
    assert load_settings(CONFIGS / "stage2.toml").stage2.freeze == "all"
    shots = load_settings(CONFIGS / "few-shot.toml").few_shot
    assert (shots.pairs, shots.replay_pairs) == (20, 20)


def test_what_is_set_by_hand_lies_above_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[run]\nepochs = 3\nseed = 5\n")
    changes = ["run.epochs=7", "data.target=soft", "network.changes.fusion.dim=32"]
    settings = load_settings(tmp_path / "a.toml", changes=changes)
    assert (settings.run.epochs, settings.run.seed, settings.data.target) == (7, 5, "soft")
    assert settings.network.config().fusion.dim == 32


def test_one_pair_of_scales_can_weigh_more() -> None:
    weights = load_settings(None, changes=['loss.nce={"micro-meso" = 2.0}']).loss.weights()
    assert weights.nce[Scale.MICRO, Scale.MESO] == 2.0
    assert weights.nce[Scale.MESO, Scale.MACRO] == 0.0


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("run.epoch=3", "run.epoch: Extra inputs"),
        ("run.epochs=0", "run.epochs: Input should be greater"),
        ("epochs=3", "expected section.key=value"),
        (
            "data.augmentation=wild",
            "augmentation is one of none, paper, clinical, readers, release",
        ),
    ],
)
def test_a_misfit_is_named(change: str, found: str) -> None:
    with pytest.raises(SettingsUnusable, match=found):
        load_settings(None, changes=[change])
