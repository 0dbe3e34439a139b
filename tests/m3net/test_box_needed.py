"""Which slices a model looks at: all of those, and no others, decide what it is shown."""

import numpy as np
import pytest

from m3net.config import PRESETS, SMALL
from m3net.nodule import Mask, Nodule
from m3net.preprocessing import box_for, cut_for
from m3net.volume import CTVolume
from tests.m3net.toys import nodule_at, volume_of

SLICES = 120


def scan(step_mm: float) -> CTVolume:
    random = np.random.default_rng(5)
    affine = np.array(
        [[0, 0, 0.7, -10.0], [0, 0.7, 0, -20.0], [step_mm, 0, 0, 100.0], [0, 0, 0, 1.0]]
    )
    return volume_of(random.integers(-900, 300, (SLICES, 64, 64)).astype(np.int16), affine)


def tall(volume: CTVolume, slices: int, *, about: float = 60.0) -> Nodule:
    """A column of so many slices."""
    first = np.array([round(about - slices / 2), 28, 28])
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm(first)
    middle = first + np.array([slices - 1, 7, 7]) / 2
    mask = Mask(voxels=np.ones((slices, 8, 8), bool), affine=affine)
    return nodule_at(volume.to_mm(middle), mask=mask)


def nodules(volume: CTVolume) -> dict[str, Nodule]:
    centre = volume.to_mm([60.3, 32, 32])
    return {
        "mask": tall(volume, 5),
        "tall mask": tall(volume, 41),
        "diameter": nodule_at(centre, diameter_mm=12.0),
        "bare": nodule_at(centre),
    }


@pytest.mark.parametrize("step_mm", [0.6, 2.5])
@pytest.mark.parametrize("marked", ["mask", "tall mask", "diameter", "bare"])
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_no_other_slice_changes_what_a_model_is_shown(
    preset: str, marked: str, step_mm: float
) -> None:
    volume = scan(step_mm)
    nodule = nodules(volume)[marked]
    config = PRESETS[preset]
    needed = box_for(config, volume, nodule).slices
    others = np.ones(SLICES, bool)
    others[max(needed.start, 0) : needed.stop] = False
    altered = volume.hu.copy()
    altered[others] = 1000

    before = cut_for(config, volume, nodule)
    after = cut_for(config, volume_of(altered, volume.affine), nodule)

    assert others.any()
    for scale, patch in before.scales.items():
        assert np.array_equal(patch.hu, after.scales[scale].hu)
    np.testing.assert_array_equal(before.description, after.description)


@pytest.mark.parametrize("step_mm", [0.6, 2.5])
@pytest.mark.parametrize("marked", ["mask", "diameter", "bare"])
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_first_and_the_last_of_them_count(preset: str, marked: str, step_mm: float) -> None:
    volume = scan(step_mm)
    nodule = nodules(volume)[marked]
    config = PRESETS[preset]
    needed = box_for(config, volume, nodule).slices
    before = cut_for(config, volume, nodule)
    for end in (needed[0], needed[-1]):
        altered = volume.hu.copy()
        altered[end] = 1000
        after = cut_for(config, volume_of(altered, volume.affine), nodule)
        assert any(
            not np.array_equal(patch.hu, after.scales[scale].hu)
            for scale, patch in before.scales.items()
        )


def test_the_default_weights_look_no_further_than_the_nodule_and_its_margin() -> None:
    volume = scan(2.5)
    assert box_for(SMALL, volume, tall(volume, 5)).slices == range(58, 63)
    assert box_for(SMALL, volume, tall(volume, 41)).slices == range(34, 87)  # 6 more on each side


def test_the_published_network_looks_at_56_slices() -> None:
    volume = scan(2.5)
    needed = box_for(PRESETS["release"], volume, tall(volume, 5)).slices
    assert (len(needed), needed.start) == (56, 32)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_nodule_that_is_taller_than_the_patch_needs_its_own_slices(preset: str) -> None:
    volume = scan(0.6)
    needed = box_for(PRESETS[preset], volume, tall(volume, 110)).slices
    assert (needed.start <= 5, needed.stop >= 115) == (True, True)


def test_what_a_model_would_look_at_beyond_the_scan_is_needed_as_well() -> None:
    volume = scan(2.5)
    near_the_end = tall(volume, 5, about=3.0)
    assert box_for(PRESETS["release"], volume, near_the_end).slices.start < 0
    assert box_for(SMALL, volume, near_the_end).slices.start == 0
