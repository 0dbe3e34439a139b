"""What drawn shapes come to: their axes, their areas, and which of them is a line."""

import numpy as np
import pytest

from m3net.annotations.regions import Extent, Region, measure
from m3net.errors import NoduleUnusable
from m3net.uids import FrameOfReferenceUID

TILTED = np.array([[0.8, 0.6, 0.0], [-0.48, 0.64, 0.6]])
"""Two directions of a plane that is no axis's."""
CENTRE = np.array([100.0, -50.0, 30.0])


def region(shape: str, points: list[tuple[float, float]], *, encloses: bool = False) -> Region:
    """A shape by (u, v) millimetres from CENTRE on the tilted plane."""
    return Region(
        shape=shape,
        points_mm=CENTRE + np.array(points) @ TILTED,
        frame_of_reference_uid=FrameOfReferenceUID("1.2"),
        encloses=encloses,
    )


def on_plane(extent: Extent) -> np.ndarray:
    """The one outline as (u, v) from CENTRE."""
    (outline,) = extent.contours_mm
    return (outline - CENTRE) @ TILTED.T


def test_an_ellipse_has_the_axes_whose_ends_it_names() -> None:
    outline = on_plane(measure([region("ELLIPSE", [(-8, 1), (6, 1), (-1, -2), (-1, 4)])]))
    u, v = outline[:, 0] + 1, outline[:, 1] - 1
    assert (u / 7) ** 2 + (v / 3) ** 2 == pytest.approx(np.ones(72))
    assert outline.min(axis=0) == pytest.approx((-8, -2), abs=1e-6)
    assert outline.max(axis=0) == pytest.approx((6, 4), abs=1e-6)
    assert len(np.unique(np.round(outline, 6), axis=0)) == 72


def test_an_ellipse_without_a_minor_axis_is_a_line() -> None:
    extent = measure([region("ELLIPSE", [(-5, 0), (5, 0), (0, 0), (0, 0)])])
    assert extent.contours_mm == ()
    assert extent.diameter_mm == pytest.approx(10)
    assert extent.centre_mm == pytest.approx(tuple(CENTRE))


def test_an_ellipsoid_has_its_longest_axis_and_the_middle_of_its_ends() -> None:
    points = [(-4, 0), (4, 0), (0, -7), (0, 7), (-1, 0), (1, 0)]
    extent = measure([region("ELLIPSOID", points)])
    assert extent.diameter_mm == pytest.approx(14)
    assert extent.centre_mm == pytest.approx(tuple(CENTRE))


def test_of_several_circles_the_largest_counts() -> None:
    extent = measure(
        [region("CIRCLE", [(0, 0), (3, 0)]), region("CIRCLE", [(1, 0), (1, 4)])],
    )
    assert extent.diameter_mm == pytest.approx(8)
    assert extent.centre_mm == pytest.approx(tuple(CENTRE + TILTED[0]))


@pytest.mark.parametrize(("wide", "area"), [(0.02, True), (0.005, False)])
def test_an_outline_a_thousand_times_longer_than_wide_is_a_line(wide: float, area: bool) -> None:
    corners = [(-5.0, -wide / 2), (5.0, -wide / 2), (5.0, wide / 2), (-5.0, wide / 2)]
    extent = measure([region("POLYGON", corners)])
    assert bool(extent.contours_mm) is area
    assert (extent.diameter_mm is None) is area


@pytest.mark.parametrize(("apart", "closed"), [(0.099, True), (0.11, False)])
def test_an_outline_is_closed_where_its_ends_meet(apart: float, closed: bool) -> None:
    drawn = region("POLYLINE", [(0, 0), (10, 0), (10, 10), (0, 10), (0, apart)])
    if closed:
        assert len(measure([drawn]).contours_mm) == 1
    else:
        with pytest.raises(NoduleUnusable, match="is open, and outlines nothing"):
            measure([drawn])


def test_a_shape_without_length_is_a_point() -> None:
    for shape in ("POLYLINE", "CIRCLE"):
        extent = measure([region(shape, [(2, 0), (2, 0.0009)])])
        assert extent.diameter_mm is None
        assert extent.centre_mm == pytest.approx(tuple(CENTRE + 2 * TILTED[0]))
    assert measure([region("CIRCLE", [(2, 0), (2, 0.0011)])]).diameter_mm == pytest.approx(0.0022)
