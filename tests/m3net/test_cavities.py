"""Whether air lies within a mark, and what is then not said of it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from m3net.cavities import Air, air_within
from m3net.consistency import Consistency
from m3net.measurements import measure
from m3net.nodule import Mask
from m3net.placed import PlacedNodule
from m3net.volume import transform
from tests.m3net.test_measurements import GLASS_HU, SOLID_HU, body

SPACING_MM = (1.0, 0.7, 0.7)
AIR_HU = -980


def hollow(
    *, outer_mm: float = 20.0, inner_mm: float, hu: int = SOLID_HU, air_hu: int = AIR_HU
) -> PlacedNodule:
    """A ball with a hollow in its middle, blurred over 1 mm."""
    ball = body((outer_mm,) * 3, hu=hu)
    points = transform(ball.volume.affine, np.moveaxis(np.indices(ball.volume.shape), 0, -1))
    share = np.clip(0.5 + inner_mm / 2 - np.linalg.norm(points, axis=-1), 0, 1)
    values = ball.volume.hu + share * (air_hu - ball.volume.hu)
    return replace(ball, volume=replace(ball.volume, hu=values.round().astype(np.int16)))


@pytest.mark.parametrize("hu", [SOLID_HU, GLASS_HU])
@pytest.mark.parametrize("inner_mm", [6.0, 10.0, 15.0])
def test_a_cavity_is_air_and_neither_solid_nor_part_solid(inner_mm: float, hu: int) -> None:
    measured = measure(hollow(inner_mm=inner_mm, hu=hu), thickness_mm=1.0)
    assert measured.consistency is None
    assert measured.contains_air


@pytest.mark.parametrize("outer_mm", [12.0, 20.0])
def test_a_cyst_with_a_thin_wall_contains_air(outer_mm: float) -> None:
    measured = measure(hollow(outer_mm=outer_mm, inner_mm=outer_mm - 5), thickness_mm=1.0)
    assert (measured.contains_air, measured.consistency) == (True, None)


def test_a_bubble_of_four_millimetres_is_enough_to_say_nothing() -> None:
    assert measure(hollow(inner_mm=4.0), thickness_mm=1.0).consistency is None


def test_air_that_the_reader_left_out_of_the_mark_lies_within_it() -> None:
    nodule = hollow(inner_mm=10.0)
    mask = nodule.nodule.mask
    assert mask is not None
    walls = Mask(voxels=mask.voxels & (nodule.volume.hu > -500), affine=mask.affine)
    outlined = replace(nodule, nodule=replace(nodule.nodule, mask=walls))
    measured = measure(outlined, thickness_mm=1.0)
    assert (measured.contains_air, measured.consistency) == (True, None)


def test_a_cavity_that_opens_to_the_side_is_not_said_to_be_solid() -> None:
    """Its air joins the lung beyond the mark, as through a bronchus."""
    nodule = hollow(inner_mm=8.0)
    hu = nodule.volume.hu.copy()
    _, middle, centre = (n // 2 for n in hu.shape)
    hu[:, middle - 4 : middle + 4, centre:] = AIR_HU
    opened = replace(nodule, volume=replace(nodule.volume, hu=hu))
    measured = measure(opened, thickness_mm=1.0)
    assert (measured.contains_air, measured.consistency) == (None, None)


@pytest.mark.parametrize("hu", [-90, SOLID_HU, 700], ids=["fat", "tissue", "calcium"])
def test_what_is_dense_throughout_is_solid(hu: int) -> None:
    measured = measure(body((14.0, 14.0, 14.0), hu=hu), thickness_mm=1.0)
    assert (measured.contains_air, measured.consistency) == (False, Consistency.SOLID)


@pytest.mark.parametrize("lung_hu", [-860, -890])
def test_lung_that_a_generous_outline_takes_in_is_no_air(lung_hu: int) -> None:
    ball = body((18.0, 18.0, 18.0))
    points = transform(ball.volume.affine, np.moveaxis(np.indices(ball.volume.shape), 0, -1))
    share = np.clip(0.5 + 7.5 - np.linalg.norm(points, axis=-1), 0, 1)
    hu = (lung_hu + share * (SOLID_HU - lung_hu)).astype(np.int16)
    measured = measure(replace(ball, volume=replace(ball.volume, hu=hu)), thickness_mm=1.0)
    assert (measured.contains_air, measured.consistency) == (False, Consistency.SOLID)


def sure(hu: NDArray[np.int16]) -> Air:
    return air_within(hu, np.ones(hu.shape, bool), SPACING_MM)


def test_noise_is_no_air() -> None:
    """Of 60 HU, which is much, about fat."""
    noisy = np.random.default_rng(3).normal(-100, 60, (20, 24, 24)).astype(np.int16)
    assert sure(noisy) is Air.NONE
