"""JPEG of 12 bits a sample, encoded here by hand: every block of 8 x 8 pixels is of one value."""

import struct

import numpy as np
import pytest
from pydicom.uid import UID

from m3net.ct.jpeg_of_12_bits import TRANSFER_SYNTAXES, decode

EXTENDED = UID("1.2.840.10008.1.2.4.51")
VALUES = [[0, 4095, 2048], [1024, 7, 3000]]
"""Of the blocks."""


def jpeg(values: list[list[int]], *, precision: int = 12) -> bytes:
    """Extended sequential, one component (ITU-T T.81 annexes B and F)."""
    rows, columns = 8 * len(values), 8 * len(values[0])
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xDB, b"\x00" + b"\x08" * 64),  # an eighth: the DC stands for the mean
            _segment(0xC1, struct.pack(">BHHB", precision, rows, columns, 1) + b"\x01\x11\x00"),
            # sixteen codes of 5 bits, and one of 1 bit: the end of a block
            _segment(0xC4, b"\x00" + bytes([0, 0, 0, 0, 16, *[0] * 11, *range(16)])),
            _segment(0xC4, b"\x10" + bytes([1, *[0] * 15, 0])),
            _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            _entropy_coded([value for row in values for value in row], 1 << (precision - 1)),
            b"\xff\xd9",
        ]
    )


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _entropy_coded(values: list[int], middle: int) -> bytes:
    bits = ""
    before = middle
    for value in values:
        difference, before = value - before, value
        size = abs(difference).bit_length()
        written = difference if difference >= 0 else difference + (1 << size) - 1
        bits += f"{size:05b}" + (f"{written:0{size}b}" if size else "") + "0"
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return packed.replace(b"\xff", b"\xff\x00")


def test_it_has_the_very_values_that_were_encoded() -> None:
    decoded = decode(jpeg(VALUES), rows=16, columns=24, transfer_syntax=EXTENDED)
    assert (decoded.shape, decoded.dtype) == ((16, 24), np.uint16)
    assert np.array_equal(decoded, np.kron(VALUES, np.ones((8, 8), dtype=np.int64)))


def test_the_syntaxes_are_those_of_more_than_eight_bits_with_loss() -> None:
    assert {f"1.2.840.10008.1.2.4.{number}" for number in (51, 53, 55)} == TRANSFER_SYNTAXES


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (jpeg([[100]], precision=8), "8 bits a sample, expected 12"),
        (jpeg([[100]], precision=10), "10 bits a sample, expected 12"),
        (jpeg([[100]], precision=16), "16 bits a sample, expected 12"),
        (jpeg(VALUES), "16 x 24"),
        (jpeg([[100]])[:20], "has no header|is of"),
        (b"no JPEG", "has no header"),
    ],
)
def test_what_is_no_jpeg_of_12_bits_or_of_another_size_is_refused(
    frame: bytes, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(frame, rows=8, columns=8, transfer_syntax=EXTENDED)


def test_one_that_breaks_off_has_no_values() -> None:
    with pytest.raises(ValueError, match="GDCM cannot decode the frame"):
        decode(jpeg(VALUES)[:120], rows=16, columns=24, transfer_syntax=EXTENDED)
