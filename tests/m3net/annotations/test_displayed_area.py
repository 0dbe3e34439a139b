"""Shares of a displayed area as pixels, in every turn and by either way of counting."""

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.displayed_area import DisplayedArea, displayed_area
from m3net.annotations.types import Planes, SlicePlane
from m3net.errors import NoduleUnusable
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPInstanceUID,
)

Pair = tuple[float, float]
IMAGE = SOPInstanceUID("1.1")
PLANES = Planes(
    {
        FrameKey(IMAGE): SlicePlane(
            series_instance_uid=SeriesInstanceUID("2.1"),
            frame_of_reference_uid=FrameOfReferenceUID("3.1"),
            position_mm=(0.0, 0.0, 0.0),
            row_direction=(1.0, 0.0, 0.0),
            col_direction=(0.0, 1.0, 0.0),
            spacing_mm=(1.0, 1.0),
            rows=10,
            columns=20,
        )
    }
)


def placed(
    top_left: Pair,
    bottom_right: Pair,
    shares: Pair,
    *,
    rotation: int = 0,
    flipped: bool = False,
    size: tuple[int, int] | None = (20, 10),
) -> list[float]:
    area = DisplayedArea(
        top_left=top_left,
        bottom_right=bottom_right,
        rotation=rotation,
        flipped=flipped,
        size=size,
    )
    (point,) = area.to_pixels(np.array([shares])).tolist()
    return list(point)


@pytest.mark.parametrize(
    ("corners", "rotation", "flipped", "pixels"),
    [
        # A quarter across and a tenth down the whole of 20 columns and 10 rows.
        (((1, 1), (20, 10)), 0, False, [5.0, 1.0]),
        (((1, 10), (20, 1)), 90, False, [2.0, 7.5]),
        (((20, 10), (1, 1)), 180, False, [15.0, 9.0]),
        (((20, 1), (1, 10)), 270, False, [18.0, 2.5]),
        (((20, 1), (1, 10)), 0, True, [15.0, 1.0]),
        (((1, 1), (20, 10)), 90, True, [2.0, 2.5]),
        (((1, 10), (20, 1)), 180, True, [5.0, 9.0]),
        (((20, 10), (1, 1)), 270, True, [18.0, 7.5]),
    ],
)
def test_a_share_stands_where_the_turned_image_shows_it(
    corners: tuple[Pair, Pair], rotation: int, flipped: bool, pixels: list[float]
) -> None:
    found = placed(*corners, (0.25, 0.1), rotation=rotation, flipped=flipped)
    assert found == pytest.approx(pixels)


@pytest.mark.parametrize(
    ("corners", "rotation", "flipped"),
    [
        (((20, 1), (1, 10)), 0, False),
        (((1, 10), (20, 1)), 0, False),
        (((1, 1), (20, 10)), 90, False),
        (((1, 1), (20, 10)), 0, True),
        (((1, 10), (20, 1)), 90, True),
    ],
)
def test_corners_that_contradict_the_turn_are_refused(
    corners: tuple[Pair, Pair], rotation: int, flipped: bool
) -> None:
    with pytest.raises(NoduleUnusable, match="corners contradict its rotation or flip"):
        placed(*corners, (0.5, 0.5), rotation=rotation, flipped=flipped)


def test_a_part_of_the_image_is_scaled_to_its_own_edges() -> None:
    assert placed((6, 4), (10, 8), (0.0, 0.0)) == [5.0, 3.0]
    assert placed((6, 4), (10, 8), (1.0, 1.0)) == [10.0, 8.0]
    assert placed((6, 4), (6, 4), (0.0, 1.0)) == [5.0, 4.0], "one pixel"
    assert placed((0, 4), (10, 8), (0.0, 0.0)) == [-1.0, 3.0], "a corner off the image is one"


@pytest.mark.parametrize(
    ("bottom_right", "size", "end"),
    [
        ((19, 9), (20, 10), [20.0, 10.0]),  # the last pixel, counted from 0
        ((20, 10), (20, 10), [20.0, 10.0]),  # the edge behind it
        ((19, 10), (20, 10), [19.0, 10.0]),
        ((19, 9), None, [20.0, 10.0]),
        ((20, 10), None, [21.0, 11.0]),
    ],
)
def test_corners_that_are_counted_from_nothing_are_understood(
    bottom_right: Pair, size: tuple[int, int] | None, end: list[float]
) -> None:
    assert placed((0, 0), bottom_right, (0.0, 0.0), size=size) == [0.0, 0.0]
    assert placed((0, 0), bottom_right, (1.0, 1.0), size=size) == end


def test_corners_counted_from_nothing_are_understood_in_a_turned_image() -> None:
    assert placed((19, 9), (0, 0), (0.0, 0.0), rotation=180) == [20.0, 10.0]
    assert placed((19, 9), (0, 0), (1.0, 1.0), rotation=180) == [0.0, 0.0]


def state(*, rotation: object = None, flip: str = "", **area: object) -> Dataset:
    selection = Dataset()
    selection.DisplayedAreaTopLeftHandCorner = [1, 2]
    selection.DisplayedAreaBottomRightHandCorner = [20, 10]
    for keyword, value in area.items():
        setattr(selection, keyword, value)
    dataset = Dataset()
    dataset.DisplayedAreaSelectionSequence = [selection]
    if rotation is not None:
        dataset.ImageRotation = rotation
    dataset.ImageHorizontalFlip = flip
    return dataset


def image(uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = uid
    return reference


def read(dataset: Dataset) -> DisplayedArea | None:
    return displayed_area(dataset, [FrameReference(IMAGE)], PLANES)


def test_an_area_is_read_with_the_images_turn_and_size() -> None:
    area = read(state(rotation=450, flip="Y"))
    assert area == DisplayedArea(
        top_left=(1.0, 2.0), bottom_right=(20.0, 10.0), rotation=90, flipped=True, size=(20, 10)
    )
    plain = read(state())
    assert plain is not None
    assert (plain.rotation, plain.flipped) == (0, False)
    unknown = displayed_area(state(), [FrameReference(SOPInstanceUID("1.9"))], PLANES)
    assert unknown is not None
    assert unknown.size is None


def test_an_area_of_other_images_is_none_of_this_one() -> None:
    assert read(state(ReferencedImageSequence=[image("1.9")])) is None
    assert read(state(ReferencedImageSequence=[image("1.9"), image("1.1")])) is not None
    assert read(state(ReferencedImageSequence=[])) is not None
    both = state(ReferencedImageSequence=[image("1.9")])
    both.DisplayedAreaSelectionSequence.append(
        state(DisplayedAreaTopLeftHandCorner=[5, 5]).DisplayedAreaSelectionSequence[0]
    )
    second = read(both)
    assert second is not None
    assert second.top_left == (5.0, 5.0)


@pytest.mark.parametrize(
    "dataset",
    [
        state(rotation=45),
        state(rotation=91),
        state(DisplayedAreaTopLeftHandCorner=None),
        state(DisplayedAreaBottomRightHandCorner=[1, 2, 3, 4]),
        Dataset(),
    ],
)
def test_an_area_that_is_not_given_whole_is_none(dataset: Dataset) -> None:
    assert read(dataset) is None
