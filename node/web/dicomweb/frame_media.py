"""Frames as a client asks for them: which, and in which media type (PS3.18 10.4.1.1.6, 8.7.3.3)."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from itertools import product
from pathlib import Path
from threading import Lock

from pydicom.uid import ExplicitVRLittleEndian

from node.dicom.retrieval import FRAME_MEDIA_TYPES, MOST_FRAMES_AT_ONCE, OCTETS, PLAIN
from node.web.dicomweb.accept import AS_STORED, Wish, not_acceptable
from node.web.dicomweb.asked import Answer, Asked, of_part, of_parts
from node.web.dicomweb.encoded_object import opened
from node.web.dicomweb.frame_index import FrameIndex, index_frames
from node.web.dicomweb.frames import Frames, Undecodable
from node.web.dicomweb.multipart_out import Part
from node.web.problems import Problem

_UNCOMPRESSED = ("", *PLAIN)
_LIST = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*")


def frame_numbers(text: str) -> list[int]:
    """The numbers of a list such as "1,3,5".  Raises Problem(400) if it is none."""
    if not _LIST.fullmatch(text) or len(found := text.split(",")) > MOST_FRAMES_AT_ONCE:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "the frames cannot be read; expected numbers such as 1,3,5"
        )
    numbers = [int(each) for each in found]
    if 0 in numbers:
        raise Problem(HTTPStatus.BAD_REQUEST, "frames are numbered from 1")
    return numbers


def frames_of(asked: Asked, numbers: Sequence[int] | None) -> Answer:
    """The frames, in that order, or all of them; one alone without parts too.

    Raises Problem(406) if they cannot be had in any way that is asked for; NoFrames, NoSuchFrame,
    Unreadable, OSError.
    """
    with ExitStack() as opened_now:
        frames = opened_now.enter_context(framed(asked))
        numbers = list(range(1, frames.count + 1)) if numbers is None else numbers
        frames.require(numbers)
        for wish, in_parts in product(asked.wishes, (True, False)):
            if not in_parts and len(numbers) > 1:
                continue
            chosen = _chosen(frames, wish, numbers[0], in_parts=in_parts)
            if chosen is not None:
                parts = [_part(frames, chosen, number) for number in numbers]
                close = opened_now.pop_all().close
                if in_parts:
                    return of_parts(parts, chosen[0], close=close)
                return of_part(parts[0], close=close)
        raise not_acceptable(_there_is(frames))


_Chosen = tuple[str, str]
"""Media type, and UID of the transfer syntax: the object's own, or Explicit VR Little Endian."""


def _chosen(frames: Frames, wish: Wish, first: int, *, in_parts: bool) -> _Chosen | None:
    """How the frames go out; None if the wish cannot be met."""
    stored = frames.transfer_syntax if frames.is_compressed else ExplicitVRLittleEndian
    native = FRAME_MEDIA_TYPES.get(stored)
    said = wish.transfer_syntax
    is_native = native is not None and wish.takes(native, multipart=in_parts)
    if native is not None and is_native and said in (AS_STORED, "", stored):
        return native, stored
    if not wish.takes(OCTETS, multipart=in_parts):
        return None
    if said in (AS_STORED, stored):
        return OCTETS, stored
    if said not in _UNCOMPRESSED:
        return None
    try:
        if frames.is_compressed:
            frames.uncompressed(first)
    except Undecodable:
        return None
    return OCTETS, ExplicitVRLittleEndian


def _part(frames: Frames, chosen: _Chosen, number: int) -> Part:
    media_type, syntax = chosen
    said = f"{media_type}; transfer-syntax={syntax}"
    if frames.is_compressed and syntax != frames.transfer_syntax:
        return Part(content_type=said, length=None, chunks=lambda: frames.uncompressed(number)[1])
    length, _ = frames.stored(number)
    return Part(content_type=said, length=length, chunks=lambda: frames.stored(number)[1])


def _there_is(frames: Frames) -> str:
    if not frames.is_compressed:
        return f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}"
    syntax = frames.transfer_syntax
    native = FRAME_MEDIA_TYPES.get(syntax, OCTETS)
    return (
        f"{native}; transfer-syntax={syntax}, and, where it can be decoded, "
        f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}"
    )


_MOST_KEPT = 4096


class _Indices:
    """The last indices made, so that a viewer's next frame does not read the header again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[Path, FrameIndex] = OrderedDict()
        self._lock = Lock()

    def get(self, path: Path, make: Callable[[], FrameIndex]) -> FrameIndex:
        with self._lock:
            found = self._found.get(path)
            if found is not None:
                self._found.move_to_end(path)
                return found
        found = make()
        if found.layout.frames > _MOST_KEPT:
            return found
        with self._lock:
            self._found[path] = found
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return found


_INDICES = _Indices(32)
"""By path: a stored file's name is its content's digest."""


@contextmanager
def framed(asked: Asked) -> Iterator[Frames]:
    """The frames of the one object that is asked for, its file open meanwhile.

    Raises NoFrames, Inseparable, Unreadable, OSError.
    """
    (held,) = asked.held
    path = asked.path(held)
    with opened(path, max_bytes=asked.max_bytes) as of:
        yield Frames(of, _INDICES.get(path, lambda: index_frames(of)))
