"""What a compressed frame says of its size is held against the header before it is decoded."""

import struct
from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from m3net.codestream import FrameHeader, read_frame_header, require_size, require_sizes
from m3net.ct.pixels import hounsfield
from m3net.errors import SeriesUnusable
from tests import synthetic

SOF_OF_16_X_20 = (
    b"\xff\xd8\xff\xfe\x00\x04ok\xff\xff\xc3\x00\x0b\x10\x00\x10\x00\x14\x01\x01\x11\x00"
)
"""A comment, a fill byte, and the frame header of a lossless JPEG of 16 bits."""

JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
LONG_BOX = b"\0\0\0\1jp2c" + struct.pack(">Q", 10_000)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def compressed(syntax: str) -> Dataset:
    """A slice of 32 x 40 pixels; JPEG 2000 is not written of fewer."""
    image = synthetic.ct_series(shape=(2, 32, 40))[0]
    image.compress(syntax, generate_instance_uid=False)
    return image


def frame_of(image: Dataset) -> bytes:
    return next(generate_frames(image.PixelData, number_of_frames=1))


def lying(image: Dataset, side: int) -> Dataset:
    """The same slice, whose frame states another size."""
    frame = bytearray(frame_of(image))
    if frame.startswith(b"\xff\x4f"):
        frame[8:16] = frame[24:32] = struct.pack(">II", side, side)
    else:
        at = frame.find(b"\xff\xf7")
        frame[at + 5 : at + 9] = struct.pack(">HH", side, side)
    image.PixelData = encapsulate([bytes(frame)])
    image["PixelData"].is_undefined_length = True
    return image


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_a_frame_states_its_size(syntax: str) -> None:
    header = read_frame_header(frame_of(compressed(syntax)))
    assert (header.rows, header.columns, header.samples) == (32, 40, 1)
    assert require_sizes(compressed(syntax)) is None


def test_a_jpegs_header_is_found_behind_comments_and_fill_bytes() -> None:
    expected = FrameHeader(rows=16, columns=20, samples=1, precision=16)
    assert read_frame_header(SOF_OF_16_X_20) == expected


def test_the_codestream_of_a_jp2_file_is_found_behind_its_boxes() -> None:
    frame = frame_of(compressed(JPEG2000Lossless))
    for begin in (b"\0\0\0\0jp2c", struct.pack(">I4s", 8 + len(frame), b"jp2c"), LONG_BOX):
        assert read_frame_header(JP2 + box(b"ftyp", bytes(12)) + begin + frame) == (
            read_frame_header(frame)
        )


@pytest.mark.parametrize("filler", [b"uuid", b"xml "])
def test_what_looks_like_a_codestream_in_another_box_of_a_jp2_file_is_none(filler: bytes) -> None:
    """Decoders pass it over, and would make room for the giant behind it."""
    honest = frame_of(compressed(JPEG2000Lossless))
    giant = frame_of(lying(compressed(JPEG2000Lossless), 60_000))
    header = read_frame_header(JP2 + box(filler, bytes(16) + honest) + box(b"jp2c", giant))
    assert (header.rows, header.columns) == (60_000, 60_000)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xda\x00\x02" + bytes(40),
        b"\xff\xd8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        SOF_OF_16_X_20[:16],
        b"\xff\x4f\xff\x51" + bytes(38),
        b"\0\0\0\x0cjP  " + bytes(40),
        JP2 + b"\0\0\0\7uuid" + bytes(40),
        JP2 + b"\0\0\0\0uuid" + bytes(40),
        JP2 + b"\0\0\0\1uuid" + bytes(40),
        JP2 + b"\0\0\0\x0fuuid" + bytes(7),
        b"GIF89a" + bytes(40),
    ],
)
def test_a_frame_without_a_header_is_none(frame: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        read_frame_header(frame)


def test_a_frame_of_three_samples_is_no_greyscale_one() -> None:
    colour = SOF_OF_16_X_20.replace(b"\x00\x14\x01", b"\x00\x14\x03")
    with pytest.raises(ValueError, match="the frame is of 16 x 20 x 3, expected 16 x 20 x 1"):
        require_size(colour, rows=16, columns=20)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("side", [33, 60_000])
def test_a_frame_of_another_size_is_refused_before_room_is_made_for_it(
    syntax: str, side: int
) -> None:
    liar = lying(compressed(syntax), side)
    with pytest.raises(SeriesUnusable, match="cannot be decoded from JPEG"):
        hounsfield(liar)
    with pytest.raises(ValueError, match=f"the frame is of {side} x {side} x 1"):
        require_sizes(liar)


def test_a_run_length_has_no_header_and_is_decoded_by_rows_and_columns() -> None:
    plain = synthetic.ct_series()[0]
    run_length = deepcopy(plain)
    run_length.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(hounsfield(run_length).hu, hounsfield(plain).hu)
    assert require_sizes(run_length) is None
