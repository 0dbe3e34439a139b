"""What a changing request carries, read before the route and bounded."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import Message, Receive

from node.web.problems import Problem

FORM_TYPE = "application/x-www-form-urlencoded"
MOST_BODY_BYTES = 64 << 10
MOST_FIELDS = 1000
_BODY_KEY = "m3node.body"
_FORM_KEY = "m3node.form"

Form = Mapping[str, tuple[str, ...]]


def form_of(request: HTTPConnection) -> Form:
    """What each field says, as often as it is there; empty if the request is no form."""
    return cast(Form, request.scope.get(_FORM_KEY, {}))


def field_of(request: HTTPConnection, name: str) -> str:
    """What the field says first; empty if it is not there."""
    return (form_of(request).get(name) or ("",))[0]


def body_of(request: HTTPConnection) -> bytes:
    """What a changing request carries; waits for nothing, so any route may ask."""
    return cast(bytes, request.scope.get(_BODY_KEY, b""))


async def read_body(request: Request) -> Receive:
    """The body is here, and so are its fields if it is a form; returns what gives it once more.

    Raises Problem(413), (400).
    """
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BODY_BYTES:
                raise Problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the body has more than {MOST_BODY_BYTES >> 10} KiB; nothing here needs that",
                )
    except ClientDisconnect:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body ended before its end") from None
    whole = bytes(body)
    request.scope[_BODY_KEY] = whole
    if content_type_of(request) == FORM_TYPE:
        request.scope[_FORM_KEY] = _parsed(whole)
    again = iter([whole])

    async def receive() -> Message:
        for part in again:
            return {"type": "http.request", "body": part, "more_body": False}
        return await request.receive()

    return receive


def content_type_of(request: HTTPConnection) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _parsed(body: bytes) -> Form:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, "the form cannot be read: it is no UTF-8") from None
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if "\0" in name + value:
            raise Problem(HTTPStatus.BAD_REQUEST, "the form cannot be read: there is a NUL in it")
        fields[name] = (*fields.get(name, ()), value)
    return fields
