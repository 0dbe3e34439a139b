"""What a network starts from, and what of it stands still."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from m3net.config import PRESETS
from m3net.errors import WeightsError
from m3net.network import build
from tests.m3net.toys import narrow
from tests.training import learning
from training.learn.models import M3NetModel, frozen_parts, initialise_from, set_training


def _model(seed: int) -> M3NetModel:
    return M3NetModel(build(learning.config(), seed=seed))


def test_branches_come_together_from_several_files(tmp_path: Path) -> None:
    theirs, ours = _model(1), _model(2)
    before = {k: v.clone() for k, v in ours.network.state_dict().items()}
    for suffix in ("32", "64"):
        branch = {
            k: v for k, v in theirs.network.state_dict().items() if k.startswith(f"net{suffix}")
        }
        save_file(branch, tmp_path / f"{suffix}.safetensors")
        sentence = initialise_from(ours, str(tmp_path / f"{suffix}.safetensors"))
        assert sentence == f"{len(branch)} of {len(before)} tensors from {suffix}.safetensors"
    after = ours.network.state_dict()
    assert torch.equal(
        after["net64.conv1.weight"], theirs.network.state_dict()["net64.conv1.weight"]
    )
    assert torch.equal(after["net96.conv1.weight"], before["net96.conv1.weight"])


def test_a_checkpoint_of_a_run_can_be_started_from(tmp_path: Path) -> None:
    theirs, ours = _model(1), _model(2)
    torch.save({"epoch": 3, "model": theirs.state_dict()}, tmp_path / "last.pt")
    initialise_from(ours, str(tmp_path / "last.pt"))
    for one, other in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(one, other)


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    save_file({"net64.conv1.weight": torch.zeros(3, 2, 3, 3, 3)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"net64.conv1.weight: \(3, 2, 3, 3, 3\), expected"):
        initialise_from(_model(0), str(tmp_path / "a.safetensors"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights at .*a\.safetensors"):
        initialise_from(_model(0), f"micro={tmp_path / 'a.safetensors'}")


def test_frozen_parts_stay_in_eval_mode_while_the_rest_trains() -> None:
    model = _model(0)
    set_training(model, [model.network.net32])
    assert model.network.net64.training
    assert not any(module.training for module in model.network.net32.modules())


def test_the_published_fusion_has_8386_parameters_in_its_head() -> None:
    of = narrow("release")
    of = replace(of, fusion=replace(PRESETS["release"].fusion))
    model = M3NetModel(build(of, seed=0))
    frozen_parts(model, "all_but_head")
    fusion = model.network.fusion
    assert fusion is not None
    learning = [p.numel() for p in model.network.parameters() if p.requires_grad]
    assert (sum(learning), sum(p.numel() for p in fusion.parameters())) == (8386, 406850)
