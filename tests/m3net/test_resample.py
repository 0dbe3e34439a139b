import numpy as np

from m3net.nodule import Mask
from m3net.prediction import HeatMap
from m3net.resample import heat_map_on_grid, mask_on_grid, shown_on_grid


def axial(spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> np.ndarray:
    """(z, y, x) index -> LPS mm."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = spacing
    affine[:3, 3] = origin
    affine[3, 3] = 1
    return affine


def test_a_mask_keeps_its_place_in_the_patient_on_a_shifted_grid() -> None:
    mask = Mask(voxels=np.ones((1, 1, 1), bool), affine=axial((1, 1, 1), (13, 12, 11)))
    laid = mask_on_grid(mask, affine=axial((1, 1, 1), (10, 10, 10)), shape=(4, 4, 4))
    assert np.argwhere(laid).tolist() == [[1, 2, 3]]


def test_a_mask_is_found_on_a_sheared_grid() -> None:
    tilted = axial((2.5, 1, 1), (0, 0, 0))
    tilted[1, 0] = 0.5  # each slice stands 0.5 mm further back
    point = tilted @ np.array([4, 3, 2, 1])
    mask = Mask(voxels=np.ones((1, 1, 1), bool), affine=axial((2.5, 1, 1), tuple(point[:3])))
    assert np.argwhere(mask_on_grid(mask, affine=tilted, shape=(6, 6, 6))).tolist() == [[4, 3, 2]]


def test_a_heat_map_is_interpolated_inside_its_patch_and_absent_outside() -> None:
    heat = HeatMap(
        values=np.array([[[0.0, 1.0]]], np.float32),
        shown=np.array([[[False, True]]]),
        affine=axial((1, 1, 2), (0, 0, 0)),
        has_depth=True,
    )
    laid = heat_map_on_grid(heat, affine=axial((1, 1, 1), (-2, 0, 0)), shape=(1, 1, 7))
    np.testing.assert_allclose(laid[0, 0], [np.nan, 0, 0, 0.5, 1, 1, np.nan], equal_nan=True)


def test_what_was_shown_to_the_network_reaches_to_its_voxels_faces() -> None:
    heat = HeatMap(
        values=np.zeros((1, 1, 3), np.float32),
        shown=np.array([[[False, True, False]]]),
        affine=axial((1, 1, 2), (0, 0, 0)),
        has_depth=True,
    )
    laid = shown_on_grid(heat, affine=axial((1, 1, 0.5), (-1.25, 0, 0)), shape=(1, 1, 14))
    # voxel 1 reaches from 1 mm to 3 mm
    assert np.flatnonzero(laid[0, 0]).tolist() == [5, 6, 7, 8]


def test_a_mask_covers_its_voxels_up_to_their_faces() -> None:
    mask = Mask(voxels=np.ones((1, 1, 1), bool), affine=axial((2, 2, 2), (0, 0, 0)))
    laid = mask_on_grid(mask, affine=axial((0.5, 0.5, 0.5), (-1.75, 0, 0)), shape=(1, 1, 9))
    assert np.flatnonzero(laid).tolist() == [2, 3, 4, 5]
