"""EfficientNet-Lite0 as far as its stride of 16, for inference.

Tan and Le 2019 (arXiv 1905.11946) and the "lite" variant of tensorflow/tpu: no squeeze and
excitation, ReLU6.  Written from the paper and from the shapes of the published tensors; batch norms
are folded into the convolutions, for nothing here is trained.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = (
    # blocks, kernel, stride, expansion, channels in, channels out
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
)
WIDTH = STAGES[-1][-1]
STRIDE = 16

_EPSILON = 1e-3
"""Of the published batch norms."""


class _Convolution(nn.Module):
    """A convolution whose border is padded as TensorFlow pads ("same"): more behind than before."""

    weight: Tensor
    bias: Tensor

    def __init__(self, taken: int, given: int, *, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.stride, self.groups = stride, groups
        self.register_buffer("weight", torch.zeros(given, taken // groups, kernel, kernel))
        self.register_buffer("bias", torch.zeros(given))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        kernel = self.weight.shape[-1]
        missing = [max((-(-n // self.stride) - 1) * self.stride + kernel - n, 0) for n in x.shape]
        high, wide = missing[-2:]
        padded = functional.pad(
            x, (wide // 2, wide - wide // 2, high // 2, high - high // 2)
        )  # (B, C, H', W')
        return functional.conv2d(
            padded, self.weight, self.bias, stride=self.stride, groups=self.groups
        )  # (B, C', H'', W'')

    def take(self, published: Mapping[str, Tensor], convolution: str, norm: str) -> None:
        """The published weights of these names, batch norm folded in.  Raises KeyError."""
        deviation = torch.sqrt(published[f"{norm}.running_var"] + _EPSILON)
        scale = published[f"{norm}.weight"] / deviation
        self.weight = published[f"{convolution}.weight"] * scale[:, None, None, None]
        self.bias = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale


class _Block(nn.Module):
    """Inverted residual: widened, each channel by itself, narrowed."""

    def __init__(self, taken: int, given: int, *, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = taken * expansion
        self.expand = _Convolution(taken, wide, kernel=1) if expansion > 1 else None
        self.depthwise = _Convolution(wide, wide, kernel=kernel, stride=stride, groups=wide)
        self.project = _Convolution(wide, given, kernel=1)
        self.goes_on = taken == given and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        wide = x if self.expand is None else functional.relu6(self.expand(x))  # (B, C'', H, W)
        narrow: Tensor = self.project(functional.relu6(self.depthwise(wide)))  # (B, C', H', W')
        return x + narrow if self.goes_on else narrow  # (B, C', H', W')

    def take(self, published: Mapping[str, Tensor], name: str) -> None:
        """The published weights of the block of this name.  Raises KeyError."""
        norms = iter((f"{name}._bn0", f"{name}._bn1", f"{name}._bn2"))
        if self.expand is not None:
            self.expand.take(published, f"{name}._expand_conv", next(norms))
        else:
            next(norms)
        self.depthwise.take(published, f"{name}._depthwise_conv", next(norms))
        self.project.take(published, f"{name}._project_conv", next(norms))


class EfficientNetLite0(nn.Module):
    """(B, 3, H, W) in [-1, 1] -> (B, 112, H / 16, W / 16)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(3, 32, kernel=3, stride=2)
        self.blocks = nn.ModuleList(
            _Block(
                taken if first else given,
                given,
                kernel=kernel,
                stride=stride if first else 1,
                expansion=expansion,
            )
            for blocks, kernel, stride, expansion, taken, given in STAGES
            for first in (True, *[False] * (blocks - 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, 112, H / 16, W / 16)."""
        x = functional.relu6(self.stem(x))  # (B, 32, H / 2, W / 2)
        for block in self.blocks:
            x = block(x)  # (B, C, h, w)
        return x

    def take(self, published: Mapping[str, Tensor]) -> None:
        """The weights of `efficientnet-lite0-57934424.pth`.  Raises KeyError if one is missing."""
        self.stem.take(published, "_conv_stem", "_bn0")
        for number, block in enumerate(self.blocks):
            cast(_Block, block).take(published, f"_blocks.{number}")
