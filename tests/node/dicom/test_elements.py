"""Data Sets walked over: bounds hold whatever the bytes say, and sound ones are walked whole."""

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from node.dicom.elements import Extent, header_at, top_level, walk
from tests.node.inbound.test_intake import encoded
from tests.node.objects import ct_image
from tests.sr_templates.encoded_text import element, sequence

UNDEFINED = 0xFFFFFFFF


def explicit(data: bytes, **bounds: int | bool) -> Extent:
    return walk(memoryview(data), implicit=False, little=True, **bounds)


def item(content: bytes, *, defined: bool = True) -> bytes:
    if defined:
        return struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    return struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED) + content + end


def open_sequence(tag: int, items: bytes, vr: bytes = b"SQ") -> bytes:
    head = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, UNDEFINED)
    return head + items + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


NAME = element(0x00100010, b"Doe^Jane")
PIXELS = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 8) + bytes(8)


def test_elements_items_and_nested_elements_are_counted_in_either_length_form() -> None:
    nested = element(0x00080100, b"T-D0050")
    defined = sequence(0x00082218, nested, nested)
    undefined = open_sequence(0x00082218, item(nested, defined=False) + item(nested))
    assert explicit(defined + NAME).elements == 6
    assert explicit(undefined + NAME) == Extent(end=len(undefined + NAME), elements=8)


def test_the_walk_ends_at_the_pixels_or_goes_through_them() -> None:
    assert explicit(NAME + PIXELS) == Extent(end=len(NAME), elements=1, pixels=len(NAME))
    through = explicit(NAME + PIXELS, through_pixels=True)
    assert (through.elements, through.pixels, through.torn) == (2, len(NAME), False)


def test_the_pixels_of_an_icon_are_no_end_and_their_fragments_are_skipped() -> None:
    icon = open_sequence(0x7FE00010, item(b"\xff" * 9999), vr=b"OB")
    data = open_sequence(0x00880200, item(icon)) + NAME
    assert explicit(data) == Extent(end=len(data), elements=6)


def test_too_many_elements_end_the_walk_before_the_sequence_they_stand_in() -> None:
    many = sequence(0x0040A730, *[b""] * 1000)
    extent = explicit(NAME + many, max_elements=100)
    assert (extent.over, extent.end) == (True, len(NAME))


def test_too_many_fragments_are_too_many_elements() -> None:
    pixels = open_sequence(0x7FE00010, item(b"") * 1000, vr=b"OB")
    extent = explicit(NAME + pixels, max_elements=100, through_pixels=True)
    assert (extent.over, extent.end) == (True, len(NAME))


@pytest.mark.parametrize("defined", [True, False])
def test_too_deep_a_nesting_ends_the_walk(defined: bool) -> None:
    tree = NAME
    for _ in range(70):
        branch = item(tree, defined=defined)
        tree = sequence(0x0040A730, tree) if defined else open_sequence(0x0040A730, branch)
    assert explicit(NAME + tree).over
    assert not explicit(NAME + tree, max_depth=80).over


def test_in_implicit_vr_sequences_are_known_by_the_dictionary() -> None:
    inside = struct.pack("<HHL", 0x0008, 0x0100, 2) + b"T "
    items = struct.pack("<HHL", 0xFFFE, 0xE000, len(inside)) + inside
    data = struct.pack("<HHL", 0x0008, 0x2218, len(items)) + items
    assert walk(memoryview(data), implicit=True, little=True).elements == 3


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_a_ct_slice_is_walked_to_its_pixels_in_every_encoding(syntax: str) -> None:
    data = encoded(ct_image(0), syntax)
    extent = walk(
        memoryview(data),
        implicit=syntax == ImplicitVRLittleEndian,
        little=syntax != ExplicitVRBigEndian,
    )
    assert extent.elements == len(ct_image(0)) - 1
    assert extent.pixels == extent.end
    assert not extent.torn


@pytest.mark.parametrize("cut", range(1, len(NAME)))
def test_a_torn_element_is_not_counted_as_whole(cut: int) -> None:
    extent = explicit(NAME + NAME[:cut])
    assert (extent.torn, extent.end) == (True, len(NAME))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.booleans(), st.booleans())
def test_any_bytes_are_walked_within_their_bounds(
    data: bytes, implicit: bool, little: bool, through: bool
) -> None:
    extent = walk(
        memoryview(data), implicit=implicit, little=little, through_pixels=through, max_elements=20
    )
    assert 0 <= extent.end <= len(data)
    assert extent.elements <= 20 or extent.over


def test_elements_at_top_level_come_one_after_the_other_as_far_as_their_ends_are_seen() -> None:
    codes = open_sequence(0x00082218, item(NAME, defined=False))
    long = struct.pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, 4) + bytes(4)
    data = codes + long + NAME + PIXELS[:-1]
    behind_codes = len(codes)
    behind_long = behind_codes + 16
    pixels = behind_long + len(NAME)
    assert list(top_level(memoryview(data), implicit=False, little=True)) == [
        (0x00082218, 0, 12, behind_codes),
        (0x00091001, behind_codes, behind_codes + 12, behind_long),
        (0x00100010, behind_long, behind_long + 8, pixels),
        (0x7FE00010, pixels, pixels + 12, pixels + 20),
    ]
    no_end = memoryview(codes[:-1])
    assert list(top_level(no_end, implicit=False, little=True)) == [(0x00082218, 0, 12, None)]


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_of_any_bytes_an_element_at_top_level_is_what_its_header_says(
    data: bytes, implicit: bool, little: bool
) -> None:
    view, expected = memoryview(data), 0
    for tag, at, value, end in top_level(view, implicit=implicit, little=little):
        header = header_at(view, at, implicit=implicit, little=little)
        assert at == expected
        assert header is not None
        assert (tag, value) == (header.tag, header.value)
        assert header.length == UNDEFINED or end == value + header.length
        expected = end or len(data)


def test_a_million_items_cost_less_than_three_seconds() -> None:
    many = open_sequence(0x0040A730, item(element(0x0040A040, b"NUM ")) * 1_000_000)
    started = time.process_time()
    assert explicit(NAME + many).over
    assert time.process_time() - started < 3
