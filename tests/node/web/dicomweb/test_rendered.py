"""A picture shows what a screen would: window, polarity, colours, and the part asked for."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from node.web.dicomweb.encoded_object import opened
from node.web.dicomweb.frame_index import index_frames
from node.web.dicomweb.frames import Frames, Undecodable
from node.web.dicomweb.rendered import picture_of
from node.web.dicomweb.rendered_grey import Window
from node.web.dicomweb.rendered_view import view_of
from node.web.problems import Problem
from tests.node.web.dicomweb.encoding import element, image, sequence, write


def shown(path: Path, number: int = 1, window: Window | None = None) -> NDArray[Any]:
    with opened(path, max_bytes=1 << 20) as of:
        return np.asarray(picture_of(Frames(of, index_frames(of)), number, window))


def grey_values(
    folder: Path, *values: int, more: bytes = b"", photometric: bytes = b"MONOCHROME2 "
) -> Path:
    """One row of samples of 16 bits without a sign."""
    pixels = struct.pack(f"<{len(values)}H", *values)
    said = image(rows=1, columns=len(values), bits=16, photometric=photometric, more=more)
    return write(folder, said + element(0x7FE00010, "OW", pixels))


def windowed(center: str, width: str, function: str = "") -> bytes:
    parts = [element(0x00281050, "DS", _even(center)), element(0x00281051, "DS", _even(width))]
    if function:
        parts.append(element(0x00281056, "CS", _even(function)))
    return b"".join(parts)


def _even(text: str) -> bytes:
    return text.encode().ljust(len(text) + len(text) % 2)


RESCALED = element(0x00281052, "DS", b"-1000 ") + element(0x00281053, "DS", b"2 ")


@pytest.mark.parametrize(
    ("said", "levels"),
    [
        (windowed("100", "101"), [0, 0, 128, 255, 255]),
        (windowed("100", "1"), [0, 0, 255, 255, 255]),
        (windowed("100", "100", "LINEAR_EXACT"), [0, 0, 128, 255, 255]),
        (windowed("100", "100", "SIGMOID"), [5, 30, 128, 225, 250]),
        (windowed("100\\0", "101\\1"), [0, 0, 128, 255, 255]),
        (b"", [0, 64, 128, 191, 255]),
        (windowed("x", "101"), [0, 64, 128, 191, 255]),
        (windowed("100", "0"), [0, 64, 128, 191, 255]),
        (windowed("100", "-5"), [0, 64, 128, 191, 255]),
        (windowed("nan", "inf"), [0, 64, 128, 191, 255]),
    ],
)
def test_the_window_is_the_one_that_the_object_has(
    tmp_path: Path, said: bytes, levels: list[int]
) -> None:
    path = grey_values(tmp_path, 0, 50, 100, 150, 200, more=said)
    assert shown(path)[0].tolist() == pytest.approx(levels, abs=2)


def test_a_window_is_of_rescaled_values_and_the_one_asked_for_goes_first(tmp_path: Path) -> None:
    path = grey_values(tmp_path, 400, 500, 600, more=windowed("0.5", "201") + RESCALED)
    assert shown(path)[0].tolist() == [0, 128, 255]
    lungs = Window(center=-99.5, width=201)
    assert shown(path, window=lungs)[0].tolist() == [0, 255, 255]


def test_monochrome1_is_black_where_it_is_high(tmp_path: Path) -> None:
    path = grey_values(tmp_path, 0, 50, 100, photometric=b"MONOCHROME1 ")
    assert shown(path)[0].tolist() == [255, 128, 0]


def test_each_frame_of_an_enhanced_image_has_its_own_window(tmp_path: Path) -> None:
    rescale = element(0x00281052, "DS", b"-10 ") + element(0x00281053, "DS", b"1 ")
    shared = sequence(0x52009229, sequence(0x00289145, rescale))
    each = sequence(
        0x52009230,
        sequence(0x00289132, windowed("0.5", "11")),
        sequence(0x00289132, windowed("10.5", "21")),
    )
    said = image(rows=1, columns=3, bits=16, frames=2, more=shared + each)
    pixels = struct.pack("<6H", 5, 10, 15, 5, 10, 15)
    path = write(tmp_path, said + element(0x7FE00010, "OW", pixels))
    assert shown(path, 1)[0].tolist() == [0, 128, 255]
    assert shown(path, 2)[0].tolist() == pytest.approx([0, 0, 64], abs=1)


def test_a_look_up_table_of_the_object_is_used(tmp_path: Path) -> None:
    table = b"".join(
        (
            element(0x00283002, "US", struct.pack("<3H", 4, 0, 8)),
            element(0x00283006, "OW", struct.pack("<4H", 255, 0, 100, 200)),
        )
    )
    path = grey_values(tmp_path, 0, 1, 2, 3, 9, more=sequence(0x00283010, table))
    assert shown(path)[0].tolist() == [255, 0, 100, 200, 200]


def test_bits_above_bits_stored_are_no_part_of_the_picture(tmp_path: Path) -> None:
    said = image(rows=1, columns=3, bits=16).replace(
        element(0x00280101, "US", b"\x10\0"), element(0x00280101, "US", b"\x0c\0")
    )
    pixels = struct.pack("<3H", 0x8000, 0x8800, 0x0FFF)
    path = write(tmp_path, said + element(0x7FE00010, "OW", pixels))
    assert shown(path)[0].tolist() == [0, 128, 255]


def test_colours_stay_and_are_turned_out_of_planes(tmp_path: Path) -> None:
    said = image(rows=1, columns=2, samples=3, photometric=b"RGB ")
    planar = said.replace(
        element(0x00280010, "US", b"\1\0"),
        element(0x00280006, "US", b"\1\0") + element(0x00280010, "US", b"\1\0"),
    )
    path = write(tmp_path, planar + element(0x7FE00010, "OB", bytes([255, 0, 10, 20, 30, 40])))
    assert shown(path).tolist() == [[[255, 10, 30], [0, 20, 40]]]


def test_of_colours_of_twelve_bits_the_highest_are_shown(tmp_path: Path) -> None:
    said = image(rows=1, columns=1, bits=16, samples=3, photometric=b"RGB ").replace(
        element(0x00280101, "US", b"\x10\0"), element(0x00280101, "US", b"\x0c\0")
    )
    said = said.replace(
        element(0x00280010, "US", b"\1\0"),
        element(0x00280006, "US", b"\0\0") + element(0x00280010, "US", b"\1\0"),
    )
    path = write(tmp_path, said + element(0x7FE00010, "OW", struct.pack("<3H", 0xFFF, 0x800, 0)))
    assert shown(path).tolist() == [[[255, 128, 0]]]


def test_luminance_and_chrominance_become_colours(tmp_path: Path) -> None:
    said = image(rows=1, columns=2, samples=3, photometric=b"YBR_FULL")
    path = write(tmp_path, said + element(0x7FE00010, "OB", bytes([128, 128, 128, 76, 85, 255])))
    assert shown(path)[0].tolist() == [[128, 128, 128], [254, 0, 0]]


def test_an_index_into_a_palette_becomes_its_colour(tmp_path: Path) -> None:
    tables = b""
    for tag in (0x00281101, 0x00281102, 0x00281103):
        tables += element(tag, "US", struct.pack("<3H", 2, 0, 16))
    for tag, entry in ((0x00281201, 0xFFFF), (0x00281202, 0x8000), (0x00281203, 0)):
        tables += element(tag, "OW", struct.pack("<2H", 0, entry))
    said = image(rows=1, columns=2, photometric=b"PALETTE COLOR ", more=tables)
    path = write(tmp_path, said + element(0x7FE00010, "OB", b"\0\1"))
    assert shown(path)[0].tolist() == [[0, 0, 0], [255, 128, 0]]


def test_numbers_that_are_none_do_not_hide_the_others(tmp_path: Path) -> None:
    said = image(rows=1, columns=4, bits=32, more=windowed("0.5", "1", "LINEAR_EXACT"))
    pixels = struct.pack("<4f", float("nan"), float("-inf"), float("inf"), 1)
    path = write(tmp_path, said + element(0x7FE00008, "OF", pixels))
    assert shown(path)[0].tolist() == [0, 0, 255, 255]


def test_an_object_whose_tables_make_no_sense_is_said_to_be_so(tmp_path: Path) -> None:
    said = image(rows=1, columns=2, photometric=b"PALETTE COLOR ")
    path = write(tmp_path, said + element(0x7FE00010, "OB", b"\0\1"))
    with pytest.raises(Undecodable):
        shown(path)


def test_a_picture_of_one_value_is_a_picture(tmp_path: Path) -> None:
    assert shown(grey_values(tmp_path, 7, 7))[0].tolist() == [128, 128]


PICTURE = Image.fromarray(np.arange(8 * 4, dtype=np.uint8).reshape(4, 8))


@pytest.mark.parametrize(
    ("viewport", "size"),
    [("16,16", (16, 8)), ("4,4", (4, 2)), ("8,1", (2, 1)), ("1,1", (1, 1)), ("4,4,,,,", (4, 2))],
)
def test_a_picture_fits_into_the_viewport_and_keeps_its_shape(
    viewport: str, size: tuple[int, int]
) -> None:
    view = view_of({"viewport": viewport}, thumbnail=False)
    assert view.seen(PICTURE).size == size


def test_a_part_of_a_picture_may_be_asked_for_and_turned_round() -> None:
    view = view_of({"viewport": "2,2,6,0,-2,-2"}, thumbnail=False)
    assert np.asarray(view.seen(PICTURE)).tolist() == [[15, 14], [7, 6]]


def test_a_thumbnail_is_small_and_never_larger_than_the_image() -> None:
    large = Image.new("L", (512, 1024))
    assert view_of({}, thumbnail=True).seen(large).size == (128, 256)
    assert view_of({"viewport": "900,900"}, thumbnail=True).seen(PICTURE).size == (8, 4)


@pytest.mark.parametrize(
    "query",
    [
        {"viewport": "100000,100000"},
        {"viewport": "0,10"},
        {"viewport": "-5,10"},
        {"viewport": "10"},
        {"viewport": "10,10,5"},
        {"viewport": "nan,10"},
        {"viewport": ""},
        {"window": "40,0,linear"},
        {"window": "40,0.5,linear"},
        {"window": "40,-1,sigmoid"},
        {"window": "40,nan,linear"},
        {"window": "40,1e99,linear"},
        {"window": "40,400,cubic"},
        {"window": "40"},
        {"window": "9" * 400 + ",1,linear"},
        {"quality": "0"},
        {"quality": "101"},
        {"quality": "good"},
    ],
)
def test_a_view_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Problem, match="cannot be read; expected"):
        view_of(query, thumbnail=False)


def test_a_region_beside_the_image_is_refused() -> None:
    with pytest.raises(Problem, match="a region that lies in the image"):
        view_of({"viewport": "2,2,100,100,5,5"}, thumbnail=False).seen(PICTURE)


@pytest.mark.parametrize("name", ["linear", "LINEAR", "linear-exact", "LINEAR_EXACT", "sigmoid"])
def test_a_window_may_be_asked_for_in_every_function(name: str) -> None:
    window = view_of({"window": f"-600, 1500.5,{name}"}, thumbnail=False).window
    assert window is not None
    assert (window.center, window.width) == (-600, 1500.5)
    assert window.function == name.upper().replace("-", "_")
