from functools import cache

import numpy as np
import pytest

from m3net.annotations.components import split
from m3net.annotations.contours import rasterise
from m3net.annotations.types import Overlap
from m3net.ct.series import read_series
from m3net.errors import NoduleUnusable
from m3net.volume import CTVolume
from tests import synthetic


@cache
def deep() -> CTVolume:
    """(48, 12, 12) voxels of 1 mm, the first at (0, 0, 0)."""
    return read_series(
        synthetic.ct_series(shape=(48, 12, 12), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0, 0, 0))
    )


@cache
def isotropic() -> CTVolume:
    """(12, 24, 24) voxels of 1 mm, the first at (0, 0, 0)."""
    return read_series(
        synthetic.ct_series(
            shape=(12, 24, 24), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0)
        )
    )


def square(z: float, *, low: float = 5.5, high: float = 9.5) -> np.ndarray:
    return np.array([[low, low, z], [high, low, z], [high, high, z], [low, high, z]])


def circle(z: float, *, centre: tuple[float, float], radius: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    x, y = centre
    return np.column_stack(
        [x + radius * np.cos(angles), y + radius * np.sin(angles), np.full(200, z)]
    )


def picture(share: np.ndarray) -> list[str]:
    return ["".join("#" if value >= 0.5 else "." for value in row) for row in share]


def test_a_voxel_belongs_if_half_of_it_is_inside() -> None:
    coverage = rasterise([circle(3.0, centre=(8.0, 8.0), radius=2.6)], isotropic())
    assert coverage is not None
    assert coverage.first == (3, 5, 5)
    assert picture(coverage.share[0]) == [
        ".......",
        "..###..",
        ".#####.",
        ".#####.",
        ".#####.",
        "..###..",
        ".......",
    ]


def test_the_centre_is_finer_than_the_voxels() -> None:
    volume = isotropic()
    coverage = rasterise([circle(3.0, centre=(8.3, 7.9), radius=3.0)], volume)
    assert coverage is not None
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm(coverage.first)
    (piece,) = split(coverage.share >= 0.5, affine, share=coverage.share)
    assert piece.centre_mm == pytest.approx((8.3, 7.9, 3.0), abs=0.01)
    assert piece.volume_mm3 == pytest.approx(np.pi * 9, rel=0.005)
    assert piece.diameter_mm == pytest.approx(6.0, abs=0.6)


def test_outlines_of_every_third_slice_stay_one_nodule() -> None:
    coverage = rasterise([square(2.0), square(5.0), square(8.0)], isotropic())
    assert coverage is not None
    assert coverage.first == (1, 6, 6)
    assert coverage.share.sum(axis=(1, 2)).tolist() == [16.0] * 9


@pytest.mark.parametrize("apart", [1, 2, 3, 4, 5, 8, 10])
@pytest.mark.parametrize("rounding", [0.0, 0.01, -0.01, 0.05, -0.05, 0.09, -0.09, 1e-9])
def test_outlines_of_every_nth_slice_leave_no_gap_and_keep_their_centre(
    apart: int, rounding: float
) -> None:
    heights = [8.0 + apart * number for number in range(3)]
    noise = (rounding, -rounding, 0.0)
    outlines = [square(z + off) for z, off in zip(heights, noise, strict=True)]
    coverage = rasterise(outlines, deep())
    assert coverage is not None
    assert coverage.share.sum(axis=(1, 2)).tolist() == [16.0] * 3 * apart
    centre = coverage.first[0] + (3 * apart - 1) / 2
    assert centre == pytest.approx(8.0 + apart, abs=1e-3)


def test_an_outline_between_two_slices_keeps_its_height() -> None:
    coverage = rasterise([square(4.25)], isotropic())
    assert coverage is not None
    assert coverage.first[0] == pytest.approx(4.25)


def test_outlines_on_one_slice_are_united() -> None:
    coverage = rasterise([square(4.0), square(4.0), square(4.0, low=12.5, high=14.5)], isotropic())
    assert coverage is not None
    assert coverage.share.sum() == pytest.approx(16 + 4)


def test_an_outline_inside_another_is_a_hole_where_the_source_draws_holes_so() -> None:
    nested = [square(4.0, low=2.5, high=12.5), square(4.03), square(4.0, low=6.5, high=8.5)]
    coverage = rasterise(nested, isotropic(), overlap=Overlap.EXCLUSIVE)
    assert coverage is not None
    assert coverage.share.sum() == pytest.approx(100 - 16 + 4)
    united = rasterise(nested, isotropic(), overlap=Overlap.UNITED)
    assert united is not None
    assert united.share.sum() == pytest.approx(100)


def test_an_outline_on_the_next_slice_makes_no_hole_in_this_one() -> None:
    coverage = rasterise([square(4.0), square(5.0)], isotropic(), overlap=Overlap.EXCLUSIVE)
    assert coverage is not None
    assert coverage.share.sum(axis=(1, 2)).tolist() == [16.0, 16.0]


@pytest.mark.parametrize("overlap", Overlap)
def test_a_keyhole_has_a_hole(overlap: Overlap) -> None:
    outer = [(2.5, 2.5), (12.5, 2.5), (12.5, 12.5), (2.5, 12.5), (2.5, 7.5)]
    inner = [(5.5, 7.5), (5.5, 9.5), (9.5, 9.5), (9.5, 5.5), (5.5, 5.5), (5.5, 7.5)]
    keyhole = np.array([(x, y, 4.0) for x, y in [*outer, *inner, (2.5, 7.5)]])
    coverage = rasterise([keyhole], isotropic(), overlap=overlap)
    assert coverage is not None
    assert coverage.share.sum() == pytest.approx(100 - 16)


def test_two_far_outlines_do_not_grow_towards_each_other() -> None:
    volume = read_series(
        synthetic.ct_series(shape=(12, 8, 8), spacing_mm=(2.5, 1.0, 1.0), origin_mm=(0, 0, 0))
    )
    drawn = [square(2.5, low=1.5, high=5.5), square(17.5, low=1.5, high=5.5)]  # slices 1 and 7
    coverage = rasterise(drawn, volume)
    assert coverage is not None
    assert coverage.share.sum(axis=(1, 2)).tolist() == [16.0, 0, 0, 0, 0, 0, 16.0]


@pytest.mark.parametrize("apart", [0.6, 0.96, 1.04, 1.2, 2.4, 2.5, 4.8, 5.5])
@pytest.mark.parametrize("start", [8.0, 8.37, 8.5])
@pytest.mark.parametrize("rounding", [0.0, 0.05, -0.05])
def test_outlines_of_another_series_leave_no_gap_and_keep_their_centre(
    apart: float, start: float, rounding: float
) -> None:
    heights = [start + apart * number + (rounding, -rounding)[number % 2] for number in range(4)]
    coverage = rasterise([square(z) for z in heights], deep())
    assert coverage is not None
    areas = coverage.share.sum(axis=(1, 2))
    assert areas.tolist() == [16.0] * len(areas)
    assert abs(len(areas) - max(apart, 1.0) * 4) <= (1.0 if apart >= 1 else 2.0)
    centre = coverage.first[0] + (len(areas) - 1) / 2
    assert centre == pytest.approx(start + 1.5 * apart, abs=0.4)


def test_on_slices_thicker_than_a_nodule_may_be_each_outline_is_its_own_slices() -> None:
    volume = read_series(
        synthetic.ct_series(shape=(8, 8, 8), spacing_mm=(12.0, 1.0, 1.0), origin_mm=(0, 0, 0))
    )
    for slices, shares in (((2, 4), [16.0, 0, 16.0]), ((2, 3), [16.0, 16.0])):
        outlines = [square(12.0 * z, low=1.5, high=5.5) for z in slices]
        coverage = rasterise(outlines, volume)
        assert coverage is not None
        assert coverage.share.sum(axis=(1, 2)).tolist() == shares


def test_an_endless_outline_is_refused() -> None:
    to_and_fro = np.tile([[1.0, 1.0, 4.0], [1.5, 20.0, 4.0]], (20_000, 1))
    with pytest.raises(NoduleUnusable, match="longer than that of any nodule"):
        rasterise([to_and_fro], isotropic())


def test_an_outline_across_the_slices_is_not_rasterised() -> None:
    assert rasterise([square(4.0) @ np.eye(3)[[0, 2, 1]]], isotropic()) is None


def test_an_outline_larger_than_the_ct_is_refused() -> None:
    with pytest.raises(NoduleUnusable, match="larger than the CT"):
        rasterise([square(4.0, low=-50, high=50)], isotropic())


def test_a_row_of_pixels_is_as_long_as_its_pixels() -> None:
    voxels = np.zeros((2, 5, 9), dtype=np.bool_)
    voxels[0, 2, 1:8] = True
    (piece,) = split(voxels, np.diag([2.0, 0.5, 0.5, 1.0])[[2, 1, 0, 3]])
    assert piece.diameter_mm == pytest.approx(3.5)
    assert piece.volume_mm3 == pytest.approx(7 * 0.5)


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [(5.5, 9.5, 16.0), (5.25, 9.5, 18.0625), (5.5, 9.125, 13.140625), (5.75, 6.25, 0.25)],
)
def test_a_square_covers_its_area_to_the_sixteenth_of_a_pixel(
    low: float, high: float, share: float
) -> None:
    coverage = rasterise([square(3.0, low=low, high=high)], isotropic())
    assert coverage is not None
    assert coverage.share.sum() == pytest.approx(share, rel=1e-6)


def test_rows_are_along_y_and_columns_along_x() -> None:
    drawn = np.array([(9.5, 2.5, 3.0), (14.5, 2.5, 3.0), (14.5, 5.5, 3.0), (9.5, 5.5, 3.0)])
    coverage = rasterise([drawn], isotropic())
    assert coverage is not None
    assert coverage.first == (3, 3, 10)
    assert coverage.share.shape == (1, 3, 5)
    assert coverage.share.sum() == pytest.approx(15)


def test_a_part_of_a_pixel_is_covered_by_that_part() -> None:
    coverage = rasterise([square(3.0, low=5.25, high=7.0)], isotropic())
    assert coverage is not None
    assert coverage.first == (3, 5, 5)
    assert coverage.share[0] == pytest.approx(
        np.array([[0.0625, 0.25, 0.125], [0.25, 1.0, 0.5], [0.125, 0.5, 0.25]]), abs=1e-6
    )


def test_a_slanted_edge_gives_each_pixel_the_part_on_its_own_side() -> None:
    corner = np.array([(5.5, 5.5, 3.0), (9.5, 5.5, 3.0), (5.5, 7.5, 3.0)])
    coverage = rasterise([corner], isotropic())
    assert coverage is not None
    assert coverage.share[0] == pytest.approx(
        np.array([[1.0, 1.0, 0.75, 0.25], [0.75, 0.25, 0.0, 0.0]]), abs=0.02
    )


def test_an_outline_beyond_the_scan_keeps_its_place() -> None:
    coverage = rasterise([square(-1.0, low=-2.5, high=1.5)], isotropic())
    assert coverage is not None
    assert coverage.first == (-1, -2, -2)
    assert coverage.share.shape == (1, 4, 4)
    assert coverage.share.sum() == pytest.approx(16)


@pytest.mark.parametrize(("slant", "flat"), [(0.49, True), (0.5, True), (0.51, False)])
def test_an_outline_whose_points_differ_by_half_a_slice_is_of_no_slice(
    slant: float, flat: bool
) -> None:
    slanted = square(4.0)
    slanted[0, 2] += slant
    assert (rasterise([slanted], isotropic()) is not None) is flat


@pytest.mark.parametrize(
    ("drawn", "areas"),
    [
        # closer than the CT's slices: each covers the slice nearest to it, whole
        ({4.0: 2, 4.6: 4}, {4: 16}),
        ({3.8: 4, 4.4: 2}, {4: 16}),
        ({4.2: 4, 4.8: 2}, {4: 16, 5: 4}),
        ({3.2: 2, 3.8: 4, 4.4: 2}, {3: 4, 4: 16}),
        # half a slice apart: on one plane between them
        ({4.25: 2, 4.75: 4}, {4: 16}),
        ({4.25: 2, 4.76: 4}, {4: 4, 5: 16}),
        # a step longer by half a slice is no gap
        ({3.75: 4, 4.5: 4, 6.0: 4}, {4: 16, 5: 16, 6: 16}),
        # steps of 2 and of 2.5 slices are steps of 2.25
        ({4.25: 4, 6.25: 4, 8.75: 4}, dict.fromkeys(range(3, 10), 16)),
    ],
)
def test_each_outline_covers_the_slices_that_are_nearest_to_it(
    drawn: dict[float, int], areas: dict[int, int]
) -> None:
    outlines = [square(z, low=5.5, high=5.5 + edge) for z, edge in drawn.items()]
    coverage = rasterise(outlines, deep())
    assert coverage is not None
    assert coverage.share.sum(axis=(1, 2)) == pytest.approx(list(areas.values()))
    assert coverage.first[0] == pytest.approx(min(areas), abs=0.6)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_outline_without_width_between_two_pixels_covers_nothing(axis: int) -> None:
    flat = square(4.0)
    flat[:, axis] = 5.5
    coverage = rasterise([flat], isotropic())
    assert coverage is not None
    assert coverage.share.shape == ((1, 4, 1) if axis == 0 else (1, 1, 4))
    assert coverage.share.sum() == 0


@pytest.mark.parametrize(("apart", "one"), [(10.0, True), (11.0, False)])
def test_outlines_up_to_ten_millimetres_apart_are_of_one_nodule(apart: float, one: bool) -> None:
    coverage = rasterise([square(9.0), square(9.0 + apart)], deep())
    assert coverage is not None
    assert bool(coverage.share.sum(axis=(1, 2)).min() == 16.0) is one


@pytest.mark.parametrize(
    ("first", "second", "hole"), [(4.0, 4.09, True), (0.0, 0.1, True), (4.0, 4.11, False)]
)
def test_outlines_within_a_tenth_of_a_slice_are_drawn_on_one_plane(
    first: float, second: float, hole: bool
) -> None:
    nested = [square(first, low=2.5, high=12.5), square(second)]
    coverage = rasterise(nested, isotropic(), overlap=Overlap.EXCLUSIVE)
    assert coverage is not None
    assert coverage.share.sum() == pytest.approx(84 if hole else 100)


def test_an_outline_may_be_two_voxels_larger_than_the_ct() -> None:
    at_most = rasterise([square(4.0, low=-1.5, high=24.5)], isotropic())
    assert at_most is not None
    assert at_most.share.shape == (1, 26, 26)
    with pytest.raises(NoduleUnusable, match="larger than the CT"):
        rasterise([square(4.0, low=-1.5, high=25.5)], isotropic())
