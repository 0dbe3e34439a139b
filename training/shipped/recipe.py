"""How the weights that ship with the node are made: `small` on cut-outs, several seeds, five folds.

Nothing is chosen on a test fold: settings stand here, epochs are fixed, calibration is fitted on
the other folds, and the shipped weights are trained on all nodules by the same recipe.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from m3net.config import SMALL, M3NetConfig, ResNet3D
from m3net.description import BASIC
from m3net.expert import KernelExpert
from m3net.network import M3Net, Outputs, build
from m3net.scales import Scale
from m3net.views import mean_logits, views_of
from training.data.variants import Sample, Variants
from training.learn.losses import Criterion, LossWeights
from training.shipped.committee import CommitteeFiles, load_committee
from training.shipped.expert import fit_expert

Indices = NDArray[np.intp]


PLAIN = replace(
    SMALL,
    preset="plain 3D ResNet-18",
    scales=(Scale.MESO,),
    meso=replace(
        SMALL.meso,
        encoder=ResNet3D(depths=(2, 2, 2, 2), stem_stride=(2, 2, 2), explained_stage=2),
    ),
    fusion=replace(SMALL.fusion, kind="branch"),
    preprocessing=replace(SMALL.preprocessing, description=False),
)
"""What ours is compared with: the usual network, on the same meso cube, outline included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One member's training.

    margin, spread : the target is sigmoid((mean score - margin) / spread), the chance that another
                     panel's mean would be above 3
    """

    epochs: int = 16
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    warmup_share: float = 0.15
    clip_norm: float = 5.0
    margin: float = 3.1
    spread: float = 0.5
    losses: LossWeights = field(default_factory=lambda: LossWeights(alpha=0.3, beta=0.0))


def panel_probability(mean_scores: NDArray[np.float64], recipe: Recipe) -> NDArray[np.float32]:
    """What the network is to say of nodules with these mean scores."""
    return np.asarray(1 / (1 + np.exp((recipe.margin - mean_scores) / recipe.spread)), np.float32)


def describe_standard(network: M3Net, variants: Variants, train: Indices) -> None:
    """The network's standard for descriptions becomes the training nodules' as they are."""
    if not network.config.preprocessing.description:
        return
    numbers = variants.description[0, train, : len(BASIC)]
    state = network.state_dict()
    state["fusion.description.mean"] = torch.from_numpy(numbers.mean(axis=0))
    state["fusion.description.deviation"] = torch.from_numpy(numbers.std(axis=0) + 1e-6)
    network.load_state_dict(state)


def train_member(
    variants: Variants,
    *,
    mean_scores: NDArray[np.float64],
    train: Indices,
    recipe: Recipe,
    seed: int,
    config: M3NetConfig = SMALL,
) -> M3Net:
    """A network trained on these nodules; the same seed gives the same network."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = build(config, seed=seed)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch
    describe_standard(network, variants, train)
    criterion = Criterion(recipe.losses)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
    )
    batches = len(train) // recipe.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate,
        total_steps=recipe.epochs * batches,
        pct_start=recipe.warmup_share,
    )
    targets = panel_probability(mean_scores, recipe)
    for _ in range(recipe.epochs):
        network.train()
        order = random.permutation(train)
        for number in range(batches):
            chosen = order[number * recipe.batch_size : (number + 1) * recipe.batch_size]
            outputs = _forward(network, *_draw(variants, chosen, random))
            terms = criterion(
                target=torch.from_numpy(targets[chosen]),
                fused_logits=outputs.logits,
                branch_logits=outputs.branch_logits,
                latent=outputs.latents,
            )
            optimizer.zero_grad(set_to_none=True)
            terms["total"].backward()
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
            optimizer.step()
            schedule.step()
    network.eval()
    return network


def _draw(
    variants: Variants, chosen: Indices, random: np.random.Generator
) -> tuple[dict[Scale, Tensor], Tensor]:
    """A variant of each nodule, the whole batch mirrored and turned by quarters on top."""
    count = len(variants.description)
    which = random.integers(1, count, len(chosen))
    axes = [axis + 2 for axis in range(3) if random.random() < 0.5]
    quarters = int(random.integers(4))
    inputs = {}
    for scale, stored in variants.inputs.items():
        x = torch.from_numpy(np.stack([stored[v, i] for v, i in zip(which, chosen, strict=True)]))
        inputs[scale] = torch.rot90(x.flip(axes), quarters, (3, 4))
    return inputs, torch.from_numpy(variants.description[which, chosen])


def _forward(network: M3Net, inputs: dict[Scale, Tensor], description: Tensor) -> Outputs:
    """Stored bytes (B, C, D, H, W) -> outputs.

    The stages up to the explained one run in bfloat16.  Those after it do not: on maps of
    2 x 2 x 2, oneDNN's weight gradient in bfloat16 has been seen to hold uninitialised numbers
    (torch 2.13, AVX-512).
    """
    patches = {
        scale: x.float().div(255).contiguous(memory_format=torch.channels_last_3d)
        for scale, x in inputs.items()
    }
    with torch.autocast("cpu", torch.bfloat16):
        activations = network.lower(patches)
    return network.upper({s: a.float() for s, a in activations.items()}, description=description)


def stored(variants: Variants, nodules: Indices) -> Iterable[Sample]:
    """Variant 0 of these nodules."""
    for nodule in nodules:
        yield Sample(
            inputs={scale: array[0, nodule] for scale, array in variants.inputs.items()},
            description=variants.description[0, nodule],
        )


def margins_of(
    committee: M3Net, samples: Iterable[Sample], *, batch_size: int = 32
) -> NDArray[np.float64]:
    """Logit of malignant minus that of benign, in fp32: (N,)."""
    found = []
    waiting = iter(samples)
    while batch := list(islice(waiting, batch_size)):
        patches = {
            scale: torch.from_numpy(np.stack([s.inputs[scale] for s in batch])).float().div(255)
            for scale in committee.config.scales
        }
        description = torch.from_numpy(np.stack([s.description for s in batch]))
        views = views_of(patches, mirrored=committee.config.mirrored)
        repeats = len(next(iter(views.values()))) // len(batch)
        with torch.no_grad():
            outputs = committee.upper(
                committee.lower(views), description=description.repeat(repeats, 1)
            )
        logits = mean_logits(outputs.logits, nodules=len(batch))
        found.append((logits[:, 1] - logits[:, 0]).numpy())
    return np.concatenate(found).astype(np.float64)


def save_part(part: nn.Module, file: Path) -> None:
    """A member's or an expert's tensors, as `load_committee` reads them; whole, or not there."""
    unfinished = file.with_suffix(".part")
    save_file({n: t.contiguous() for n, t in part.state_dict().items()}, unfinished)
    os.replace(unfinished, file)


def train_expert(
    variants: Variants,
    *,
    mean_scores: NDArray[np.float64],
    patients: NDArray[np.str_],
    train: Indices,
    recipe: Recipe,
) -> KernelExpert:
    """An expert on the descriptions of these nodules as they are."""
    targets = panel_probability(mean_scores, recipe)
    return fit_expert(variants.description[0, train], targets[train], patients[train].tolist())


def out_of_fold_margins(
    variants: Variants,
    *,
    folds: NDArray[np.int_],
    committees: Mapping[int, CommitteeFiles],
    config: M3NetConfig,
) -> NDArray[np.float64]:
    """The margin of each nodule by the committee that did not see it: (N,)."""
    margins = np.full(len(folds), np.nan)
    for fold, files in committees.items():
        test = np.flatnonzero(folds == fold)
        margins[test] = margins_of(load_committee(config, files), stored(variants, test))
    return margins
