"""A nodule in its CT: 2.5 mm slices of 0.5 mm pixels, first voxel at LPS (-100, -50, 200)."""

import numpy as np
import pytest

from m3net.grid import GridBox
from m3net.nodule import Mask, Nodule
from m3net.placed import PlacedNodule
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume

AFFINE = np.array([[0, 0, 0.5, -100], [0, 0.5, 0, -50], [2.5, 0, 0, 200], [0, 0, 0, 1.0]])


def ct() -> CTVolume:
    return CTVolume(
        hu=np.zeros((10, 20, 30), dtype=np.int16),
        affine=AFFINE,
        study_instance_uid=StudyInstanceUID("2.25.10"),
        series_instance_uid=SeriesInstanceUID("2.25.11"),
        frame_of_reference_uid=FrameOfReferenceUID("2.25.12"),
        frames=[None] * 10,
    )


def placed(
    centre_index: tuple[float, float, float],
    *,
    mask: Mask | None = None,
    diameter_mm: float | None = None,
) -> PlacedNodule:
    volume = ct()
    x, y, z = (float(v) for v in volume.to_mm(centre_index))
    return PlacedNodule(
        nodule=Nodule(
            centre_mm=(x, y, z),
            mask=mask,
            diameter_mm=diameter_mm,
            tracking_uid="2.25.20",
            tracking_id="Nodule 1",
            sources=(),
        ),
        volume=volume,
    )


def masked(first: tuple[float, float, float], shape: tuple[int, int, int]) -> PlacedNodule:
    affine = AFFINE.copy()
    affine[:3, 3] = ct().to_mm(first)
    z, y, x = (f + (n - 1) / 2 for f, n in zip(first, shape, strict=True))
    return placed((z, y, x), mask=Mask(voxels=np.ones(shape, bool), affine=affine))


def test_a_masks_voxels_lie_where_they_lay() -> None:
    voxels = masked((3, 4, 5), (2, 3, 4)).voxels(bare_radius_mm=5)
    found = np.argwhere(voxels.inside) + voxels.box.first
    assert found.min(axis=0).tolist() == [3, 4, 5]
    assert found.max(axis=0).tolist() == [4, 6, 8]
    assert voxels.slices() == [3, 4]


def test_a_diameter_is_a_sphere_in_millimetres() -> None:
    voxels = placed((5, 10, 15), diameter_mm=5.0).voxels(bare_radius_mm=1)
    found = np.argwhere(voxels.inside) + voxels.box.first
    assert found.min(axis=0).tolist() == [4, 5, 10]  # 2.5 mm is one slice, five pixels
    assert found.max(axis=0).tolist() == [6, 15, 20]


def test_a_bare_centre_is_a_sphere_of_the_radius_that_is_asked_for() -> None:
    voxels = placed((5, 10, 15)).voxels(bare_radius_mm=2.5)
    assert (np.argwhere(voxels.inside) + voxels.box.first).min(axis=0).tolist() == [4, 5, 10]


def test_a_nodule_smaller_than_a_voxel_keeps_the_voxel_of_its_centre() -> None:
    voxels = placed((5.4, 10.4, 15.4), diameter_mm=0.1).voxels(bare_radius_mm=5)
    assert (np.argwhere(voxels.inside) + voxels.box.first).tolist() == [[5, 10, 15]]


@pytest.mark.parametrize(
    ("nodule", "first", "last"),
    [
        (masked((3, 4, 5), (2, 3, 4)), [3, 4, 5], [4, 6, 8]),
        (masked((-2, 4, 5), (4, 3, 4)), [-2, 4, 5], [1, 6, 8]),
        (placed((5, 10, 15), diameter_mm=4.0), [4, 6, 11], [6, 14, 19]),
        (placed((5, 10, 15)), [4, 6, 11], [6, 14, 19]),
    ],
    ids=["mask", "mask beyond the scan", "diameter", "bare"],
)
def test_how_far_it_reaches(nodule: PlacedNodule, first: list[int], last: list[int]) -> None:
    low, high = nodule.extent(bare_diameter_mm=4.0)
    assert (low.tolist(), high.tolist()) == (first, last)


@pytest.mark.parametrize(
    "nodule",
    [masked((3.25, 4, 5), (2, 3, 4)), placed((5, 10, 15), diameter_mm=5.0), placed((5, 10, 15))],
    ids=["mask", "diameter", "bare"],
)
def test_asked_by_grid_and_by_places_the_same_belongs_to_it(nodule: PlacedNodule) -> None:
    box = GridBox(first=(1, 2, 3), shape=(8, 16, 24))
    on_grid = nodule.share_on_grid(box.affine(nodule.volume), box.shape)
    places = np.moveaxis(np.indices(box.shape), 0, -1) + np.array(box.first)
    np.testing.assert_allclose(on_grid, nodule.share_at(places.astype(float)), atol=1e-6)


def test_a_mask_between_two_slices_belongs_to_each_by_its_share() -> None:
    nodule = masked((3.25, 4, 5), (2, 3, 4))
    places = np.array([(3.0, 5, 6), (2.5, 5, 6), (2.0, 5, 6)])
    assert nodule.share_at(places) == pytest.approx([0.75, 0.25, 0])


def test_a_box_has_the_affine_of_its_first_voxel() -> None:
    affine = GridBox(first=(1, 2, 3), shape=(1, 1, 1)).affine(ct())
    assert affine[:3, 3].tolist() == [-98.5, -49.0, 202.5]
