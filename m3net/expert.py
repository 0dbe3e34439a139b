"""An expert that judges by a nodule's description alone, beside the networks that see it.

Kernel regression: a nodule is as suspicious as those that it resembles in all that was measured.
With few hundred nodules to learn from, it errs elsewhere than a network does, so both together err
less (training/README.md says by how much).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from m3net.description import NAMES

LEVELS = 101
"""Percentiles that are kept of each number, the least and the greatest included."""

FURTHEST = 3.0
"""Standard deviations beyond which a number counts no further."""

SUREST = 0.02
"""The expert says no less, and no more than one minus it."""


class KernelExpert(nn.Module):
    """`expert(description)` -> margin: the logit of p(malignant), NaN where it abstains.

    It abstains wherever a number is unknown: without an outline there is nothing to compare.

    numbers     : N, how many; those of `m3net.description.NAMES` unless said otherwise
    percentiles : (N, LEVELS) of each number over the training nodules
    centres     : (M, N) training nodules, in `standard` numbers
    weights     : (M,), of each
    mean        : of the training nodules' targets
    sharpness   : of the kernel exp(-sharpness * mean squared distance)
    """

    percentiles: Tensor
    centres: Tensor
    weights: Tensor
    mean: Tensor
    sharpness: Tensor

    def __init__(self, centres: int, *, numbers: int = len(NAMES)) -> None:
        super().__init__()
        levels = torch.linspace(0, 1, LEVELS).expand(numbers, -1)
        self.register_buffer("percentiles", levels.contiguous())
        self.register_buffer("centres", torch.zeros(centres, numbers))
        self.register_buffer("weights", torch.zeros(centres))
        self.register_buffer("mean", torch.tensor(0.5))
        self.register_buffer("sharpness", torch.tensor(1.0))

    def standard(self, numbers: Tensor) -> Tensor:
        """Each number's rank among the training nodules, as a normal deviate: (B, N) -> (B, N).

        A size in mm3 and a share of voxels become comparable, and nothing is an outlier.
        """
        x = numbers.T.contiguous()  # (N, B)
        first = torch.searchsorted(self.percentiles, x)  # (N, B)
        after = torch.searchsorted(self.percentiles, x, right=True)  # (N, B)
        below = (first - 1).clamp(0, LEVELS - 2)  # (N, B)
        low = self.percentiles.gather(1, below)  # (N, B)
        high = self.percentiles.gather(1, below + 1)  # (N, B)
        width = torch.where(high > low, high - low, 1.0)  # (N, B)
        between = below + ((x - low) / width).clamp(0, 1)  # (N, B)
        # A value that many nodules share has the middle of their ranks, but for the least and the
        # greatest: no voxel at all above 400 HU is something else than few.
        rank = torch.where(after > first, (first + after - 1) / 2, between)  # (N, B)
        rank = torch.where(first == 0, 0.0, rank)  # (N, B)
        rank = torch.where(after == LEVELS, LEVELS - 1.0, rank)  # (N, B)
        deviate = torch.special.ndtri(rank / (LEVELS - 1)).clamp(-FURTHEST, FURTHEST)  # (N, B)
        return torch.where(x.isnan(), x, deviate).T  # (B, N)

    def likeness(self, standard: Tensor) -> Tensor:
        """To each remembered nodule: (B, N) -> (B, M) in [0, 1]."""
        distance = torch.cdist(
            standard, self.centres, compute_mode="donot_use_mm_for_euclid_dist"
        )  # (B, M)
        return torch.exp(-self.sharpness * distance**2 / standard.shape[1])  # (B, M)

    def forward(self, description: Tensor) -> Tensor:
        """The numbers, NaN where unknown (B, N) -> (B,)."""
        return torch.logit(self.estimate(description), eps=SUREST)  # (B,)

    def estimate(self, description: Tensor) -> Tensor:
        """p(malignant) before it is capped, maybe a little beyond 0 and 1: (B, N) -> (B,)."""
        return self.mean + self.likeness(self.standard(description)) @ self.weights  # (B,)

    @property
    def medians(self) -> Tensor:
        """Of each number over the training nodules: (N,)."""
        return self.percentiles[:, LEVELS // 2]

    def shares(self, description: Tensor, families: Sequence[Sequence[int]]) -> Tensor:
        """By how much each family of numbers moved the estimate: (B, N) -> (B, families).

        The Shapley value (1953): the mean, over all orders in which the families might become
        known, of what the estimate changes by when this one does; until then its numbers are
        `medians`.  They add up to `estimate(description) - estimate(medians)`.  It says what the
        estimate rests on, and nothing about causes.

        families : indices of the numbers; each number is in one family.  NaN where it abstains

        Exact: the kernel is a product over families, a product's Shapley value is the integral of
        a polynomial in t along the diagonal (Owen 1972), and Gauss's rule with half as many nodes
        as families leaves no error.
        """
        known = self._factors(description, families)  # (B, M, F)
        unknown = self._factors(self.medians[None], families)  # (1, M, F)
        nodes, weights = np.polynomial.legendre.leggauss((len(families) + 1) // 2)
        shares = torch.zeros_like(known)  # (B, M, F)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            at = node * known + (1 - node) * unknown  # (B, M, F)
            for family in range(len(families)):
                others = torch.cat([at[..., :family], at[..., family + 1 :]], -1)  # (B, M, F - 1)
                shares[..., family] += weight * others.prod(-1)
        return torch.einsum("bmf,m->bf", shares * (known - unknown), self.weights.double())

    def _factors(self, description: Tensor, families: Sequence[Sequence[int]]) -> Tensor:
        """`likeness` as a product over families: (B, N) -> (B, M, F), float64."""
        away = self.standard(description)[:, None] - self.centres  # (B, M, N)
        squares = away.double() ** 2 * (self.sharpness.double() / away.shape[-1])  # (B, M, N)
        return torch.stack([torch.exp(-squares[..., list(f)].sum(-1)) for f in families], -1)


def with_experts(logits: Tensor, margins: Sequence[Tensor]) -> Tensor:
    """The networks' logits (B, 2) and each expert's margin (B,), all counting alike -> (B, 2).

    An expert that abstains does not count.  No gradient comes from the experts, so a map stays that
    of the networks.
    """
    with torch.no_grad():
        theirs = logits[:, 1] - logits[:, 0]  # (B,)
        said = torch.stack([theirs, *margins])  # (1 + experts, B)
        shift = (said.nanmean(0) - theirs) / 2  # (B,)
    return logits + torch.stack([-shift, shift], dim=1)  # (B, 2)
