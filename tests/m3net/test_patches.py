"""A patch shows what lies about the nodule, and knows where that is in the patient."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.description import describe
from m3net.errors import NoduleUnusable
from m3net.nodule import Mask
from m3net.patches import cut_patches
from m3net.scales import ContextBox, Scale, ScaleSpec
from m3net.volume import CTVolume, transform
from tests.m3net.toys import nodule_at, volume_of

# slices 2.5 mm apart towards the head, rows 0.5 mm towards the back, columns 0.8 mm to the left;
# column 0 of the affine is z, whose LPS direction is the third axis
AXIAL = np.array(
    [
        [0.0, 0.0, 0.8, -10.0],
        [0.0, 0.5, 0.0, -20.0],
        [2.5, 0.0, 0.0, 100.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
# a gantry tilted by atan(0.5 / 2.5): each slice is shifted by one row
TILTED = AXIAL + np.array([[0.0] * 4, [0.5, 0.0, 0.0, 0.0], [0.0] * 4, [0.0] * 4])


def numbered(affine: np.ndarray) -> CTVolume:
    """6 slices of 8 x 10: the HU of a voxel is 100 z + 10 y + x."""
    z, y, x = np.meshgrid(np.arange(6), np.arange(8), np.arange(10), indexing="ij")
    return volume_of((100 * z + 10 * y + x).astype(np.int16), affine)


NATIVE = {Scale.MICRO: ScaleSpec(size=(2, 3, 4))}


def test_the_centre_is_the_centre_voxel() -> None:
    # z 105 mm is slice 2, y -18 mm is row 4, x -6 mm is column 5
    patch = cut_patches(numbered(AXIAL), nodule_at([-6.0, -18.0, 105.0]), NATIVE).scales["micro"]
    assert patch.hu.tolist() == [
        [[133, 134, 135, 136], [143, 144, 145, 146], [153, 154, 155, 156]],
        [[233, 234, 235, 236], [243, 244, 245, 246], [253, 254, 255, 256]],
    ]
    assert patch.hu[1, 1, 2] == 245
    assert patch.valid.all()
    assert patch.mask is None


@pytest.mark.parametrize("affine", [AXIAL, TILTED])
def test_each_voxel_knows_its_place_in_the_patient(affine: np.ndarray) -> None:
    volume = numbered(affine)
    patch = cut_patches(volume, nodule_at(volume.to_mm([2, 4, 5])), NATIVE).scales["micro"]
    for index in np.ndindex(2, 3, 4):
        z, y, x = np.rint(volume.to_index(transform(patch.affine, index))).astype(int)
        assert patch.hu[index] == 100 * z + 10 * y + x
    assert transform(patch.affine, [1, 1, 2]) == pytest.approx(volume.to_mm([2, 4, 5]))


def test_a_centre_between_voxels_takes_the_nearest() -> None:
    volume = numbered(AXIAL)
    patch = cut_patches(volume, nodule_at(volume.to_mm([2.4, 3.6, 5.2])), NATIVE).scales["micro"]
    assert patch.hu[1, 1, 2] == 245


def test_outside_the_scan_is_air_and_not_valid() -> None:
    volume = numbered(AXIAL)
    patch = cut_patches(volume, nodule_at(volume.to_mm([0, 0, 9])), NATIVE).scales["micro"]
    assert patch.hu.tolist() == [
        [[-1000] * 4, [-1000] * 4, [-1000] * 4],
        [[-1000] * 4, [7, 8, 9, -1000], [17, 18, 19, -1000]],
    ]
    assert patch.valid[1].tolist() == [
        [False] * 4,
        [True, True, True, False],
        [True, True, True, False],
    ]
    assert not patch.valid[0].any()


def test_a_missing_slice_is_not_valid() -> None:
    volume = volume_of(numbered(AXIAL).hu, AXIAL, missing=[1])
    patch = cut_patches(volume, nodule_at(volume.to_mm([2, 4, 5])), NATIVE).scales["micro"]
    assert patch.valid[:, 0, 0].tolist() == [False, True]
    assert (patch.hu[0] == -1000).all()


def test_a_centre_outside_the_scan_is_refused_with_its_place() -> None:
    with pytest.raises(NoduleUnusable, match=r"at slice, row, column -2, 4, 5 of 6 x 8 x 10"):
        cut_patches(numbered(AXIAL), nodule_at([-6.0, -18.0, 95.0]), NATIVE)


def test_a_physical_grid_is_centred_and_sampled_linearly() -> None:
    volume = numbered(AXIAL)
    spec = ScaleSpec(size=(2, 2, 2), spacing_mm=(1.25, 0.5, 0.4))
    patch = cut_patches(volume, nodule_at(volume.to_mm([2, 4, 5])), {Scale.MESO: spec}).scales[
        "meso"
    ]
    # half a grid step either side: +-0.25 slices, +-0.5 rows, +-0.25 columns
    assert patch.hu == pytest.approx(
        245
        + np.array([-25.0, 25.0])[:, None, None]
        + np.array([-5.0, 5.0])[None, :, None]
        + np.array([-0.25, 0.25])[None, None, :]
    )
    assert transform(patch.affine, [0.5, 0.5, 0.5]) == pytest.approx(volume.to_mm([2, 4, 5]))


def test_a_tilted_scan_becomes_rectangular_on_a_physical_grid() -> None:
    volume = numbered(TILTED)
    spec = ScaleSpec(size=(3, 3, 3), spacing_mm=(1.0, 1.0, 1.0))
    patch = cut_patches(volume, nodule_at(volume.to_mm([2, 4, 5])), {Scale.MESO: spec}).scales[
        "meso"
    ]
    axes = patch.affine[:3, :3]
    assert axes.T @ axes == pytest.approx(np.eye(3))
    assert axes[:, 0] == pytest.approx([0.0, 0.0, 1.0])
    # 1 mm up the patient is 0.4 slices; the tilt moves those 0.4 rows back, so 0.4 rows fewer
    assert patch.hu[2, 1, 1] == pytest.approx(245 + 40 - 4)


BALL = Mask(
    voxels=np.array([[[False, True, False], [True, True, True], [False, True, False]]]),
    affine=AXIAL @ np.array([[1, 0, 0, 2], [0, 1, 0, 3], [0, 0, 1, 4], [0, 0, 0, 1.0]]),
)


def test_the_mask_lies_where_it_was_drawn() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 5]), mask=BALL)
    patch = cut_patches(volume, nodule, NATIVE, mask=True).scales["micro"]
    assert patch.mask is not None
    assert patch.mask.tolist() == [
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 0]],
    ]


def test_a_diameter_stands_in_for_a_mask_and_is_said() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 5]), diameter_mm=1.7)
    patches = cut_patches(volume, nodule, NATIVE, mask=True)
    mask = patches.scales[Scale.MICRO].mask
    assert mask is not None
    # within 0.85 mm of the centre: one row (0.5 mm) and one column (0.8 mm) to each side
    assert mask[1].tolist() == [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 0]]
    assert not mask[0].any()
    assert patches.notes == ("no outline given: a sphere of 1.7 mm stood for the nodule",)


def test_a_bare_centre_has_an_empty_mask_and_that_is_said() -> None:
    volume = numbered(AXIAL)
    patches = cut_patches(volume, nodule_at(volume.to_mm([2, 4, 5])), NATIVE, mask=True)
    mask = patches.scales[Scale.MICRO].mask
    assert mask is not None
    assert not mask.any()
    assert patches.notes == ("centre alone given: the model was told no extent",)


def test_the_context_box_ends_at_the_annotation_and_its_margin() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 5]), mask=BALL)
    spec = {Scale.MACRO: ScaleSpec(size=(6, 8, 10))}
    context = ContextBox(margin_share=(0.0, 0.5, 0.0))
    patch = cut_patches(volume, nodule, spec, context=context).scales["macro"]
    # the mask is slice 2, rows 3 to 5, columns 4 to 6; half of three rows, so one on each side
    expected = np.zeros((6, 8, 10), dtype=bool)
    expected[2, 2:7, 4:7] = True
    at = np.argwhere(patch.valid)
    index = np.rint(volume.to_index(transform(patch.affine, at))).astype(int)
    shown = np.zeros_like(expected)
    shown[tuple(index.T)] = True
    assert (shown == expected).all()
    assert (patch.hu[~patch.valid] == -1000).all()


def test_the_context_box_has_a_least_length() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 5]), mask=BALL)
    context = ContextBox(min_extent_voxels=(4, 0, 0))
    spec = {Scale.MACRO: ScaleSpec(size=(6, 8, 10))}
    patch = cut_patches(volume, nodule, spec, context=context).scales["macro"]
    # one slice; one more on each side makes three, two more would be longer than the four
    assert patch.valid.any(axis=(1, 2)).tolist() == [False, False, True, True, True, False]


def test_nothing_beyond_the_context_box_shows_through() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 5]), mask=BALL)
    fine = {Scale.MICRO: ScaleSpec(size=(12, 12, 12), spacing_mm=(0.4, 0.3, 0.3))}
    cut = cut_patches(volume, nodule, fine, context=ContextBox()).scales["micro"]
    altered = volume_of(np.where(np.indices(volume.shape)[0] == 2, volume.hu, 3000), AXIAL)
    assert np.array_equal(
        cut.hu, cut_patches(altered, nodule, fine, context=ContextBox()).scales["micro"].hu
    )


def test_a_nodule_is_described_from_what_its_box_shows() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 5]), mask=BALL)
    context = ContextBox(margin_share=(0.0, 0.5, 0.0))
    found = cut_patches(volume, nodule, NATIVE, context=context, described=True).description
    inside = np.zeros((1, 5, 3), dtype=bool)
    inside[0, 1:4] = BALL.voxels
    assert found is not None
    assert np.allclose(found, describe(volume.hu[2:3, 2:7, 4:7], inside, volume.spacing_mm))


@pytest.mark.parametrize("spacing_mm", [None, (1.0, 0.7, 0.7)])
def test_padding_is_not_valid_as_what_lies_beyond_the_columns_is_not(
    spacing_mm: tuple[float, float, float] | None,
) -> None:
    """The same patch, whether the image ends in column 5 or holds padding from there on."""
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 3]))
    padding = np.zeros(volume.shape, bool)
    padding[:, :, 5:] = True
    padded = replace(volume, padding=np.packbits(padding, axis=2))
    ended = replace(volume, hu=volume.hu[:, :, :5])
    spec = ScaleSpec(size=(3, 6, 8), spacing_mm=spacing_mm)
    here, there = (cut_patches(ct, nodule, {Scale.MICRO: spec}) for ct in (padded, ended))
    of_padded, of_ended = here.scales[Scale.MICRO], there.scales[Scale.MICRO]
    assert not of_padded.valid.all()
    assert np.array_equal(of_padded.valid, of_ended.valid)
    assert (of_padded.hu[~of_padded.valid] == -1000).all()
    assert here.notes == there.notes


def test_what_is_marked_in_padding_is_not_described() -> None:
    """As if the image ended there: the part that was imaged is the same."""
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 4, 5]), mask=BALL)
    padding = np.zeros(volume.shape, bool)
    padding[:, 5:] = True
    padded = replace(volume, padding=np.packbits(padding, axis=2))
    inside = BALL.voxels.copy()
    inside[:, 2:] = False
    imaged = Mask(voxels=inside, affine=BALL.affine)
    found = cut_patches(padded, nodule, NATIVE, described=True).description
    of_part = cut_patches(volume, replace(nodule, mask=imaged), NATIVE, described=True).description
    assert found is not None
    assert not np.isnan(found).any()
    np.testing.assert_array_equal(found, of_part)


def test_a_bare_centre_has_no_description() -> None:
    volume = numbered(AXIAL)
    patches = cut_patches(volume, nodule_at(volume.to_mm([2, 4, 5])), NATIVE, described=True)
    assert patches.description is not None
    assert np.isnan(patches.description).all()


def test_patches_of_all_scales_share_their_centre() -> None:
    volume = numbered(TILTED)
    centre = volume.to_mm([2, 4, 5])
    spec = {
        Scale.MICRO: ScaleSpec(size=(4, 4, 4)),
        Scale.MACRO: ScaleSpec(size=(5, 5, 5), spacing_mm=(2.0, 2.0, 2.0)),
    }
    patches = cut_patches(volume, nodule_at(centre), spec).scales
    assert transform(patches[Scale.MICRO].affine, [2, 2, 2]) == pytest.approx(centre)
    assert transform(patches[Scale.MACRO].affine, [2, 2, 2]) == pytest.approx(centre)


def test_a_window_that_shifts_stays_within_the_scan() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 0, 9]))
    padded, shifted = (
        cut_patches(volume, nodule, {Scale.MICRO: ScaleSpec(size=(1, 2, 4), border=border)}).scales[
            "micro"
        ]
        for border in ("pad", "shift")
    )
    # row 0 is the second of two, column 9 the third of four
    assert padded.hu.tolist() == [[[-1000] * 4, [207, 208, 209, -1000]]]
    assert shifted.hu.tolist() == [[[206, 207, 208, 209], [216, 217, 218, 219]]]
    assert shifted.valid.all()
    assert transform(shifted.affine, [0, 0, 3]) == pytest.approx(nodule.centre_mm)


def test_a_window_longer_than_the_scan_is_padded_though_it_may_shift() -> None:
    volume = numbered(AXIAL)
    nodule = nodule_at(volume.to_mm([2, 0, 5]))
    spec = {Scale.MICRO: ScaleSpec(size=(8, 2, 2), border="shift")}
    patch = cut_patches(volume, nodule, spec).scales["micro"]
    assert patch.valid.any(axis=(1, 2)).tolist() == [False] * 2 + [True] * 6
    assert patch.hu[2:, 0, 1].tolist() == [5, 105, 205, 305, 405, 505]
