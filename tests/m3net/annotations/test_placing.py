"""Where a marking lies in the CT, and when it is not believed."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from m3net.annotations.placing import Placed, Spot, place
from m3net.annotations.types import FrameGrid, Marking
from m3net.errors import NoduleUnusable
from m3net.nodule import AnnotationSource, Mask
from m3net.uids import (
    FrameOfReferenceUID,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from m3net.volume import CTVolume

AFFINE = np.array(
    [
        [0.0, 0.0, 0.5, -10.0],
        [0.0, 1.0, 0.0, -20.0],
        [2.0, 0.0, 0.0, -100.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Voxels of 1 mm3: 2 mm slices, 1 mm rows, 0.5 mm columns."""

CT = CTVolume(
    hu=np.zeros((8, 16, 20), dtype=np.int16),
    affine=AFFINE,
    study_instance_uid=StudyInstanceUID("1.1"),
    series_instance_uid=SeriesInstanceUID("1.2"),
    frame_of_reference_uid=FrameOfReferenceUID("1.3"),
    frames=(None,) * 8,
)

MARK = Marking(
    source=AnnotationSource(
        sop_class_uid=SOPClassUID("1"), sop_instance_uid=SOPInstanceUID("1.9"), place="segment 1"
    ),
    tracking_uid=None,
    tracking_id=None,
    frame_of_reference_uid=FrameOfReferenceUID("1.3"),
)


def masked(*blocks: tuple[slice, slice, slice], at: tuple[int, int, int] = (0, 0, 0)) -> Marking:
    """Blocks of a mask on the CT's grid, whose first voxel is the CT's voxel `at`."""
    voxels = np.zeros((8, 16, 20), dtype=np.bool_)
    for block in blocks:
        voxels[block] = True
    affine = AFFINE.copy()
    affine[:3, 3] = AFFINE[:3, :3] @ at + AFFINE[:3, 3]
    return replace(MARK, mask=Mask(voxels=voxels, affine=affine))


def outlined(*outlines: list[tuple[float, float]], slope: float = 2.0) -> Marking:
    """Outlines on a plane across the slices, by (u, v) mm about (-5, -12, -93)."""
    across = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, slope]])
    contours = tuple(np.array(each) @ across + (-5.0, -12.0, -93.0) for each in outlines)
    return replace(MARK, contours_mm=contours)


def only(placed: Placed) -> Spot:
    (spot,) = placed.spots
    return spot


BIG = (slice(1, 3), slice(2, 5), slice(4, 8))  # 24 mm3
SMALL = (slice(5, 7), slice(9, 10), slice(12, 14))  # 4 mm3
SPECK = (slice(7, 8), slice(14, 15), slice(0, 3))  # 3 mm3


@pytest.mark.parametrize(
    ("outline", "middle"),
    [
        # 4 x 2 and, on its left half, 2 x 2 above it
        ([(0, 0), (4, 0), (4, 2), (2, 2), (2, 4), (0, 4)], (5 / 3, 5 / 3)),
        ([(2, 4), (0, 4), (0, 0), (4, 0), (4, 2), (2, 2)], (5 / 3, 5 / 3)),
        ([(0, 0), (3, 0), (0, 3)], (1, 1)),
        # points lie close on one of its sides alone
        ([(-2, -2), (-1, -2), (0, -2), (1, -2), (2, -2), (2, 2), (-2, 2)], (0, 0)),
    ],
)
def test_the_centre_of_an_outline_across_the_slices_is_its_areas_middle(
    outline: list[tuple[float, float]], middle: tuple[float, float]
) -> None:
    u, v = middle
    for drawn in (outline, outline[::-1]):
        spot = only(place(outlined(drawn), CT))
        assert spot.centre_mm == pytest.approx((-5 + u, -12 + v, -93 + 2 * v))
        assert spot.mask is None
        assert spot.refused is None


def test_an_outline_across_the_slices_is_as_long_as_its_farthest_points_unless_it_is_stated() -> (
    None
):
    drawn = outlined([(0, 0), (3, 0), (3, 2), (0, 2)])
    assert only(place(drawn, CT)).diameter_mm == pytest.approx((9 + 4 + 16) ** 0.5)
    assert only(place(replace(drawn, stated_mm=7.5), CT)).diameter_mm == 7.5
    assert only(place(replace(drawn, drawn_mm=7.5), CT)).diameter_mm == pytest.approx(
        (9 + 4 + 16) ** 0.5
    )


def test_outlines_on_several_planes_across_the_slices_are_refused() -> None:
    square: list[tuple[float, float]] = [(0, 0), (3, 0), (3, 2), (0, 2)]
    for marking in (outlined(square, square), outlined(square, square, square)):
        with pytest.raises(NoduleUnusable, match="on several images that are not parallel"):
            place(marking, CT)


def test_outlines_on_the_slices_are_their_voxels() -> None:
    square: list[tuple[float, float]] = [(-1.25, -1.5), (1.25, -1.5), (1.25, 1.5), (-1.25, 1.5)]
    spot = only(place(outlined(square, slope=0.0), CT))
    assert spot.centre_mm == pytest.approx((-5, -12, -93))
    assert spot.mask is not None
    assert spot.mask.voxels.shape == (1, 3, 5)
    assert spot.mask.affine[:3, 3].tolist() == pytest.approx([-6, -13, -93])


def test_a_piece_of_four_cubic_millimetres_is_a_nodule_and_a_smaller_one_a_speck() -> None:
    placed = place(masked(BIG, SMALL, SPECK), CT)
    assert [spot.part for spot in placed.spots] == [(1, 2), (2, 2)]
    assert placed.spots[0].centre_mm == pytest.approx((-7.25, -17, -97))
    assert placed.spots[1].centre_mm == pytest.approx((-3.75, -11, -89))
    assert placed.ignored == ("1 piece of segment 1 under 4 mm³ was ignored.",)
    other_speck = (slice(0, 1), slice(14, 15), slice(10, 12))
    assert place(masked(BIG, SPECK, other_speck), CT).ignored == (
        "2 pieces of segment 1 under 4 mm³ were ignored.",
    )
    assert place(masked(BIG), CT).ignored == ()
    with pytest.raises(NoduleUnusable, match=r"^what is marked is 5\.0 mm³ large; no piece of 4 "):
        place(masked(SPECK, other_speck), CT)


def test_a_stated_diameter_is_the_largest_pieces() -> None:
    large, small = place(replace(masked(BIG, SMALL), stated_mm=9.5), CT).spots
    assert large.diameter_mm == 9.5
    assert small.diameter_mm == pytest.approx((1 + 0.25) ** 0.5)
    drawn, _ = place(replace(masked(BIG, SMALL), drawn_mm=9.5), CT).spots
    assert drawn.diameter_mm == pytest.approx((9 + 2.25) ** 0.5)


def test_what_is_marked_outside_the_ct_is_said_in_per_cent_of_its_voxels() -> None:
    block = (slice(0, 3), slice(0, 4), slice(0, 4))
    assert only(place(masked(block), CT)).notes == ()
    corner = (slice(5, 8), slice(12, 16), slice(16, 20))
    assert only(place(masked(corner), CT)).notes == ()
    for block_at, at, per_cent in (
        (block, (-1, 0, 0), 33),
        (block, (0, -1, 0), 25),
        (block, (-1, -1, -1), 62),  # 18 of 48 voxels are left
        (corner, (1, 0, 0), 33),
        (corner, (0, 0, 1), 25),
    ):
        spot = only(place(masked(block_at, at=at), CT))
        assert spot.refused is None
        assert spot.notes == (f"{per_cent} % of the marked voxels lie outside the CT.",)


def test_a_voxel_half_of_which_is_in_the_ct_lies_in_it() -> None:
    first, last = (
        (slice(0, 3), slice(0, 4), slice(0, 4)),
        (slice(5, 8), slice(12, 16), slice(16, 20)),
    )
    for block, beyond, inside in (
        (first, -0.5, True),
        (first, -0.51, False),
        (last, 0.5, True),
        (last, 0.51, False),
    ):
        marking = masked(block, at=(0, beyond, 0))
        assert (only(place(marking, CT)).notes == ()) is inside


def test_a_centre_outside_the_ct_is_refused_with_what_the_ct_spans() -> None:
    marking = replace(MARK, centre_mm=(0.1, -12.0, -93.0))
    assert only(place(marking, CT)).refused == (
        "its centre (0.1, -12.0, -93.0) mm lies outside the CT, "
        "which spans (-10.0, -20.0, -100.0) to (-0.5, -5.0, -86.0) mm"
    )
    tilted = replace(CT, affine=AFFINE @ np.diag([1, -1, 1, 1]))
    assert only(place(marking, tilted)).refused == (
        "its centre (0.1, -12.0, -93.0) mm lies outside the CT, "
        "which spans (-10.0, -35.0, -100.0) to (-0.5, -20.0, -86.0) mm"
    )


def grid(
    *, rows: int = 16, columns: int = 20, shift: tuple[float, float] = (0, 0), zoom: float = 1.0
) -> FrameGrid:
    """The grid of whole frames that stand (rows, columns) voxels beside the CT's."""
    affine: NDArray[np.float64] = AFFINE @ np.diag([1, zoom, zoom, 1])
    affine[:3, 3] = AFFINE[:3, :3] @ (3, *shift) + AFFINE[:3, 3]
    return FrameGrid(rows=rows, columns=columns, affine=affine)


@pytest.mark.parametrize(
    ("frames", "believed"),
    [
        (grid(), True),
        (grid(shift=(0.5, 0.5)), True),
        (grid(shift=(-0.5, -0.5)), True),
        (grid(shift=(0.51, 0)), False),
        (grid(shift=(0, -0.51)), False),
        (grid(shift=(7, 7)), False),
        # frames of another matrix, or of other pixels, were not drawn on the CT's
        (grid(rows=15, shift=(1, 0)), True),
        (grid(columns=21, shift=(1, 0)), True),
        (grid(zoom=0.98, shift=(1, 0)), True),
        (grid(zoom=1.0005, shift=(1, 0)), False),
    ],
)
def test_frames_of_the_cts_matrix_that_name_no_slice_stand_on_its_pixels_or_are_not_believed(
    frames: FrameGrid, believed: bool
) -> None:
    spot = only(place(replace(masked(BIG), unchecked_grid=frames), CT))
    assert spot.notes == (
        "The segmentation does not name the CT slices that it was drawn on; "
        "its place rests on its own coordinates.",
    )
    assert (spot.refused is None) is believed


def test_frames_beside_the_cts_pixels_are_refused_with_both_places() -> None:
    spot = only(place(replace(masked(BIG), unchecked_grid=grid(shift=(2, 4))), CT))
    assert spot.refused == (
        "the segmentation has the CT's matrix of 16 x 20 pixels, but its frames stand at "
        "(-8.0, -18.0, -94.0) mm, beside the CT's slices, which begin at "
        "(-10.0, -20.0, -100.0) mm; its geometry cannot be trusted"
    )


def test_a_mark_of_a_foreign_frame_of_reference_has_no_place() -> None:
    foreign = replace(MARK, centre_mm=(0, 0, 0), frame_of_reference_uid=FrameOfReferenceUID("1.4"))
    with pytest.raises(NoduleUnusable, match=r"foreign frame of reference, 1\.4; the CT's is 1\.3"):
        place(foreign, CT)
    with pytest.raises(NoduleUnusable, match="foreign frame of reference, none given; the CT's"):
        place(replace(foreign, frame_of_reference_uid=FrameOfReferenceUID("")), CT)
    own = replace(CT, frame_of_reference_uid=FrameOfReferenceUID(str(CT.series_instance_uid)))
    with pytest.raises(NoduleUnusable, match=r"^the CT names no frame of reference, and not every"):
        place(foreign, own)


def test_what_is_refused_already_has_no_place() -> None:
    with pytest.raises(NoduleUnusable, match=r"^it is nowhere$"):
        place(replace(MARK, refused="it is nowhere", centre_mm=(-5, -12, -93)), CT)
