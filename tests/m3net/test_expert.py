"""The expert compares what was measured, abstains where too little was, and counts as one."""

import math
from dataclasses import replace
from itertools import permutations

import pytest
import torch

from m3net.config import SMALL
from m3net.description import BASIC, NAMES
from m3net.expert import LEVELS, KernelExpert, with_experts
from m3net.gradcam import explain
from m3net.network import Committee, build
from m3net.scales import Scale
from tests.m3net.toys import narrow, noise


def expert_of(*values: float) -> KernelExpert:
    """An expert that knows nodules all of whose numbers are such a value."""
    expert = KernelExpert(len(values))
    every = torch.tensor(values, dtype=torch.float32)[:, None].expand(-1, len(NAMES)).contiguous()
    levels = torch.linspace(0, 1, LEVELS)
    expert.percentiles.copy_(torch.quantile(every, levels, dim=0).T)
    expert.centres.copy_(expert.standard(every))
    return expert


def of(value: float) -> torch.Tensor:
    return torch.full((1, len(NAMES)), value)


def test_a_number_becomes_a_normal_deviate_by_its_rank() -> None:
    expert = expert_of(*range(101))
    found = [float(expert.standard(of(x))[0, 0]) for x in (50.0, 84.134, 2.275, -7.0, 1000.0)]
    assert found == pytest.approx([0.0, 1.0, -2.0, -3.0, 3.0], abs=0.01)


def test_none_at_all_is_set_apart_and_what_many_share_has_the_middle_rank() -> None:
    half_zero = expert_of(*[0.0] * 50, *range(1, 52))
    assert half_zero.standard(of(0.0))[0, 0] == -3.0
    assert half_zero.standard(of(1.0))[0, 0] == pytest.approx(0.0, abs=0.03)
    shared = expert_of(0.0, *[1.0] * 99, 2.0)
    assert shared.standard(of(1.0))[0, 0] == pytest.approx(0.0, abs=0.01)


def test_a_nodule_is_judged_as_those_that_it_resembles() -> None:
    expert = expert_of(*range(101))
    expert.weights[10], expert.weights[90] = -0.4, 0.4
    low, middle, high = (float(expert(of(x))) for x in (10.0, 50.0, 90.0))
    assert low < -1.0 < middle < 1.0 < high
    assert middle == pytest.approx(0.0, abs=1e-3)


def test_it_is_never_surer_than_one_in_fifty() -> None:
    expert = expert_of(*range(101))
    expert.weights[50] = 100.0
    assert float(expert(of(50.0))) == pytest.approx(math.log(0.98 / 0.02), abs=1e-3)


def test_it_abstains_where_a_number_is_unknown() -> None:
    expert = expert_of(*range(101))
    sphere = of(50.0)
    sphere[0, len(BASIC) :] = math.nan
    assert expert(sphere).isnan().all()
    logits = torch.tensor([[0.5, -0.5], [1.0, 2.0]])
    assert torch.equal(with_experts(logits, [torch.tensor([math.nan, math.nan])]), logits)


def test_it_counts_as_much_as_the_networks() -> None:
    logits = torch.tensor([[0.0, 1.0], [3.0, 1.0]])
    both = with_experts(logits, [torch.tensor([3.0, math.nan])])
    margins = both[:, 1] - both[:, 0]
    assert margins.tolist() == pytest.approx([2.0, -2.0])
    assert both.sum(1).tolist() == pytest.approx([1.0, 4.0])


def test_of_two_experts_each_counts_a_third_and_one_that_abstains_not_at_all() -> None:
    logits = torch.tensor([[0.0, 1.0], [3.0, 1.0], [0.0, 1.0]])
    first, second = torch.tensor([3.0, 4.0, math.nan]), torch.tensor([5.0, math.nan, math.nan])
    all_three = with_experts(logits, [first, second])
    assert (all_three[:, 1] - all_three[:, 0]).tolist() == pytest.approx([3.0, 1.0, 1.0])


def test_a_committee_asks_its_expert_and_its_map_stays_the_networks() -> None:
    narrowed = narrow("small")
    plain = build(replace(narrowed, members=2), seed=1).eval()
    asked = build(replace(narrowed, members=2, remembered=3), seed=1).eval()
    assert isinstance(asked, Committee)
    assert asked.expert is not None
    asked.expert.mean.fill_(0.9)
    patches = dict(zip(Scale, noise(narrowed, batch=1, seed=2), strict=True))
    known = of(0.5)
    before, after = (explain(network, patches, known) for network in (plain, asked))
    margins = [float(e.outputs.logits[0, 1] - e.outputs.logits[0, 0]) for e in (before, after)]
    assert margins[1] == pytest.approx((margins[0] + math.log(9)) / 2, abs=1e-5)
    for scale in Scale:
        assert torch.allclose(after.maps[scale], before.maps[scale], rtol=1e-5, atol=1e-7)


def test_the_expert_is_not_rounded_where_the_encoders_are() -> None:
    committee = build(replace(narrow("small"), members=2, remembered=50), seed=1).eval()
    assert isinstance(committee, Committee)
    assert committee.expert is not None
    committee.expert.weights.copy_(torch.linspace(-3.0, 3.1, 50))
    patches = dict(zip(Scale, noise(committee.config, batch=1, seed=2), strict=True))
    with torch.no_grad():
        below = committee.lower(patches)
        exact = committee.upper(below, description=of(0.5)).logits
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = committee.upper(below, description=of(0.5)).logits
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().max() < 0.02


def test_an_expert_needs_descriptions() -> None:
    blind = replace(SMALL.preprocessing, description=False)
    with pytest.raises(ValueError, match=r"set preprocessing\.description"):
        replace(SMALL, preprocessing=blind, remembered=3)


def known_expert() -> KernelExpert:
    """A hundred and one nodules, of which only numbers 0, 1 and 2 tell the suspicious apart.

    The deviate of x is 0 at 50; `standard` maps 0 to -3 and 100 to 3.
    """
    expert = expert_of(*range(101))
    expert.sharpness.fill_(20.0)
    expert.centres.zero_()
    expert.weights.zero_()
    return expert


def test_the_share_of_what_alone_differs_is_all_of_it() -> None:
    expert = known_expert()
    expert.centres[0, 1] = 2.0
    expert.weights[0] = 0.4
    nodule = of(50.0)
    nodule[0, 1] = 97.725  # two standard deviations above the median
    families = [[0], [1], list(range(2, len(NAMES)))]
    shares = expert.shares(nodule, families)[0].tolist()
    moved = float(expert.estimate(nodule) - expert.estimate(of(50.0)))
    assert moved == pytest.approx(0.4 * (1 - math.exp(-20 * 4 / len(NAMES))), abs=1e-3)
    assert shares == pytest.approx([0.0, moved, 0.0], abs=1e-6)


def test_two_that_only_count_together_share_evenly() -> None:
    expert = known_expert()
    expert.centres[0, :2] = 3.0
    expert.weights[0] = 0.5
    nodule = of(50.0)
    nodule[0, :2] = 100.0
    shares = expert.shares(nodule, [[0], [1], list(range(2, len(NAMES)))])[0].tolist()
    assert shares[0] == pytest.approx(shares[1], abs=1e-9)
    assert sum(shares) == pytest.approx(
        float(expert.estimate(nodule) - expert.estimate(of(50.0))), abs=1e-6
    )


def test_shares_are_the_shapley_values_that_one_gets_by_trying_every_order() -> None:
    torch.manual_seed(3)
    expert = expert_of(*range(101))
    expert.centres.normal_()
    expert.weights.normal_(std=0.01)
    nodule = torch.rand(1, len(NAMES)) * 100
    families = [list(range(start, len(NAMES), 4)) for start in range(4)]
    expected = [0.0] * 4
    for order in permutations(range(4)):
        known = expert.medians[None].clone()
        before = float(expert.estimate(known))
        for family in order:
            known[0, families[family]] = nodule[0, families[family]]
            after = float(expert.estimate(known))
            expected[family] += (after - before) / 24
            before = after
    assert expert.shares(nodule, families)[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_what_an_expert_does_not_know_has_no_share() -> None:
    sphere = of(50.0)
    sphere[0, len(BASIC) :] = math.nan
    assert expert_of(*range(101)).shares(sphere, [list(range(len(NAMES)))]).isnan().all()
