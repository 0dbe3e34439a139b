"""Networks that were trained apart, and the experts beside them, as one that decides."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from m3net.appearance import Appearance
from m3net.config import M3NetConfig
from m3net.expert import KernelExpert
from m3net.mirrorings import mean_logits, mirrorings_of
from m3net.network import Committee, Network, network_of
from m3net.scales import Scale
from training.data.nodules import Nodules, Subset


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteeFiles:
    """Where the tensors of each network lie, and of the experts if there are any."""

    members: Sequence[Path]
    expert: Path | None = None
    appearance: Path | None = None


def load_committee(config: M3NetConfig, files: CommitteeFiles) -> Network:
    """All of them, in eval mode; one network without an expert is the network itself.

    config : of each member; how many there are, and what the experts remember, is as the files say
    """
    expert = {} if files.expert is None else load_file(files.expert)
    made = replace(
        config,
        members=len(files.members),
        remembered=len(expert["centres"]) if expert else 0,
        appearance=files.appearance is not None,
    )
    network = network_of(made)
    members: Sequence[Network] = [network]
    if isinstance(network, Committee):
        members = network.networks
    for member, file in zip(members, files.members, strict=True):
        member.load_state_dict(load_file(file))
    if isinstance(network, Committee) and network.expert is not None:
        network.expert.load_state_dict(expert)
    if isinstance(network, Committee) and network.appearance is not None:
        network.appearance.load_state_dict(load_file(cast(Path, files.appearance)))
    network.eval()
    return network


def save_expert(expert: KernelExpert | Appearance, file: Path) -> None:
    """The expert's tensors, as `load_committee` reads them; whole, or not there."""
    unfinished = file.with_suffix(".part")
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous() for n, t in expert.state_dict().items()}, unfinished)
    os.replace(unfinished, file)


def margins_of(
    committee: Network, nodules: Nodules, *, batch_size: int = 32
) -> NDArray[np.float64]:
    """Logit of malignant minus that of benign, of each nodule as served, in fp32: (N,)."""
    found = []
    for start in range(0, len(nodules.labels), batch_size):
        indices = range(start, min(start + batch_size, len(nodules.labels)))
        items = [nodules.item(index, None) for index in indices]
        patches: dict[Scale, Tensor] = {
            scale: torch.stack([item[scale] for item in items]) for scale in committee.config.scales
        }  # (B, C, D, H, W)
        mirrorings = mirrorings_of(patches, mirrored=committee.config.mirrored)
        repeats = len(next(iter(mirrorings.values()))) // len(items)
        description = None
        if committee.config.preprocessing.description:
            numbers = torch.stack([item["description"] for item in items])  # (B, N)
            numbers = committee.described(numbers, [item.get("slices") for item in items])
            description = numbers.repeat(repeats, 1)  # (M * B, N or more)
        with torch.no_grad():
            outputs = committee.upper(committee.lower(mirrorings), description=description)
        logits = mean_logits(outputs.logits, nodules=len(items))  # (B, 2)
        found.append((logits[:, 1] - logits[:, 0]).numpy())
    return np.concatenate(found).astype(np.float64)


def out_of_fold_margins(
    nodules: Nodules,
    *,
    folds: NDArray[np.int_],
    committees: Mapping[int, CommitteeFiles],
    config: M3NetConfig,
) -> NDArray[np.float64]:
    """The margin of each nodule by the committee that did not see it: (N,)."""
    margins = np.full(len(folds), np.nan)
    for fold, files in committees.items():
        test = np.flatnonzero(folds == fold)
        committee = load_committee(config, files)
        margins[test] = margins_of(committee, Subset(nodules, test.tolist()))
    return margins
