"""The coronal plane is the patient's own, whatever way the scan was made."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from m3net.volume import CTVolume
from node.core import locating
from node.core.locating import locate
from tests.node.core.test_drawn import volume

SPOT_MM = (10.0, 20.0, 30.0)
"""LPS, of a bright ball of 8 mm."""


def scan(
    directions: list[tuple[float, float, float]],
    spacing: tuple[float, float, float],
    shape: tuple[int, int, int],
    *,
    middle: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> CTVolume:
    """Lung with the ball, along (z, y, x) axes that need not be at right angles."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(directions).T * np.array(spacing)
    affine[:3, 3] = np.array(middle) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    index = np.moveaxis(np.indices(shape), 0, -1)
    at: NDArray[np.float64] = index @ affine[:3, :3].T + affine[:3, 3]
    away = np.linalg.norm(at - SPOT_MM, axis=-1)
    frames = [volume().frames[0]] * shape[0]
    hu = np.where(away < 8, 100, -800).astype(np.int16)
    return replace(volume(), hu=hu, affine=affine, frames=frames)


X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
BACK = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
DOWN = (0.0, 0.0, -1.0)
SCANS = {
    "axial": scan([Z, Y, X], (2.5, 1.0, 1.0), (60, 120, 120)),
    "prone": scan([Z, BACK[1], BACK[0]], (2.5, 1.0, 1.0), (60, 120, 120)),
    "feet first": scan([DOWN, Y, BACK[0]], (2.5, 1.0, 1.0), (60, 120, 120)),
    "tilted gantry": scan([Z, (0.0, 0.94, -0.342), X], (2.5, 1.0, 1.0), (70, 120, 120)),
    "sagittal": scan([BACK[0], DOWN, Y], (2.5, 1.0, 1.0), (50, 130, 120)),
    "coronal": scan([Y, DOWN, X], (2.5, 1.0, 1.0), (50, 130, 120)),
    "leaning": scan([(-0.6, 0.0, 0.8), Y, (0.8, 0.0, 0.6)], (2.5, 1.0, 1.0), (60, 120, 120)),
    "oblique": scan(
        [(0.0, 0.0, 1.0), (-0.6, 0.8, 0.0), (0.8, 0.6, 0.0)], (2.5, 1.0, 1.0), (60, 140, 140)
    ),
}


@pytest.mark.parametrize("name", list(SCANS))
def test_the_nodule_is_bright_where_the_locator_says_it_is(name: str) -> None:
    found = locate(SCANS[name], SPOT_MM, key=0, first=(0, 0))
    rows, columns = np.nonzero(found.coronal_hu > -350)
    row, column = (rows + 0.5).mean(), (columns + 0.5).mean()
    assert (row, column) == pytest.approx(found.centre, abs=1.0 / found.coronal_mm)
    # round, of 16 mm, whatever the slices' distance
    height, width = (np.ptp(each) + 1 for each in (rows, columns))
    assert (height * found.coronal_mm, width * found.coronal_mm) == pytest.approx((16, 16), abs=2.6)
    # and all else is lung, to the very border of what was scanned
    other = np.argwhere(np.abs(found.coronal_hu + 800) > 0.1) + 0.5
    assert np.linalg.norm(other - found.centre, axis=1).max() * found.coronal_mm < 12


@pytest.mark.parametrize("name", list(SCANS))
def test_head_is_up_and_the_patients_right_is_on_the_left(name: str) -> None:
    ct = SCANS[name]
    middle = locate(ct, SPOT_MM, key=0, first=(0, 0))
    higher = locate(ct, (10.0, 20.0, 40.0), key=0, first=(0, 0))
    further_left = locate(ct, (25.0, 20.0, 30.0), key=0, first=(0, 0))
    assert higher.centre[0] < middle.centre[0]
    assert further_left.centre[1] > middle.centre[1]


@pytest.mark.parametrize(
    ("name", "side_mm"),
    [
        ("axial", 150.0),
        ("tilted gantry", 70 * 2.5 + 120 * 0.342),
        ("sagittal", 130.0),
        ("coronal", 130.0),
        ("oblique", 140 * 0.6 + 140 * 0.8),
    ],
)
def test_it_shows_the_longer_of_the_scans_width_and_height(name: str, side_mm: float) -> None:
    found = locate(SCANS[name], SPOT_MM, key=0, first=(0, 0))
    assert locating.PIXELS * found.coronal_mm == pytest.approx(side_mm)


def test_beyond_the_scan_and_in_a_missing_slice_nothing_is_shown() -> None:
    ct = replace(SCANS["axial"], missing=frozenset({30}))
    found = locate(ct, SPOT_MM, key=0, first=(0, 0))
    assert found.coronal_hu.shape == (locating.PIXELS, locating.PIXELS)
    side = locating.PIXELS * found.coronal_mm
    assert side == pytest.approx(150)  # 60 slices of 2.5 mm; 120 mm across
    known = np.isfinite(found.coronal_hu)
    # 15 of 150 mm are beside the scan on either side: 25 of 250 columns
    assert not known[:, :25].any()
    assert not known[:, 225:].any()
    assert [bool(known[row, 25:225].all()) for row in (0, 20, 249)] == [True, True, True]
    assert (np.nanmin(found.coronal_hu), np.nanmax(found.coronal_hu)) == (-800.0, 100.0)
    # slice 30 lies at 1.25 mm, which is row 122.9 of 250 downwards from 75 mm
    assert not known[122:124, 26:220].any()


def test_a_pixel_half_of_which_was_scanned_is_not_shown() -> None:
    # 119.4 of 150 mm: 15.3 mm, 25 and a half of 250 columns, are beside the scan on either side
    narrow = scan([Z, Y, X], (2.5, 1.0, 0.995), (60, 120, 120))
    known = np.isfinite(locate(narrow, SPOT_MM, key=0, first=(0, 0)).coronal_hu)
    assert np.flatnonzero(known[20]).tolist() == list(range(26, 224))


def test_of_a_scan_that_is_wider_than_high_the_whole_width_is_shown() -> None:
    wide = scan([Z, Y, X], (2.5, 1.0, 1.0), (40, 120, 120))
    found = locate(wide, SPOT_MM, key=0, first=(0, 0))
    assert locating.PIXELS * found.coronal_mm == pytest.approx(120)
    assert found.centre == pytest.approx((250 * 30 / 120, 250 * 70 / 120))  # 60 - 30; 10 + 60


def test_of_a_scan_from_head_to_feet_the_part_about_the_nodule_is_shown() -> None:
    tall = scan([Z, Y, X], (10.0, 4.0, 4.0), (180, 30, 30), middle=(0.0, 0.0, 0.0))
    found = locate(tall, SPOT_MM, key=0, first=(0, 0))
    assert found.coronal_mm * locating.PIXELS == locating.MOST_MM == 450
    assert found.centre == pytest.approx((125, 125 + 10 / 1.8))
    for z_mm, row in ((850.0, 50 / 1.8), (-850.0, 400 / 1.8)):  # the scan ends at 900 and -900
        found = locate(tall, (10.0, 20.0, z_mm), key=0, first=(0, 0))
        assert found.centre[0] == pytest.approx(row)
    wide = scan([Z, Y, X], (10.0, 4.0, 10.0), (30, 30, 180))
    found = locate(wide, SPOT_MM, key=0, first=(0, 0))
    assert found.centre == pytest.approx((125 - 30 / 1.8, 125))


def test_the_slice_is_the_whole_key_slice() -> None:
    ct = volume()
    found = locate(ct, (-95.0, -45.0, 210.0), key=4, first=(2, 3))
    assert np.array_equal(found.slice_hu, ct.hu[4])
    assert found.first == (2, 3)
