"""What drawn shapes come to: their axes, their areas, and which of them is a line."""

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.content_tree import ContentTree
from m3net.annotations.regions import Extent, Region, measure, read_region
from m3net.annotations.types import NO_PLANES
from m3net.errors import NoduleUnusable
from m3net.uids import FrameOfReferenceUID
from tests.encodings import item

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


@pytest.mark.parametrize(
    ("value_type", "coordinates", "points"),
    [
        ("SCOORD3D", [], None),
        ("SCOORD3D", None, None),
        ("SCOORD3D", [1.0, 2.0], None),
        ("SCOORD3D", [1.0, 2.0, 3.0, 4.0], None),
        ("SCOORD3D", [1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]]),
        ("SCOORD", [], None),
        ("SCOORD", [1.0, 2.0, 3.0], None),
    ],
)
def test_coordinates_are_a_list_of_points(
    value_type: str, coordinates: list[float] | None, points: list[list[float]] | None
) -> None:
    drawn = item(ValueType=value_type, GraphicType="POLYLINE", GraphicData=coordinates)
    drawn.ReferencedFrameOfReferenceUID = "1.2"
    if points is not None:
        found = read_region(ContentTree(Dataset()), drawn, NO_PLANES)
        assert (found.points_mm.tolist(), found.frame_of_reference_uid) == (points, "1.2")
        assert not found.encloses
        return
    with pytest.raises(NoduleUnusable) as refused:
        read_region(ContentTree(Dataset()), drawn, NO_PLANES)
    assert str(refused.value) == (
        f"its POLYLINE has {len(coordinates or [])} coordinates, which is no list of points"
    )


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


def test_a_line_of_which_nothing_is_measured_encloses_nothing() -> None:
    drawn = Region(
        shape="POLYLINE",
        points_mm=np.array([(0, 0, 0), (8, 0, 0), (8, 8, 0), (0, 8, 0)], dtype=np.float64),
        frame_of_reference_uid=FrameOfReferenceUID("1.2"),
    )
    with pytest.raises(NoduleUnusable, match="is open, and outlines nothing"):
        measure([drawn])


def test_ends_a_tenth_of_a_millimetre_apart_meet() -> None:
    ends = [(0, 0, 0), (8, 0, 0), (8, 8, 0), (0, 8, 0), (0, 0.1, 0)]
    drawn = Region(
        shape="POLYLINE",
        points_mm=np.array(ends, dtype=np.float64),
        frame_of_reference_uid=FrameOfReferenceUID("1.2"),
    )
    assert len(measure([drawn]).contours_mm) == 1


def test_a_shape_without_length_is_a_point() -> None:
    for shape in ("POLYLINE", "CIRCLE"):
        extent = measure([region(shape, [(2, 0), (2, 0.0009)])])
        assert extent.diameter_mm is None
        assert extent.centre_mm == pytest.approx(tuple(CENTRE + 2 * TILTED[0]))
    assert measure([region("CIRCLE", [(2, 0), (2, 0.0011)])]).diameter_mm == pytest.approx(0.0022)


def test_a_thousandth_of_a_millimetre_is_a_length() -> None:
    line = Region(
        shape="POLYLINE",
        points_mm=np.array([(0.0, 0.0, 0.0), (0.001, 0.0, 0.0)]),
        frame_of_reference_uid=FrameOfReferenceUID("1.2"),
    )
    assert measure([line]).diameter_mm == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        ("CIRCLE", [(0, 0), (3, 0), (0, 3)]),
        ("CIRCLE", [(0, 0)]),
        ("ELLIPSE", [(-8, 1), (6, 1), (-1, -2)]),
        ("ELLIPSE", [(-8, 1), (6, 1), (-1, -2), (-1, 4), (0, 0)]),
        ("ELLIPSOID", [(-4, 0), (4, 0), (0, -7), (0, 7)]),
        ("ELLIPSOID", [(-4, 0), (4, 0), (0, -7), (0, 7), (-1, 0), (1, 0), (0, 0)]),
        ("RECTANGLE", [(0, 0), (3, 0), (3, 3), (0, 3)]),
        ("POLYGON", [(0, 0)]),
    ],
)
def test_a_shape_of_another_number_of_points_than_its_own_is_refused(
    shape: str, points: list[tuple[float, float]]
) -> None:
    with pytest.raises(NoduleUnusable, match=f"its {shape} has {len(points)} points"):
        measure([region(shape, points)])


def test_an_ellipsoid_is_in_its_middle_whichever_axis_is_longest() -> None:
    ends = [(-3, 2), (5, 2), (1, -1), (1, 5), (0, 2), (2, 2)]
    for turn in (0, 2, 4):
        extent = measure([region("ELLIPSOID", [*ends[turn:], *ends[:turn]])])
        assert extent.diameter_mm == pytest.approx(8)
        assert extent.centre_mm == pytest.approx(tuple(CENTRE + TILTED[0] + 2 * TILTED[1]))


def test_an_open_line_has_the_length_of_its_farthest_points_and_their_middle() -> None:
    extent = measure([region("POLYLINE", [(0, 0), (6, 0)])])
    assert extent.diameter_mm == pytest.approx(6)
    assert extent.centre_mm == pytest.approx(tuple(CENTRE + 3 * TILTED[0]))
    longer = measure([region("POLYLINE", [(0, 0), (6, 0)]), region("POLYLINE", [(0, 0), (0, 8)])])
    assert longer.diameter_mm == pytest.approx(8)
    assert longer.centre_mm == pytest.approx(tuple(CENTRE + 4 * TILTED[1]))


def test_three_points_are_closed_by_what_is_measured_or_by_their_shape_alone() -> None:
    triangle: list[tuple[float, float]] = [(0, 0), (6, 0), (0, 8)]
    assert len(measure([region("POLYGON", triangle)]).contours_mm) == 1
    assert len(measure([region("POLYLINE", triangle, encloses=True)]).contours_mm) == 1
    with pytest.raises(NoduleUnusable, match="POLYLINE of 3 points is open"):
        measure([region("POLYLINE", triangle)])
    assert len(measure([region("POLYLINE", [*triangle, (0, 0)])]).contours_mm) == 1
    with pytest.raises(NoduleUnusable, match="POLYLINE of 3 points is open"):
        measure([region("POLYLINE", [(0, 0), (6, 0), (0, 0.09)])])


def test_an_arrow_marks_its_tip_and_two_other_points_mark_nothing() -> None:
    tip = measure([region("POINT", [(1, 0), (9, 9)])])
    assert tip.centre_mm == pytest.approx(tuple(CENTRE + TILTED[0]))
    assert tip.diameter_mm is None
    assert measure([region("POLYLINE", [(1, 0)])]).centre_mm == tip.centre_mm
    for shape, points in (("MULTIPOINT", [(1, 0), (2, 0)]), ("POINT", [(1, 0), (2, 0), (3, 0)])):
        with pytest.raises(NoduleUnusable, match=f"marked by {len(points)} points, and which"):
            measure([region(shape, [*points])])
    with pytest.raises(NoduleUnusable, match="marked by 0 points"):
        measure([])


def test_outlines_go_before_circles_these_before_lines_and_these_before_points() -> None:
    square = region("POLYGON", [(0, 0), (6, 0), (6, 6), (0, 6)])
    circle = region("CIRCLE", [(2, 0), (5, 0)])
    line = region("POLYLINE", [(0, 0), (20, 0)])
    point = region("POINT", [(7, 7)])
    assert len(measure([point, line, circle, square]).contours_mm) == 1
    assert measure([point, line, circle]).diameter_mm == pytest.approx(6)
    assert measure([point, line]).diameter_mm == pytest.approx(20)
