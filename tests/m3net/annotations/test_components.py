"""A mask as its pieces: their centres, volumes and lengths, on grids that are no cubes."""

import numpy as np
import pytest

from m3net.annotations.components import HALF, LEAST_VOLUME_MM3, longest, outermost, split

AFFINE = np.array(
    [
        [0.0, 0.0, 0.5, -10.0],
        [0.0, 1.0, 0.0, -20.0],
        [2.0, 0.0, 0.0, -100.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Voxels of 1 mm3: 2 mm slices, 1 mm rows, 0.5 mm columns."""


def voxels(*blocks: tuple[slice, slice, slice]) -> np.ndarray:
    mask = np.zeros((6, 12, 16), dtype=np.bool_)
    for block in blocks:
        mask[block] = True
    return mask


BIG = (slice(1, 3), slice(2, 5), slice(4, 8))
SMALL = (slice(4, 6), slice(8, 9), slice(12, 14))


def test_half_a_voxel_is_a_half_but_for_rounding() -> None:
    assert (pytest.approx(0.499), 4.0) == (HALF, LEAST_VOLUME_MM3)


def test_pieces_come_by_their_volume_each_in_its_own_box() -> None:
    small_first = (SMALL[0], SMALL[1], slice(0, 2))
    big, small = split(voxels(BIG, small_first), AFFINE)
    assert (big.volume_mm3, small.volume_mm3) == pytest.approx((24.0, 4.0))
    assert big.mask.voxels.shape == (2, 3, 4)
    assert big.mask.voxels.all()
    assert big.mask.affine[:3, 3].tolist() == [-8.0, -18.0, -98.0]
    assert big.centre_mm == pytest.approx((-10 + 5.5 * 0.5, -17.0, -97.0))
    assert small.centre_mm == pytest.approx((-9.75, -12.0, -91.0))
    again = split(voxels(SMALL, (slice(0, 1), slice(0, 3), slice(0, 5))), AFFINE)
    assert [piece.volume_mm3 for piece in again] == pytest.approx([15.0, 4.0])


def test_what_lies_in_a_piece_s_box_and_not_in_it_weighs_nothing() -> None:
    corner = (slice(0, 1), slice(0, 1), slice(0, 6))
    leg = (slice(0, 1), slice(1, 5), slice(0, 1))
    (piece,) = split(voxels(corner, leg), AFFINE)
    assert piece.volume_mm3 == pytest.approx(10.0)
    assert piece.centre_mm == pytest.approx((-10 + 0.5 * 1.5, -20 + 1.0, -100.0))
    assert piece.mask.voxels.sum() == 10


def test_of_equal_pieces_the_one_of_lower_coordinates_is_first() -> None:
    right = (slice(0, 2), slice(0, 1), slice(12, 14))
    left = (slice(4, 6), slice(8, 9), slice(2, 4))
    assert [p.centre_mm[0] for p in split(voxels(right, left), AFFINE)] == [-8.75, -3.75]


def test_shares_weigh_the_centre_and_halves_make_the_mask() -> None:
    share = np.zeros((1, 1, 4))
    share[0, 0] = [0.4, 1.0, 0.499, 0.1]
    (piece,) = split(share > 0, AFFINE, share=share)
    assert piece.mask.voxels.tolist() == [[[False, True, True, False]]]
    assert piece.volume_mm3 == pytest.approx(1.999)
    assert piece.centre_mm[0] == pytest.approx(-10 + 0.5 * (1.0 + 0.998 + 0.3) / 1.999)
    assert piece.diameter_mm == pytest.approx((1.0**2 + 0.5**2) ** 0.5)


def test_of_less_than_half_a_voxel_the_fullest_one_is_left() -> None:
    share = np.array([[[0.1, 0.3, 0.2]]])
    (piece,) = split(share > 0, AFFINE, share=share)
    assert piece.mask.voxels.tolist() == [[[False, True, False]]]
    assert piece.volume_mm3 == pytest.approx(0.6)
    assert piece.diameter_mm == pytest.approx(1.0)  # one row of 1 mm


@pytest.mark.parametrize(
    ("block", "length_mm"),
    [
        ((slice(0, 1), slice(2, 3), slice(2, 10)), 4.0),  # 8 columns of 0.5 mm
        ((slice(0, 1), slice(2, 9), slice(2, 3)), 7.0),  # 7 rows of 1 mm
        # 5 rows and 8 columns: upper edge to lower edge is 5 mm, and 7 columns aside.
        ((slice(0, 1), slice(2, 7), slice(2, 10)), (5.0**2 + 3.5**2) ** 0.5),
    ],
)
def test_the_diameter_runs_between_the_middles_of_outer_edges(
    block: tuple[slice, slice, slice], length_mm: float
) -> None:
    (piece,) = split(voxels(block), AFFINE)
    assert piece.diameter_mm == pytest.approx(length_mm)


def test_the_diameter_is_that_of_the_slice_of_largest_area() -> None:
    thin = (slice(0, 1), slice(2, 3), slice(0, 16))  # 8 mm long, 16 pixels
    wide = (slice(1, 2), slice(1, 6), slice(4, 8))  # 20 pixels
    (piece,) = split(voxels(thin, wide), AFFINE)
    assert piece.diameter_mm == pytest.approx((1.5**2 + 5.0**2) ** 0.5)


@pytest.mark.parametrize("count", [2, 512, 513, 4000])
@pytest.mark.parametrize("offset_mm", [(100.0, -50.0, 30.0), (3600.0, -4800.0, 8000.0)])
def test_the_longest_distance_of_many_points_is_that_of_all(
    count: int, offset_mm: tuple[float, float, float]
) -> None:
    # The second offset runs along the plane's normal.
    random = np.random.default_rng(count)
    flat = random.normal(size=(count, 2)) * (30.0, 25.0)
    points = flat @ np.array([[0.8, 0.6, 0.0], [-0.48, 0.64, 0.6]]) + offset_mm
    few = outermost(points)
    assert len(few) == count if count <= 512 else len(few) < 200
    brute = max(float(np.linalg.norm(points - point, axis=1).max()) for point in points)
    assert longest(points) == pytest.approx(brute, rel=1e-9)


@pytest.mark.parametrize("away_mm", [0.0, 10_000.0])
def test_the_longest_distance_is_no_broadest_one_however_far_away(away_mm: float) -> None:
    # 44 mm from tip to tip, and 50 mm from corner to corner
    corners = np.array([(20, 15), (-20, 15), (-22, 0), (-20, -15), (20, -15), (22, 0)])
    between = np.linspace(0.0, 1.0, 100, endpoint=False)[:, None]
    edge = np.concatenate(
        [a + between * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    )
    plane, normal = np.array([[0.8, 0.6, 0.0], [-0.48, 0.64, 0.6]]), np.array([0.36, -0.48, 0.8])
    assert longest(edge @ plane + away_mm * normal) == pytest.approx(50.0)
