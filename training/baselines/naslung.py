"""NASLung: searched residual stages with attention (Jiang et al. 2021, section 3).

The published training runs the stages [[64, 64, 64], [128, 128, 256], [256, 256, 256, 512]]; with
these it has Table 7's 28.456 M parameters.  Attention: Woo et al. 2018 (CBAM) in 3D; the decision
is that of Liu et al. 2017 (A-Softmax).  Written from the papers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

Stages = tuple[tuple[int, ...], ...]

PUBLISHED: Stages = ((64, 64, 64), (128, 128, 256), (256, 256, 256, 512))


class AttentionGate(nn.Module):
    """Which channels, then which places; what passes is added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, width // 4, bias=False)
        self.excite = nn.Linear(width // 4, width, bias=False)
        self.place = nn.Conv3d(2, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, d, h, w) -> the same."""
        pooled = torch.stack([x.mean((2, 3, 4)), x.amax((2, 3, 4))])  # (2, B, C)
        weight = self.excite(self.squeeze(pooled)).sum(0).softmax(1)  # (B, C)
        y = x * weight[:, :, None, None, None]  # (B, C, d, h, w)
        y = torch.cat([y.amax(1, keepdim=True), y.mean(1, keepdim=True)], dim=1)  # (B, 2, d, h, w)
        return x + x * torch.sigmoid(self.place(y))  # (B, C, d, h, w)


class ResidualBlock(nn.Module):
    """Two 3x3x3 units beside one 1x1x1 unit."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_unit(width_in, width, 3), _unit(width, width, 3))
        self.shortcut = _unit(width_in, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, d, h, w) -> (B, C, d, h, w)."""
        return self.body(x) + self.shortcut(x)  # type: ignore[no-any-return]  # nn.Module call


class AngularHead(nn.Module):
    """|x| cos(angle between x and each class): the logits of A-Softmax without its margin."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, 2).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) -> (B, 2)."""
        return x @ functional.normalize(self.weight, dim=0)  # (B, 2)


class NASLung(nn.Module):
    """(B, 1, D, H, W) -> logits (B, 2)."""

    def __init__(self, stages: Stages = PUBLISHED, *, stem: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = [_unit(1, stem, 3), _unit(stem, stem, 3), AttentionGate(stem)]
        width = stem
        for stage in stages:
            layers.append(_unit(width, width, 3, stride=2, bias=False))
            for width_out in stage:
                layers.append(ResidualBlock(width, width_out))
                width = width_out
            layers.append(AttentionGate(width))
        self.layers = nn.Sequential(*layers)
        self.head = AngularHead(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, D, H, W) -> (B, 2)."""
        x = self.layers(x)  # (B, 512, D / 8, H / 8, W / 8)
        return self.head(x.mean((2, 3, 4)))  # type: ignore[no-any-return]  # nn.Module call


def _unit(
    width_in: int, width: int, kernel: int, *, stride: int = 1, bias: bool = True
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(width_in, width, kernel, stride=stride, padding=kernel // 2, bias=bias),
        nn.BatchNorm3d(width),
        nn.ReLU(),
    )
