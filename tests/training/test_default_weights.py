"""The recipe of the default weights: repeatable, resumable, calibrated in its last layer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from m3net.config import SMALL
from m3net.network import build
from m3net.scales import Scale
from training.calibration import Calibration
from training.default_weights import (
    Recipe,
    calibrate,
    cross_validate,
    load_committee,
    margins_of,
    panel_probability,
    save_member,
    stored,
    train_member,
)
from training.variants import Variants

RECIPE = Recipe(epochs=1, batch_size=4)
SCORES = np.array([1.0, 5.0] * 6)


@pytest.fixture(scope="module")
def variants() -> Variants:
    """Twelve nodules in one variant besides themselves; noise."""
    random = np.random.default_rng(0)
    return Variants(
        inputs={
            scale: random.integers(0, 256, (2, 12, 3, *SMALL.branch(scale).patch.size), np.uint8)
            for scale in Scale
        },
        description=random.normal(5.0, 2.0, (2, 12, 25)).astype(np.float32),
    )


def test_a_mean_of_3_is_near_one_half_and_a_clear_rating_is_clear() -> None:
    p = panel_probability(np.array([1.0, 3.0, 3.25, 5.0]), Recipe())
    assert p == pytest.approx([0.0148, 0.4502, 0.5744, 0.9781], abs=1e-3)


def test_the_same_seed_gives_the_same_network(variants: Variants) -> None:
    networks = [
        train_member(
            variants, mean_scores=SCORES, train=np.arange(12), recipe=RECIPE, seed=seed
        ).state_dict()
        for seed in (1, 1, 2)
    ]
    name = "fusion.head.0.weight"
    assert torch.equal(networks[0][name], networks[1][name])
    assert not torch.equal(networks[0][name], networks[2][name])


def test_descriptions_are_measured_against_the_training_nodules(variants: Variants) -> None:
    train = np.arange(8)
    network = train_member(variants, mean_scores=SCORES, train=train, recipe=RECIPE, seed=1)
    mean = network.get_buffer("fusion.description.mean")
    assert np.allclose(mean, variants.description[0, train].mean(axis=0), atol=1e-5)


def test_folds_that_are_done_are_not_trained_again(variants: Variants, tmp_path: Path) -> None:
    folds = np.arange(12) % 3
    kept = np.full(4, 7.0)
    np.save(tmp_path / "seed0_fold1.npy", kept)
    found = cross_validate(
        variants,
        mean_scores=SCORES,
        folds=folds,
        seeds=[0],
        recipe=RECIPE,
        directory=tmp_path,
    )
    assert np.array_equal(found[0, folds == 1], kept)
    assert np.isfinite(found).all()
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        "seed0_fold0.safetensors",
        "seed0_fold2.safetensors",
    ]


def test_a_committee_averages_margins_and_is_calibrated_in_its_last_layers(
    variants: Variants, tmp_path: Path
) -> None:
    files, samples = [], list(stored(variants, np.arange(5)))
    for seed in (1, 2):
        files.append(tmp_path / f"{seed}.safetensors")
        save_member(build(SMALL, seed=seed), files[-1])
    alone = [margins_of(load_committee(SMALL, [file]), samples) for file in files]
    committee = load_committee(SMALL, files)
    together = margins_of(committee, samples)
    assert together == pytest.approx((alone[0] + alone[1]) / 2, abs=1e-5)
    calibrate(committee, Calibration(slope=1.5, shift=-0.25))
    assert margins_of(committee, samples) == pytest.approx(1.5 * together - 0.25, abs=1e-5)
