"""A media type and its parameters, as a client says what it sends or takes (RFC 9110 8.3.1).

Values may stand bare where they ought to be quoted: `type=application/dicom` is what many send.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_BYTES = 1024
"""Of the whole; a longer one is no media type that anybody sends."""
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})[ \t]*")
_PARAMETER = re.compile(
    rf""";[ \t]*(?:({_TOKEN})[ \t]*=[ \t]*
    (?:"((?:[^"\\\x00-\x1f\x7f]|\\[\t\x20-\x7e])*)"|([!\#-:<-~]+))[ \t]*)?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentType:
    """What was said, type and names in small letters."""

    type: str
    parameters: Mapping[str, str]


def content_type(text: str) -> ContentType | None:
    """The media type; None if the text is none, or says a parameter twice."""
    found = _TYPE.match(text)
    if found is None or len(text) > MOST_BYTES:
        return None
    parameters: dict[str, str] = {}
    at = found.end()
    while at < len(text):
        each = _PARAMETER.match(text, at)
        if each is None or (each[1] and each[1].lower() in parameters):
            return None
        at = each.end()
        if each[1]:
            quoted = re.sub(r"\\(.)", r"\1", each[2] or "")
            parameters[each[1].lower()] = each[3] or quoted
    return ContentType(type=found[1].lower(), parameters=parameters)
