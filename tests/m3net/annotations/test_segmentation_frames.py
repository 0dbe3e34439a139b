"""Where a segmentation's frames stand, by their functional groups alone."""

from collections.abc import Sequence

import pytest
from pydicom import Dataset

from m3net.annotations.segmentation_frames import Frames, read_frames
from m3net.errors import AnnotationUnusable

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def group(
    z: float,
    *,
    orientation: Sequence[float] = AXIAL,
    spacing_mm: Sequence[float] = (0.5, 0.75),
    between_mm: float | None = None,
    thickness_mm: float | None = None,
    segment: int = 1,
) -> Dataset:
    measures = item(PixelSpacing=list(spacing_mm))
    if between_mm is not None:
        measures.SpacingBetweenSlices = between_mm
    if thickness_mm is not None:
        measures.SliceThickness = thickness_mm
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=[10.0, 20.0, z])],
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(orientation))],
        PixelMeasuresSequence=[measures],
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=segment)],
    )


def read(*groups: Dataset, kind: str = "BINARY") -> Frames:
    return read_frames(item(SegmentationType=kind, PerFrameFunctionalGroupsSequence=list(groups)))


def numbers_at(*heights: float, between_mm: float | None = None) -> list[int]:
    found = read(*(group(z, between_mm=between_mm) for z in heights))
    return found.stack.numbers.tolist()


def test_frames_have_their_places_segments_and_grid() -> None:
    found = read(group(5.0, segment=2), group(0.0), group(2.5, segment=3))
    assert [(f.index, f.segment, f.position_mm) for f in found.frames] == [
        (0, 2, (10.0, 20.0, 5.0)),
        (1, 1, (10.0, 20.0, 0.0)),
        (2, 3, (10.0, 20.0, 2.5)),
    ]
    assert found.stack.numbers.tolist() == [2, 0, 1]
    assert (found.spacing_mm, found.step_mm) == ((0.5, 0.75), 2.5)
    assert found.affine.tolist() == [
        [0.0, 0.0, 0.75, 10.0],
        [0.0, 0.5, 0.0, 20.0],
        [2.5, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ]


def test_a_frame_of_a_label_map_belongs_to_no_segment() -> None:
    assert [frame.segment for frame in read(group(0.0), kind="LABELMAP").frames] == [None]


@pytest.mark.parametrize(
    "odd",
    [
        {"orientation": (1.0, 0.0011, 0.0, 0.0, 1.0, 0.0)},
        {"orientation": (1.0, 0.0, 0.0, 0.0, 1.0, -0.0011)},
        {"spacing_mm": (0.5011, 0.75)},
        {"spacing_mm": (0.5, 0.7511)},
    ],
)
def test_frames_that_differ_by_more_than_a_thousandth_are_of_several_grids(
    odd: dict[str, tuple[float, ...]],
) -> None:
    with pytest.raises(AnnotationUnusable, match="are of several grids"):
        read(group(0.0), group(2.5, **odd))


@pytest.mark.parametrize(
    "odd",
    [
        {"orientation": (1.0, 0.0009, 0.0, 0.0, 1.0, 0.0)},
        {"orientation": (1.0, 0.001, 0.0, 0.0, 1.0, 0.0)},
        {"spacing_mm": (0.5009, 0.75)},
    ],
)
def test_frames_that_differ_by_less_are_of_one_grid(odd: dict[str, tuple[float, ...]]) -> None:
    assert len(read(group(0.0), group(2.5, **odd)).frames) == 2


def test_a_thousandth_of_a_millimetre_itself_is_no_difference_of_pixels() -> None:
    tiny = group(0.0, spacing_mm=(0.001, 1.0)), group(2.5, spacing_mm=(0.002, 1.0))
    assert len(read(*tiny).frames) == 2


@pytest.mark.parametrize(
    ("orientation", "orthonormal"),
    [
        ((1.004, 0, 0, 0, 1, 0), True),
        ((0.996, 0, 0, 0, 1, 0), True),
        ((1.006, 0, 0, 0, 1, 0), False),
        ((0.994, 0, 0, 0, 1, 0), False),
        ((1, 0, 0, 0, 1.006, 0), False),
        ((1, 0, 0, 0.009, 1, 0), True),
        ((1, 0, 0, 0.011, 1, 0), False),
        ((1, 0, 0, -0.011, 1, 0), False),
        ((1, 0, 0, 1, 0, 0), False),
        ((0, 0, 0, 0, 0, 0), False),
    ],
)
def test_directions_are_of_length_one_and_at_right_angles_within_a_hundredth(
    orientation: tuple[float, ...], orthonormal: bool
) -> None:
    if orthonormal:
        read(group(0.0, orientation=orientation))
    else:
        with pytest.raises(AnnotationUnusable, match="no orthonormal orientation"):
            read(group(0.0, orientation=orientation))


@pytest.mark.parametrize("spacing_mm", [(0.0, 0.75), (0.5, 0.0), (-0.5, 0.75)])
def test_a_pixel_spacing_of_nothing_is_refused(spacing_mm: tuple[float, float]) -> None:
    with pytest.raises(AnnotationUnusable, match="pixel spacing is not positive"):
        read(group(0.0, spacing_mm=spacing_mm))


@pytest.mark.parametrize(
    ("said", "step_mm"),
    [
        ({"between_mm": 2.5, "thickness_mm": 5.0}, 2.5),
        ({"thickness_mm": 5.0}, 5.0),
        ({"between_mm": 0.0, "thickness_mm": 5.0}, 5.0),
        ({}, 1.0),
    ],
)
def test_frames_at_one_place_are_as_thick_as_they_say(
    said: dict[str, float], step_mm: float
) -> None:
    found = read(group(7.0, **said), group(7.1, **said))
    assert found.stack.numbers.tolist() == [0, 0]
    assert (found.step_mm, found.affine[:3, 0].tolist()) == (step_mm, [0.0, 0.0, step_mm])
    assert found.stack.origin_mm.tolist() == [10.0, 20.0, 7.0]


def test_frames_a_tenth_of_a_millimetre_apart_are_at_one_place_and_further_ones_are_not() -> None:
    assert numbers_at(0.0, 0.09, 2.5) == [0, 0, 1]
    assert numbers_at(0.0, 0.1, 2.5) == [0, 0, 1]
    assert numbers_at(0.0, 0.11) == [0, 1]


def test_the_step_that_is_stated_leaves_room_for_frames_that_were_left_out() -> None:
    assert numbers_at(0.0, 5.0, between_mm=2.5) == [0, 2]
    assert numbers_at(0.0, 5.0, 12.5, between_mm=2.5) == [0, 2, 5]
    assert numbers_at(0.0, 5.0) == [0, 1]
    assert numbers_at(0.0, 2.5, 7.5) == [0, 1, 3]


def test_a_stated_step_of_a_millimetre_and_less_is_believed_too() -> None:
    assert numbers_at(0.0, 3.0, between_mm=1.0) == [0, 3]
    assert numbers_at(0.0, 2.5, between_mm=0.625) == [0, 4]
    assert numbers_at(0.0, 2.5, between_mm=-2.5) == [0, 1]


def test_a_stated_step_at_which_no_frames_stand_is_not_believed() -> None:
    assert numbers_at(0.0, 5.0, 10.0, between_mm=2.5) == [0, 1, 2]
    assert numbers_at(0.0, 2.55, 5.1, between_mm=2.5) == [0, 1, 2]
    assert numbers_at(0.0, 2.5, 7.5, between_mm=1.9) == [0, 1, 3]
    assert read(*(group(z, between_mm=2.5) for z in (0.0, 2.55, 5.1))).step_mm == 2.5
    assert numbers_at(0.0, 0.2, 0.4, between_mm=0.1) == [0, 2, 4]  # a jitter off is not belied


def test_frames_at_no_common_step_are_refused() -> None:
    with pytest.raises(AnnotationUnusable, match=r"no regular stack: plane 3: 3\.700 mm"):
        numbers_at(0.0, 2.5, 6.2)
