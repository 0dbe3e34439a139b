"""One warp for all scales: patches stay nested, steps do what they are called."""

import numpy as np
import pytest
from scipy import ndimage

from training.data.augment import CORNERS, PRESETS, Augmentation, Warp, draw_warp

MACRO_HALF = 48


def _grid(side: int) -> np.ndarray:
    """Places of the voxels of a patch of `side` voxels, the nodule in voxel side // 2."""
    axis = (np.arange(side) - side // 2) / MACRO_HALF
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)


def _cut(image: np.ndarray, warp: Warp, side: int) -> np.ndarray:
    source = warp(_grid(side)) * MACRO_HALF + np.array(image.shape) // 2
    return np.asarray(
        ndimage.map_coordinates(image, np.moveaxis(source, -1, 0), order=1, cval=-1000.0)
    )


def _image() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(201, 201)) * 100


def test_a_turn_keeps_the_long_axis_and_right_angles_and_stretches_little() -> None:
    for seed in range(20):
        turn = draw_warp(PRESETS["readers"], np.random.default_rng(seed)).turn
        assert turn is not None
        size = np.cbrt(abs(np.linalg.det(turn)))
        assert np.exp(-0.1) <= size <= np.exp(0.1)
        assert np.allclose(turn @ turn.T, np.eye(3) * size**2)
        assert abs(turn[0, 0]) == pytest.approx(size)


@pytest.mark.parametrize("preset", ["none", "paper", "clinical"])
def test_only_readers_turn_the_patient(preset: str) -> None:
    assert PRESETS[preset].other_reader is None
    assert draw_warp(PRESETS[preset], np.random.default_rng(0)).turn is None


@pytest.mark.parametrize("preset", ["paper", "clinical"])
@pytest.mark.parametrize("seed", range(8))
def test_the_scales_stay_nested_under_any_warp(preset: str, seed: int) -> None:
    warp = draw_warp(PRESETS[preset], np.random.default_rng(seed))
    micro, meso, macro = (_cut(_image(), warp, side) for side in (32, 64, 96))
    assert np.allclose(meso[16:48, 16:48], micro)
    assert np.allclose(macro[16:80, 16:80], meso)


def test_without_steps_a_warp_changes_nothing() -> None:
    warp = draw_warp(PRESETS["none"], np.random.default_rng(0))
    assert np.array_equal(warp(_grid(96)), _grid(96))


def test_a_flip_turns_the_patch_upside_down() -> None:
    flipped = _cut(_image(), Warp(flip=True), 33)
    assert np.allclose(flipped, _cut(_image(), Warp(), 33)[::-1])


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    turned = _cut(_image(), Warp(rotation=np.array([[0.0, -1.0], [1.0, 0.0]])), 33)
    assert np.allclose(turned, np.rot90(_cut(_image(), Warp(), 33), -1))


def _only(**strength: float) -> Augmentation:
    zero = {"rotation_deg": 0.0, "perspective": 0.0, "spline": 0.0}
    return Augmentation(probability=1.0, **(zero | strength))


def test_a_perspective_shows_more_so_the_nodule_shrinks() -> None:
    for seed in range(20):
        warp = draw_warp(_only(perspective=0.5), np.random.default_rng(seed))
        y, x = warp(CORNERS).T
        shown = abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2
        assert shown > 4  # the area of the square itself


def test_the_clinical_spline_moves_nothing_by_more_than_8_voxels() -> None:
    for seed in range(20):
        warp = draw_warp(_only(spline=0.05), np.random.default_rng(seed))
        moved = warp(_grid(96)) * np.array([-1.0, 1.0]) - _grid(96)
        assert np.abs(moved).max() * MACRO_HALF < 8


def test_a_spline_takes_its_points_where_they_were_drawn_to() -> None:
    points = np.vstack([CORNERS, [[0.0, 0.0]]])
    to = points + np.random.default_rng(1).uniform(-0.2, 0.2, (5, 2))
    assert np.allclose(Warp(spline_to=to)(points), to)


def test_the_same_generator_draws_the_same_warp() -> None:
    first, second = (
        draw_warp(PRESETS["paper"], np.random.default_rng(5))(_grid(8)) for _ in range(2)
    )
    assert np.allclose(first, second)
    other = draw_warp(PRESETS["paper"], np.random.default_rng(6))(_grid(8))
    assert not np.array_equal(first, other)
