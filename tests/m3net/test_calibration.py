"""What a margin becomes, for each way in which a nodule is told."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.calibration import Calibration, calibration_of
from m3net.card import ModelCard
from m3net.model_files import UNTRAINED_CARD, load_card
from m3net.nodule import Mask
from m3net.told import CENTRE, DIAMETER, OUTLINE, told_as
from m3net.weights import load_classifier
from tests.m3net.toys import nodule_at, volume_of

CARD = replace(UNTRAINED_CARD, temperature=0.5, calibration={CENTRE: {"slope": 3.0, "shift": -0.5}})


def test_a_way_that_the_card_knows_has_its_own_and_another_the_temperature() -> None:
    assert calibration_of(CARD, CENTRE) == Calibration(slope=3.0, shift=-0.5)
    assert calibration_of(CARD, OUTLINE) == Calibration(slope=2.0, shift=0.0)


def test_a_card_whose_ranges_are_for_one_way_of_telling_alone_is_refused_in_words() -> None:
    before = {**UNTRAINED_CARD.to_json(), "panel": [{"from": 0.0, "low": 1.0}]}
    with pytest.raises(ValueError, match="its panel is a list, as before ranges were told"):
        ModelCard.from_json(before)


def test_a_probability_is_the_logistic_of_slope_and_shift() -> None:
    told = Calibration(slope=3.0, shift=-0.5)
    assert told([1.0, -300.0]) == pytest.approx([0.924142, 0.0], abs=1e-6)
    assert float(told(1.0)) == pytest.approx(0.924142, abs=1e-6)


def test_the_same_ball_is_told_in_three_ways_and_each_has_its_calibration() -> None:
    """By the shipped weights: without its calibration each gives what the temperature gives."""
    z, y, x = np.indices((24, 64, 64))
    inside = (z - 12) ** 2 + (y - 32) ** 2 + (x - 32) ** 2 <= 36
    affine = np.array([[0.0, 0, 0.7, 0], [0, 0.7, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])
    volume = volume_of(np.where(inside, 40, -850).astype(np.int16), affine)
    bare = nodule_at(volume.to_mm(np.array([12.0, 32.0, 32.0])))
    outlined = replace(bare, mask=Mask(voxels=inside, affine=volume.affine))
    card = load_card("default")
    classifier = load_classifier("default", device="cpu")
    plain = replace(classifier, card=replace(card, calibration={}))
    for nodule in (outlined, replace(bare, diameter_mm=10.0), bare):
        p, uncalibrated = (each.probability(volume, nodule) for each in (classifier, plain))
        margin = card.temperature * np.log(uncalibrated / (1 - uncalibrated))
        own = card.calibration[told_as(nodule)]
        assert np.log(p / (1 - p)) == pytest.approx(own["slope"] * margin + own["shift"], abs=1e-3)
        (judged,) = classifier.classify(volume, [nodule])
        assert judged.probability == pytest.approx(p, abs=1e-4)
    assert set(card.calibration) == {OUTLINE, DIAMETER, CENTRE}
