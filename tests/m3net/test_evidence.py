"""What a probability rests on adds up to it, and every number is counted in one family."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from m3net.appearance import NUMBERS
from m3net.calibration import Calibration
from m3net.description import BASIC, NAMES
from m3net.description.families import FAMILIES
from m3net.evidence import Evidence, evidence_of
from m3net.network import Committee, build
from m3net.scales import Scale
from tests.m3net.toys import narrow, noise


def committee(remembered: int, *, appearance: bool = False) -> Committee:
    config = replace(narrow("small"), members=2, remembered=remembered, appearance=appearance)
    built = build(config, seed=1).eval()
    assert isinstance(built, Committee)
    if built.expert is not None:
        torch.manual_seed(5)
        built.expert.centres.normal_()
        built.expert.weights.normal_(std=0.05)
    return built


def judged(
    network: Committee, numbers: torch.Tensor, *, temperature: float = 0.5
) -> tuple[Evidence, float]:
    """The evidence, and the logit of p."""
    patches = dict(zip(Scale, noise(network.config, batch=1, seed=2), strict=True))
    with torch.no_grad():
        outputs = network.upper(network.lower(patches), description=numbers)
    found = evidence_of(network, outputs, numbers, calibration=Calibration(slope=1 / temperature))
    assert found is not None
    return found, float(outputs.logits[0, 1] - outputs.logits[0, 0]) / temperature


def test_images_and_measurements_add_up_to_the_log_odds() -> None:
    found, logit = judged(committee(30), torch.full((1, len(NAMES)), 0.4))
    assert found.images + found.measurements == pytest.approx(logit, abs=1e-6)
    assert found.estimate is not None
    assert found.of_usual is not None
    assert 0 <= found.estimate <= 1
    assert [abs(m.effect) for m in found.measured] == sorted(
        (abs(m.effect) for m in found.measured), reverse=True
    )


def test_what_calibration_adds_for_all_is_no_part_of_the_evidence() -> None:
    network = committee(30)
    patches = dict(zip(Scale, noise(network.config, batch=1, seed=2), strict=True))
    numbers = torch.full((1, len(NAMES)), 0.4)
    with torch.no_grad():
        outputs = network.upper(network.lower(patches), description=numbers)
    plain, shifted = (
        evidence_of(network, outputs, numbers, calibration=Calibration(slope=2.0, shift=shift))
        for shift in (0.0, 0.7)
    )
    assert plain is not None
    assert shifted == replace(plain, shift=0.7)


def test_how_it_looks_on_slices_is_a_part_of_its_own() -> None:
    network = committee(30, appearance=True)
    assert network.appearance is not None
    network.appearance.expert.mean.fill_(0.9)
    numbers = torch.full((1, len(NAMES) + NUMBERS), 0.4)
    found, logit = judged(network, numbers)
    assert found.appearance == pytest.approx(math.log(9) / 3 / 0.5, abs=1e-4)
    assert found.images + found.measurements + found.appearance == pytest.approx(logit, abs=1e-5)
    unseen = numbers.clone()
    unseen[0, len(NAMES) :] = math.nan
    found, logit = judged(network, unseen)
    assert found.appearance is None
    assert found.images + found.measurements == pytest.approx(logit, abs=1e-6)


def test_the_strongest_measurement_is_the_one_that_differs() -> None:
    network = committee(30)
    assert network.expert is not None
    network.expert.centres.zero_()
    network.expert.weights.zero_()
    network.expert.weights[0] = -0.3
    numbers = network.expert.medians[None].clone()
    numbers[0, NAMES.index("edge_gradient_hu_per_mm")] = 0.9
    found, _ = judged(network, numbers)
    strongest, *others = found.measured
    assert (strongest.words, strongest.told_as, strongest.unit) == ("edge", "steepness", "HU/mm")
    assert (strongest.value, strongest.usual) == pytest.approx((0.9, 0.5))
    assert strongest.effect > 0  # it is less like what the negative weight remembers
    assert [each.effect for each in others] == pytest.approx([0.0] * (len(FAMILIES) - 1), abs=1e-9)


@pytest.mark.parametrize("remembered", [0, 30])
def test_without_an_outline_no_measurement_of_the_experts_is_told(remembered: int) -> None:
    sphere = torch.full((1, len(NAMES)), 0.4)
    sphere[0, len(BASIC) :] = math.nan
    found, logit = judged(committee(remembered), sphere)
    assert found.images + found.measurements == pytest.approx(logit, abs=1e-6)
    assert (found.measured, found.estimate, found.of_usual) == ((), None, None)


def test_with_no_number_at_all_everything_rests_on_the_images() -> None:
    found, logit = judged(committee(30), torch.full((1, len(NAMES)), math.nan))
    assert found.measurements == pytest.approx(0.0, abs=1e-6)
    assert found.images == pytest.approx(logit, abs=1e-6)


def test_a_network_that_takes_no_numbers_has_no_such_evidence() -> None:
    network = build(narrow("release"), seed=1).eval()
    patches = dict(zip(Scale, noise(network.config, batch=1, seed=2), strict=True))
    with torch.no_grad():
        outputs = network.upper(network.lower(patches))
    assert evidence_of(network, outputs, None, calibration=Calibration(slope=1.0)) is None


def test_every_number_is_in_one_family_and_told_in_its_unit() -> None:
    counted = [name for family in FAMILIES for name in family.members]
    assert sorted(counted) == sorted(NAMES)
    assert all(family.told in family.members for family in FAMILIES)
    numbers = np.zeros(len(NAMES))
    numbers[NAMES.index("log_volume_mm3")] = math.log(560)
    numbers[NAMES.index("slice_convexity")] = 0.91
    told = {family.words: family.value(numbers) for family in FAMILIES}
    assert told["size"] == pytest.approx(560)
    assert told["lobes and spikes"] == pytest.approx(91)
