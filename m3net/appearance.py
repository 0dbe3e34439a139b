"""An expert that judges by how a nodule looks on slices to an encoder that learnt from photographs.

With few hundred nodules to learn from, a network does not come to see edges and textures as well as
one that saw a million photographs.  So its frozen features, pooled over the nodule, about it and at
their strongest, are compared with those of the training nodules, as the measurements are
(`m3net.expert`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from m3net.efficientnet import STRIDE, WIDTH, EfficientNetLite0
from m3net.expert import KernelExpert

CUBES = 2
POOLED = ("mean inside", "most inside", "mean about")
NUMBERS = CUBES * len(POOLED) * WIDTH
"""672."""

WINDOW_HU = (-1000.0, 400.0)
"""To -1 and 1, as the encoder knows its grey values; clipped."""

SHELL = 16
"""Pixels about the outline."""


class Appearance(nn.Module):
    """`appearance(numbers)` -> margin: the logit of p(malignant), NaN where it abstains."""

    def __init__(self, remembered: int) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0()
        self.expert = KernelExpert(remembered, numbers=NUMBERS)

    def numbers(self, slices: Tensor) -> Tensor:
        """`m3net.slices` of B nodules (B, 10, 2, 160, 160) -> what is seen of them (B, 672)."""
        flat = slices.flatten(0, 1)  # (B * 10, 2, 160, 160)
        low, high = WINDOW_HU
        grey = ((flat[:, :1] - low) / (high - low)).clamp(0, 1) * 2 - 1  # (B * 10, 1, 160, 160)
        seen = self.encoder(grey.expand(-1, 3, -1, -1))  # (B * 10, 112, 10, 10)
        inside = (flat[:, 1:] >= 0.5).float()  # (B * 10, 1, 160, 160)
        near = functional.max_pool2d(inside, (2 * SHELL + 1, 1), 1, (SHELL, 0))  # (B * 10, 1, ...)
        near = functional.max_pool2d(near, (1, 2 * SHELL + 1), 1, (0, SHELL))  # (B * 10, 1, ...)
        own = functional.avg_pool2d(inside, STRIDE)  # (B * 10, 1, 10, 10)
        about = functional.avg_pool2d(near - inside, STRIDE)  # (B * 10, 1, 10, 10)
        most = torch.where(own > 0, seen, -torch.inf).amax((2, 3))  # (B * 10, 112)
        pooled = torch.stack(
            [_mean(seen, own), torch.where(most.isfinite(), most, 0.0), _mean(seen, about)], dim=1
        )  # (B * 10, 3, 112)
        each = pooled.view(len(slices), CUBES, -1, *pooled.shape[1:])  # (B, 2, 5, 3, 112)
        return each.mean(2).flatten(1)  # (B, 672)

    def forward(self, numbers: Tensor) -> Tensor:
        """What `numbers` gives (B, 672), NaN where unknown -> (B,)."""
        margin: Tensor = self.expert(numbers)  # (B,)
        return margin


def _mean(seen: Tensor, weights: Tensor) -> Tensor:
    """(B, C, h, w), (B, 1, h, w) -> (B, C); 0 where nothing has a weight."""
    total = weights.sum((2, 3)).clamp_min(1e-6)  # (B, 1)
    return (seen * weights).sum((2, 3)) / total  # (B, C)
