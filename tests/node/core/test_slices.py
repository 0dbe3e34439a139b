"""A series' geometry from its headers: what it covers, its spacing, and what it lacks."""

from dataclasses import replace

import pytest

from m3net.nodule import Point
from m3net.uids import FrameOfReferenceUID
from node.core.inputs import Role
from node.core.slices import geometry_of, slice_count
from tests.node.core.facts_of import FRAME, THICK, ct_series, ct_slice, facts

# ct_slice: 512 x 512 pixels of 0.7 mm, first pixel's centre at (-180, -180), z = -100 upwards.


@pytest.mark.parametrize(
    ("point", "covered"),
    [
        ((0.0, 0.0, -100.0), True),
        ((0.0, 0.0, -101.34), True),  # half a step of 2.5 mm and a tenth for rounding
        ((0.0, 0.0, -101.36), False),
        ((0.0, 0.0, -76.16), True),
        ((0.0, 0.0, -76.14), False),
        ((-180.34, 0.0, -90.0), True),
        ((-180.36, 0.0, -90.0), False),
        ((0.0, -180.34, -90.0), True),
        ((0.0, -180.36, -90.0), False),
        ((178.04, 0.0, -90.0), True),  # -180.35 + 512 * 0.7
        ((178.06, 0.0, -90.0), False),
        ((0.0, 178.04, -90.0), True),
        ((0.0, 178.06, -90.0), False),
    ],
)
def test_a_series_covers_what_lies_between_the_outer_faces_of_its_voxels(
    point: Point, covered: bool
) -> None:
    geometry = geometry_of(ct_series(10))
    assert geometry is not None
    assert geometry.covers(point) is covered


def test_a_whole_series_has_its_step_and_lacks_nothing() -> None:
    geometry = geometry_of(ct_series(10))
    assert geometry is not None
    assert (geometry.slices, geometry.missing_slices) == (10, 0)
    assert geometry.spacing_mm == pytest.approx(2.5)
    assert geometry.frame_of_reference_uid == FRAME


def test_a_slice_that_names_no_frame_of_reference_is_in_that_of_the_others() -> None:
    first, *others = ct_series(10)
    nameless = replace(first.planes[1], frame_of_reference_uid=FrameOfReferenceUID(THICK))
    geometry = geometry_of([replace(first, planes={1: nameless}), *others])
    assert geometry is not None
    assert (geometry.slices, geometry.frame_of_reference_uid) == (10, FRAME)


def test_absent_slices_inside_are_counted() -> None:
    series = ct_series(10)
    geometry = geometry_of([*series[:4], *series[6:]])
    assert geometry is not None
    assert (geometry.slices, geometry.missing_slices) == (8, 2)


def test_a_single_slice_has_no_spacing_and_covers_its_plane() -> None:
    geometry = geometry_of([ct_slice(0)])
    assert geometry is not None
    assert (geometry.slices, geometry.spacing_mm, geometry.missing_slices) == (1, None, 0)
    assert geometry.covers((0.0, 0.0, -100.09))
    assert not geometry.covers((0.0, 0.0, -100.11))


def test_slices_that_make_no_volume_have_the_median_spacing_of_the_usual_orientation() -> None:
    irregular = [ct_slice(number) for number in (0, 1, 2, 3)] + [
        ct_slice(number, step_mm=2.9) for number in (4, 5)
    ]
    turned = [ct_slice(20, row=(0.0, 1.0, 0.0), col=(0.0, 0.0, -1.0))]
    geometry = geometry_of([*irregular, *turned])
    assert geometry is not None
    assert (geometry.slices, geometry.missing_slices) == (6, 0)
    assert geometry.spacing_mm == pytest.approx(2.5)


def test_slices_turned_by_less_than_half_a_hundredth_are_of_one_orientation() -> None:
    turned = [ct_slice(number, row=(1.0, 0.004, 0.0)) for number in range(3, 6)]
    geometry = geometry_of([*ct_series(3), *turned])
    assert geometry is not None
    assert geometry.slices == 6


def test_without_a_header_that_holds_a_place_there_is_no_geometry() -> None:
    unplaced = facts(uid="1.9", role=Role.CT)
    assert geometry_of([unplaced]) is None
    assert slice_count([unplaced, *ct_series(3)]) == 4
