"""What a client says it takes: media ranges, and how much each is wanted (Accept, RFC 9110 12.5.1).

Clients write `type=application/dicom` and `type=*/*` without the quotation marks that RFC 9110 asks
for: that is read.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from node.dicom.content_type import ContentType, content_type

ANY = "*/*"
MAX_BYTES = 4096
"""Of an Accept header; those of browsers have 150."""

_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?|\.\d{1,3}")
_JSON = re.compile(r"[^/]+/(?:.*\+)?json")


class Unreadable(ValueError):
    """The header has no reading; half of a wish is another wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRange:
    """One kind of answer, or one range of kinds; with a quality of 0 it is not wanted."""

    said: ContentType
    quality: float


def breadth(media_type: str) -> int:
    """What is less goes before what is more, where both take a kind: 0 one kind, 2 all."""
    return 2 if media_type == ANY else int(media_type.endswith("/*"))


def media_ranges(text: str) -> list[MediaRange]:
    """The ranges, as they were written.  Raises Unreadable."""
    if len(text) > MAX_BYTES:
        raise Unreadable
    return [_range(part) for part in _separated(text) if part]


def media_type(text: str) -> ContentType:
    """One range with its parameters.  Raises Unreadable."""
    said = content_type(text)
    if said is None or (said.type.startswith("*") and said.type != ANY):
        raise Unreadable
    return said


def preferred(header: str, offers: Sequence[str]) -> str | None:
    """Which of the offers is wanted most; None if none is named, or the header has no reading.

    Of equals the one that is named more exactly, then that which is named first, then that which
    is offered first.  "application/json" is named by every kind of JSON.
    """
    try:
        ranges = media_ranges(header)
    except Unreadable:
        return None
    named = [(_plain(each.said.type), each.quality) for each in ranges]
    wanted = []
    for number, offer in enumerate(offers):
        found = [
            (breadth(name), -quality, place)
            for place, (name, quality) in enumerate(named)
            if lies_in(offer, name)
        ]
        exactness, wish, place = min(found, default=(0, 0.0, 0))
        if wish < 0:
            wanted.append((wish, exactness, place, number))
    return offers[min(wanted)[-1]] if wanted else None


def lies_in(kind: str, name: str) -> bool:
    """Whether the kind is the named one, or lies in the named range."""
    main, _, sub = name.partition("/")
    return name in (ANY, kind) or (sub == "*" and kind.startswith(f"{main}/"))


def _plain(name: str) -> str:
    return "application/json" if _JSON.fullmatch(name) else name


def _range(text: str) -> MediaRange:
    said = media_type(text)
    quality = said.parameters.get("q", "1")
    if not _QUALITY.fullmatch(quality):
        raise Unreadable
    return MediaRange(said=said, quality=float(quality))


def _separated(text: str) -> Iterator[str]:
    """What stands between commas that are in no quotation, without spaces about it."""
    begin, quoted, escaped = 0, False, False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            yield text[begin:index].strip(" \t")
            begin = index + 1
    if quoted:
        raise Unreadable
    yield text[begin:].strip(" \t")
