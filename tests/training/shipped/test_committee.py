"""Networks that decide together, and the expert beside them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from m3net.config import SMALL
from m3net.description import NAMES
from m3net.network import build
from m3net.scales import Scale
from training.data.nodules import Inputs, Subset
from training.data.voi import CutoutLabel
from training.shipped.committee import (
    CommitteeFiles,
    load_committee,
    margins_of,
    out_of_fold_margins,
    save_expert,
)
from training.shipped.expert import fit_expert

TARGETS = np.array([0.0, 1.0] * 6, np.float32)
PATIENTS = [f"P{number // 2}" for number in range(12)]


class Noise:
    """Twelve nodules of noise; of the odd ones, every measurement is larger."""

    def __init__(self, *, mirrored: int | None = None) -> None:
        """mirrored : the axis of (C, D, H, W) along which each is turned round."""
        self._axis = mirrored

    @property
    def labels(self) -> Sequence[CutoutLabel]:
        return [
            CutoutLabel(file=f"n{i}", patient_id=PATIENTS[i], scores=(1 + i % 2 * 4,))
            for i in range(12)
        ]

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        own = torch.Generator().manual_seed(index)
        inputs = {
            scale.value: torch.rand((3, *SMALL.branch(scale).patch.size), generator=own)
            for scale in Scale
        }
        if self._axis is not None:
            inputs = {scale: x.flip(self._axis) for scale, x in inputs.items()}
        numbers = torch.randn(len(NAMES), generator=own) * 2 + 5 + 6 * (index % 2)
        return {**inputs, "description": numbers}


def _saved(directory: Path, seed: int) -> Path:
    file = directory / f"{seed}.safetensors"
    save_file(build(SMALL, seed=seed).state_dict(), file)
    return file


def _margins(files: CommitteeFiles, nodules: Noise | Subset, *, mirrored: bool = False):
    return margins_of(load_committee(replace(SMALL, mirrored=mirrored), files), nodules)


def test_a_committee_averages_margins(tmp_path: Path) -> None:
    files = [_saved(tmp_path, seed) for seed in (1, 2)]
    few = Subset(Noise(), range(5))
    alone = [_margins(CommitteeFiles(members=[file]), few) for file in files]
    together = _margins(CommitteeFiles(members=files), few)
    assert together == pytest.approx((alone[0] + alone[1]) / 2, abs=1e-5)


def test_a_mirrored_committee_judges_a_nodule_and_its_mirror_image_alike(tmp_path: Path) -> None:
    files = CommitteeFiles(members=[_saved(tmp_path, 1)])
    first = [0]
    views = [Subset(Noise(mirrored=axis), first) for axis in (None, 1, 2, 3)]
    mean = np.mean([_margins(files, view)[0] for view in views])
    assert _margins(files, views[0], mirrored=True)[0] == pytest.approx(mean, abs=1e-5)


def test_each_nodule_is_judged_by_the_committee_that_did_not_see_it(tmp_path: Path) -> None:
    folds = np.arange(12) % 3
    committees = {fold: CommitteeFiles(members=[_saved(tmp_path, seed=fold)]) for fold in range(3)}
    found = out_of_fold_margins(Noise(), folds=folds, committees=committees, config=SMALL)
    assert np.isfinite(found).all()
    own = _margins(committees[1], Subset(Noise(), [1, 4, 7, 10]))
    assert found[folds == 1] == pytest.approx(own, abs=1e-5)


def test_an_expert_that_remembers_nodules_tells_them_apart_and_counts_half(
    tmp_path: Path,
) -> None:
    numbers = np.stack([Noise().item(i, None)["description"].numpy() for i in range(12)])
    expert = fit_expert(numbers, TARGETS, PATIENTS)
    own = expert(torch.from_numpy(numbers)).numpy()
    assert (own[1::2] > own[::2].max()).all()
    save_expert(expert, tmp_path / "expert.safetensors")
    members, few = [_saved(tmp_path, 1)], Subset(Noise(), range(5))
    alone = _margins(CommitteeFiles(members=members), few)
    files = CommitteeFiles(members=members, expert=tmp_path / "expert.safetensors")
    assert _margins(files, few) == pytest.approx((alone + own[:5]) / 2, abs=1e-5)


def test_an_expert_that_was_cut_off_while_it_was_written_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = np.stack([Noise().item(i, None)["description"].numpy() for i in range(12)])
    monkeypatch.setattr("training.shipped.committee.os.replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save_expert(fit_expert(numbers, TARGETS, PATIENTS), tmp_path / "expert.safetensors")
    assert list(tmp_path.glob("*.safetensors")) == []
