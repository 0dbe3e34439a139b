"""What answers may do, and a mount that needs more."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from node.core.people import Role
from node.web.access.headers import OF_PAGES, Policy
from node.web.access.person import SCOPE_KEY, local_person
from node.web.access.required import required
from node.web.problems import Problem


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("x", headers={"Cache-Control": "max-age=60"})(scope, receive, send)


def headers_of(app: Any) -> dict[str, str]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asyncio.run(app(scope, receive, send))
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_a_mount_may_have_a_policy_of_its_own_and_the_rest_stays() -> None:
    looser = {"Content-Security-Policy": "default-src 'self'"}
    said = headers_of(Policy(Policy(plain, looser), OF_PAGES))
    assert said["content-security-policy"] == "default-src 'self'"
    assert said["x-content-type-options"] == "nosniff"
    assert said["cache-control"] == "max-age=60"
    assert "script-src 'self'" in headers_of(Policy(plain, OF_PAGES))["content-security-policy"]


def asking(path: str, **scope: Any) -> Request:
    base = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    return Request({**base, **scope})


def test_a_route_says_whom_it_is_for_whether_it_is_a_coroutine_or_not() -> None:
    @required(Role.OPERATOR)
    async def later(request: Request) -> Response:
        return PlainTextResponse("later")

    @required(Role.SENDER)
    def now(request: Request) -> Response:
        return PlainTextResponse("now")

    known = {SCOPE_KEY: local_person("t")}
    assert now(asking("/", **known)).body == b"now"
    assert asyncio.run(later(asking("/", **known))).body == b"later"
    basic = asking("/", headers=[(b"authorization", b"Basic YTpi")])  # a proxy's, passed on
    with pytest.raises(Problem) as led:
        now(basic)
    assert led.value.headers["Location"] == "/login?next=/"
    for path, status in (("/study/1", 303), ("/api/x", 401), ("/dicom-web/x", 401)):
        for answered in (
            lambda p=path: now(asking(p)),
            lambda p=path: asyncio.run(later(asking(p))),
        ):
            with pytest.raises(Problem) as refused:
                answered()
            assert refused.value.status == status
