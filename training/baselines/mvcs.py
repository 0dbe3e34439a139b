"""MVCS: multi-view coupled self-attention (Zhu et al. 2022, section 3).

Each of the three views takes one axis as its slices and the other two as its images: attention
between the pixels of a slice, between its channels, and between the slices.  The views are added.
Written from the paper; with these widths it has Table 7's 98.987 M parameters.
"""

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

VIEWS = ((0, 2, 1, 3, 4), (0, 3, 1, 2, 4), (0, 4, 1, 2, 3))
"""(B, C, z, y, x) -> (B, slices, C, ., .) of the axial, the coronal and the sagittal view."""

BACK = ((0, 2, 1, 3, 4), (0, 2, 3, 1, 4), (0, 2, 3, 4, 1))
"""The inverse of each."""


class ViewAttention(nn.Module):
    """Pixels, channels and slices of one view."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = width**-0.5
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.slices_qk = nn.Conv3d(width, 2 * width, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, C, H, W) -> the same."""
        batch, slices, width, height, breadth = x.shape
        q, k, v = self.qkv(x.flatten(0, 1)).flatten(2).chunk(3, dim=1)  # each (BS, C, HW)
        pixels = ((q.transpose(1, 2) @ k) * self.scale).softmax(-1)  # (BS, HW, HW)
        channels = ((q @ k.transpose(1, 2)) * self.scale).softmax(-1)  # (BS, C, C)
        y = v @ pixels.transpose(1, 2) + channels @ v  # (BS, C, HW)
        y = y.view(batch, slices, width, height, breadth).transpose(1, 2)  # (B, C, S, H, W)
        q, k = self.slices_qk(y).transpose(1, 2).chunk(2, dim=2)  # each (B, S, C, H, W)
        between = (q.flatten(2) @ k.flatten(2).transpose(1, 2)).softmax(-1)  # (B, S, S)
        y = between @ v.reshape(batch, slices, -1)  # (B, S, CHW)
        return cast(Tensor, y.view(x.shape))  # (B, S, C, H, W)


class CoupledAttention(nn.Module):
    """The sum of the three views."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.views = nn.ModuleList(ViewAttention(width) for _ in VIEWS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> the same."""
        seen = [
            view(x.permute(there).contiguous()).permute(back)
            for view, there, back in zip(self.views, VIEWS, BACK, strict=True)
        ]
        return cast(Tensor, seen[0] + seen[1] + seen[2])  # (B, C, D, H, W)


class Stage(nn.Module):
    """Two blocks (1x1x1, attention, twice 3x3x3) and a 1x1x1 shortcut around both."""

    def __init__(self, width_in: int, width: int, *, attention: bool) -> None:
        super().__init__()
        blocks = [
            nn.Sequential(
                _unit(start, width, 1),
                CoupledAttention(width) if attention else nn.Identity(),
                _unit(width, width, 3),
                _unit(width, width, 3),
            )
            for start in (width_in, width)
        ]
        self.body = nn.Sequential(blocks[0], nn.Dropout(0.2), blocks[1])
        self.shortcut = _unit(width_in, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, d, h, w) -> (B, C, d, h, w)."""
        return cast(Tensor, self.body(x) + self.shortcut(x))


class MVCS(nn.Module):
    """(B, 1, D, H, W) -> logits (B, 2)."""

    def __init__(self, *, base: int = 64) -> None:
        super().__init__()
        self.stem = _unit(1, base, 3)
        widths = (base, 2 * base, 4 * base, 8 * base, 8 * base)
        self.stages = nn.ModuleList(
            Stage(width_in, width, attention=i > 0)
            for i, (width_in, width) in enumerate(pairwise(widths))
        )
        self.head = nn.Sequential(nn.Linear(8 * base, 4 * base), nn.GELU(), nn.Linear(4 * base, 2))
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, D, H, W) -> (B, 2)."""
        x = self.stem(x)  # (B, 64, D, H, W)
        for stage in self.stages:
            x = stage(functional.avg_pool3d(x, 2))  # (B, C, D / 2, H / 2, W / 2), ... / 16
        return cast(Tensor, self.head(x.amax((2, 3, 4))))  # (B, 2)


def _unit(width_in: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(width_in, width, kernel, padding=kernel // 2, bias=False),
        nn.InstanceNorm3d(width, affine=True),
        nn.GELU(),
    )
