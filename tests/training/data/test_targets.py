"""Readers' scores as targets, hard, soft, of a panel and ordinal."""

import pytest
import torch

from training.data.targets import CUTPOINTS, TargetKind, target_of
from training.learn.losses import classification


@pytest.mark.parametrize(
    ("scores", "hard", "soft", "ordinal"),
    [
        ((3, 3, 3), 0, 0.5, [1, 1, 0, 0]),
        ((3, 3, 4), 1, 2 / 3, [1, 1, 1 / 3, 0]),
        ((5, 1), 0, 0.5, [0.5, 0.5, 0.5, 0.5]),
        ((5, 5, 5, 4), 1, 1.0, [1, 1, 1, 0.75]),
    ],
)
def test_scores_become_targets(
    scores: tuple[int, ...], hard: int, soft: float, ordinal: list[float]
) -> None:
    assert target_of(scores, TargetKind.HARD).item() == hard
    assert target_of(scores, TargetKind.SOFT).item() == pytest.approx(soft)
    assert target_of(scores, TargetKind.ORDINAL).tolist() == pytest.approx(ordinal)


def test_a_mean_of_3_is_near_one_half_and_a_clear_rating_is_clear() -> None:
    panels = [(1, 1), (3, 3, 3), (3, 3, 3, 4), (5, 5)]
    found = [target_of(scores, TargetKind.PANEL).item() for scores in panels]
    assert found == pytest.approx([0.0148, 0.4502, 0.5744, 0.9781], abs=1e-3)


def test_an_ordinal_target_is_met_where_the_margin_lies_between_the_cutpoints() -> None:
    """Two readers of four above 3: a coin's toss at the decision, so a margin of about 0."""
    margin = torch.zeros(1, requires_grad=True)
    shares = torch.sigmoid(-torch.tensor([CUTPOINTS]))
    loss = classification(torch.stack([-margin / 2, margin / 2], dim=1), shares)
    loss.backward()
    assert margin.grad is not None
    assert margin.grad.item() == pytest.approx(0.0, abs=1e-6)


def test_higher_scores_want_a_higher_margin() -> None:
    def slope(scores: tuple[int, ...]) -> float:
        margin = torch.zeros(1, requires_grad=True)
        logits = torch.stack([-margin / 2, margin / 2], dim=1)
        classification(logits, target_of(scores, TargetKind.ORDINAL)[None]).backward()
        assert margin.grad is not None
        return margin.grad.item()

    slopes = [slope((score,)) for score in (1, 2, 3, 4, 5)]
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[1] > 0 > slopes[3]
