"""What a client of DICOMweb takes: media types alone or in parts, and syntaxes (PS3.18 8.7).

Some clients put the media type of a part with its parameters into one quotation: that is read.
What has no reading is refused, not skipped: half of a wish is another wish.
"""

from dataclasses import dataclass, replace
from http import HTTPStatus

from node.dicom.content_type import ContentType
from node.web.media_ranges import (
    ANY,
    MediaRange,
    Unreadable,
    breadth,
    lies_in,
    media_ranges,
    media_type,
)
from node.web.problems import Problem

AS_STORED = "*"
"""Of a transfer syntax: whichever the object lies in."""
MULTIPART = "multipart/related"
MOST = 32
"""Ranges that differ, each of which may have to be tried; browsers name eight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One kind of answer that a client takes.

    multipart       : whether in parts; None if either will do
    type            : of a part, or of the whole; lower case, may be a range ("image/*")
    transfer_syntax : UID; `AS_STORED`; empty if nothing is said of it
    but_for         : of a range: what lies in it and is wanted less, or not at all
    """

    multipart: bool | None
    type: str
    transfer_syntax: str = ""
    but_for: "tuple[Wish, ...]" = ()

    def takes(self, media_type: str, *, multipart: bool) -> bool:
        """Whether that kind of answer is one that was asked for; of syntaxes nothing is said."""
        if self.multipart not in (None, multipart):
            return False
        return lies_in(media_type, self.type) and not any(
            each.takes(media_type, multipart=multipart) for each in self.but_for
        )

    def takes_alone(self, media_type: str, *other_names: str) -> bool:
        """Whether it takes that, not in parts; a range knows it by its first name alone."""
        named = self.multipart is False and self.type in other_names
        return named or self.takes(media_type, multipart=False)


ANYTHING = Wish(multipart=None, type=ANY, transfer_syntax=AS_STORED)
"""What a client that says nothing takes."""


def wishes(header: str | None, query: str | None = None) -> tuple[Wish, ...]:
    """What is asked for, what is wanted most first; of equals, what is named first.

    header : Accept; None or empty if there is none
    query  : the parameter `accept`, which goes first (PS3.18 8.7.8)

    Raises Problem(400) if one of them cannot be read.
    """
    said = [text for text in (query, header) if text and text.strip(" \t,")]
    if not said:
        return (ANYTHING,)
    try:
        found = [wish for text in said for wish in _wishes(media_ranges(text))]
    except Unreadable:
        raise _unreadable() from None
    return tuple(dict.fromkeys(found))


def _wishes(ranges: list[MediaRange]) -> list[Wish]:
    """Those of one header; one that is named twice counts as where it is wanted more."""
    qualities: dict[Wish, float] = {}
    for each in sorted(ranges, key=lambda each: -each.quality):
        qualities.setdefault(_wish(each.said), each.quality)
    wanted = [(wish, quality) for wish, quality in qualities.items() if quality > 0]
    if len(wanted) > MOST:
        raise Unreadable
    return [
        replace(
            wish,
            but_for=tuple(
                other
                for other, less in qualities.items()
                if less < quality and _narrows(other, wish)
            ),
        )
        for wish, quality in wanted
    ]


def _narrows(wish: Wish, other: Wish) -> bool:
    """Whether it says of a part of what the other takes how much that is wanted."""
    return _breadth(wish) < _breadth(other) and wish.transfer_syntax in ("", AS_STORED)


def _breadth(wish: Wish) -> int:
    return breadth(wish.type) + (wish.multipart is None)


def _wish(said: ContentType) -> Wish:
    syntax = said.parameters.get("transfer-syntax", "")
    if said.type == ANY:
        return Wish(multipart=None, type=ANY, transfer_syntax=syntax or AS_STORED)
    if not said.type.startswith("multipart/"):
        return Wish(multipart=False, type=said.type, transfer_syntax=syntax)
    if said.type not in (MULTIPART, "multipart/*"):
        return Wish(multipart=True, type=said.type)
    within = media_type(said.parameters.get("type", ANY))
    syntax = syntax or within.parameters.get("transfer-syntax", "")
    if within.type == ANY:
        syntax = syntax or AS_STORED
    return Wish(multipart=True, type=within.type, transfer_syntax=syntax)


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
