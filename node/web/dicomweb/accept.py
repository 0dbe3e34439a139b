"""What a client says it takes: media ranges with parameters (RFC 9110 12.5.1, PS3.18 8.7).

Clients write `type=application/dicom` and `type=*/*` without the quotation marks that RFC 9110 asks
for, and some put a media type with its parameters into the quotation: all of that is read.  What
has no reading is refused, not skipped: half of a wish is another wish.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from node.dicom.content_type import ContentType, content_type
from node.web.problems import Problem

ANY = "*/*"
AS_STORED = "*"
"""Of a transfer syntax: whichever the object lies in."""
MULTIPART = "multipart/related"
MOST = 32
"""Ranges that differ, each of which may have to be tried; browsers name eight."""
MAX_BYTES = 4096
"""Of an Accept header; those of browsers have 150."""

_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?|\.\d{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One kind of answer that a client takes.

    multipart       : whether in parts; None if either will do
    type            : of a part, or of the whole; lower case, may be a range ("image/*")
    transfer_syntax : UID; `AS_STORED`; empty if nothing is said of it
    """

    multipart: bool | None
    type: str
    transfer_syntax: str = ""

    def takes(self, media_type: str, *, multipart: bool) -> bool:
        """Whether that kind of answer is one that was asked for; of syntaxes nothing is said."""
        if self.multipart not in (None, multipart):
            return False
        if self.type in (ANY, media_type):
            return True
        kind, _, subtype = self.type.partition("/")
        return subtype == "*" and media_type.startswith(f"{kind}/")


ANYTHING = Wish(multipart=None, type=ANY, transfer_syntax=AS_STORED)
"""What a client that says nothing takes."""


def wishes(header: str | None, query: str | None = None) -> tuple[Wish, ...]:
    """What is asked for, what is wanted most first; of equals, what is named first.

    header : Accept; None or empty if there is none
    query  : the parameter `accept`, which goes first (PS3.18 8.7.8)

    Raises Problem(400) if one of them cannot be read.
    """
    said = [_ranges(text) for text in (query, header) if text and text.strip(" \t,")]
    if not said:
        return (ANYTHING,)
    found: list[Wish] = []
    for ranges in said:
        ordered = sorted(ranges, key=lambda each: -each[0])
        found += [_wish(said) for quality, said in ordered if quality > 0]
    distinct = tuple(dict.fromkeys(found))
    if len(distinct) > MOST:
        raise _unreadable()
    return distinct


def _wish(said: ContentType) -> Wish:
    syntax = said.parameters.get("transfer-syntax", "")
    if said.type == ANY:
        return Wish(multipart=None, type=ANY, transfer_syntax=syntax or AS_STORED)
    if not said.type.startswith("multipart/"):
        return Wish(multipart=False, type=said.type, transfer_syntax=syntax)
    if said.type not in (MULTIPART, "multipart/*"):
        return Wish(multipart=True, type=said.type)
    within = _media_type(said.parameters.get("type", ANY))
    syntax = syntax or within.parameters.get("transfer-syntax", "")
    if within.type == ANY:
        syntax = syntax or AS_STORED
    return Wish(multipart=True, type=within.type, transfer_syntax=syntax)


def _ranges(text: str) -> Sequence[tuple[float, ContentType]]:
    if len(text) > MAX_BYTES:
        raise _unreadable()
    return [_range(part) for part in _separated(text) if part]


def _range(text: str) -> tuple[float, ContentType]:
    """How much it is wanted, and what."""
    said = _media_type(text)
    quality = said.parameters.get("q", "1")
    if not _QUALITY.fullmatch(quality):
        raise _unreadable()
    return float(quality), said


def _media_type(text: str) -> ContentType:
    said = content_type(text)
    if said is None or (said.type.startswith("*") and said.type != ANY):
        raise _unreadable()
    return said


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
        raise _unreadable()
    yield text[begin:].strip(" \t")


def _unreadable() -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "Accept cannot be read; expected media types such as "
        'multipart/related; type="application/dicom"; transfer-syntax=*',
    )


def not_acceptable(there_is: str) -> Problem:
    """The answer where nothing of what is asked for can be had.

    there_is : what can be had instead
    """
    return Problem(
        HTTPStatus.NOT_ACCEPTABLE,
        f"nothing of what Accept names can be had here; there is {there_is}",
    )
