"""What one decision is averaged over: the nodule as it is, and its mirror images.

A nodule has no handedness, so a network should say the same of its mirror image; where it does not
quite, the mean is the better answer, and the mean of the maps, each mirrored back, the finer one:
the cells of a mirrored map lie between those of the first.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from m3net.scales import Scale

MIRRORED_ALONG = (1, 2, 3)
"""z, y and x of (B, D, H, W)."""


def mirrorings_of(patches: Mapping[Scale, Tensor], *, mirrored: bool) -> dict[Scale, Tensor]:
    """All mirrorings of B nodules as one batch: (B, C, D, H, W) -> (M * B, C, D, H, W).

    M is 4 for a `mirrored` model: the patches, then their images along z, along y and along x.
    """
    if not mirrored:
        return dict(patches)
    return {
        scale: torch.cat([x, *(x.flip(axis + 1) for axis in MIRRORED_ALONG)])
        for scale, x in patches.items()
    }


def mean_logits(logits: Tensor, *, nodules: int) -> Tensor:
    """The decisions on all mirrorings -> the decision: (M * B, 2) -> (B, 2)."""
    return logits.view(-1, nodules, 2).mean(0)


def mean_map(maps: Tensor, *, nodules: int) -> Tensor:
    """The mean of the maps, each mirrored back: (M * B, D, H, W) -> (B, D, H, W)."""
    first, *images = maps.view(-1, nodules, *maps.shape[1:])  # (B, D, H, W) each
    back = [image.flip(axis) for image, axis in zip(images, MIRRORED_ALONG, strict=False)]
    return torch.stack([first, *back]).mean(0)
