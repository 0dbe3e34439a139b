"""How each row is built, at its real width or narrow: the same kinds of layer, a few channels."""

from dataclasses import replace
from typing import Literal

from torch import nn

from m3net.config import ConvNeXt2D, ResNet3D, Size3
from m3net.encoders import build_encoder
from training.baselines.cnn3d import CNN3D
from training.baselines.deeplung import DeepLung, DualPath
from training.baselines.mvcs import MVCS
from training.baselines.naslung import NASLung
from training.baselines.row import Make
from training.baselines.vit import SliceViT, ViTConfig, VolumeViT


def resnet(depths: tuple[int, int, int, int]) -> Make:
    """A 3D ResNet of basic blocks, as in the published network."""

    def make(size: Size3, narrow: bool) -> nn.Module:
        widths = (8, 16, 16, 16) if narrow else (64, 128, 256, 512)
        config = ResNet3D(depths=depths, widths=widths)
        return build_encoder(config, channels=1, size=size, classifier=True)

    return make


def convnext(depths: tuple[int, int, int, int], first: int) -> Make:
    """A ConvNeXt on the slices as channels, as in the published network."""

    def make(size: Size3, narrow: bool) -> nn.Module:
        config = ConvNeXt2D(depths=depths, widths=(first, 2 * first, 4 * first, 8 * first))
        if narrow:
            config = ConvNeXt2D(depths=(1, 1, 1, 1), widths=(8, 16, 16, 16))
        return build_encoder(config, channels=1, size=size, classifier=True)

    return make


def deeplung(_size: Size3, narrow: bool) -> nn.Module:
    """DeepLung at any size."""
    slim = DualPath(
        stem=8,
        bottleneck=(8, 8, 8, 8),
        residual=(8, 8, 16, 16),
        blocks=(1, 2, 1, 1),
        growth=(4, 4, 4, 4),
        groups=4,
    )
    return DeepLung(slim if narrow else DualPath())


def cnn3d(size: Size3, narrow: bool) -> nn.Module:
    """The 3D-CNN, whose last layers depend on the size."""
    return CNN3D(size, widths=(4, 4, 8, 8), hidden=16) if narrow else CNN3D(size)


def naslung(_size: Size3, narrow: bool) -> nn.Module:
    """NASLung at any size."""
    return NASLung(((4, 8), (8,), (8,))) if narrow else NASLung()


def mvcs(_size: Size3, narrow: bool) -> nn.Module:
    """MVCS at any size."""
    return MVCS(base=4) if narrow else MVCS()


def vit(kind: Literal["slices", "volume"], config: ViTConfig) -> Make:
    """A Vision Transformer on each slice, or on the volume; it resamples any size."""

    def make(_size: Size3, narrow: bool) -> nn.Module:
        image = tuple(32 // p * p for p in config.patch)
        slim = replace(config, dim=32, depth=1, heads=2, image=image)
        network = SliceViT if kind == "slices" else VolumeViT
        return network(slim if narrow else config)

    return make
