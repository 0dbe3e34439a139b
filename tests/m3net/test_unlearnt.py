"""Of which nodules no number is given, since the model is known to be wrong about their kind."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from m3net.errors import NoduleUnusable
from m3net.nodule import Mask
from m3net.placed import PlacedNodule
from m3net.unlearnt import check_learnt
from m3net.volume import transform
from tests.m3net.test_cavities import hollow
from tests.m3net.test_measurements import GLASS_HU, LUNG_HU, SOLID_HU, body

FAT_HU, CALCIUM_HU = -85, 500


def why(placed: PlacedNodule, *, thickness_mm: float = 1.0) -> str:
    """The reason for which it is refused; empty if it is not."""
    try:
        check_learnt(placed, thickness_mm=thickness_mm)
    except NoduleUnusable as reason:
        return str(reason)
    return ""


def with_core(core_mm: float, core_hu: int, *, outer_mm: float, hu: int) -> PlacedNodule:
    return hollow(outer_mm=outer_mm, inner_mm=core_mm, hu=hu, air_hu=core_hu)


def test_a_nodule_of_fat_gets_a_reason_instead_of_a_number() -> None:
    assert why(body((12.0, 12.0, 12.0), hu=FAT_HU)) == (
        "fat lies in it (-85 HU), as in a hamartoma; the model has learnt from hardly any such "
        "nodule, so no probability is given; one beside fat is judged if the outline leaves the "
        "fat out"
    )


def test_a_cyst_gets_a_reason_instead_of_a_number() -> None:
    assert why(hollow(outer_mm=16.0, inner_mm=14.0)) == (
        "it is air in a thin wall, as a cyst or a bulla is; the model has learnt from hardly any "
        "such nodule, so no probability is given"
    )


@pytest.mark.parametrize("core_hu", [-60, -85, -100])
@pytest.mark.parametrize(("core_mm", "outer_mm"), [(8.0, 12.0), (10.0, 16.0)])
def test_fat_in_the_middle_is_fat(core_mm: float, outer_mm: float, core_hu: int) -> None:
    assert why(with_core(core_mm, core_hu, outer_mm=outer_mm, hu=SOLID_HU)).startswith("fat lies")


@pytest.mark.parametrize("core_hu", [SOLID_HU, CALCIUM_HU, GLASS_HU])
@pytest.mark.parametrize("hu", [SOLID_HU, GLASS_HU, -200])
def test_edges_that_pass_through_the_densities_of_fat_are_none(hu: int, core_hu: int) -> None:
    """A solid core in ground glass, calcium in tissue, and each alone."""
    for outer_mm in (8.0, 14.0):
        assert not why(with_core(0.6 * outer_mm, core_hu, outer_mm=outer_mm, hu=hu))


def test_a_small_solid_core_in_ground_glass_is_no_fat_in_coarse_voxels() -> None:
    placed = hollow(outer_mm=18.0, inner_mm=8.6, hu=-380, air_hu=-80)
    assert not why(placed)
    assert why(hollow(outer_mm=18.0, inner_mm=8.6, hu=SOLID_HU, air_hu=-80)).startswith("fat lies")


@pytest.mark.parametrize("outer_mm", [5.0, 6.0])
def test_of_so_small_a_nodule_it_is_not_told(outer_mm: float) -> None:
    assert not why(body((outer_mm,) * 3, hu=FAT_HU))


@pytest.mark.parametrize(("outer_mm", "inner_mm"), [(14.0, 6.0), (22.0, 13.0)])
def test_a_cavity_with_a_thick_wall_is_judged(outer_mm: float, inner_mm: float) -> None:
    assert not why(hollow(outer_mm=outer_mm, inner_mm=inner_mm))


@pytest.mark.parametrize(("outer_mm", "inner_mm"), [(8.0, 6.0), (18.0, 14.5)])
@pytest.mark.parametrize("wall_only", [False, True])
def test_a_thin_wall_is_one_whether_or_not_the_outline_takes_the_air_in(
    outer_mm: float, inner_mm: float, wall_only: bool
) -> None:
    cyst = hollow(outer_mm=outer_mm, inner_mm=inner_mm)
    if wall_only:
        mask = cyst.nodule.mask
        assert mask is not None
        walls = Mask(voxels=mask.voxels & (cyst.volume.hu > -700), affine=mask.affine)
        cyst = replace(cyst, nodule=replace(cyst.nodule, mask=walls))
    assert why(cyst).startswith("it is air in a thin wall")


@pytest.mark.parametrize("diameter_mm", [12.0, 18.0, 24.0, None])
def test_fat_is_seen_in_a_circle_drawn_generously_and_about_a_point(
    diameter_mm: float | None,
) -> None:
    fat = body((12.0, 12.0, 12.0), hu=FAT_HU)
    told = replace(fat, nodule=replace(fat.nodule, mask=None, diameter_mm=diameter_mm))
    assert why(told).startswith("fat lies in it")
    solid = body((12.0, 12.0, 12.0), hu=SOLID_HU)
    told = replace(solid, nodule=replace(solid.nodule, mask=None, diameter_mm=diameter_mm))
    assert not why(told)


def test_the_half_filled_slices_at_the_ends_of_a_nodule_are_no_fat() -> None:
    """On slices of 5 mm, half tissue and half lung may come out as fat does."""
    solid = body((20.0, 20.0, 20.0), spacing_mm=(5.0, 0.7, 0.7))
    assert solid.nodule.mask is not None
    (slices,) = np.nonzero(solid.nodule.mask.voxels.any(axis=(1, 2)))
    hu = solid.volume.hu.copy()
    ends = hu[[slices[0], slices[-1]]]
    hu[[slices[0], slices[-1]]] = np.where(ends > LUNG_HU + 100, FAT_HU, ends)
    assert not why(replace(solid, volume=replace(solid.volume, hu=hu)))


def in_slices(fine: PlacedNodule, *, thickness_mm: float, apart_mm: float) -> PlacedNodule:
    """A nodule of slices of 0.5 mm, in thicker ones that overlap."""
    assert fine.nodule.mask is not None
    count, step = int(thickness_mm / 0.5), int(apart_mm / 0.5)
    hu, marked = (
        ndimage.uniform_filter1d(of.astype(np.float64), count, axis=0, mode="nearest")[::step]
        for of in (fine.volume.hu, fine.nodule.mask.voxels)
    )
    affine = fine.volume.affine @ np.diag([step, 1.0, 1.0, 1.0])
    return replace(
        fine,
        volume=replace(fine.volume, hu=hu.round().astype(np.int16), affine=affine),
        nodule=replace(fine.nodule, mask=Mask(voxels=marked >= 0.3, affine=affine)),
    )


@pytest.mark.parametrize("centre", [20.0, 21.0, 22.0, 23.0, 24.0])
def test_a_flat_nodule_is_no_fat_on_thick_slices_that_overlap(centre: float) -> None:
    """Of its slices the middle one, half tissue too, lies between two that are dense enough."""

    def flat(hu: int, height_mm: float) -> PlacedNodule:
        size = (12.0, 12.0, height_mm)
        body_of = body(size, hu=hu, spacing_mm=(0.5, 0.7, 0.7), slices=44, centre_slice=centre)
        return in_slices(body_of, thickness_mm=5.0, apart_mm=2.5)

    for hu in (20, 40, 60, 80):
        for height_mm in (4.5, 5.0, 6.0):
            assert not why(flat(hu, height_mm), thickness_mm=5.0)
    assert why(flat(FAT_HU, 16.0), thickness_mm=5.0).startswith("fat lies")


def test_a_nodule_at_the_chest_wall_is_judged_if_its_outline_leaves_the_fat_out() -> None:
    def outlined(beyond_mm: float) -> PlacedNodule:
        ball = body((12.0, 12.0, 12.0), hu=SOLID_HU)
        places = np.moveaxis(np.indices(ball.volume.shape), 0, -1)
        points = transform(ball.volume.affine, places)
        away_mm = np.linalg.norm(points, axis=-1)
        wall = (points[..., 0] >= 3.0) & (away_mm > 6.0)
        hu = np.where(wall, FAT_HU, ball.volume.hu).astype(np.int16)
        mask = Mask(voxels=away_mm <= 6.0 + beyond_mm, affine=ball.volume.affine)
        return replace(
            ball,
            volume=replace(ball.volume, hu=hu),
            nodule=replace(ball.nodule, mask=mask),
        )

    assert "one beside fat is judged if" in why(outlined(4.0))
    assert not why(outlined(0.0))
    assert not why(outlined(1.0))
