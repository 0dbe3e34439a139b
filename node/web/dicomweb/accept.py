"""What a client says it takes: media ranges with parameters (RFC 9110 12.5.1, PS3.18 8.7).

Clients write `type=application/dicom` and `type=*/*` without the quotation marks that RFC 9110 asks
for, and some put a media type with its parameters into the quotation: all of that is read.  What
has no reading is refused, not skipped: half of a wish is another wish.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from node.web.problems import Problem

ANY = "*/*"
AS_STORED = "*"
"""Of a transfer syntax: whichever the object lies in."""
MULTIPART = "multipart/related"
MAX_BYTES = 4096
"""Of an Accept header; those of browsers have 150."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_RANGE = re.compile(rf"({_TOKEN})/({_TOKEN})")
_PARAMETER = re.compile(
    rf"""({_TOKEN})[ \t]*=[ \t]*
    (?:"((?:[^"\\\x00-\x1f\x7f]|\\[\t\x20-\x7e])*)"|([!\#$%&'*+.^_`|~0-9A-Za-z/-]+))""",
    re.VERBOSE,
)
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
        ordered = sorted(ranges, key=lambda each: -each.quality)
        found += [_wish(each) for each in ordered if each.quality > 0]
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    type: str
    parameters: Mapping[str, str]
    quality: float


def _wish(said: _Range) -> Wish:
    syntax = said.parameters.get("transfer-syntax", "")
    if said.type == ANY:
        return Wish(multipart=None, type=ANY, transfer_syntax=syntax or AS_STORED)
    if not said.type.startswith("multipart/"):
        return Wish(multipart=False, type=said.type, transfer_syntax=syntax)
    if said.type not in (MULTIPART, "multipart/*"):
        return Wish(multipart=True, type=said.type)
    within, inner = _media_type(said.parameters.get("type", ANY))
    syntax = syntax or inner.get("transfer-syntax", "")
    if within == ANY:
        syntax = syntax or AS_STORED
    return Wish(multipart=True, type=within, transfer_syntax=syntax)


def _ranges(text: str) -> Sequence[_Range]:
    if len(text) > MAX_BYTES:
        raise _unreadable()
    return [_range(part) for part in _split(text, ",") if part]


def _range(text: str) -> _Range:
    media_type, parameters = _media_type(text)
    quality = parameters.pop("q", "1")
    if not _QUALITY.fullmatch(quality):
        raise _unreadable()
    return _Range(type=media_type, parameters=parameters, quality=float(quality))


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    first, *rest = _split(text, ";")
    name = _RANGE.fullmatch(first)
    if name is None or (name[1] == "*" and name[2] != "*"):
        raise _unreadable()
    parameters: dict[str, str] = {}
    for each in rest:
        if not each:
            continue
        found = _PARAMETER.fullmatch(each)
        if found is None or found[1].lower() in parameters:
            raise _unreadable()
        bare = found[3] is not None
        parameters[found[1].lower()] = found[3] if bare else re.sub(r"\\(.)", r"\1", found[2])
    return first.lower(), parameters


def _split(text: str, at: str) -> Iterator[str]:
    """The parts between separators that do not stand in a quotation, without spaces about them."""
    begin, quoted, escaped = 0, False, False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == at and not quoted:
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
