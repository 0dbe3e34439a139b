"""Multipart bodies as clients write them, cut into any pieces; and as nobody should."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.dicom.multipart import MOST_BETWEEN, MOST_HEADER, Broken, Multipart


class Parts:
    """Gathers what it is told of."""

    def __init__(self) -> None:
        self.parts: list[tuple[dict[str, str], bytes]] = []
        self.open = False

    def begin(self, header: Mapping[str, str]) -> None:
        assert not self.open
        self.open = True
        self.parts.append((dict(header), b""))

    def data(self, data: memoryview) -> None:
        assert self.open
        assert len(data)
        header, content = self.parts[-1]
        self.parts[-1] = header, content + bytes(data)

    def end(self) -> None:
        assert self.open
        self.open = False


def parts_of(body: bytes, *, boundary: str = "b", step: int = 1 << 20) -> list:
    parts = Parts()
    multipart = Multipart(boundary, parts)
    for at in range(0, len(body), step):
        multipart.feed(body[at : at + step])
    multipart.finish()
    assert not parts.open
    return parts.parts


BODY = (
    b"\r\n--b\r\nContent-Type: application/dicom\r\nContent-Length: 7\r\n\r\nabc\r\n-d"
    b"\r\n--b\r\n\r\n\r"
    b"\r\n--b--\r\n"
)
READ = [
    ({"content-type": "application/dicom", "content-length": "7"}, b"abc\r\n-d"),
    ({}, b"\r"),
]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 1000])
@pytest.mark.parametrize("before", [b"", b"a preamble\r\n"])
def test_parts_are_told_as_they_are_whatever_the_pieces(step: int, before: bytes) -> None:
    assert parts_of(before + BODY + b"an epilogue", step=step) == READ


@pytest.mark.parametrize("step", [1, 4, 1000])
def test_lines_that_end_in_lf_alone_leave_the_objects_last_byte(step: int) -> None:
    body = b"--b\nContent-Type: application/dicom\n\nobject\r\n--b\n\nnext\n--b--"
    assert parts_of(body, step=step) == [
        ({"content-type": "application/dicom"}, b"object\r"),
        ({}, b"next"),
    ]


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("step", [1, 1000])
def test_a_part_may_be_empty_with_a_header_or_without(end: bytes, step: int) -> None:
    lines = [b"--b", b"A: 1", b"", b"--b", b"A: 2", b"--b", b"", b"--b", b"--b", b"", b"", b"--b--"]
    assert parts_of(end.join(lines), step=step) == [
        ({"a": "1"}, b""),
        ({"a": "2"}, b""),
        ({}, b""),
        ({}, b""),
        ({}, b""),
    ]


def test_no_part_at_all_is_a_body_of_none() -> None:
    assert parts_of(b"--b--") == parts_of(b"\r\n--b--\r\n") == []


def test_what_only_begins_like_the_boundary_is_content() -> None:
    body = b"--b\r\n\r\n1\r\n--bc\r\n--b-\r\n--\r\n-b\n--b x\r\n--b\t \r\n\r\n2\r\n--b--"
    assert parts_of(body) == [({}, b"1\r\n--bc\r\n--b-\r\n--\r\n-b\n--b x"), ({}, b"2")]


def test_header_names_are_in_small_letters_and_folded_lines_are_one() -> None:
    body = b"--b\r\nCONTENT-Type:  application/dicom;\r\n  a=1\r\n\r\nx\r\n--b--"
    assert parts_of(body) == [({"content-type": "application/dicom; a=1"}, b"x")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "last boundary is missing"),
        (b"--b\r\n\r\ncut of", "last boundary is missing"),
        (b"--b\r\nA: 1\r\n", "last boundary is missing"),
        (b"--other\r\n\r\nx\r\n--other--", "last boundary is missing"),
        (b"x" * (MOST_BETWEEN + 10), "no part begins"),
        (b"--b\r\n" + b"A: " + b"x" * MOST_HEADER, "has no end"),
        (b"--b\r\n" + b"A: 1\r\n" * MOST_HEADER, "has no end"),
        (b"--b\r\nno field\r\n\r\nx\r\n--b--", "is none"),
        (b"--b\r\n: 1\r\n\r\nx\r\n--b--", "is none"),
    ],
)
@pytest.mark.parametrize("step", [100, 1 << 20])
def test_a_broken_body_is_said_to_be(body: bytes, says: str, step: int) -> None:
    with pytest.raises(Broken, match=says):
        parts_of(body, step=step)


def test_what_follows_the_last_boundary_is_over_when_it_has_no_end() -> None:
    parts = Parts()
    multipart = Multipart("b", parts)
    multipart.feed(b"--b\r\n\r\nx\r\n--b--\r\n" + b"y" * 100)
    assert not multipart.is_over
    multipart.feed(b"y" * MOST_BETWEEN)
    assert multipart.is_over


CONTENT = st.binary(max_size=40) | st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"b", b"\r\n--", b"\n--b", b"\0"]), max_size=8
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(
    contents=st.lists(CONTENT, max_size=4),
    cuts=st.lists(st.integers(1, 30), min_size=1),
    end=st.sampled_from([b"\r\n", b"\n"]),
)
def test_what_was_put_together_comes_apart(
    contents: list[bytes], cuts: list[int], end: bytes
) -> None:
    boundary = "b" * 9 + "-x"
    body = b"".join(
        b"--" + boundary.encode() + end + b"A: 1" + end + end + content + end
        for content in contents
    )
    body += b"--" + boundary.encode() + b"--"
    parts = Parts()
    multipart = Multipart(boundary, parts)
    at = 0
    while at < len(body):
        step = cuts[at % len(cuts)]
        multipart.feed(body[at : at + step])
        at += step
    multipart.finish()
    assert [content for _, content in parts.parts] == contents
