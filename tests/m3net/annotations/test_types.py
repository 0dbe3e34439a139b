"""Where a slice's pixels lie, and which slices a reference names."""

import numpy as np
import pytest

from m3net.annotations.types import Planes, SegmentReference, SlicePlane
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPInstanceUID,
)

PLANE = SlicePlane(
    series_instance_uid=SeriesInstanceUID("2.1"),
    frame_of_reference_uid=FrameOfReferenceUID("3.1"),
    position_mm=(10.0, 20.0, 30.0),
    row_direction=(0.0, 1.0, 0.0),
    col_direction=(0.0, 0.0, -1.0),
    spacing_mm=(2.0, 0.5),
    rows=4,
    columns=8,
)
ONE, MANY = SOPInstanceUID("1.1"), SOPInstanceUID("1.2")
PLANES = Planes(
    dict.fromkeys((FrameKey(ONE), FrameKey(MANY, 1), FrameKey(MANY, 2)), PLANE),
    scouts=[SOPInstanceUID("1.9")],
)


def test_a_point_counts_from_the_outer_corner_of_the_first_pixel() -> None:
    points = np.array([(0.5, 0.5), (0.0, 0.0), (2.5, 0.5), (0.5, 3.5)])
    assert PLANE.to_mm(points).tolist() == [
        [10.0, 20.0, 30.0],
        [10.0, 19.75, 31.0],
        [10.0, 21.0, 30.0],
        [10.0, 20.0, 24.0],
    ]


def test_the_farthest_point_counts_on_either_side_of_the_plane() -> None:
    assert PLANE.distance_mm(np.array([(10.0, 0.0, 0.0), (10.5, 9.0, 9.0)])) == 0.5
    assert PLANE.distance_mm(np.array([(7.0, 0.0, 0.0), (10.5, 9.0, 9.0)])) == 3.0


def test_a_plane_whose_frame_is_its_series_names_no_frame_of_reference() -> None:
    assert PLANE.names_frame_of_reference
    own = SlicePlane(
        series_instance_uid=SeriesInstanceUID("2.1"),
        frame_of_reference_uid=FrameOfReferenceUID("2.1"),
        position_mm=(0.0, 0.0, 0.0),
        row_direction=(1.0, 0.0, 0.0),
        col_direction=(0.0, 1.0, 0.0),
        spacing_mm=(1.0, 1.0),
        rows=1,
        columns=1,
    )
    assert not own.names_frame_of_reference


@pytest.mark.parametrize(
    ("uid", "frame", "named"),
    [
        (ONE, 0, [FrameKey(ONE)]),
        (ONE, 1, [FrameKey(ONE)]),
        (ONE, 2, []),
        (MANY, 0, [FrameKey(MANY, 1), FrameKey(MANY, 2)]),
        (MANY, 2, [FrameKey(MANY, 2)]),
        (MANY, -1, []),
        (SOPInstanceUID("1.3"), 0, []),
    ],
)
def test_a_reference_names_one_frame_or_all_of_an_image(
    uid: SOPInstanceUID, frame: int, named: list[FrameKey]
) -> None:
    assert list(PLANES.named(FrameReference(uid, frame))) == named


@pytest.mark.parametrize(
    ("uid", "frame", "why"),
    [
        ("1.9", 0, "it is drawn on a scout or a projection, which does not tell how deep it lies"),
        ("1.3", 0, "it is drawn on image 1.3, which is not a CT slice of this study"),
        ("1.2", 3, "it is drawn on frame 3 of image 1.2, which is not a CT slice of this study"),
        (
            "1.2",
            -1,
            "it is drawn on what is no frame number of image 1.2, which is not a CT slice of this "
            "study",
        ),
        (
            "Smith",
            1,
            "it is drawn on frame 1 of image (no UID), which is not a CT slice of this study",
        ),
    ],
)
def test_why_a_reference_names_no_plane_is_said(uid: str, frame: int, why: str) -> None:
    assert PLANES.why_not(FrameReference(SOPInstanceUID(uid), frame)) == why


def test_a_segment_is_named_as_the_segmentation_names_it() -> None:
    place = SegmentReference(sop_instance_uid=ONE, segment_number=3).place
    assert place == "segment 3"
