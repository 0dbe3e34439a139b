"""The paper's losses (Li et al. 2026, Eq. 3 to 10 and 17), to the letter and made sound.

    literal      what is printed; at B = 32 and D = 128 L_orth is about 1.9e6 with a gradient norm
                 of 46,000, and L_nuc is smallest for Z = 0
    normalised   the same ideas on a scale of 1: L_cov / 4 D^2 (as Deep CORAL), L_orth on the
                 correlation matrix / D^2, L_nuc / (sqrt(rank) ||Z||_F), InfoNCE in both directions

All are computed in fp32 with autocast off: half precision has no SVD and cannot hold L_orth.
Z_s : (B, D), the pooled latent embedding of one scale; B >= 2, for one nodule has no covariance.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from m3net.scales import Scale
from training.data.targets import ordinal_cross_entropy

Form = Literal["literal", "normalised"]
EPSILON = 1e-6


class NonFiniteLoss(Exception):
    """A term of the loss is NaN or infinite; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Everything that weighs the terms of

        L = fused CE_fused + alpha sum_s CE_s + beta L_align + attention L_attn-reg

    Eq. 10 to the letter is fused = 0, alpha = 1.  The paper gives no value for any of them.
    nce : lambda_NCE of each pair of scales (Eq. 8); tau : InfoNCE's temperature (Eq. 5)
    """

    form: Form = "normalised"
    fused: float = 1.0
    alpha: float = 0.3
    beta: float = 0.1
    nce: Mapping[tuple[Scale, Scale], float] = field(
        default_factory=lambda: dict.fromkeys(combinations(Scale, 2), 1.0)
    )
    cov: float = 1.0
    orth: float = 1.0
    nuc: float = 0.1
    attention: float = 0.0
    tau: float = 0.07
    learn_tau: bool = False


def classification(logits: Tensor, target: Tensor) -> Tensor:
    """Eq. 3: cross-entropy.

    logits : (B, 2), benign first
    target : (B,) int64 classes, or (B,) floats: the probability of malignant, for soft labels, or
             (B, 4) floats: the shares of readers above each step of the scale, for ordinal ones
    """
    if target.ndim == 2:
        return ordinal_cross_entropy(logits, target)
    if target.is_floating_point():
        target = torch.stack([1 - target, target], dim=1)  # (B, 2)
    return functional.cross_entropy(logits.float(), target)


def info_nce(anchor: Tensor, other: Tensor, *, tau: Tensor | float, form: Form) -> Tensor:
    """Eq. 5: each nodule's other view among those of the batch; `normalised`: both directions."""
    anchor = functional.normalize(anchor, dim=1, eps=EPSILON)  # (B, D)
    other = functional.normalize(other, dim=1, eps=EPSILON)  # (B, D)
    similarity = anchor @ other.T / tau  # (B, B)
    own = torch.arange(len(anchor), device=anchor.device)
    forward = functional.cross_entropy(similarity, own)
    if form == "literal":
        return forward
    return (forward + functional.cross_entropy(similarity.T, own)) / 2


def covariance(z: Tensor) -> Tensor:
    """(B, D) -> (D, D), unbiased."""
    centred = z - z.mean(dim=0)
    return centred.T @ centred / (len(z) - 1)


def covariance_gap(latent: Sequence[Tensor], *, form: Form) -> Tensor:
    """Eq. 6: squared Frobenius distance between the scales' covariances, over pairs."""
    each = [covariance(z) for z in latent]
    total = torch.stack([(a - b).square().sum() for a, b in combinations(each, 2)]).sum()
    return total if form == "literal" else total / (4 * latent[0].shape[1] ** 2)


def orthogonality(latent: Sequence[Tensor], *, form: Form) -> Tensor:
    """Eq. 7, left; its floor is D - B for each scale, since Z^T Z has rank B at most."""
    total = latent[0].new_zeros(())
    for z in latent:
        width = z.shape[1]
        identity = torch.eye(width, device=z.device)
        if form == "literal":
            total = total + (z.T @ z - identity).square().sum()
        else:
            # A column that is the same for all nodules correlates with nothing, itself included.
            matrix = covariance(z)  # (D, D)
            deviation = (matrix.diagonal() + EPSILON).sqrt()  # (D,)
            correlation = matrix / torch.outer(deviation, deviation)
            total = total + (correlation - identity).square().sum() / width**2
    return total


def nuclear_norm(latent: Sequence[Tensor], *, form: Form) -> Tensor:
    """Eq. 7, right; `normalised` lies in [1 / sqrt(rank), 1] for each scale, whatever ||Z||."""
    total = latent[0].new_zeros(())
    for z in latent:
        if not bool(torch.isfinite(z).all()):
            return z.sum() * torch.nan  # its singular values could not even be computed
        norm = torch.linalg.svdvals(z).sum()
        if form == "normalised":
            size = (z.square().sum() + EPSILON**2).sqrt()
            norm = norm / (math.sqrt(min(z.shape)) * size)
        total = total + norm
    return total


def attention_penalty(attention: Sequence[Tensor], *, form: Form) -> Tensor:
    """Eq. 17 on attention weights (B, heads, queries, keys) of each layer.

    `normalised` is the mean over queries of the squared weights: 1 / keys if spread, 1 if on one.
    """
    squares = [weights.float().square() for weights in attention]
    if form == "literal":
        return torch.stack([each.sum() for each in squares]).sum()
    return torch.stack([each.sum(dim=-1).mean() for each in squares]).mean()


class Criterion(nn.Module):
    """The whole loss; a module because InfoNCE's temperature can be learnt."""

    def __init__(self, weights: LossWeights) -> None:
        super().__init__()
        self.weights = weights
        log_tau = torch.tensor(math.log(weights.tau))
        self.log_tau = nn.Parameter(log_tau, requires_grad=weights.learn_tau)

    def align(self, latent: Mapping[Scale, Tensor]) -> dict[str, Tensor]:
        """The terms of Eq. 8, weighted, by name; empty for one scale alone."""
        weights, form = self.weights, self.weights.form
        views = {scale: z.float() for scale, z in latent.items()}
        if len(views) < 2:
            return {}
        nodules = len(next(iter(views.values())))
        if nodules < 2:
            raise ValueError("L_align needs two nodules or more in a batch, found 1: drop_last")
        every = list(views.values())
        terms: dict[str, tuple[float, Callable[[], Tensor]]] = {
            "L_cov": (weights.cov, partial(covariance_gap, every, form=form)),
            "L_orth": (weights.orth, partial(orthogonality, every, form=form)),
            "L_nuc": (weights.nuc, partial(nuclear_norm, every, form=form)),
        }
        tau = self.log_tau.exp()
        for first, second in combinations(views, 2):
            pair = (views[first], views[second])
            terms[f"L_InfoNCE({first}, {second})"] = (
                weights.nce.get((first, second), 0.0),
                partial(info_nce, *pair, tau=tau, form=form),
            )
        # A term of weight 0 is not computed: an ablation must not die of a term it left out.
        return {n: _checked(n, weight * term()) for n, (weight, term) in terms.items() if weight}

    def forward(
        self,
        *,
        target: Tensor,
        fused_logits: Tensor | None,
        branch_logits: Mapping[Scale, Tensor],
        latent: Mapping[Scale, Tensor],
        attention: Sequence[Tensor] = (),
    ) -> dict[str, Tensor]:
        """Every weighted term by name, and "total".

        Raises NonFiniteLoss naming the first term that is NaN or infinite.
        """
        weights = self.weights
        terms: dict[str, Tensor] = {}
        with torch.autocast(device_type=target.device.type, enabled=False):
            if fused_logits is not None and weights.fused:
                loss = weights.fused * classification(fused_logits, target)
                terms["CE_fused"] = _checked("CE_fused", loss)
            if weights.alpha:
                for scale, logits in branch_logits.items():
                    loss = weights.alpha * classification(logits, target)
                    terms[f"CE_{scale}"] = _checked(f"CE_{scale}", loss)
            if weights.beta:
                for name, value in self.align(latent).items():
                    terms[name] = weights.beta * value
            if weights.attention and attention:
                penalty = attention_penalty(attention, form=weights.form)
                terms["L_attn-reg"] = _checked("L_attn-reg", weights.attention * penalty)
        terms["total"] = torch.stack(list(terms.values())).sum()
        return terms


def _checked(name: str, value: Tensor) -> Tensor:
    """The value, if it is finite."""
    if not bool(torch.isfinite(value).all()):
        found = value[~torch.isfinite(value)].flatten()[0].item()
        raise NonFiniteLoss(
            f"{name} is {found}; lower its weight or the learning rate, or look at the inputs of "
            "this step"
        )
    return value
