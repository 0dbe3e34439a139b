"""Answers of several parts, sent as they are read (RFC 2046 5.1, RFC 2387)."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

_END = b"\r\n"
_CHUNK = 256 << 10
"""Small pieces go out together: each is read in a thread of its own."""


Pieces = Generator[bytes, None, None]
"""Of a body; it can be closed before its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One representation.

    content_type : with its parameters
    length       : bytes; None if it is known only when all is made
    chunks       : makes them, from the beginning
    """

    content_type: str
    length: int | None
    chunks: Callable[[], Iterator[bytes]]


def single(part: Part) -> Pieces:
    """The bytes of an answer that is the part alone."""
    return _gathered(part.chunks())


def multipart(parts: Sequence[Part], boundary: str) -> Pieces:
    """The bytes of the whole body.

    boundary : occurs in none of the parts; long, and drawn for this answer
    """
    return _gathered(_body(parts, boundary))


def multipart_length(parts: Sequence[Part], boundary: str) -> int | None:
    """Of the whole body in bytes, if that is known of every part."""
    size = len(_close(boundary))
    for part in parts:
        if part.length is None:
            return None
        size += len(_head(part, boundary)) + part.length + len(_END)
    return size


def content_type(of_parts: str, boundary: str) -> str:
    """Of the whole answer."""
    return f'multipart/related; type="{of_parts}"; boundary={boundary}'


def _body(parts: Sequence[Part], boundary: str) -> Iterator[bytes]:
    for part in parts:
        yield _head(part, boundary)
        yield from part.chunks()
        yield _END
    yield _close(boundary)


def _head(part: Part, boundary: str) -> bytes:
    length = "" if part.length is None else f"Content-Length: {part.length}\r\n"
    return f"--{boundary}\r\nContent-Type: {part.content_type}\r\n{length}\r\n".encode("ascii")


def _close(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode("ascii")


def _gathered(chunks: Iterator[bytes]) -> Pieces:
    waiting = bytearray()
    for chunk in chunks:
        if not waiting and len(chunk) >= _CHUNK:
            yield chunk
            continue
        waiting += chunk
        if len(waiting) >= _CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
