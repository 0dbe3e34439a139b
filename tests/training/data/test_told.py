"""What is told of a nodule: less, or what another reader would have drawn."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.nodule import Nodule
from training.data.crops import Crop
from training.data.cutouts import crop_of
from training.data.told import OtherReader, told_by_another
from training.data.voi import Cutout, CutoutLabel

SAME = OtherReader(shift_mm=0.0, slices=0.0, outline=0.0, diameter=0.0, centre=0.0)


def crop(*, radius_mm: float = 4.0) -> Crop:
    """A ball of 40 HU in lung, in voxels of 2 x 0.7 x 0.7 mm."""
    index = np.indices((9, 44, 44)) - np.array([4, 22, 22]).reshape(3, 1, 1, 1)
    away = np.linalg.norm(index * np.array([2.0, 0.7, 0.7]).reshape(3, 1, 1, 1), axis=0)
    mask = away <= radius_mm
    cutout = Cutout(
        label=CutoutLabel(file="a.nii.gz", patient_id="P1", scores=(4, 3)),
        hu=np.where(mask, 40, -850).astype(np.int16),
        mask=mask,
        spacing_mm=(2.0, 0.7, 0.7),
    )
    return crop_of(cutout)


def _told(other: OtherReader, seed: int, nodule: Nodule | None = None) -> Nodule:
    at_hand = crop()
    random = np.random.default_rng(seed)
    return told_by_another(nodule or at_hand.nodule, at_hand.volume, other, random)


def _voxels(nodule: Nodule) -> int:
    assert nodule.mask is not None
    return int(nodule.mask.voxels.sum())


def _slices(nodule: Nodule) -> int:
    assert nodule.mask is not None
    return int(nodule.mask.voxels.any(axis=(1, 2)).sum())


def test_a_reader_who_agrees_tells_the_same() -> None:
    told = _told(SAME, 0)
    assert told.centre_mm == pytest.approx(crop().nodule.centre_mm)
    assert _voxels(told) == _voxels(crop().nodule)


def test_an_outline_loses_slices_at_its_ends() -> None:
    lost = {_slices(_told(replace(SAME, slices=1.0), seed)) for seed in range(12)}
    assert lost == {3, 4}
    assert _slices(crop().nodule) == 5


def test_an_outline_swells_or_shrinks_by_one_voxel_in_plane() -> None:
    drawn = [_told(replace(SAME, outline=1.0), seed) for seed in range(12)]
    sizes = {_voxels(nodule) for nodule in drawn}
    assert len(sizes) == 2
    assert min(sizes) < _voxels(crop().nodule) < max(sizes)
    assert max(_slices(nodule) for nodule in drawn) == 5, "no slice is added"


def test_a_mask_that_is_cropped_to_the_nodule_has_room_to_swell() -> None:
    nodule = crop().nodule
    assert nodule.mask is not None
    index = np.argwhere(nodule.mask.voxels)
    low, high = index.min(axis=0), index.max(axis=0) + 1
    affine = nodule.mask.affine.copy()
    affine[:3, 3] = nodule.mask.affine[:3, :3] @ low + nodule.mask.affine[:3, 3]
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    tight = replace(
        nodule, mask=replace(nodule.mask, voxels=nodule.mask.voxels[box], affine=affine)
    )
    for seed in range(6):
        loose, cropped = (_told(replace(SAME, outline=1.0), seed, n) for n in (nodule, tight))
        assert _voxels(cropped) == _voxels(loose)
        assert cropped.centre_mm == pytest.approx(loose.centre_mm)


def test_too_little_is_not_left_of_an_outline() -> None:
    small = crop(radius_mm=1.5)
    random = np.random.default_rng(0)
    shrunk = told_by_another(small.nodule, small.volume, replace(SAME, slices=1.0), random)
    assert _voxels(shrunk) == _voxels(small.nodule)


def test_a_diameter_or_a_centre_may_be_all_that_is_told() -> None:
    diameter, centre = (_told(replace(SAME, **{what: 1.0}), 0) for what in ("diameter", "centre"))
    assert diameter.mask is centre.mask is None
    assert centre.diameter_mm is None
    assert diameter.diameter_mm is not None
    assert 0.85 < diameter.diameter_mm / (crop().nodule.diameter_mm or 0.0) < 1.17


def test_the_centre_is_shifted_but_never_out_of_the_scan() -> None:
    for seed in range(8):
        told = _told(replace(SAME, shift_mm=1.0), seed)
        assert told.centre_mm != crop().nodule.centre_mm
        far = _told(replace(SAME, shift_mm=1000.0), seed)
        assert crop().volume.contains(far.centre_mm)


def test_a_nodule_without_an_outline_keeps_its_diameter_or_loses_it() -> None:
    circle = replace(crop().nodule, mask=None, diameter_mm=8.0)
    kept = _told(replace(SAME, slices=1.0, outline=1.0), 0, circle)
    assert kept.mask is None
    assert kept.diameter_mm is not None
    assert _told(replace(SAME, centre=1.0), 0, circle).diameter_mm is None


def test_the_same_generator_tells_the_same() -> None:
    other = OtherReader(shift_mm=1.0, slices=0.5, outline=0.5, diameter=0.0, centre=0.0)
    first, second, third = _told(other, 1), _told(other, 1), _told(other, 2)
    assert first.centre_mm == second.centre_mm
    assert first.centre_mm != third.centre_mm
