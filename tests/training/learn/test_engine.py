"""The loop: what a step computes, what a run writes, and that it goes on as if nothing happened."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from m3net.network import build
from m3net.scales import Scale
from tests.m3net.toys import narrow, noise
from tests.training import learning
from training.data.errors import SettingsUnusable
from training.data.targets import TargetKind
from training.learn import checkpoint, stage1
from training.learn.distributed import Processes
from training.learn.engine import Engine, learning_rate, precision, predict
from training.learn.losses import LossWeights, NonFiniteLoss
from training.learn.models import M3NetModel, set_training
from training.learn.settings import RunSettings

CE_ALONE = LossWeights(alpha=0.0, beta=0.0)


def test_the_learning_rate_is_one_half_cosine_over_the_whole_run() -> None:
    settings = RunSettings(learning_rate=1e-4)
    rates = [learning_rate(step, steps=100, settings=settings) for step in (0, 50, 75, 100)]
    assert rates == pytest.approx([1e-4, 5e-5, 1.4645e-5, 0.0], rel=1e-4)


def test_it_rises_first_where_a_warm_up_is_asked_for() -> None:
    settings = RunSettings(learning_rate=1.0, warmup_steps=3)
    rates = [learning_rate(step, steps=103, settings=settings) for step in (0, 1, 2, 3, 53)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 0.5])


def test_a_run_learns_and_writes_every_step_and_every_epoch(tmp_path: Path) -> None:
    nodules = learning.NumberNodules(learning.config())
    with learning.folder(tmp_path) as run:
        learning.engine(run=run, validation=nodules, epochs=3, weights=CE_ALONE).train()
        steps, epochs = run.rows("losses.csv"), run.rows("metrics.csv")
    assert [(row["epoch"], row["step"]) for row in steps] == [
        (epoch, step) for epoch in range(3) for step in range(4)
    ]
    assert [row["epoch"] for row in epochs] == [0, 1, 2]
    assert epochs[2]["total"] == pytest.approx(np.mean([row["total"] for row in steps[8:]]))
    assert epochs[2]["validation_fused_ce"] < epochs[0]["validation_fused_ce"]
    assert set(steps[0]) == {"epoch", "step", "learning_rate", "CE_fused", "total"}


def test_the_loss_is_the_sum_of_its_terms(tmp_path: Path) -> None:
    with learning.folder(tmp_path) as run:
        learning.engine(run=run, weights=LossWeights(attention=0.01), epochs=1).train()
        row = run.rows("losses.csv")[0]
    terms = {k: v for k, v in row.items() if k not in {"epoch", "step", "learning_rate", "total"}}
    assert {"CE_fused", "CE_micro", "L_cov", "L_InfoNCE(micro, meso)", "L_attn-reg"} <= set(terms)
    assert row["total"] == pytest.approx(sum(terms.values()), rel=1e-5)


def test_micro_batches_add_up_to_the_batch(tmp_path: Path) -> None:
    losses = []
    for accumulate in (1, 2):
        with learning.folder(tmp_path / str(accumulate)) as run:
            of = learning.config(dropout=0.0)
            learning.engine(of, run=run, weights=CE_ALONE, accumulate=accumulate, epochs=1).train()
            losses.append([row["total"] for row in run.rows("losses.csv")])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_loss_that_is_not_finite_ends_the_run_and_is_named() -> None:
    nodules = learning.NumberNodules(learning.config(), spoilt=3)
    with pytest.raises(NonFiniteLoss, match="CE_fused is nan"):
        learning.engine(nodules=nodules, epochs=1).train()


@pytest.mark.parametrize("target", list(TargetKind))
def test_every_kind_of_target_can_be_learnt(target: TargetKind, tmp_path: Path) -> None:
    with learning.folder(tmp_path) as run:
        learning.engine(run=run, target=target, weights=CE_ALONE, epochs=4).train()
        rows = run.rows("metrics.csv")
    assert rows[-1]["total"] < rows[0]["total"]


def test_half_precision_is_for_gpus() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert precision(RunSettings(amp="auto"), cpu) is None
    assert precision(RunSettings(amp="bf16"), gpu) is torch.bfloat16
    assert precision(RunSettings(amp="fp16"), gpu) is torch.float16
    assert precision(RunSettings(amp="off"), gpu) is None
    with pytest.raises(SettingsUnusable, match="bf16 is for GPUs"):
        precision(RunSettings(amp="bf16"), cpu)


def test_what_is_frozen_does_not_move_nor_does_its_batch_norm() -> None:
    of = learning.config(norm="batch")
    built = learning.engine(of, freeze="all", epochs=1)
    before = {k: v.clone() for k, v in built.model.state_dict().items()}
    after = built.train().state_dict()
    moved = {k for k, v in after.items() if not torch.equal(v, before[k])}
    assert not {k for k in moved if ".net" in k}
    assert {k.split(".")[1] for k in moved} == {"fusion", "branch_heads"}


def test_the_lower_layers_alone_can_be_frozen() -> None:
    of = learning.config(norm="batch")
    built = learning.engine(of, freeze="lower", epochs=1)
    before = {k: v.clone() for k, v in built.model.state_dict().items()}
    after = built.train().state_dict()
    moved = {k.split(".")[2] for k, v in after.items() if ".net" in k and not v.equal(before[k])}
    assert moved == {"layer3", "layer4"}


def test_norms_that_several_gpus_share_stand_still_where_they_are_frozen() -> None:
    class Sharing(Processes):
        @property
        def shares_norms(self) -> bool:
            return True

    alone = learning.engine(learning.config(norm="batch"), freeze="lower")
    sharing = Sharing(rank=0, count=1, device=torch.device("cpu"))
    built = Engine(alone.experiment, run=None, processes=sharing)
    set_training(built.model, built.frozen)
    norms = {
        name: module.training
        for name, module in built.model.named_modules()
        if isinstance(module, torch.nn.SyncBatchNorm)
    }
    lower = {name for name in norms if ".bn1" in name and "layer" not in name}
    lower |= {name for name in norms if ".layer1." in name or ".layer2." in name}
    assert len(lower) >= 9
    assert not any(norms[name] for name in lower)
    assert all(moving for name, moving in norms.items() if name not in lower)


@pytest.mark.parametrize("name", ["release", "paper", "small"])
def test_each_branch_keeps_the_epoch_at_which_it_was_best(name: str, tmp_path: Path) -> None:
    of = narrow(name)
    plain = replace(of.preprocessing, description=False, mask=False, context=None)
    of = replace(of, preprocessing=plain)
    with learning.folder(tmp_path) as run:
        built = learning.engine(
            of, run=run, validation=learning.NumberNodules(of, count=12), fused=False,
            decides=stage1.decides, weights=LossWeights(fused=0.0, alpha=1.0, beta=0.0),
            select="best", learning_rate=0.03, epochs=5,
        )  # fmt: skip
        validation = built.experiment.validation
        assert validation is not None
        built.train()
        epochs = run.rows("metrics.csv")
        kept = built._validate(validation)
    best_at = set()
    for scale in Scale:
        entropies = [row[f"validation_{scale}_ce"] for row in epochs]
        assert kept[f"validation_{scale}_ce"] == pytest.approx(min(entropies), abs=1e-5)
        best_at.add(int(np.argmin(entropies)))
    assert best_at != {0}, "or the weights of the first epoch would pass"


@pytest.mark.parametrize("name", ["release", "paper", "small"])
def test_all_that_a_branchs_loss_reaches_is_that_branchs(name: str) -> None:
    of = narrow(name)
    of = replace(of, preprocessing=replace(of.preprocessing, description=False, context=None))
    model = M3NetModel(build(of, seed=0))
    for scale, tensors in stage1.decides(model).items():
        model.zero_grad()
        inputs = dict(zip(Scale, noise(of, batch=2, seed=0), strict=True))
        model(inputs).branch_logits[Scale(scale)].sum().backward()
        reached = {n for n, p in model.network.named_parameters() if p.grad is not None}
        assert reached
        assert reached <= set(tensors)
        others = stage1.decides(model)
        assert not any(set(tensors) & set(t) for s, t in others.items() if s != scale)


def test_weight_decay_may_be_of_matrices_alone() -> None:
    for decay, spared in (("all", 0), ("matrices", None)):
        built = learning.engine(decay=decay)
        groups = built.optimizer.param_groups
        none = [p for group in groups if group["weight_decay"] == 0 for p in group["params"]]
        assert all(p.ndim <= 1 for p in none)
        assert (len(none) == spared) if spared is not None else none
        assert sum(len(group["params"]) for group in groups) == len(built.trained)


def test_without_freezing_batch_norm_moves() -> None:
    built = learning.engine(learning.config(norm="batch"), epochs=1)
    before = built.model.state_dict()["network.net64.bn1.running_mean"].clone()
    assert not built.train().state_dict()["network.net64.bn1.running_mean"].equal(before)


@pytest.mark.parametrize("step", [1, 3])
def test_a_run_that_goes_on_in_mid_epoch_gives_the_losses_of_an_unbroken_one(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with learning.folder(tmp_path / "whole") as run:
        learning.engine(run=run).train()
        expected = run.rows("losses.csv")

    class Killed(Exception):
        pass

    with learning.folder(tmp_path / "broken") as run:
        broken = learning.engine(run=run, checkpoint_every_steps=1)
        take_step = broken._step

        def until_killed(batches):
            if (broken.standing.epoch, broken.standing.step) == (1, step):
                raise Killed
            return take_step(batches)

        monkeypatch.setattr(broken, "_step", until_killed)
        with pytest.raises(Killed):
            broken.train()
        last = checkpoint.read(run.checkpoints / "last.pt")
        assert (last["epoch"], last["step"]) == (1, step)
        learning.engine(run=run, checkpoint_every_steps=1).train(last=last)
        found = run.rows("losses.csv")
    assert len(found) == len(expected)
    for row, unbroken in zip(found, expected, strict=True):
        assert row == pytest.approx(unbroken, abs=1e-5)


def test_rows_younger_than_the_checkpoint_are_written_once(tmp_path: Path) -> None:
    with learning.folder(tmp_path) as run:
        learning.engine(run=run).train()
        expected = (tmp_path / "losses.csv").read_text()
        with (tmp_path / "losses.csv").open("a") as file:
            file.write("1,3,0.5")
        run.forget_after(epoch=1, step=2)
        kept = [(row["epoch"], row["step"]) for row in run.rows("losses.csv")]
        assert kept == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]
        assert [row["epoch"] for row in run.rows("metrics.csv")] == [0]
    assert expected.startswith((tmp_path / "losses.csv").read_text())


def test_the_best_epoch_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    nodules = learning.NumberNodules(learning.config())
    with learning.folder(tmp_path) as run:
        built = learning.engine(
            run=run, validation=nodules, select="best", learning_rate=0.05, epochs=4
        )
        trained = built.train()
        best = min(row["validation_fused_ce"] for row in run.rows("metrics.csv"))
        assert built._validate(nodules)["validation_fused_ce"] == pytest.approx(best, rel=1e-4)
    assert not trained.training


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(SettingsUnusable, match="micro-batches of two nodules or more"):
        learning.engine(batch_size=4, accumulate=4)


def test_one_batch_at_least_is_needed() -> None:
    of = learning.config()
    with pytest.raises(ValueError, match="3 nodules to train on and batches of 4"):
        learning.engine(of, nodules=learning.NumberNodules(of, count=3))


def test_a_penalty_on_attention_takes_part_only_if_it_weighs() -> None:
    weights = replace(CE_ALONE, attention=0.0)
    built = learning.engine(weights=weights)
    inputs, target = next(iter(built._load(0, first=0)))[0]
    assert set(built._loss(inputs, target)) == {"CE_fused", "total"}


def test_steps_to_the_next_checkpoint_are_counted_over_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper's 57 steps an epoch never reach 100."""
    written: list[tuple[int, int]] = []

    def note(path: Path, content: dict[str, object]) -> None:
        written.append((content["epoch"], content["step"]))

    monkeypatch.setattr(checkpoint, "write", note)
    with learning.folder(tmp_path) as run:
        learning.engine(run=run, epochs=3, checkpoint_every_steps=5).train()
    assert written == [(1, 0), (1, 1), (2, 0), (2, 2), (3, 0)]


def test_every_epoch_is_a_line_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodules = learning.NumberNodules(learning.config())
    with learning.folder(tmp_path / "of-these") as run:
        learning.engine(run=run, validation=nodules, weights=CE_ALONE).train()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("  ")[0] for line in lines] == [
        "of-these: epoch 1/2",
        "of-these: epoch 2/2",
    ]
    assert all("loss 0." in line and "fused AUC " in line for line in lines)


def test_lines_end_alike_in_a_run_that_went_on(tmp_path: Path) -> None:
    with learning.folder(tmp_path) as run:
        learning.engine(run=run, epochs=1).train()
        last = checkpoint.read(run.checkpoints / "last.pt")
        learning.engine(run=run, epochs=2).train(last=last)
        run.write_table("test.csv", [{"name": "n0"}])
    for name in ("losses.csv", "metrics.csv", "test.csv"):
        assert b"\r" not in (tmp_path / name).read_bytes(), name


def test_nodules_are_judged_in_batches_as_they_are_alone() -> None:
    of = learning.config()
    nodules = learning.NumberNodules(of, count=11)
    together = predict(nodules, engine=learning.engine(of))
    alone = predict(nodules, engine=learning.engine(of, batch_size=2))
    assert list(together) == ["fused", "micro", "meso", "macro"]
    assert together["fused"].shape == (11,)
    assert len(set(together["fused"])) == 11
    for output, p in together.items():
        assert p == pytest.approx(alone[output], abs=1e-6)
