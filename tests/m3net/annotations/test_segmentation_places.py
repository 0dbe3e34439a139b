"""Where a mask's frame stands against the slice that it names: rounding, or elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.segmentation_frames import Frame, Frames
from m3net.annotations.segmentation_places import SAME_PLACE_MM, contradiction, frame_of_reference
from m3net.annotations.types import Planes, SlicePlane
from m3net.ct.stack import Stack
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPInstanceUID,
)

SLICE = FrameKey(SOPInstanceUID("1.1"))
OTHER_SLICE = FrameKey(SOPInstanceUID("1.2"))
PLANE = SlicePlane(
    series_instance_uid=SeriesInstanceUID("2.1"),
    frame_of_reference_uid=FrameOfReferenceUID("3.1"),
    position_mm=(0.0, 0.0, 0.0),
    row_direction=(1.0, 0.0, 0.0),
    col_direction=(0.0, 1.0, 0.0),
    spacing_mm=(0.5, 1.0),
    rows=16,
    columns=20,
)


def turned(by: float) -> tuple[float, float, float]:
    """A direction of which one coordinate is that far from the row's."""
    return (1.0, by, 0.0)


def frames(
    *,
    spacing_mm: tuple[float, float] = (0.5, 1.0),
    row: tuple[float, float, float] = (1.0, 0.0, 0.0),
    col: tuple[float, float, float] = (0.0, 1.0, 0.0),
    step_mm: float = 2.0,
) -> Frames:
    stack = Stack(numbers=np.zeros(1, dtype=np.int64), origin_mm=np.zeros(3), step_mm=np.zeros(3))
    return Frames(
        frames=(),
        row_direction=np.array(row),
        col_direction=np.array(col),
        spacing_mm=spacing_mm,
        step_mm=step_mm,
        stack=stack,
        affine=np.eye(4),
    )


def at(*position_mm: float, on: tuple[FrameKey, ...] = (SLICE,)) -> Frame:
    x, y, z = position_mm
    sources = frozenset(FrameReference(key.sop_instance_uid) for key in on)
    return Frame(index=0, segment=1, position_mm=(x, y, z), sources=sources)


def elsewhere(
    frame: Frame, grid: Frames | None = None, *, size: tuple[int, int] = (16, 20)
) -> bool:
    dataset = Dataset()
    dataset.Rows, dataset.Columns = size
    known = Planes({SLICE: PLANE, OTHER_SLICE: replace(PLANE, position_mm=(0.0, 0.0, 50.0))})
    return contradiction(frame, grid or frames(), known, dataset) is not None


@pytest.mark.parametrize(
    ("offset_mm", "is_elsewhere"),
    [
        ((0.0, 0.0, 0.5), False),
        ((0.0, 0.0, -0.5), False),
        ((0.5, 0.0, 0.0), False),
        ((0.0, 0.0, 0.51), True),
        ((0.51, 0.0, 0.0), True),
        ((0.0, -0.51, 0.0), True),
        ((0.4, 0.0, 0.4), True),
    ],
)
def test_on_the_slices_grid_half_a_millimetre_in_any_direction_is_the_same_place(
    offset_mm: tuple[float, float, float], is_elsewhere: bool
) -> None:
    assert SAME_PLACE_MM == 0.5
    assert elsewhere(at(*offset_mm)) is is_elsewhere


@pytest.mark.parametrize(
    ("z", "step_mm", "is_elsewhere"),
    [
        (2.0, 2.0, False),
        (2.01, 2.0, True),
        (-2.01, 2.0, True),
        (0.5, 0.1, False),
        (0.51, 0.1, True),
    ],
)
def test_on_a_grid_of_its_own_a_frame_is_within_one_step_of_the_slice(
    z: float, step_mm: float, is_elsewhere: bool
) -> None:
    resampled = frames(spacing_mm=(0.25, 0.5), step_mm=step_mm)
    assert elsewhere(at(7.0, 3.0, z), resampled) is is_elsewhere


@pytest.mark.parametrize(
    ("grid", "same"),
    [
        (frames(spacing_mm=(0.5004, 1.0)), True),
        (frames(spacing_mm=(0.5007, 1.0)), False),
        (frames(spacing_mm=(0.5, 1.0012)), False),
        (frames(row=turned(0.0009)), True),
        (frames(row=turned(0.0012)), False),
        (frames(col=(0.0009, 1.0, 0.0)), True),
        (frames(col=(0.0012, 1.0, 0.0)), False),
    ],
)
def test_a_grid_is_the_slices_within_a_thousandth(grid: Frames, same: bool) -> None:
    # 3 mm aside is elsewhere on the slice's grid, and nothing against a grid of its own.
    assert elsewhere(at(3.0, 0.0, 0.0), grid) is same


@pytest.mark.parametrize(("size", "same"), [((16, 20), True), ((17, 20), False), ((16, 21), False)])
def test_a_matrix_of_another_size_is_another_grid(size: tuple[int, int], same: bool) -> None:
    assert elsewhere(at(3.0, 0.0, 0.0), size=size) is same


def test_the_nearest_of_several_named_slices_counts() -> None:
    assert not elsewhere(at(0.0, 0.0, 50.2, on=(SLICE, OTHER_SLICE)))
    assert not elsewhere(at(0.0, 0.0, 0.2, on=(SLICE, OTHER_SLICE)))
    assert elsewhere(at(0.0, 0.0, 25.0, on=(SLICE, OTHER_SLICE)))


def test_what_names_no_slice_of_the_study_contradicts_none() -> None:
    assert not elsewhere(at(0.0, 0.0, 999.0, on=(FrameKey(SOPInstanceUID("1.9")),)))


def frame_read_in(frame: Frame, grid: Frames | None = None, *, own: str = "9.9") -> str:
    dataset = Dataset()
    dataset.FrameOfReferenceUID = own
    uid, notes = frame_of_reference(dataset, grid or frames(), [frame], Planes({SLICE: PLANE}))
    assert bool(notes) is (uid != own)
    return uid


@pytest.mark.parametrize(
    ("frame", "grid", "of_the_slices"),
    [
        (at(0.0, 0.0, 0.0), frames(), True),
        (at(3.0, 1.5, 0.5), frames(), True),  # a part of the slice: 3 columns, 3 rows on
        (at(3.09, 1.5, 0.0), frames(), True),
        (at(3.0, 1.46, 0.0), frames(), True),  # 0.08 of a row of 0.5 mm
        (at(3.11, 1.5, 0.0), frames(), False),
        (at(3.0, 1.44, 0.0), frames(), False),
        (at(3.0, 1.5, 0.51), frames(), False),
        (at(3.0, 1.5, -0.51), frames(), False),
        (at(0.0, 0.0, 0.0), frames(spacing_mm=(0.5, 1.0009)), True),
        (at(0.0, 0.0, 0.0), frames(spacing_mm=(0.5, 1.0012)), False),
        (at(0.0, 0.0, 0.0), frames(row=turned(0.0009)), True),
        (at(0.0, 0.0, 0.0), frames(row=turned(0.0012)), False),
        (at(0.0, 0.0, 0.0), frames(col=(0.0012, 1.0, 0.0)), False),
    ],
)
def test_another_frame_of_reference_is_the_slices_where_the_pixels_are_the_slices(
    frame: Frame, grid: Frames, of_the_slices: bool
) -> None:
    assert frame_read_in(frame, grid) == ("3.1" if of_the_slices else "9.9")


def test_a_mask_in_the_slices_own_frame_of_reference_stays_in_it_without_a_word() -> None:
    assert frame_read_in(at(0.0, 0.0, 0.0), own="3.1") == "3.1"


def test_slices_of_two_frames_of_reference_give_a_mask_none_of_them() -> None:
    dataset = Dataset()
    dataset.FrameOfReferenceUID = "9.9"
    planes = Planes(
        {
            SLICE: PLANE,
            OTHER_SLICE: replace(PLANE, frame_of_reference_uid=FrameOfReferenceUID("3.2")),
        }
    )
    named = [at(0.0, 0.0, 0.0), at(0.0, 0.0, 0.0, on=(OTHER_SLICE,))]
    assert frame_of_reference(dataset, frames(), named, planes) == ("9.9", ())
