"""The long and the short axis of marks on one slice."""

import numpy as np
import pytest
from numpy.typing import NDArray

from m3net.axes import axes_mm


def ellipse(
    long_mm: float, short_mm: float, *, degrees: float, spacing_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    size = int(1.3 * long_mm / min(spacing_mm)) + 8
    rows, columns = np.indices((size, size)).astype(float)
    y, x = (rows - size / 2 + 0.3) * spacing_mm[0], (columns - size / 2 + 0.1) * spacing_mm[1]
    turn = np.radians(degrees)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    inside: NDArray[np.bool_] = (2 * along / long_mm) ** 2 + (2 * across / short_mm) ** 2 <= 1
    return inside


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5), (0.7, 0.7), (0.98, 0.98), (0.5, 0.9)])
@pytest.mark.parametrize("degrees", [0, 30, 45, 77, 90])
@pytest.mark.parametrize(("long_mm", "short_mm"), [(6, 5), (12, 7), (20, 19), (33, 15)])
def test_the_axes_of_an_ellipse_are_its_own(
    long_mm: float, short_mm: float, degrees: float, spacing_mm: tuple[float, float]
) -> None:
    mark = ellipse(long_mm, short_mm, degrees=degrees, spacing_mm=spacing_mm)
    assert axes_mm(mark, spacing_mm) == pytest.approx((long_mm, short_mm), abs=max(spacing_mm))


def test_a_row_of_pixels_is_so_many_pixels_long_and_one_wide() -> None:
    row = np.zeros((5, 9), np.bool_)
    row[2, 1:8] = True
    assert axes_mm(row, (0.5, 0.5)) == (3.5, pytest.approx(0.5, abs=0.06))


def test_a_single_pixel_is_measured() -> None:
    assert axes_mm(np.ones((1, 1), np.bool_), (0.7, 0.7)) == pytest.approx((0.7, 0.7), abs=0.1)


def test_an_axis_stays_within_the_outline() -> None:
    sickle = ellipse(30, 30, degrees=0, spacing_mm=(0.5, 0.5))
    rows, columns = np.indices(sickle.shape)
    sickle &= np.hypot(rows - len(sickle) / 2, columns - len(sickle) / 2 - 8) * 0.5 > 12
    long_mm, short_mm = axes_mm(sickle, (0.5, 0.5))
    high = np.flatnonzero(sickle.any(axis=1))
    assert (high[-1] - high[0]) * 0.5 > 29  # through lung
    assert long_mm == pytest.approx(25.4, abs=0.6)  # beside the lung: 2 (15^2 - 8^2)^0.5
    assert short_mm == pytest.approx(17.6, abs=0.6)  # beside the lung too


def test_a_cavity_counts_as_marked() -> None:
    ring = ellipse(20, 20, degrees=0, spacing_mm=(0.5, 0.5))
    middle = len(ring) // 2
    ring[middle - 8 : middle + 8, middle - 8 : middle + 8] = False
    assert axes_mm(ring, (0.5, 0.5)) == pytest.approx((20, 20), abs=0.5)


def test_no_axis_reaches_from_one_piece_to_another() -> None:
    pieces = np.zeros((40, 80), np.bool_)
    pieces[10:20, 5:25] = pieces[10:16, 60:66] = True
    assert axes_mm(pieces, (1.0, 1.0)) == pytest.approx((22.4, 11.2), abs=0.6)


def test_a_mark_of_a_great_many_steps_is_measured_in_a_moment() -> None:
    comb = np.zeros((340, 340), np.bool_)
    comb[::2] = comb[:, 170] = True
    long_mm, short_mm = axes_mm(comb, (0.3, 0.3))
    assert long_mm == pytest.approx(340 * 0.3, abs=1.5)
    assert short_mm <= long_mm
