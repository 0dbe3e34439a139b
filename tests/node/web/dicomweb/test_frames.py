"""Every frame is found, whatever tells where it begins, and is its own samples."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import JPEGLSLossless, RLELossless

from node.web.dicomweb.encoded_object import Unreadable, opened
from node.web.dicomweb.frame_index import Inseparable, NoFrames, index_frames
from node.web.dicomweb.frames import Frames, NoSuchFrame, Undecodable
from node.web.dicomweb.instances_encoded import Written
from tests.node.web.dicomweb.encoding import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    JPEG_LS,
    UNDEFINED,
    element,
    fragments,
    image,
    implicit,
    write,
)

RLE = "1.2.840.10008.1.2.5"
FIRST, SECOND, THIRD = b"\xff\xd8one\xff\xd9", b"\xff\xd8two, longer\xff\xd9\0", b"3" * 6


def stored(path: Path) -> list[bytes]:
    with opened(path, max_bytes=1 << 20) as of:
        frames = Frames(of, index_frames(of))
        found = [frames.stored(number) for number in range(1, frames.count + 1)]
        joined = [b"".join(chunks) for _, chunks in found]
    assert [length for length, _ in found] == [len(each) for each in joined]
    return joined


def uncompressed(path: Path, number: int = 1) -> bytes:
    with opened(path, max_bytes=1 << 20) as of:
        return b"".join(Frames(of, index_frames(of)).uncompressed(number)[1])


def words(*values: int, code: str = "L") -> bytes:
    return struct.pack(f"<{len(values)}{code}", *values)


def test_frames_are_told_apart_by_the_basic_offset_table(tmp_path: Path) -> None:
    behind = [0, 8 + len(FIRST), 24 + len(FIRST) + len(SECOND)]
    pixels = fragments(FIRST, SECOND[:4], SECOND[4:], THIRD, table=words(*behind))
    path = write(tmp_path, image(frames=3) + pixels, JPEG_LS)
    assert stored(path) == [FIRST, SECOND, THIRD]


def test_frames_are_told_apart_by_the_extended_offset_table(tmp_path: Path) -> None:
    tables = element(0x7FE00001, "OV", words(0, 8 + len(FIRST), code="Q"))
    tables += element(0x7FE00002, "OV", words(len(FIRST), len(SECOND) - 1, code="Q"))
    path = write(tmp_path, image(frames=2) + tables + fragments(FIRST, SECOND), JPEG_LS)
    assert stored(path) == [FIRST, SECOND[:-1]]


@pytest.mark.parametrize(
    "table", [b"", words(0, 3, 9), words(0), words(0xFFFFFFFF, 1, 2), b"\0\0\0"[:2]]
)
def test_without_a_true_table_each_fragment_is_a_frame(tmp_path: Path, table: bytes) -> None:
    path = write(tmp_path, image(frames=3) + fragments(FIRST, SECOND, THIRD, table=table), JPEG_LS)
    assert stored(path) == [FIRST, SECOND, THIRD]


def test_without_a_table_the_end_of_an_image_ends_a_frame(tmp_path: Path) -> None:
    pixels = fragments(FIRST[:2], FIRST[2:], SECOND[:4], SECOND[4:])
    path = write(tmp_path, image(frames=2) + pixels, JPEG_LS)
    assert stored(path) == [FIRST, SECOND]


def test_of_one_frame_all_fragments_are_it(tmp_path: Path) -> None:
    pixels = fragments(FIRST[:2], FIRST[2:], table=words(0, 10))
    assert stored(write(tmp_path, image() + pixels, JPEG_LS)) == [FIRST]


@pytest.mark.parametrize("count", [3, 5])
def test_frames_that_cannot_be_told_apart_are_not_guessed_at(tmp_path: Path, count: int) -> None:
    path = write(tmp_path, image(frames=count) + fragments(*[THIRD] * 4), JPEG_LS)
    with pytest.raises(Inseparable, match="retrieve the whole instance"):
        stored(path)


def test_a_video_is_one_fragment_that_is_not_taken_apart(tmp_path: Path) -> None:
    with pytest.raises(Inseparable):
        stored(write(tmp_path, image(frames=90) + fragments(THIRD), "1.2.840.10008.1.2.4.102"))


def test_single_bits_begin_with_a_byte_wherever_they_stood(tmp_path: Path) -> None:
    masks = np.array([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]], np.uint8)
    packed = np.packbits(masks.reshape(-1), bitorder="little").tobytes()
    said = image(rows=1, columns=5, bits=1, frames=3)
    assert stored(write(tmp_path, said + element(0x7FE00010, "OB", packed))) == [
        b"\x0d",
        b"\x1f",
        b"\x10",
    ]


@pytest.mark.parametrize(
    ("bits", "vr", "pixels", "frames"),
    [
        (16, "OW", b"\1\2\3\4\5\6\7\x08", [b"\2\1\4\3", b"\6\5\x08\7"]),
        (8, "OW", b"\2\1\4\3", [b"\1\2", b"\3\4"]),
        (8, "OB", b"\1\2\3\4", [b"\1\2", b"\3\4"]),
        (32, "OW", bytes(range(16)), [b"\3\2\1\0\7\6\5\4", b"\x0b\x0a\x09\x08\x0f\x0e\x0d\x0c"]),
    ],
)
def test_big_endian_samples_are_turned(
    tmp_path: Path, bits: int, vr: str, pixels: bytes, frames: list[bytes]
) -> None:
    said = image(rows=1, columns=2, bits=bits, frames=2, order=">")
    data = said + element(0x7FE00010, vr, pixels, order=">")
    assert stored(write(tmp_path, data, BIG_ENDIAN)) == frames


def test_words_that_two_frames_share_are_turned_too(tmp_path: Path) -> None:
    said = image(rows=1, columns=3, frames=2, order=">")
    data = said + element(0x7FE00010, "OW", b"\2\1\4\3\6\5", order=">")
    assert stored(write(tmp_path, data, BIG_ENDIAN)) == [b"\1\2\3", b"\4\5\6"]


def test_floating_point_pixels_are_frames(tmp_path: Path) -> None:
    said = image(rows=1, columns=2, bits=32)
    path = write(tmp_path, said + element(0x7FE00008, "OF", struct.pack("<2f", 1.5, -2)))
    assert stored(path) == [struct.pack("<2f", 1.5, -2)]
    with opened(path, max_bytes=1 << 20) as of:
        samples = Frames(of, index_frames(of)).samples(1, raw=False)
    assert samples.tolist() == [[1.5, -2.0]]


def test_there_is_no_frame_zero_and_none_behind_the_last(tmp_path: Path) -> None:
    path = write(tmp_path, image() + element(0x7FE00010, "OB", bytes(6)))
    with opened(path, max_bytes=1 << 20) as of:
        frames = Frames(of, index_frames(of))
        for number in (-1, 0, 2):
            with pytest.raises(NoSuchFrame, match="has 1 frames"):
                frames.stored(number)


def test_fewer_pixels_than_frames_are_no_frames(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="fewer pixels"):
        stored(write(tmp_path, image(frames=2) + element(0x7FE00010, "OB", bytes(10))))


@pytest.mark.parametrize(
    "data",
    [
        element(0x00280010, "US", b"\2\0") + element(0x7FE00010, "OB", bytes(6)),
        image(bits=12) + element(0x7FE00010, "OB", bytes(6)),
        image(samples=4) + element(0x7FE00010, "OB", bytes(24)),
        image(frames=10**7) + fragments(FIRST),
    ],
)
def test_pixels_that_nobody_can_place_are_unreadable(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Unreadable):
        stored(write(tmp_path, data))


@pytest.mark.parametrize("claimed", [2**32 - 2, 100])
def test_a_fragment_or_table_larger_than_its_file_is_not_waited_for(
    tmp_path: Path, claimed: int
) -> None:
    pixels = element(0x7FE00010, "OB", implicit(ITEM, b"", length=claimed), length=UNDEFINED)
    with pytest.raises(Unreadable, match="ends within its pixels"):
        stored(write(tmp_path, image() + pixels, JPEG_LS))


def test_an_object_without_pixels_has_no_frames(tmp_path: Path) -> None:
    with pytest.raises(NoFrames):
        stored(write(tmp_path, element(0x00080060, "CS", b"SR")))


def test_a_frame_that_says_it_is_gigantic_is_not_decoded(tmp_path: Path) -> None:
    gigantic = b"\xff\xd8\xff\xf7\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00" + bytes(20)
    path = write(tmp_path, image() + fragments(gigantic + b"\0"), JPEG_LS)
    with pytest.raises(Undecodable, match="cannot be decoded from JPEG-LS"):
        uncompressed(path)
    path = write(tmp_path, image(rows=65535, columns=65535) + fragments(gigantic + b"\0"), JPEG_LS)
    with pytest.raises(Undecodable, match="too large"):
        uncompressed(path)


def colours(photometric: str) -> tuple[NDArray[np.uint8], bytes]:
    """A picture of colours, and a compressed frame of it."""
    picture = (np.arange(4 * 6 * 3).reshape(4, 6, 3) * 3).astype(np.uint8)
    options = {
        "rows": 4,
        "columns": 6,
        "samples_per_pixel": 3,
        "number_of_frames": 1,
        "bits_allocated": 8,
        "bits_stored": 8,
        "pixel_representation": 0,
        "photometric_interpretation": photometric,
        "planar_configuration": 0,
    }
    frame = get_encoder(RLELossless).encode(picture, **options)
    return picture, frame + b"\0" * (len(frame) % 2)


@pytest.mark.parametrize("photometric", ["RGB ", "YBR_FULL"])
def test_colours_that_are_not_subsampled_are_as_the_object_says(
    tmp_path: Path, photometric: str
) -> None:
    picture, frame = colours(photometric.strip())
    said = image(
        rows=4,
        columns=6,
        samples=3,
        photometric=photometric.encode(),
    )
    path = write(tmp_path, said + fragments(frame), RLE)
    assert uncompressed(path) == picture.tobytes()


def test_subsampled_colours_are_decoded_to_rgb(tmp_path: Path) -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:] = (200, 40, 60)
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=95)
    frame = file.getvalue() + b"\0" * (len(file.getvalue()) % 2)
    said = image(rows=16, columns=16, samples=3, photometric=b"YBR_FULL_422")
    path = write(tmp_path, said + fragments(frame), "1.2.840.10008.1.2.4.50")
    (stored_frame,) = stored(path)
    assert stored_frame == frame
    decoded = np.frombuffer(uncompressed(path), np.uint8).reshape(16, 16, 3)
    assert np.abs(decoded.astype(int) - picture).max() <= 3
    written = anew(path, EXPLICIT)
    assert written.PhotometricInterpretation == "RGB"
    assert np.array_equal(written.pixel_array, decoded)


def test_native_subsampled_colours_are_shown(tmp_path: Path) -> None:
    said = image(rows=1, columns=2, samples=3, photometric=b"YBR_FULL_422")
    path = write(tmp_path, said + element(0x7FE00010, "OB", bytes([76, 150, 85, 255])))
    assert stored(path) == [bytes([76, 150, 85, 255])]


@pytest.mark.parametrize(("bits", "vr"), [(8, "OW"), (8, "OB"), (16, "OW"), (32, "OW")])
def test_big_endian_pixels_are_written_anew(tmp_path: Path, bits: int, vr: str) -> None:
    samples = np.arange(12).reshape(3, 4)
    words = samples.astype(f">u{bits // 8}").tobytes()
    if bits == 8 and vr == "OW":
        words = np.frombuffer(words, ">u2").astype("<u2").tobytes()
    said = image(rows=3, columns=4, bits=bits, order=">")
    path = write(tmp_path, said + element(0x7FE00010, vr, words, order=">"), BIG_ENDIAN)
    assert np.array_equal(anew(path, EXPLICIT).pixel_array, samples)


def anew(path: Path, target: str) -> Dataset:
    """The object as it is written in another transfer syntax."""
    with opened(path, max_bytes=1 << 20) as of:
        frames = Frames(of, index_frames(of))
        there = path.with_suffix(".anew")
        there.write_bytes(b"".join(Written(of, frames, target).chunks("1.2.3", "1.2.3.4")))
    return dcmread(there)


@pytest.mark.parametrize("target", [JPEGLSLossless, RLELossless, IMPLICIT, EXPLICIT])
def test_an_object_is_written_anew_without_loss(tmp_path: Path, target: str) -> None:
    samples = np.arange(2 * 16 * 16, dtype=np.uint16).reshape(2, 16, 16) * 7
    said = image(rows=16, columns=16, bits=16, frames=2, more=element(0x00282110, "CS", b"00"))
    path = write(tmp_path, said + element(0x7FE00010, "OW", samples.tobytes()))
    written = anew(path, target)
    assert written.file_meta.TransferSyntaxUID == target
    assert np.array_equal(written.pixel_array, samples)
    assert written.LossyImageCompression == "00"
    again = anew(path.with_suffix(".anew"), EXPLICIT)
    assert again.PixelData == samples.tobytes()


def test_single_bits_are_joined_again_when_they_were_decoded(tmp_path: Path) -> None:
    masks = np.array([[[1, 0, 1, 1, 0]], [[1, 1, 1, 1, 1]], [[0, 0, 0, 0, 1]]], np.uint8)
    packed = np.packbits(masks.reshape(-1), bitorder="little").tobytes()
    said = image(rows=1, columns=5, bits=1, frames=3)
    path = write(tmp_path, said + element(0x7FE00010, "OB", packed))
    assert anew(path, IMPLICIT).PixelData == packed


@pytest.mark.parametrize("frames", [7, 8, 9, 17])
def test_single_bits_of_any_number_of_frames_are_joined_again(tmp_path: Path, frames: int) -> None:
    masks = np.random.default_rng(frames).integers(0, 2, frames * 5, np.uint8)
    packed = np.packbits(masks, bitorder="little").tobytes()
    packed += b"\0" * (len(packed) % 2)
    said = image(rows=1, columns=5, bits=1, frames=frames, order=">")
    path = write(tmp_path, said + element(0x7FE00010, "OB", packed, order=">"), BIG_ENDIAN)
    assert anew(path, EXPLICIT).PixelData == packed


def test_a_value_too_long_for_its_vr_becomes_unknown(tmp_path: Path) -> None:
    contour = b"1\\" * 40_000
    data = implicit(0x30060050, contour) + implicit(0x7FE00010, bytes(6))
    said = b"".join(
        implicit(tag, value)
        for tag, value in ((0x00280010, b"\2\0"), (0x00280011, b"\3\0"), (0x00280100, b"\x08\0"))
    )
    written = anew(write(tmp_path, said + data, IMPLICIT), EXPLICIT)
    assert (written["ContourData"].VR, written.ContourData) == ("UN", contour)
