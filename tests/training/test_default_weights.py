"""The recipe of the default weights: repeatable and resumable."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from m3net.config import SMALL
from m3net.network import build
from m3net.scales import Scale
from training.default_weights import (
    Recipe,
    load_committee,
    margins_of,
    out_of_fold_margins,
    panel_probability,
    save_member,
    stored,
    train_folds,
    train_member,
)
from training.variants import Sample, Variants

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
    done = build(SMALL, seed=5)
    save_member(done, tmp_path / "seed0_fold1.safetensors")
    members = train_folds(
        variants,
        mean_scores=SCORES,
        folds=folds,
        seeds=[0],
        recipe=RECIPE,
        directory=tmp_path,
    )
    assert {fold: [file.name for file in files] for fold, files in members.items()} == {
        0: ["seed0_fold0.safetensors"],
        1: ["seed0_fold1.safetensors"],
        2: ["seed0_fold2.safetensors"],
    }
    margins = out_of_fold_margins(variants, folds=folds, members=members, config=SMALL)
    assert np.isfinite(margins).all()
    own = margins_of(done.eval(), stored(variants, np.flatnonzero(folds == 1)))
    assert margins[folds == 1] == pytest.approx(own, abs=1e-6)


def test_a_mirrored_committee_judges_a_nodule_and_its_mirror_image_alike(
    variants: Variants, tmp_path: Path
) -> None:
    save_member(build(SMALL, seed=1), tmp_path / "1.safetensors")
    committee = load_committee(replace(SMALL, mirrored=True), [tmp_path / "1.safetensors"])
    (sample,) = stored(variants, np.arange(1))
    views = [sample, *(_mirror(sample, axis) for axis in (1, 2, 3))]
    plain = load_committee(SMALL, [tmp_path / "1.safetensors"])
    mean = margins_of(plain, views).mean()
    assert margins_of(committee, [sample])[0] == pytest.approx(mean, abs=1e-5)


def _mirror(sample: Sample, axis: int) -> Sample:
    return replace(sample, inputs={s: np.flip(x, axis) for s, x in sample.inputs.items()})


def test_a_committee_averages_margins(variants: Variants, tmp_path: Path) -> None:
    files, samples = [], list(stored(variants, np.arange(5)))
    for seed in (1, 2):
        files.append(tmp_path / f"{seed}.safetensors")
        save_member(build(SMALL, seed=seed), files[-1])
    alone = [margins_of(load_committee(SMALL, [file]), samples) for file in files]
    together = margins_of(load_committee(SMALL, files), samples)
    assert together == pytest.approx((alone[0] + alone[1]) / 2, abs=1e-5)
