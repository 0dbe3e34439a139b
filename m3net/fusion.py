"""Hierarchical cross-attention fusion (Li et al. 2026, section 3.3, eq. 11 to 18).

Two fusions, one story: micro and meso exchange (T1), macro takes that in (T2), a Transformer
integrates both, their mean is classified.

`FeatureFusion` reads spatial tokens.  The paper's eq. 2 and 4 pool before they fuse; then each
softmax runs over one key, is 1, and T1 depends on X64 alone.  Tokens (as eq. 15's text says) and
residual connections let each scale reach the output.
`LogitFusion` is the published network: it fuses the branches' two logits.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from m3net.config import Fusion
from m3net.description import BASIC, NAMES
from m3net.scales import Scale

SUFFIX = {Scale.MICRO: "32", Scale.MESO: "64", Scale.MACRO: "96"}
"""How the paper and the authors' checkpoints number the scales."""


class Fused(NamedTuple):
    """A decision, and the attention weights that it took (eq. 17): name -> (B, heads, Lq, Lk).

    undescribed : (B, 2) what it would be if no number were known; None in training, and of a fusion
                  that takes none
    """

    logits: Tensor
    attention: Mapping[str, Tensor]
    undescribed: Tensor | None = None


class Attended(NamedTuple):
    """What an attention gives: values (B, Lq, D) and its weights (B, heads, Lq, Lk)."""

    values: Tensor
    weights: Tensor


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    heads: int,
    scale: Tensor | float = 1.0,
    dropout: float = 0.0,
) -> Attended:
    """Eq. 12, 13: (B, Lq, D), (B, Lk, D), (B, Lk, D); `scale` multiplies the scores, per head."""
    q, k, v = (
        t.view(*t.shape[:2], heads, -1).transpose(1, 2) for t in (q, k, v)
    )  # (B, heads, L, D / heads)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, heads, Lq, Lk)
    weights = functional.softmax(scores * scale, dim=-1)  # (B, heads, Lq, Lk)
    values = functional.dropout(weights, dropout).to(v.dtype) @ v  # (B, heads, Lq, D / heads)
    return Attended(values.transpose(1, 2).flatten(2), weights)  # (B, Lq, D)


class CrossAttention(nn.Module):
    """Eq. 11 to 13; with `temperature`, tau_h is learnt for each head, starting at 1."""

    def __init__(self, *, dim: int, heads: int, temperature: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        # the logarithm, so that tau stays positive whatever the optimiser does
        self.log_tau = nn.Parameter(torch.zeros(heads, 1, 1)) if temperature else None

    def forward(self, query: Tensor, context: Tensor) -> Attended:
        """(B, Lq, D), (B, Lk, D) -> (B, Lq, D), (B, heads, Lq, Lk)."""
        q = self.q_proj(query)  # (B, Lq, D)
        k, v = self.k_proj(context), self.v_proj(context)  # (B, Lk, D) each
        scale = 1.0 if self.log_tau is None else torch.exp(-self.log_tau)  # (heads, 1, 1)
        values, weights = attend(q, k, v, heads=self.heads, scale=scale)  # (B, Lq, D)
        return Attended(self.out_proj(values), weights)  # (B, Lq, D)


class SelfAttention(nn.Module):
    """Multi-head self-attention with one weight for q, k and v."""

    def __init__(self, *, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor) -> Attended:
        """(B, L, D) -> (B, L, D), (B, heads, L, L)."""
        qkv = functional.linear(x, self.in_proj_weight, self.in_proj_bias)  # (B, L, 3 D)
        q, k, v = qkv.chunk(3, dim=-1)  # (B, L, D) each
        dropout = self.dropout if self.training else 0.0
        values, weights = attend(q, k, v, heads=self.heads, dropout=dropout)  # (B, L, D)
        return Attended(self.out_proj(values), weights)  # (B, L, D)


class TransformerLayer(nn.Module):
    """One layer: post-norm in sequence, or eq. 16 with both submodules beside each other."""

    def __init__(self, config: Fusion) -> None:
        super().__init__()
        dim = config.dim
        self.parallel = config.transformer == "parallel"
        self.self_attn = SelfAttention(dim=dim, heads=config.heads, dropout=config.dropout)
        self.linear1 = nn.Linear(dim, config.feedforward)
        self.linear2 = nn.Linear(config.feedforward, dim)
        self.norm1 = nn.LayerNorm(dim)
        if not self.parallel:
            self.norm2 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def feedforward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        hidden = self.dropout(functional.gelu(self.linear1(x)))  # (B, L, feedforward)
        y: Tensor = self.dropout(self.linear2(hidden))  # (B, L, D)
        return y

    def forward(self, x: Tensor) -> Attended:
        """(B, L, D) -> (B, L, D), (B, heads, L, L)."""
        mixed, weights = self.self_attn(x)  # (B, L, D), (B, heads, L, L)
        mixed = self.dropout(mixed)  # (B, L, D)
        if self.parallel:
            h = self.norm1(x + mixed + self.feedforward(x))  # (B, L, D)
            return Attended(h, weights)  # (B, L, D)
        x = self.norm1(x + mixed)  # (B, L, D)
        h = self.norm2(x + self.feedforward(x))  # (B, L, D)
        return Attended(h, weights)  # (B, L, D)


class Transformer(nn.Module):
    """The layers, one after the other."""

    def __init__(self, config: Fusion) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(B, L, D) -> (B, L, D), and each layer's weights (B, heads, L, L)."""
        attention = {}
        for i, layer in enumerate(self.layers):
            x, attention[f"transformer.{i}"] = layer(x)  # (B, L, D), (B, heads, L, L)
        return x, attention


class Description(nn.Module):
    """The measured numbers of a nodule, brought to the fused vector's size of things."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(len(BASIC), width)
        # of the training data; they belong to the weights
        self.register_buffer("mean", torch.zeros(len(BASIC)))
        self.register_buffer("deviation", torch.ones(len(BASIC)))

    def forward(self, numbers: Tensor) -> Tensor:
        """`m3net.description.NAMES`, NaN where unknown (B, N) -> (B, W); the basic ones count."""
        basic = numbers[:, : len(BASIC)]  # (B, 25)
        standard = (basic - self.mean) / self.deviation  # (B, 25)
        standard = standard.nan_to_num(0.0).clamp(-3, 3)  # (B, 25)
        return functional.gelu(self.linear(standard))  # (B, W)


class LogitFusion(nn.Module):
    """The published fusion: the branches' 2 logits become a token each."""

    def __init__(self, config: Fusion) -> None:
        super().__init__()
        for suffix in SUFFIX.values():
            self.add_module(f"proj{suffix}", nn.Linear(2, config.dim))
        self.cross1 = CrossAttention(dim=config.dim, heads=config.heads, temperature=False)
        self.cross2 = CrossAttention(dim=config.dim, heads=config.heads, temperature=False)
        self.transformer_fusion = Transformer(config)
        self.norm = nn.LayerNorm(config.dim)
        self.fc_head = _head(config)

    def project(self, scale: Scale, logits: Tensor) -> Tensor:
        """A branch's logits (B, 2) -> Z_s (B, D)."""
        z: Tensor = self.get_submodule(f"proj{SUFFIX[scale]}")(logits)  # (B, D)
        return z

    def forward(self, latents: Mapping[Scale, Tensor]) -> Fused:
        """Z_s (B, D) per scale -> logits (B, 2)."""
        near = torch.stack([latents[Scale.MICRO], latents[Scale.MESO]], dim=1)  # (B, 2, D)
        t1, cross1 = self.cross1(near, near)  # (B, 2, D)
        t2, cross2 = self.cross2(latents[Scale.MACRO].unsqueeze(1), t1)  # (B, 1, D)
        h, attention = self.transformer_fusion(torch.cat([t1, t2], dim=1))  # (B, 3, D)
        logits = self.fc_head(self.norm(h.mean(1)))  # (B, 2)
        return Fused(logits, {"cross1": cross1, "cross2": cross2, **attention})  # (B, 2)


class FeatureFusion(nn.Module):
    """The paper's fusion made sound: spatial tokens, residual connections, learnt temperature.

    Eq. 14: T1 = Z32 + CrossAttn(LN Z32, LN Z64)       or [Z32; Z64] where `low` is off
    Eq. 15: T2 = Z96 + CrossAttn(LN Z96, LN T1)        or Z96 where `high` is off
    Eq. 16: H = Transformer([T1; T2])                  or [T1; T2] without a Transformer
    Eq. 18: logits = W_c GELU(W_h LN(mean H))          or W_h [LN(mean H); description]
    """

    def __init__(
        self,
        config: Fusion,
        *,
        widths: Mapping[Scale, int],
        lengths: Mapping[Scale, int],
        described: bool = False,
    ) -> None:
        """`widths`: C_s of the scales that are read; `lengths`: tokens L_s of every scale."""
        super().__init__()
        dim = config.dim
        self.config = config
        self.lengths = dict(lengths)
        self.latent = nn.ModuleDict({s: nn.Linear(w, dim) for s, w in widths.items()})
        self.position = nn.ParameterDict({s: torch.empty(n, dim) for s, n in lengths.items()})
        self.absent = nn.ParameterDict({s: torch.empty(1, dim) for s in lengths})
        for parameter in (*self.position.values(), *self.absent.values()):
            nn.init.trunc_normal_(parameter, std=0.02)
        if config.low:
            self.norm_q1, self.norm_kv1 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.cross1 = CrossAttention(dim=dim, heads=config.heads, temperature=True)
        if config.high:
            self.norm_q2, self.norm_kv2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.cross2 = CrossAttention(dim=dim, heads=config.heads, temperature=True)
        if config.transformer != "none":
            self.transformer = Transformer(config)
        self.norm = nn.LayerNorm(dim)
        self.description = Description(config.description_width) if described else None
        self.head = _head(config, more=config.description_width if described else 0)

    def project(self, scale: Scale, features: Tensor) -> Tensor:
        """Eq. 4, on pooled features or on tokens alike: (..., C_s) -> (..., D)."""
        z: Tensor = self.latent[scale](features)  # (..., D)
        return z

    def _placed(
        self, scale: Scale, tokens: Tensor | None, present: Tensor | None, *, batch: int
    ) -> Tensor:
        """Tokens (B, L, D) with their positions; a learnt one stands for a scale that is not there.

        The same whether the network lacks the scale or this sample does.
        """
        absent = self.absent[scale].expand(batch, self.lengths[scale], -1)  # (B, L, D)
        if tokens is None:
            tokens = absent
        else:
            if present is None:
                present = torch.ones(batch, dtype=torch.bool, device=tokens.device)
            # also where all are present: DDP wants every parameter in every graph
            tokens = torch.where(present.view(-1, 1, 1), tokens, absent)  # (B, L, D)
        position: Tensor = self.position[scale]  # (L, D)
        return tokens + position  # (B, L, D)

    def forward(
        self,
        tokens: Mapping[Scale, Tensor],
        present: Mapping[Scale, Tensor] | None = None,
        description: Tensor | None = None,
    ) -> Fused:
        """Projected tokens (B, L_s, D) of the scales read, `present` (B,) bool -> logits (B, 2).

        description : (B, N), if the model takes one; None: nothing is known, as of a bare centre
        """
        batch = next(iter(tokens.values())).shape[0]  # (B, L, D)[0]
        z32, z64, z96 = (
            self._placed(s, tokens.get(s), present[s] if present else None, batch=batch)
            for s in Scale
        )  # (B, L_s, D) each
        attention: dict[str, Tensor] = {}
        t1 = torch.cat([z32, z64], dim=1)  # (B, L32 + L64, D)
        if self.config.low:
            q, kv = self.norm_q1(z32), self.norm_kv1(z64)  # (B, L32, D), (B, L64, D)
            taken, attention["cross1"] = self.cross1(q, kv)  # (B, L32, D)
            t1 = z32 + taken  # (B, L32, D)
        t2 = z96  # (B, L96, D)
        if self.config.high:
            q, kv = self.norm_q2(z96), self.norm_kv2(t1)  # (B, L96, D), (B, L1, D)
            taken, attention["cross2"] = self.cross2(q, kv)  # (B, L96, D)
            t2 = z96 + taken  # (B, L96, D)
        h = torch.cat([t1, t2], dim=1)  # (B, L1 + L96, D)
        if self.config.transformer != "none":
            h, more = self.transformer(h)  # (B, L1 + L96, D)
            attention.update(more)
        h = self.norm(h.mean(1))  # (B, D)
        if self.description is None:
            return Fused(self.head(h), attention)  # (B, 2)
        unknown = h.new_full((batch, len(NAMES)), math.nan)  # (B, N)
        numbers = unknown if description is None else description  # (B, N)
        logits = self.head(torch.cat([h, self.description(numbers)], dim=1))  # (B, 2)
        if self.training:  # dropout would draw once more
            return Fused(logits, attention)  # (B, 2)
        return Fused(
            logits, attention, self.head(torch.cat([h, self.description(unknown)], dim=1))
        )  # (B, 2)


def _head(config: Fusion, *, more: int = 0) -> nn.Sequential:
    """Eq. 18: D -> head_width -> 2; `more` channels beside D."""
    return nn.Sequential(
        nn.Linear(config.dim + more, config.head_width),
        nn.GELU(),
        nn.Dropout(config.head_dropout),
        nn.Linear(config.head_width, 2),
    )
