"""The losses equal their formulas in float64 numpy, and stay finite where embeddings collapse."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from m3net.scales import Scale
from training.learn.losses import (
    Criterion,
    Form,
    LossWeights,
    NonFiniteLoss,
    attention_penalty,
    classification,
    covariance_gap,
    info_nce,
    nuclear_norm,
    orthogonality,
)

FORMS: tuple[Form, ...] = ("literal", "normalised")


def _latent(batch: int = 6, width: int = 5) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(batch, width, generator=random) for _ in range(3)]


def _numpy(latent: list[Tensor]) -> list[np.ndarray]:
    return [z.double().numpy() for z in latent]


def _by_scale(latent: list[Tensor]) -> dict[Scale, Tensor]:
    return dict(zip(Scale, latent, strict=True))


def test_eq_3_is_cross_entropy_and_takes_soft_labels() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 1.5]])
    p = np.exp([-1.0, 1.5]) / (np.exp([2.0, 0.5]) + np.exp([-1.0, 1.5]))
    hard = -(np.log(1 - p[0]) + np.log(p[1])) / 2
    assert classification(logits, torch.tensor([0, 1])).item() == pytest.approx(hard)
    soft = -(0.7 * np.log(1 - p[0]) + 0.3 * np.log(p[0]) + np.log(p[1])) / 2
    assert classification(logits, torch.tensor([0.3, 1.0])).item() == pytest.approx(soft)


def _nce(a: np.ndarray, b: np.ndarray, tau: float) -> float:
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    similar = np.exp(a @ b.T / tau)
    return float(-np.mean(np.log(np.diag(similar) / similar.sum(axis=1))))


def test_eq_5_info_nce() -> None:
    first, second, _ = _latent()
    a, b, _ = _numpy(_latent())
    there, back = _nce(a, b, 0.07), _nce(b, a, 0.07)
    literal = info_nce(first, second, tau=0.07, form="literal").item()
    assert literal == pytest.approx(there, rel=1e-5)
    both = info_nce(first, second, tau=0.07, form="normalised").item()
    assert both == pytest.approx((there + back) / 2, rel=1e-5)


@pytest.mark.parametrize(("form", "divisor"), [("literal", 1.0), ("normalised", 4 * 5**2)])
def test_eq_6_covariance(form: Form, divisor: float) -> None:
    a, b, c = (np.cov(z.T) for z in _numpy(_latent()))
    expected = sum(np.sum((x - y) ** 2) for x, y in ((a, b), (a, c), (b, c))) / divisor
    assert covariance_gap(_latent(), form=form).item() == pytest.approx(expected, rel=1e-5)


def test_eq_7_orthogonality() -> None:
    each = _numpy(_latent())
    literal = sum(np.sum((z.T @ z - np.eye(5)) ** 2) for z in each)
    assert orthogonality(_latent(), form="literal").item() == pytest.approx(literal, rel=1e-5)
    normalised = sum(np.sum((np.corrcoef(z.T) - np.eye(5)) ** 2) for z in each) / 25
    found = orthogonality(_latent(), form="normalised").item()
    assert found == pytest.approx(normalised, rel=1e-4)


def test_eq_7_nuclear_norm() -> None:
    each = _numpy(_latent())
    literal = sum(np.linalg.norm(z, "nuc") for z in each)
    assert nuclear_norm(_latent(), form="literal").item() == pytest.approx(literal, rel=1e-5)
    normalised = sum(np.linalg.norm(z, "nuc") / (np.sqrt(5) * np.linalg.norm(z)) for z in each)
    assert nuclear_norm(_latent(), form="normalised").item() == pytest.approx(normalised, rel=1e-5)


def test_eq_17_attention_penalty() -> None:
    spread, sharp = torch.full((2, 4, 3, 8), 1 / 8), torch.eye(3).expand(2, 4, 3, 3)
    assert attention_penalty([spread], form="literal").item() == pytest.approx(24 / 8)
    assert attention_penalty([sharp], form="literal").item() == pytest.approx(24)
    found = attention_penalty([spread, sharp], form="normalised").item()
    assert found == pytest.approx((1 / 8 + 1) / 2)


@pytest.mark.parametrize("form", FORMS)
def test_eq_8_and_10_are_the_weighted_sum_of_their_terms(form: Form) -> None:
    latent, target = _latent(), torch.tensor([0, 1, 0, 1, 1, 0])
    logits = torch.linspace(-1, 1, 12).reshape(6, 2)
    weights = LossWeights(
        form=form,
        alpha=0.5,
        beta=0.01,
        cov=2.0,
        orth=3.0,
        nuc=4.0,
        nce={(Scale.MICRO, Scale.MESO): 5.0},
    )
    terms = Criterion(weights)(
        target=target,
        fused_logits=logits,
        branch_logits=dict.fromkeys(Scale, logits),
        latent=_by_scale(latent),
    )
    expected = (1 + 3 * 0.5) * classification(logits, target) + 0.01 * (
        5 * info_nce(latent[0], latent[1], tau=0.07, form=form)
        + 2 * covariance_gap(latent, form=form)
        + 3 * orthogonality(latent, form=form)
        + 4 * nuclear_norm(latent, form=form)
    )
    assert terms["total"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert set(terms) == {
        "CE_fused",
        "CE_micro",
        "CE_meso",
        "CE_macro",
        "L_cov",
        "L_orth",
        "L_nuc",
        "L_InfoNCE(micro, meso)",
        "total",
    }


def _gradients(latent: Mapping[Scale, Tensor], form: Form) -> list[Tensor]:
    leaves = {scale: z.clone().requires_grad_() for scale, z in latent.items()}
    Criterion(LossWeights(form=form, fused=0, alpha=0, beta=1.0))(
        target=torch.zeros(6, dtype=torch.long),
        fused_logits=None,
        branch_logits={},
        latent=leaves,
    )["total"].backward()
    return [gradient for z in leaves.values() if (gradient := z.grad) is not None]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "collapsed",
    [torch.zeros(6, 5), torch.ones(6, 5), torch.eye(6, 5)[[0, 0, 0, 1, 1, 1]]],
    ids=["zero", "the same", "duplicated"],
)
def test_collapsed_embeddings_give_finite_losses_and_gradients(
    form: Form, collapsed: Tensor
) -> None:
    gradients = _gradients(dict.fromkeys(Scale, collapsed), form)
    assert len(gradients) == 3
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_normalised_gradients_are_of_one_size_where_literal_ones_explode() -> None:
    random = torch.Generator().manual_seed(0)
    latent = {scale: torch.randn(6, 128, generator=random) for scale in Scale}
    literal = max(g.norm().item() for g in _gradients(latent, "literal"))
    normalised = max(g.norm().item() for g in _gradients(latent, "normalised"))
    assert literal > 1_000
    assert normalised < 2


def test_under_autocast_the_losses_are_in_fp32() -> None:
    latent = _by_scale(_latent())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = Criterion(LossWeights())(
            target=torch.zeros(6, dtype=torch.long),
            fused_logits=torch.zeros(6, 2, dtype=torch.bfloat16),
            branch_logits={},
            latent={scale: z.bfloat16() for scale, z in latent.items()},
        )
    assert {term.dtype for term in terms.values()} == {torch.float32}


def test_a_loss_that_is_not_finite_names_its_term() -> None:
    latent = _by_scale(_latent())
    latent[Scale.MACRO][0, 0] = torch.inf
    with pytest.raises(NonFiniteLoss, match="L_cov is nan"):
        Criterion(LossWeights(nce={}))(
            target=torch.zeros(6, dtype=torch.long),
            fused_logits=torch.zeros(6, 2),
            branch_logits={},
            latent=latent,
        )


def test_one_nodule_alone_has_no_alignment() -> None:
    with pytest.raises(ValueError, match="two nodules or more"):
        Criterion(LossWeights()).align(_by_scale(_latent(batch=1)))


def test_the_temperature_learns_only_when_it_should() -> None:
    assert not Criterion(LossWeights()).log_tau.requires_grad
    assert Criterion(LossWeights(learn_tau=True)).log_tau.requires_grad
