"""Augmented patches: one bent parent volume, three nested crops of it."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.config import M3NetConfig
from m3net.scales import Scale
from tests.m3net.toys import narrow, nodule_at, volume_of
from training.data.augment import PRESETS, Warp, draw_warp
from training.data.warped import cut_warped

QUARTER = Warp(rotation=np.array([[0.0, -1.0], [1.0, 0.0]]))


@pytest.fixture
def config() -> M3NetConfig:
    """Patches of 8 x (8, 12, 16) voxels."""
    toy = narrow("small")
    plain = replace(toy.preprocessing, description=False, mask=False, context=None)
    return replace(toy, preprocessing=plain)


def _parent(shape: tuple[int, int, int] = (12, 40, 40)):
    """A smooth volume, and a nodule in the middle of it."""
    z, y, x = np.indices(shape)
    hu = (20 * z + 300 * np.sin(y / 5) + 300 * np.cos(x / 7)).astype(np.int16)
    affine = np.array([[0.0, 0, 0.7, 0], [0, 0.7, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])
    centre_mm = affine[:3, :3] @ [6, 20, 20]
    return volume_of(hu, affine), nodule_at(centre_mm, diameter_mm=5.0)


@pytest.mark.parametrize("seed", range(4))
def test_the_scales_stay_nested_in_any_warp(config: M3NetConfig, seed: int) -> None:
    volume, nodule = _parent()
    certain = replace(PRESETS["paper"], probability=1.0)
    warp = draw_warp(certain, np.random.default_rng(seed))
    cut = cut_warped(config, volume, nodule, warp).scales
    micro, meso, macro = (cut[s].hu for s in (Scale.MICRO, Scale.MESO, Scale.MACRO))
    assert np.allclose(macro[:, 2:-2, 2:-2], meso, atol=0.001)
    assert np.allclose(meso[:, 2:-2, 2:-2], micro, atol=0.001)


def test_a_quarter_turn_moves_every_voxel_to_its_place(config: M3NetConfig) -> None:
    volume, nodule = _parent()
    straight = cut_warped(config, volume, nodule, Warp()).scales[Scale.MICRO].hu
    turned = cut_warped(config, volume, nodule, QUARTER).scales[Scale.MICRO].hu
    assert np.allclose(turned[:, 1:, 1:], np.rot90(straight[:, 1:, 1:], -1, axes=(1, 2)))


def test_beyond_the_scan_is_air_that_says_so(config: M3NetConfig) -> None:
    volume, nodule = _parent()
    cropped = volume_of(volume.hu[:, 14:27, 14:27], _shifted(volume.affine, 14))
    patch = cut_warped(config, cropped, nodule, QUARTER).scales[Scale.MACRO]
    assert patch.valid[4].sum() == 13 * 13
    assert np.all(patch.hu[~patch.valid] == -1000)


def test_a_warp_of_one_scale_alone_bends_its_patch_in_its_own_measure(config: M3NetConfig) -> None:
    """As the published code draws them: a move of the corners is one of the patch's own corners."""
    volume, nodule = _parent()
    squeezed = Warp(spline_to=np.array([[-1.0, -1], [-1, 1], [1, 1], [1, -1], [0, 0]]) / 2)
    alone = {Scale.MICRO: squeezed, Scale.MESO: Warp(), Scale.MACRO: QUARTER}
    cut = cut_warped(config, volume, nodule, alone).scales
    straight = cut_warped(config, volume, nodule, Warp()).scales
    assert np.allclose(cut[Scale.MESO].hu, straight[Scale.MESO].hu, atol=0.01)
    # the outermost voxel comes from half as far from the middle, which is voxel (4, 4)
    assert np.allclose(cut[Scale.MICRO].hu[:, 0, 0], straight[Scale.MICRO].hu[:, 2, 2], atol=0.01)
    turned = cut_warped(config, volume, nodule, QUARTER).scales
    assert np.allclose(cut[Scale.MACRO].hu, turned[Scale.MACRO].hu, atol=0.01)


def test_the_published_augmentation_draws_for_each_scale_apart() -> None:
    apart = replace(PRESETS["release"], per_scale=False)
    assert apart == PRESETS["paper"]


def _shifted(affine: np.ndarray, voxels: int) -> np.ndarray:
    moved = affine.copy()
    moved[:3, 3] = affine[:3, :3] @ [0, voxels, voxels]
    return moved


def test_the_mask_goes_with_the_voxels(config: M3NetConfig) -> None:
    masked = replace(config, preprocessing=replace(config.preprocessing, mask=True))
    volume, nodule = _parent()
    mask = cut_warped(masked, volume, nodule, QUARTER).scales[Scale.MICRO].mask
    straight = cut_warped(masked, volume, nodule, Warp()).scales[Scale.MICRO].mask
    assert mask is not None
    assert straight is not None
    assert mask.sum() == straight.sum() > 0


def test_a_patient_turned_by_half_about_the_long_axis_shows_the_patch_turned_by_half(
    config: M3NetConfig,
) -> None:
    cubes = {
        s: replace(
            config.branch(s), patch=replace(config.branch(s).patch, spacing_mm=(1.0, 0.7, 0.7))
        )
        for s in Scale
    }
    config = replace(config, **{s.value: branch for s, branch in cubes.items()})
    volume, nodule = _parent()
    straight = cut_warped(config, volume, nodule, Warp()).scales[Scale.MICRO].hu
    turned = cut_warped(config, volume, nodule, Warp(turn=np.diag([1.0, -1.0, -1.0])))
    mirrored = cut_warped(config, volume, nodule, Warp(turn=np.diag([-1.0, 1.0, 1.0])))
    assert np.allclose(turned.scales[Scale.MICRO].hu, straight[:, ::-1, ::-1], atol=0.01)
    assert np.allclose(mirrored.scales[Scale.MICRO].hu, straight[::-1], atol=0.01)


def test_a_patient_stretched_shows_a_larger_or_smaller_nodule(config: M3NetConfig) -> None:
    masked = replace(config, preprocessing=replace(config.preprocessing, mask=True))
    volume, nodule = _parent((40, 40, 40))

    def size(factor: float) -> float:
        cut = cut_warped(masked, volume, nodule, Warp(turn=np.eye(3) * factor))
        mask = cut.scales[Scale.MESO].mask
        assert mask is not None
        return float(mask.sum())

    assert size(2.0) < size(1.0) < size(0.7)
