"""Networks narrow enough to train in seconds, and volumes small enough to read."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from m3net.config import Branch, ConvNeXt2D, M3NetConfig, ResNet3D, preset
from m3net.network import M3Net
from m3net.nodule import Mask, Nodule, Point
from m3net.scales import Scale, ScaleSpec
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume

SIDES = {Scale.MICRO: 8, Scale.MESO: 12, Scale.MACRO: 16}
DEPTH = 8


def narrow(name: str) -> M3NetConfig:
    """A preset whose patches are 8 x (8, 12, 16) and whose encoders have a few channels."""
    full = preset(name)

    def thin(branch: Branch, side: int) -> Branch:
        match branch.encoder:
            case ConvNeXt2D():
                encoder: ConvNeXt2D | ResNet3D = replace(
                    branch.encoder, depths=(1, 1, 1, 1), widths=(8, 16, 16, 16), grid=16
                )
                tokens = (1, 2, 2)
            case ResNet3D():
                encoder = replace(
                    branch.encoder,
                    depths=(1, 1, 1, 1),
                    widths=(8, 8, 16, 16),
                    stem_kernel=3,
                    stem_stride=(1, 1, 1),
                    stem_pool=False,
                    explained_stage=3,
                )
                tokens = (1, 2, 2)
        return Branch(patch=ScaleSpec(size=(DEPTH, side, side)), encoder=encoder, tokens=tokens)

    return replace(
        full,
        micro=thin(full.micro, SIDES[Scale.MICRO]),
        meso=thin(full.meso, SIDES[Scale.MESO]),
        macro=thin(full.macro, SIDES[Scale.MACRO]),
        fusion=replace(full.fusion, dim=16, heads=2, feedforward=32, head_width=16),
    )


def noise(config: M3NetConfig, *, batch: int, seed: int) -> list[torch.Tensor]:
    """Patches (B, C, D, H, W) of standard normal numbers, micro, meso, macro."""
    generator = torch.Generator().manual_seed(seed)
    channels = config.preprocessing.channels
    return [
        torch.randn((batch, channels, *config.branch(s).patch.size), generator=generator)
        for s in Scale
    ]


def learn(network: M3Net, *, scale: Scale, steps: int, seed: int) -> float:
    """Train on a label that shows in one scale alone; the accuracy on new samples.

    A malignant sample has a bright cube in that scale's patch; the other scales are noise.
    Seeds the global random state, from which dropout draws.
    """
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)

    def sample(batch: int, seed: int) -> tuple[list[torch.Tensor], torch.Tensor]:
        patches = noise(network.config, batch=batch, seed=seed)
        label = torch.arange(batch) % 2
        marked = patches[list(Scale).index(scale)]
        marked[label == 1, 0, 2:6, 2:6, 2:6] += 3.0
        return patches, label

    network.train()
    for step in range(steps):
        patches, label = sample(16, seed * 1000 + step)
        loss = torch.nn.functional.cross_entropy(network(*patches), label)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    network.eval()
    with torch.no_grad():
        patches, label = sample(64, seed * 1000 + 999)
        return float((network(*patches).argmax(1) == label).float().mean())


def volume_of(
    hu: NDArray[np.int16], affine: NDArray[np.float64], *, missing: Sequence[int] = ()
) -> CTVolume:
    """A CT of these voxels."""
    return CTVolume(
        hu=hu,
        affine=affine,
        study_instance_uid=StudyInstanceUID("1.2.3"),
        series_instance_uid=SeriesInstanceUID("1.2.3.4"),
        frame_of_reference_uid=FrameOfReferenceUID("1.2.3.5"),
        frames=[None] * hu.shape[0],
        missing=frozenset(missing),
    )


def nodule_at(
    centre_mm: Sequence[float], *, diameter_mm: float | None = None, mask: Mask | None = None
) -> Nodule:
    """A nodule with nothing else to say."""
    x, y, z = (float(c) for c in centre_mm)
    centre: Point = (x, y, z)
    return Nodule(
        centre_mm=centre,
        mask=mask,
        diameter_mm=diameter_mm,
        tracking_uid="1.2.3.6",
        tracking_id="Nodule 1",
        sources=(),
    )
