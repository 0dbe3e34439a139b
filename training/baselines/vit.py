"""A plain Vision Transformer over the patches of an image or of a volume, one file for five rows.

Dosovitskiy et al. 2021 (ViT), Oquab et al. 2023 (DINOv2: layer scale), Siméoni et al. 2025 (DINOv3:
registers, rotary positions), Bai et al. 2024 (M3D-CLIP), Xu et al. 2025 (3DINO); written from the
papers.  Modules bear timm's names, so that such files load without renaming.
"""

from dataclasses import dataclass
from math import pi, prod
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """One Vision Transformer.

    patch           : pixels or voxels per token along each axis, (y, x) or (z, y, x)
    image           : what the input is resampled to before it is cut into patches, same axes
    channels        : of the input; one channel is repeated where three are wanted
    positions       : "learned": one vector per place and one for the class token; "patches": none
                      for the class token; "rotary": queries and keys are turned by the place
    pretrained_grid : patches per axis of the published weights, where it cannot be read off their
                      number
    """

    patch: tuple[int, ...]
    image: tuple[int, ...]
    dim: int = 768
    depth: int = 12
    heads: int = 12
    channels: int = 3
    registers: int = 0
    positions: Literal["learned", "patches", "rotary"] = "learned"
    qkv_bias: bool = True
    layer_scale: float | None = None
    eps: float = 1e-6
    pretrained_grid: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.patch) != len(self.image) or any(
            i % p for i, p in zip(self.image, self.patch, strict=True)
        ):
            raise ValueError(f"image {self.image} must be whole patches of {self.patch}")
        if self.registers and self.positions == "learned":
            raise ValueError("registers have no learnt place; use positions 'patches' or 'rotary'")

    @property
    def grid(self) -> tuple[int, ...]:
        """Patches per axis."""
        return tuple(i // p for i, p in zip(self.image, self.patch, strict=True))


class Attention(nn.Module):
    """Multi-head self-attention; `turn` is the rotation of DINOv3 or nothing."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=config.qkv_bias)
        self.proj = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor] | None) -> Tensor:
        """(B, L, D) -> the same."""
        batch, length, dim = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, dim // self.heads)  # (B, L, 3, h, d)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, h, L, d)
        if turn is not None:
            q, k = rotate(q, *turn), rotate(k, *turn)
        y = functional.scaled_dot_product_attention(q, k, v)  # (B, h, L, d)
        return cast(Tensor, self.proj(y.transpose(1, 2).reshape(x.shape)))  # (B, L, D)


class LayerScale(nn.Module):
    """One learnt factor per channel."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> the same."""
        return x * self.gamma


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with a shortcut."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        dim, scale = config.dim, config.layer_scale
        self.norm1 = nn.LayerNorm(dim, eps=config.eps)
        self.attn = Attention(config)
        self.ls1 = nn.Identity() if scale is None else LayerScale(dim, scale)
        self.norm2 = nn.LayerNorm(dim, eps=config.eps)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)},
        )
        self.ls2 = nn.Identity() if scale is None else LayerScale(dim, scale)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor] | None) -> Tensor:
        """(B, L, D) -> the same."""
        x = x + self.ls1(self.attn(self.norm1(x), turn))  # (B, L, D)
        y = self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(x))))  # (B, L, D)
        return cast(Tensor, x + self.ls2(y))  # (B, L, D)


class VisionTransformer(nn.Module):
    """(B, C, *image) -> the class token after the last norm (B, D)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_embed = nn.ModuleDict({"proj": _patches(config)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.reg_token: nn.Parameter | None = None
        if config.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, config.registers, dim))
        self.pos_embed: nn.Parameter | None = None
        self.placed = 0 if config.positions == "learned" else 1 + config.registers
        if config.positions != "rotary":
            length = prod(config.grid) + (config.positions == "learned")
            self.pos_embed = nn.Parameter(torch.zeros(1, length, dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(dim, eps=config.eps)
        self.apply(_truncated_normal)
        for tokens in (self.cls_token, self.reg_token, self.pos_embed):
            if tokens is not None:
                nn.init.trunc_normal_(tokens, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *image) -> (B, D)."""
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)  # (B, N, D)
        first = [self.cls_token.expand(len(x), -1, -1)]
        if self.reg_token is not None:
            first.append(self.reg_token.expand(len(x), -1, -1))
        x = torch.cat([*first, x], dim=1)  # (B, L, D)
        if self.pos_embed is not None:  # the first tokens have a place only where it was learnt so
            x = torch.cat([x[:, : self.placed], x[:, self.placed :] + self.pos_embed], dim=1)
        turn = None
        if self.config.positions == "rotary":
            width = self.config.dim // self.config.heads
            cosine, sine = rotation(self.config.grid, width, skip=self.placed)
            turn = (cosine.to(x), sine.to(x))
        for block in self.blocks:
            x = block(x, turn)  # (B, L, D)
        return cast(Tensor, self.norm(x)[:, 0])  # (B, D)


def _patches(config: ViTConfig) -> nn.Module:
    """One token per patch: a convolution whose stride is its kernel."""
    match config.patch:
        case (y, x):
            return nn.Conv2d(config.channels, config.dim, (y, x), stride=(y, x))
        case (z, y, x):
            return nn.Conv3d(config.channels, config.dim, (z, y, x), stride=(z, y, x))
        case _:
            raise ValueError(f"patches of {len(config.patch)} axes; 2 or 3 are possible")


def rotation(grid: tuple[int, ...], width: int, *, skip: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of DINOv3's rotary positions, (skip + N, width) each.

    Places are the patches' centres, -1 to 1 along each axis; a quarter of the width turns with
    periods 1 to 100 for either axis (base 100), the other half likewise.  The first `skip` tokens
    have no place and are not turned.
    """
    y, x = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in grid)
    places = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)  # (N, 2)
    periods = 100.0 ** (torch.arange(width // 4) / (width // 4))  # (d / 4,)
    angles = (2 * pi * places[:, :, None] / periods).flatten(1).tile(2)  # (N, d)
    angles = torch.cat([torch.zeros(skip, width), angles])  # (skip + N, d)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn the pairs (i, i + d / 2) of (..., L, d) by their angles."""
    low, high = x.chunk(2, dim=-1)  # (..., L, d / 2)
    return x * cosine + torch.cat([-high, low], dim=-1) * sine  # (..., L, d)


def _truncated_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class SliceViT(nn.Module):
    """A 2D ViT on every axial slice; the slices' class tokens are averaged (Sec. 4.3)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.backbone = VisionTransformer(config)
        self.head = nn.Linear(config.dim, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, D, H, W) -> logits (B, 2)."""
        batch, _, depth = x.shape[:3]
        config = self.backbone.config
        x = x.transpose(1, 2).flatten(0, 1)  # (B * D, 1, H, W)
        x = functional.interpolate(x, config.image, mode="bilinear", align_corners=False)
        x = self.backbone(x.expand(-1, config.channels, -1, -1))  # (B * D, C)
        return cast(Tensor, self.head(x.view(batch, depth, -1).mean(1)))  # (B, 2)


class VolumeViT(nn.Module):
    """A 3D ViT on the whole crop, resampled to the size that it was made for."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.backbone = VisionTransformer(config)
        self.head = nn.Linear(config.dim, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, D, H, W) -> logits (B, 2)."""
        config = self.backbone.config
        x = functional.interpolate(x, config.image, mode="trilinear", align_corners=False)
        return cast(Tensor, self.head(self.backbone(x)))  # (B, 2)
