"""DeepLung's classifier: a 3D dual path network of 92 layers (Zhu et al. 2018, section 3.2).

Chen et al. 2017: every block's output is split; the first part is added to the shortcut (residual
path), the rest is appended to it (dense path).  Written from the papers; the widths are those of
DPN-92 with the growths that the DeepLung authors published (16, 32, 24, 128).
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Four = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DualPath:
    """Per stage: bottleneck width, residual width, blocks, growth of the dense path."""

    stem: int = 64
    bottleneck: Four = (96, 192, 384, 768)
    residual: Four = (256, 512, 1024, 2048)
    blocks: Four = (3, 4, 20, 3)
    growth: Four = (16, 32, 24, 128)
    groups: int = 32


class DualPathBlock(nn.Module):
    """1x1x1, grouped 3x3x3, 1x1x1; what comes out is `residual` + `growth` channels wide."""

    def __init__(
        self,
        *,
        width_in: int,
        bottleneck: int,
        residual: int,
        growth: int,
        groups: int,
        stride: int,
    ) -> None:
        """`stride` 0: not the first block of its stage, the shortcut is the input itself."""
        super().__init__()
        self.residual = residual
        width = residual + growth
        self.body = nn.Sequential(
            nn.Conv3d(width_in, bottleneck, 1, bias=False),
            nn.BatchNorm3d(bottleneck),
            nn.ReLU(),
            nn.Conv3d(
                bottleneck,
                bottleneck,
                3,
                stride=max(stride, 1),
                padding=1,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm3d(bottleneck),
            nn.ReLU(),
            nn.Conv3d(bottleneck, width, 1, bias=False),
            nn.BatchNorm3d(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride:
            self.shortcut = nn.Sequential(
                nn.Conv3d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm3d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, d, h, w) -> (B, C_in + growth or residual + 2 growth, d', h', w')."""
        y, x = self.body(x), self.shortcut(x)
        r = self.residual
        return functional.relu(torch.cat([x[:, :r] + y[:, :r], x[:, r:], y[:, r:]], dim=1))


class DeepLung(nn.Module):
    """(B, 1, D, H, W) -> logits (B, 2)."""

    def __init__(self, config: DualPath) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(1, config.stem, 3, padding=1, bias=False),
            nn.BatchNorm3d(config.stem),
            nn.ReLU(),
        )
        width, stages = config.stem, []
        for stage in range(4):
            residual, growth = config.residual[stage], config.growth[stage]
            for block in range(config.blocks[stage]):
                first = 2 if stage else 1
                stages.append(
                    DualPathBlock(
                        width_in=width,
                        bottleneck=config.bottleneck[stage],
                        residual=residual,
                        growth=growth,
                        groups=config.groups,
                        stride=0 if block else first,
                    )
                )
                width = residual + (block + 2) * growth
        self.blocks = nn.Sequential(*stages)
        self.fc = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, D, H, W) -> (B, 2)."""
        x = self.blocks(self.stem(x))  # (B, 2560, D / 8, H / 8, W / 8)
        return cast(Tensor, self.fc(x.mean((2, 3, 4))))  # (B, 2)
