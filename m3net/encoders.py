"""The scale encoders: a patch in, its features F_s (eq. 2) and the map they are pooled from.

Both kinds offer the same steps, so that Grad-CAM can cut the graph between the first two and the
fusion can take what it needs::

    lower(x) -> activation -> upper(a) -> feature map -> features(m) -> F_s -> logits(f)
                                                     `-> tokens(m)

Feature maps are always (B, C, d, h, w); the 2D encoder's have d = 1.  Modules bear the names of the
authors' checkpoints, so that these load without renaming.
Liu et al. 2022 (ConvNeXt), He et al. 2016 (ResNet); written from the papers.
"""

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from m3net.config import ConvNeXt2D, Encoder, ResNet3D, Size3

AxisMap = tuple[float, float]
"""(stride, offset): element i of an axis is centred on input voxel stride * i + offset."""


class ScaleEncoder(nn.Module, ABC):
    """What network and Grad-CAM need of an encoder.

    width       : C_s, the number of features
    has_depth   : whether the feature map has a depth axis
    target_axes : where the elements of the activation stand in the patch, along z, y, x
    """

    width: int
    has_depth: bool
    target_axes: tuple[AxisMap, AxisMap, AxisMap]

    @abstractmethod
    def lower(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> the activation that Grad-CAM looks at, some stages before the last."""

    @abstractmethod
    def upper(self, activation: Tensor) -> Tensor:
        """The rest of the way -> last feature map (B, C_s, d, h, w)."""

    @abstractmethod
    def features(self, feature_map: Tensor) -> Tensor:
        """F_s (eq. 2): (B, C_s)."""

    @abstractmethod
    def logits(self, features: Tensor) -> Tensor:
        """The branch's own decision on F_s (eq. 3): (B, 2), benign first."""

    def tokens(self, feature_map: Tensor, grid: Size3) -> Tensor:
        """One vector per place of `grid`: (B, L, C_s), z slowest."""
        if tuple(feature_map.shape[2:]) != grid:
            feature_map = functional.adaptive_avg_pool3d(feature_map, grid)  # (B, C_s, *grid)
        return feature_map.flatten(2).transpose(1, 2)  # (B, L, C_s)

    @abstractmethod
    def parts(self) -> list[nn.Module]:
        """Stem and stages, from the input upwards: what is frozen when the lower layers are."""

    def forward(self, x: Tensor) -> Tensor:
        """The branch alone: (B, C, D, H, W) -> logits (B, 2)."""
        activation = self.lower(x)  # (B, c, d, h, w)
        feature_map = self.upper(activation)  # (B, C_s, d', h', w')
        return self.logits(self.features(feature_map))  # (B, 2)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        y = super().forward(x.permute(0, 2, 3, 1))  # (B, H, W, C)
        return y.permute(0, 3, 1, 2)  # (B, C, H, W)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, LayerNorm, inverted bottleneck, layer scale, residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))
        self.conv_dw = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        y = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))  # (B, H, W, C)
        y = functional.gelu(self.mlp["fc1"](y))  # (B, H, W, 4C)
        y = self.gamma * self.mlp["fc2"](y)  # (B, H, W, C)
        return cast(Tensor, x + y.permute(0, 3, 1, 2))  # (B, C, H, W)


class ConvNeXtStage(nn.Module):
    """Halve the grid (but for the first stage), then `depth` blocks."""

    def __init__(self, *, width_in: int, width: int, depth: int, halve: bool) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if halve:
            self.downsample = nn.Sequential(
                ChannelNorm(width_in, eps=1e-6), nn.Conv2d(width_in, width, 2, stride=2)
            )
        self.blocks = nn.Sequential(*(ConvNeXtBlock(width) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C, H / 2, W / 2)."""
        x = self.downsample(x)  # (B, C, H / 2, W / 2)
        return cast(Tensor, self.blocks(x))  # (B, C, H / 2, W / 2)


class ConvNeXtEncoder(ScaleEncoder):
    """X32 as published: the slices are channels, so the map has no depth axis."""

    has_depth = False

    def __init__(self, config: ConvNeXt2D, *, channels: int, size: Size3, classifier: bool) -> None:
        """`channels` of a voxel, patches of `size` (D, H, W); `classifier`: its own, or none."""
        super().__init__()
        widths = config.widths
        self.width = widths[-1]
        self.grid = config.grid
        self.stem = nn.ModuleDict(
            {
                "conv": nn.Conv2d(channels * size[0], widths[0], 1),
                "norm": ChannelNorm(widths[0], eps=1e-6),
            }
        )
        self.stages = nn.ModuleList(
            ConvNeXtStage(width_in=widths[max(i - 1, 0)], width=w, depth=d, halve=i > 0)
            for i, (w, d) in enumerate(zip(widths, config.depths, strict=True))
        )
        self.clf = nn.ModuleDict({"norm": nn.LayerNorm(self.width, eps=1e-6)})
        if classifier:
            self.clf["fc"] = nn.Linear(self.width, 2)
        # two halvings by 2x2 blocks: element i of 14 covers four of the 56 by 56 grid, whose
        # corners are the patch's corners
        y, x = ((side - 1) / (config.grid - 1) for side in size[1:])
        self.target_axes = ((1.0, (size[0] - 1) / 2), (4 * y, 1.5 * y), (4 * x, 1.5 * x))
        self.apply(_truncated_normal)

    def lower(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> (B, c, 1, 14, 14)."""
        x = x.flatten(1, 2)  # (B, C * D, H, W)
        size = (self.grid, self.grid)
        x = functional.interpolate(x, size, mode="bilinear", align_corners=True)  # (B, CD, 56, 56)
        x = self.stem["norm"](self.stem["conv"](x))  # (B, 128, 56, 56)
        for stage in self.stages[:-1]:
            x = stage(x)  # (B, 128, 56, 56), (B, 256, 28, 28), (B, 512, 14, 14)
        return x.unsqueeze(2)  # (B, 512, 1, 14, 14)

    def upper(self, activation: Tensor) -> Tensor:
        """(B, c, 1, 14, 14) -> (B, C_s, 1, 7, 7)."""
        return cast(Tensor, self.stages[-1](activation.squeeze(2))).unsqueeze(
            2
        )  # (B, C_s, 1, 7, 7)

    def features(self, feature_map: Tensor) -> Tensor:
        """Pooled, then normed: (B, C_s)."""
        return cast(Tensor, self.clf["norm"](feature_map.mean((2, 3, 4))))  # (B, C_s)

    def tokens(self, feature_map: Tensor, grid: Size3) -> Tensor:
        """The same norm on each place: (B, L, C_s)."""
        return cast(Tensor, self.clf["norm"](super().tokens(feature_map, grid)))  # (B, L, C_s)

    def logits(self, features: Tensor) -> Tensor:
        """(B, C_s) -> (B, 2)."""
        return cast(Tensor, self.clf["fc"](features))  # (B, 2)

    def parts(self) -> list[nn.Module]:
        """Stem and four stages."""
        return [self.stem, *self.stages]


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions and a shortcut."""

    def __init__(self, *, width_in: int, width: int, stride: int, norm: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = _norm(norm, width)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1, bias=False)
        self.bn2 = _norm(norm, width)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            self.downsample = nn.Sequential(
                nn.Conv3d(width_in, width, 1, stride=stride, bias=False), _norm(norm, width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, D, H, W) -> (B, C, D / stride, H / stride, W / stride)."""
        y = functional.relu(self.bn1(self.conv1(x)))  # (B, C, d, h, w)
        y = self.bn2(self.conv2(y))  # (B, C, d, h, w)
        return functional.relu(y + self.downsample(x))  # (B, C, d, h, w)


class ResNetEncoder(ScaleEncoder):
    """X64 and X96 as published; every stride is an odd kernel's, centred on the even voxels."""

    has_depth = True

    def __init__(self, config: ResNet3D, *, channels: int, classifier: bool) -> None:
        """`channels` of a voxel; `classifier`: its own, or none."""
        super().__init__()
        widths, kernel = config.widths, config.stem_kernel
        self.width = widths[-1]
        self.conv1 = nn.Conv3d(
            channels,
            widths[0],
            kernel,
            stride=config.stem_stride,
            padding=kernel // 2,
            bias=False,
        )
        self.bn1 = _norm(config.norm, widths[0])
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1) if config.stem_pool else nn.Identity()
        stages = [
            nn.Sequential(
                *(
                    BasicBlock(
                        width_in=width if block else widths[max(i - 1, 0)],
                        width=width,
                        stride=2 if i > 0 and block == 0 else 1,
                        norm=config.norm,
                    )
                    for block in range(depth)
                )
            )
            for i, (width, depth) in enumerate(zip(widths, config.depths, strict=True))
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(self.width, 2) if classifier else None
        self.explained_stage = config.explained_stage
        halved = 2.0 ** (config.explained_stage - 1 + config.stem_pool)
        z, y, x = (halved * stride for stride in config.stem_stride)
        self.target_axes = ((z, 0.0), (y, 0.0), (x, 0.0))
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def stages(self) -> list[nn.Module]:
        """The four, from the stem upwards."""
        return [self.layer1, self.layer2, self.layer3, self.layer4]

    def lower(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> (B, c, d, h, w); shapes in the margin are X64's of `release`."""
        x = functional.relu(self.bn1(self.conv1(x)))  # (B, 64, 56, 32, 32)
        x = self.maxpool(x)  # (B, 64, 28, 16, 16)
        for stage in self.stages[: self.explained_stage]:
            x = stage(x)  # (B, 64, 28, 16, 16), (B, 128, 14, 8, 8), (B, 256, 7, 4, 4)
        return x  # (B, 256, 7, 4, 4)

    def upper(self, activation: Tensor) -> Tensor:
        """(B, c, d, h, w) -> (B, C_s, d', h', w')."""
        x = activation  # (B, 256, 7, 4, 4)
        for stage in self.stages[self.explained_stage :]:
            x = stage(x)  # (B, 512, 4, 2, 2)
        return x  # (B, 512, 4, 2, 2)

    def features(self, feature_map: Tensor) -> Tensor:
        """The mean over all places: (B, C_s)."""
        return feature_map.mean((2, 3, 4))  # (B, C_s)

    def logits(self, features: Tensor) -> Tensor:
        """(B, C_s) -> (B, 2)."""
        return cast(Tensor, cast(nn.Linear, self.fc)(features))  # (B, 2)

    def parts(self) -> list[nn.Module]:
        """Stem and four stages."""
        return [nn.ModuleList([self.conv1, self.bn1]), *self.stages]


def build_encoder(config: Encoder, *, channels: int, size: Size3, classifier: bool) -> ScaleEncoder:
    """The encoder that a config describes, freshly initialised."""
    match config:
        case ConvNeXt2D():
            return ConvNeXtEncoder(config, channels=channels, size=size, classifier=classifier)
        case ResNet3D():
            return ResNetEncoder(config, channels=channels, classifier=classifier)


def _norm(kind: str, width: int) -> nn.Module:
    """Named bn as in the checkpoints, whichever it is."""
    return nn.GroupNorm(max(1, width // 8), width) if kind == "group" else nn.BatchNorm3d(width)


def _truncated_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
