"""Where a scan ends: in a mark, or in what is looked at about it."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.borders import Border, beyond_image, ends_beside, ends_in, goes_beyond
from m3net.grid import GridBox
from m3net.placed import Voxels
from m3net.volume import CTVolume
from tests.m3net.toys import volume_of

SHAPE = (10, 40, 50)
NOTHING: set[Border] = set()


def scan() -> CTVolume:
    """Anisotropic, with a gantry's tilt: what ends is asked of voxels, not of millimetres."""
    tilted = np.array([[0, 0, 0.6, 9.0], [0.8, 0.7, 0, -20.0], [2.5, 0, 0, 100.0], [0, 0, 0, 1.0]])
    return volume_of(np.zeros(SHAPE, np.int16), tilted)


def round_field(columns: int = 50) -> CTVolume:
    """Padding outside of a circle that touches the borders."""
    y, x = np.ogrid[:40, :columns]
    outside = ((y - 19.5) / 20) ** 2 + ((x - (columns - 1) / 2) / (columns / 2)) ** 2 > 1
    padding = np.packbits(np.broadcast_to(outside, (10, 40, columns)), axis=2)
    return replace(scan(), hu=np.zeros((10, 40, columns), np.int16), padding=padding)


def block(first: tuple[int, int, int], shape: tuple[int, int, int] = (3, 4, 4)) -> Voxels:
    return Voxels(box=GridBox(first=first, shape=shape), inside=np.ones(shape, bool))


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ((4, 18, 20), set()),
        ((1, 1, 1), set()),
        ((6, 35, 45), set()),
        ((0, 18, 20), {Border.SCAN}),
        ((7, 18, 20), {Border.SCAN}),
        ((-2, 18, 20), {Border.SCAN}),
        ((4, 0, 20), {Border.IMAGE}),
        ((4, 36, 20), {Border.IMAGE}),
        ((4, 18, 0), {Border.IMAGE}),
        ((4, 18, 46), {Border.IMAGE}),
        ((4, -3, 20), {Border.IMAGE}),
        ((4, 18, 48), {Border.IMAGE}),
        ((0, 0, 0), {Border.SCAN, Border.IMAGE}),
    ],
)
def test_a_mark_at_the_last_voxel_may_have_been_cut_off(
    first: tuple[int, int, int], found: set[Border]
) -> None:
    assert ends_in(block(first), scan()) == found


def test_a_nodule_that_is_larger_than_the_field_is_cut_off() -> None:
    assert ends_in(block((3, -5, -5), (3, 50, 60)), scan()) == {Border.IMAGE}


@pytest.mark.parametrize(
    ("first", "found"),
    [((4, 18, 23), set()), ((4, 18, 1), set()), ((4, 4, 6), {Border.IMAGE})],
    ids=["middle", "left edge of the circle", "outside the circle"],
)
def test_padding_is_where_the_image_ends(first: tuple[int, int, int], found: set[Border]) -> None:
    assert ends_in(block(first, (3, 3, 3)), round_field()) == found


@pytest.mark.parametrize(
    ("first", "shape", "found"),
    [
        ((4, 15, 20), (3, 8, 8), set()),
        ((4, 1, 1), (3, 38, 48), {Border.IMAGE}),
        ((-1, 15, 20), (4, 8, 8), {Border.SCAN}),
        ((-1, 0, 8), (4, 8, 8), {Border.SCAN, Border.IMAGE}),
    ],
)
def test_what_is_looked_at_may_reach_padding(
    first: tuple[int, int, int], shape: tuple[int, int, int], found: set[Border]
) -> None:
    assert ends_beside(GridBox(first=first, shape=shape), round_field()) == found


def test_the_whole_of_an_unpadded_image_ends_nowhere() -> None:
    assert ends_beside(GridBox(first=(0, 0, 0), shape=SHAPE), scan()) == NOTHING


def test_beyond_the_image_is_what_no_pixel_shows_of_any_number_of_columns() -> None:
    """Seven bits of the last byte of 41 columns are none of the image's."""
    ct = round_field(columns=41)
    whole = beyond_image(GridBox(first=(0, -1, -1), shape=(1, 42, 43)), ct)[0]
    assert whole[0].all()
    assert whole[:, 0].all()
    assert whole[:, -1].all()
    assert np.array_equal(whole[1:-1, 1:-1], ct.padded(0))
    assert not ct.padded(0)[20, 20]
    assert ct.padded(0)[0, 0]


@pytest.mark.parametrize(
    ("slices", "beyond"),
    [(range(10), False), (range(2, 5), False), (range(-1, 5), True), (range(6, 11), True)],
)
def test_slices_before_the_first_or_behind_the_last_are_beyond_the_scan(
    slices: range, beyond: bool
) -> None:
    assert goes_beyond(scan(), slices) is beyond
