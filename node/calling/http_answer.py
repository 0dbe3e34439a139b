"""What a web server answers, and what its status line alone says is wrong (`failure`).

Of what it says in words nothing is quoted: it may name the patient, or steer a terminal.
"""

import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from node.core.errors import (
    DestinationError,
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
)
from node.dicom.content_type import content_type

PIECE = 1 << 16
"""Bytes of a body that are read at once."""
_TRY_AGAIN = frozenset({408, 425, 429})
_WHOSE_FAULT_IS_THE_OBJECT = frozenset({400, 406, 413, 414, 415, 422})
_ABOUT_THE_OBJECT = _WHOSE_FAULT_IS_THE_OBJECT | {409, 500, 501}
"""Answers that an object may cause, by its content, its size or its encoding."""
_HOST = re.compile(r"[0-9a-z._:-]{1,253}")
_HINTS: Mapping[int, str] = {
    401: "; the credentials in headers_file are not taken (it is read anew for each try)",
    403: "; the credentials in headers_file do not allow it (it is read anew for each try)",
    404: "; nothing is at that address: check url",
    405: "; nothing is stored at that address: check url",
    407: "; the proxy between wants credentials",
    410: "; nothing is at that address any more: check url",
    511: "; a network login stands between",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back.

    media_type    : without parameters, in small letters; "" if none that is one is named
    content_type  : as it was named
    location      : host that a redirect leads to; the rest of it may hold a secret
    retry_after_s : how long it asks to be left alone
    body          : None if it is longer than is read, or cannot be unpacked
    """

    status: int
    media_type: str
    content_type: str
    location: str | None
    retry_after_s: float | None
    body: bytes | None

    @property
    def is_web_page(self) -> bool:
        """Whether it is meant for a browser: a login, a proxy's error, a portal of the network."""
        if self.media_type in {"text/html", "application/xhtml+xml"}:
            return True
        return (self.body or b"").lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))


def failure(answer: Answer, *, where: str, about: str | None = None) -> DestinationError | None:
    """What the status line and the media type say is wrong; None if nothing.

    about : SOP Instance UID of the object that was sent, for answers that it may cause
    """
    code = answer.status
    words = f"{where} answered HTTP {code} {_phrase(code)}".rstrip()
    about = about if code in _ABOUT_THE_OBJECT else None
    if 300 <= code < 400:
        leads = f" to {answer.location}" if answer.location else ""
        return DestinationNotReady(
            f"{words}: it redirects{leads}; put that address into url, or see why a login or the "
            "network stands between"
        )
    if answer.is_web_page:
        words += (
            f" with a web page ({answer.media_type or 'HTML'}): a proxy or a login page? check url"
        )
        if b"HTTPS port" in (answer.body or b""):
            words += "; it wants https"
    if (code >= 500 and code != 511) or code in _TRY_AGAIN:
        return DestinationUnreachable(
            words, sop_instance_uid=about, retry_after_s=answer.retry_after_s
        )
    if code < 300 and not answer.is_web_page:
        return None
    if code in _WHOSE_FAULT_IS_THE_OBJECT and not answer.is_web_page:
        return DestinationRefused(words, sop_instance_uid=about)
    return DestinationNotReady(
        words + _HINTS.get(code, ""), sop_instance_uid=about, retry_after_s=answer.retry_after_s
    )


def read(response: requests.Response, largest: int) -> Answer:
    """The answer with its body, unless that is longer."""
    return head(response, _body(response, largest))


def head(response: requests.Response, body: bytes | None) -> Answer:
    """The answer, with that body."""
    named = response.headers.get("Content-Type", "")
    said = content_type(named.partition(";")[0])
    return Answer(
        status=response.status_code,
        media_type="" if said is None else said.type,
        content_type=named,
        location=_host(response.headers.get("Location", "")),
        retry_after_s=_seconds(response.headers.get("Retry-After")),
        body=body,
    )


def _body(response: requests.Response, largest: int) -> bytes | None:
    """The body, of which no more than the bound is ever held, packed or not."""
    read = bytearray()
    for piece in response.raw.stream(PIECE, decode_content=False):
        read += piece
        if len(read) > largest:
            return None
    if response.headers.get("Content-Encoding", "identity").lower() == "identity" or not read:
        return bytes(read)
    unpacking = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # gzip or zlib, as the header says
    try:
        unpacked = unpacking.decompress(read, largest)
    except zlib.error:
        return None
    return None if unpacking.unconsumed_tail else unpacked


def _phrase(code: int) -> str:
    """What the status means (RFC 9110 15); the server's own phrase may say anything."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def _host(location: str) -> str | None:
    """The host of the address; None if it names none."""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        return None
    return host if _HOST.fullmatch(host) else None


def _seconds(retry_after: str | None) -> float | None:
    """RFC 9110 10.2.3: seconds, or a date; None if it is neither."""
    if retry_after is None:
        return None
    with suppress(ValueError, OverflowError):
        return max(0.0, float(int(retry_after)))
    with suppress(ValueError, TypeError, OverflowError):
        until = parsedate_to_datetime(retry_after)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    return None
