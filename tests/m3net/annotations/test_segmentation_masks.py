"""The pixels of a segmentation's frames as one block on its own grid."""

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.segmentation_frames import Frame, Frames
from m3net.annotations.segmentation_masks import centre_of, mask_of, planes_drawn
from m3net.ct.stack import Stack

AFFINE = np.array(
    [
        [0.0, 0.0, 0.5, -10.0],
        [0.0, 1.0, 0.0, -20.0],
        [2.0, 0.0, 0.0, -100.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def frames(*numbers: int, segments: tuple[int | None, ...] | None = None) -> Frames:
    return Frames(
        frames=[
            Frame(index=index, segment=segment, position_mm=(0.0, 0.0, 0.0), sources=frozenset())
            for index, segment in enumerate(segments or (1,) * len(numbers))
        ],
        row_direction=np.array([1.0, 0.0, 0.0]),
        col_direction=np.array([0.0, 1.0, 0.0]),
        spacing_mm=(1.0, 0.5),
        step_mm=2.0,
        stack=Stack(
            numbers=np.array(numbers),
            origin_mm=np.array([-10.0, -20.0, -100.0]),
            step_mm=np.array([0.0, 0.0, 2.0]),
        ),
        affine=AFFINE,
    )


def plane(*places: tuple[int, int]) -> np.ndarray:
    drawn = np.zeros((6, 8), dtype=np.bool_)
    for place in places:
        drawn[place] = True
    return drawn


def test_a_block_is_cropped_to_what_is_drawn_and_stands_where_it_stood() -> None:
    drawn = {0: plane((2, 3), (4, 6)), 1: plane((3, 4))}
    mask = mask_of(frames(5, 3), drawn)
    assert mask.voxels.shape == (3, 3, 4)
    assert np.argwhere(mask.voxels).tolist() == [[0, 1, 1], [2, 0, 0], [2, 2, 3]]
    assert mask.affine[:3, 3].tolist() == [-8.5, -18.0, -94.0]
    assert centre_of(mask) == pytest.approx((-10 + 0.5 * 13 / 3, -17.0, -94 + 2 * 4 / 3))
    assert AFFINE[:3, 3].tolist() == [-10.0, -20.0, -100.0]


def test_two_frames_at_one_place_are_united() -> None:
    mask = mask_of(frames(2, 2), {0: plane((1, 1)), 1: plane((1, 2))})
    assert mask.voxels.tolist() == [[[True, True]]]


def test_one_pixel_is_a_block_of_one() -> None:
    mask = mask_of(frames(0), {0: plane((0, 0))})
    assert mask.voxels.tolist() == [[[True]]]
    assert centre_of(mask) == (-10.0, -20.0, -100.0)


@pytest.mark.parametrize(
    ("kind", "values", "drawn"),
    [
        ("BINARY", [0, 1], [False, True]),
        ("LABELMAP", [1, 2], [True, False]),
        ("FRACTIONAL", [126, 128], [False, True]),
        ("FRACTIONAL", [127, 255], [False, True]),
    ],
)
def test_a_pixel_is_drawn_by_its_value(kind: str, values: list[int], drawn: list[bool]) -> None:
    dataset = Dataset()
    dataset.SegmentationType, dataset.MaximumFractionalValue = kind, 255
    pixels = np.array([[values]], dtype=np.uint8)
    segments = (None,) if kind == "LABELMAP" else (1,)
    found = planes_drawn(dataset, frames(0, segments=segments), pixels, 1)
    assert found[0].tolist() == [drawn]


def test_half_of_an_even_maximum_is_drawn() -> None:
    dataset = Dataset()
    dataset.SegmentationType, dataset.MaximumFractionalValue = "FRACTIONAL", 100
    found = planes_drawn(dataset, frames(0), np.array([[[49, 50, 51]]], dtype=np.uint8), 1)
    assert found[0].tolist() == [[False, True, True]]


def test_frames_of_other_segments_and_empty_ones_are_left_out() -> None:
    dataset = Dataset()
    dataset.SegmentationType = "BINARY"
    pixels = np.array([[[1]], [[1]], [[0]]], dtype=np.uint8)
    found = planes_drawn(dataset, frames(0, 1, 2, segments=(2, 1, 1)), pixels, 1)
    assert list(found) == [1]
