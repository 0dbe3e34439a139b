"""The recipe of the default weights: repeatable and resumable."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from m3net.config import SMALL
from m3net.description import BASIC, NAMES
from m3net.network import build
from m3net.scales import Scale
from training.data.variants import Sample, Variants, load_variants
from training.shipped.committee import CommitteeFiles, load_committee
from training.shipped.members import members_of_folds, train_members
from training.shipped.recipe import (
    PLAIN,
    Recipe,
    margins_of,
    out_of_fold_margins,
    panel_probability,
    save_part,
    stored,
    train_expert,
    train_member,
)

RECIPE = Recipe(epochs=1, batch_size=4)
SCORES = np.array([1.0, 5.0] * 6)


PATIENTS = np.array([f"P{number // 2}" for number in range(12)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve nodules in one variant besides themselves; noise."""
    directory = tmp_path_factory.mktemp("variants")
    random = np.random.default_rng(0)
    for scale in Scale:
        size = (2, 12, 3, *SMALL.branch(scale).patch.size)
        np.save(directory / f"{scale}.npy", random.integers(0, 256, size, np.uint8))
    numbers = random.normal(5.0, 2.0, (2, 12, len(NAMES))).astype(np.float32)
    numbers[:, 1::2] += 6.0
    np.save(directory / "description.npy", numbers)
    return directory


@pytest.fixture(scope="module")
def variants(folder: Path) -> Variants:
    return load_variants(folder, SMALL)


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
    basic = variants.description[0, train, : len(BASIC)]
    assert np.allclose(mean, basic.mean(axis=0), atol=1e-5)


def test_members_that_are_done_are_not_trained_again(
    folder: Path, variants: Variants, tmp_path: Path
) -> None:
    folds = np.arange(12) % 3
    done = build(SMALL, seed=5)
    save_part(done, tmp_path / "seed0_fold1.safetensors")
    members = members_of_folds(folds, seeds=[0], config=SMALL, directory=tmp_path)
    every = [member for of_fold in members.values() for member in of_fold]
    assert [(member.file.name, member.train.tolist()[:3]) for member in every] == [
        ("seed0_fold0.safetensors", [1, 2, 4]),
        ("seed0_fold1.safetensors", [0, 2, 3]),
        ("seed0_fold2.safetensors", [0, 1, 3]),
    ]
    seen: list[None] = []
    train_members(
        every,
        variants=folder,
        mean_scores=SCORES,
        recipe=RECIPE,
        on_member=lambda: seen.append(None),
    )
    assert len(seen) == 3
    committees = {
        fold: CommitteeFiles(members=[member.file for member in of_fold])
        for fold, of_fold in members.items()
    }
    margins = out_of_fold_margins(variants, folds=folds, committees=committees, config=SMALL)
    assert np.isfinite(margins).all()
    own = margins_of(done.eval(), stored(variants, np.flatnonzero(folds == 1)))
    assert margins[folds == 1] == pytest.approx(own, abs=1e-6)


def test_a_plain_network_is_trained_on_one_cube_of_the_same_nodules(variants: Variants) -> None:
    network = train_member(
        variants, mean_scores=SCORES, train=np.arange(12), recipe=RECIPE, seed=1, config=PLAIN
    )
    assert [name for name, _ in network.named_children()][:1] == ["net64"]
    assert np.isfinite(margins_of(network, stored(variants, np.arange(3)))).all()


def test_an_expert_that_remembers_nodules_tells_them_apart_and_counts_half(
    variants: Variants, tmp_path: Path
) -> None:
    expert = train_expert(
        variants, mean_scores=SCORES, patients=PATIENTS, train=np.arange(12), recipe=RECIPE
    )
    own = expert(torch.from_numpy(variants.description[0])).numpy()
    assert (own[1::2] > own[::2].max()).all()
    save_part(expert, tmp_path / "expert.safetensors")
    save_part(build(SMALL, seed=1), tmp_path / "1.safetensors")
    samples = list(stored(variants, np.arange(5)))
    alone, together = (
        margins_of(
            load_committee(
                SMALL, CommitteeFiles(members=[tmp_path / "1.safetensors"], expert=file)
            ),
            samples,
        )
        for file in (None, tmp_path / "expert.safetensors")
    )
    assert together == pytest.approx((alone + own[:5]) / 2, abs=1e-5)


def test_a_mirrored_committee_judges_a_nodule_and_its_mirror_image_alike(
    variants: Variants, tmp_path: Path
) -> None:
    files = CommitteeFiles(members=[tmp_path / "1.safetensors"])
    save_part(build(SMALL, seed=1), files.members[0])
    committee = load_committee(replace(SMALL, mirrored=True), files)
    (sample,) = stored(variants, np.arange(1))
    views = [sample, *(_mirror(sample, axis) for axis in (1, 2, 3))]
    plain = load_committee(SMALL, files)
    mean = margins_of(plain, views).mean()
    assert margins_of(committee, [sample])[0] == pytest.approx(mean, abs=1e-5)


def _mirror(sample: Sample, axis: int) -> Sample:
    return replace(sample, inputs={s: np.flip(x, axis) for s, x in sample.inputs.items()})


def test_a_committee_averages_margins(variants: Variants, tmp_path: Path) -> None:
    files, samples = [], list(stored(variants, np.arange(5)))
    for seed in (1, 2):
        files.append(tmp_path / f"{seed}.safetensors")
        save_part(build(SMALL, seed=seed), files[-1])
    alone = [
        margins_of(load_committee(SMALL, CommitteeFiles(members=[file])), samples) for file in files
    ]
    together = margins_of(load_committee(SMALL, CommitteeFiles(members=files)), samples)
    assert together == pytest.approx((alone[0] + alone[1]) / 2, abs=1e-5)


def test_a_member_that_was_cut_off_while_it_was_written_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.shipped.recipe.os.replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save_part(build(SMALL, seed=1), tmp_path / "seed0_fold0.safetensors")
    assert list(tmp_path.glob("*.safetensors")) == []
