"""The pixels of a segmentation's frames as one block on its own grid."""

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from m3net.annotations.segmentation_frames import Frame, Frames
from m3net.annotations.segmentation_masks import centre_of, mask_of, read_planes
from m3net.ct.stack import Stack
from m3net.errors import AnnotationUnusable

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


def segmentation(kind: str, pixels: list[list[int]], *, maximum: int = 255) -> Dataset:
    """One row of pixels a frame."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SegmentationType, dataset.MaximumFractionalValue = kind, maximum
    values = np.array(pixels, dtype=np.uint8)
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = len(values), 1, values.shape[1]
    dataset.BitsAllocated = dataset.BitsStored = 1 if kind == "BINARY" else 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = np.packbits(values.ravel(), bitorder="little") if kind == "BINARY" else values
    dataset.PixelData = bits.tobytes() + b"\0" * (bits.size % 2)
    dataset["PixelData"].VR = "OB"
    return dataset


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
    segments = (None,) if kind == "LABELMAP" else (1,)
    found = read_planes(segmentation(kind, [values]), frames(0, segments=segments), [1])
    assert found.by_segment[1][0].tolist() == [drawn]


def test_half_of_an_even_maximum_is_drawn() -> None:
    found = read_planes(segmentation("FRACTIONAL", [[49, 50, 51]], maximum=100), frames(0), [1])
    assert found.by_segment[1][0].tolist() == [[False, True, True]]


def test_frames_of_other_segments_and_empty_ones_are_left_out() -> None:
    three = frames(0, 1, 2, segments=(2, 1, 1))
    found = read_planes(segmentation("BINARY", [[1], [1], [0]]), three, [1])
    assert list(found.by_segment[1]) == [1]
    assert found.numbers == {1, 2}


def test_what_occurs_in_a_label_map_is_known_whatever_was_asked_for() -> None:
    two = frames(0, 1, segments=(None, None))
    found = read_planes(segmentation("LABELMAP", [[0, 7], [3, 0]]), two, [3, 4])
    assert found.numbers == {0, 3, 7}
    assert {number: list(planes) for number, planes in found.by_segment.items()} == {3: [1], 4: []}


@pytest.mark.parametrize("columns", [1, 3, 5, 8, 15, 16, 17, 45])
def test_frames_that_begin_within_a_byte_are_read_whole(columns: int) -> None:
    rng = np.random.default_rng(columns)
    values = rng.integers(0, 2, (9, columns))
    values[:, 0] = 1
    found = read_planes(segmentation("BINARY", values.tolist()), frames(*range(9)), [1])
    assert [p.astype(int).tolist()[0] for p in found.by_segment[1].values()] == values.tolist()


def test_where_no_number_of_frames_is_said_there_is_one() -> None:
    unsaid = segmentation("BINARY", [[0, 1] * 4])
    del unsaid.NumberOfFrames
    found = read_planes(unsaid, frames(0), [1])
    assert found.by_segment[1][0].tolist() == [[False, True] * 4]


def test_pixels_that_are_claimed_and_not_there_are_said() -> None:
    claiming = segmentation("BINARY", [[1] * 8])
    claiming.Rows, claiming.Columns = 8192, 8192
    with pytest.raises(AnnotationUnusable) as refused:
        read_planes(claiming, frames(0), [1])
    assert str(refused.value) == (
        "the segmentation's pixels are too few: 2 bytes for 1 x 8192 x 8192"
    )
    claiming.Rows = 8193
    with pytest.raises(AnnotationUnusable, match="frames of 8193 x 8192, which no CT has"):
        read_planes(claiming, frames(0), [1])
    bytewise = segmentation("FRACTIONAL", [[255] * 10])
    assert read_planes(bytewise, frames(0), [1]).by_segment[1][0].all()
    bytewise.PixelData = bytewise.PixelData[:9]
    with pytest.raises(AnnotationUnusable, match="too few: 9 bytes for 1 x 1 x 10"):
        read_planes(bytewise, frames(0), [1])
    with pytest.raises(AnnotationUnusable, match="has 1 frames of pixels and 2 positions"):
        read_planes(segmentation("BINARY", [[1] * 8]), frames(0, 1), [1])


@pytest.mark.parametrize(
    ("syntax", "named"),
    [
        (
            str(JPEG2000Lossless),
            f"JPEG 2000 Image Compression (Lossless Only) ({JPEG2000Lossless})",
        ),
        ("1.2.840.10008.1.2.99", "1.2.840.10008.1.2.99"),
        ("", "unknown"),
    ],
)
def test_what_cannot_be_decoded_names_its_syntax(syntax: str, named: str) -> None:
    torn = segmentation("FRACTIONAL", [[1] * 8])
    torn.file_meta.TransferSyntaxUID = syntax
    torn.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\0\0"
    with pytest.raises(AnnotationUnusable) as refused:
        read_planes(torn, frames(0), [1])
    assert str(refused.value) == (
        f"the segmentation's pixels cannot be decoded from transfer syntax {named}"
    )
