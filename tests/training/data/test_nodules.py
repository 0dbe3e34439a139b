"""Which nodules are shown when, and to whom: derived from the seed alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training import learning
from training.data import seeding
from training.data.errors import SettingsUnusable
from training.data.nodules import Epoch, Joined, Kept, Subset, choose_pairs
from training.data.settings import DataSettings
from training.data.sources import open_parts
from training.data.targets import TargetKind


def test_an_epoch_shows_every_nodule_once_but_for_the_rest() -> None:
    shown = seeding.batches(nodules=11, batch_size=4, seed=0, epoch=0)
    assert [len(batch) for batch in shown] == [4, 4]
    assert len({i for batch in shown for i in batch}) == 8
    assert shown != seeding.batches(nodules=11, batch_size=4, seed=0, epoch=1)
    assert shown == seeding.batches(nodules=11, batch_size=4, seed=0, epoch=0)


def test_a_sample_depends_on_seed_epoch_and_index_and_on_nothing_before_it() -> None:
    nodules = learning.NumberNodules(learning.config())
    first = Epoch(nodules, target=TargetKind.HARD, seed=0, epoch=3)[5][0]["meso"]
    other = Epoch(nodules, target=TargetKind.HARD, seed=0, epoch=3)
    assert torch.equal(other[5][0]["meso"], first)
    assert not torch.equal(other[5][0]["meso"], other[7][0]["meso"])
    later = Epoch(nodules, target=TargetKind.HARD, seed=0, epoch=4)
    assert not torch.equal(later[5][0]["meso"], first)


def test_pairs_are_so_many_of_each_class() -> None:
    labels = learning.NumberNodules(learning.config(), count=20).labels
    chosen = choose_pairs(labels, pairs=4, random=seeding.for_choice(0))
    assert sum(labels[i].malignant for i in chosen) == 4
    assert len(set(chosen)) == 8
    with pytest.raises(ValueError, match="11 malignant nodules are wanted, found 10"):
        choose_pairs(labels, pairs=11, random=seeding.for_choice(0))


def test_sources_can_be_joined_and_thinned_out() -> None:
    nodules = learning.NumberNodules(learning.config(), count=6)
    joined = Joined(Subset(nodules, [4, 1]), Subset(nodules, [0]))
    assert [label.name for label in joined.labels] == ["n4", "n1", "n0"]
    assert torch.equal(joined.item(1, None)["micro"], nodules.item(1, None)["micro"])


def test_the_parts_of_a_folder_are_disjoint_and_as_the_file_says(tmp_path: Path) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts")
    settings = DataSettings(directory=cutouts, split=str(cutouts / "split.csv"))
    parts = open_parts(settings, learning.config())
    sizes = [len(part.labels) for part in (parts.train, parts.validation, parts.test)]
    assert sizes == [16, 4, 4]
    tested = DataSettings(directory=cutouts, split="all")
    assert len(open_parts(tested, learning.config()).test.labels) == 24
    learnt = DataSettings(directory=cutouts, split="train")
    parts = open_parts(learnt, learning.config())
    sizes = [len(part.labels) for part in (parts.train, parts.validation, parts.test)]
    assert sizes == [24, 0, 0]
    with pytest.raises(SettingsUnusable, match="the split 'folds' lacks 24 of the 24 nodules"):
        open_parts(DataSettings(directory=cutouts, split="folds"), learning.config())


def test_only_what_is_trained_on_is_augmented(tmp_path: Path) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts")
    settings = DataSettings(directory=cutouts, split="all", augmentation="paper")
    nodules = open_parts(settings, learning.config()).test
    served = nodules.item(0, None)["micro"]
    assert torch.equal(nodules.item(0, None)["micro"], served)
    assert not torch.equal(nodules.item(0, np.random.default_rng(0))["micro"], served)


def test_nodules_as_served_are_cut_once_as_long_as_there_is_room(tmp_path: Path) -> None:
    cutouts = learning.write_cutouts(tmp_path / "cutouts")
    settings = DataSettings(directory=cutouts, split="all", augmentation="paper")
    nodules = open_parts(settings, learning.config()).test
    size = sum(x.nbytes for x in nodules.item(0, None).values())
    kept = Kept(nodules, bytes_at_most=2 * size)
    first, second, third = (kept.item(i, None) for i in range(3))
    assert kept.item(0, None) is first
    assert kept.item(1, None) is second
    assert kept.item(2, None) is not third
    assert torch.equal(kept.item(2, None)["macro"], nodules.item(2, None)["macro"])
    bent = kept.item(0, np.random.default_rng(0))
    assert not torch.equal(bent["micro"], first["micro"])
