"""Whether the node is alive, and whether it can do its work: for a load balancer, or a monitor.

What is wrong is told by name and subject; the sentences, which name folders and addresses, are for
`m3node health` and those who have logged in.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from node.watch.sign import NOT_READY, Severity, Sign, worst
from node.web.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """`/healthz`: the web process answers, and says what is wrong.  `/readyz`: an object that came
    now would be kept.

    They take no thread: those may all be waiting for what is wrong.
    """

    async def alive(request: Request) -> Response:
        del request
        signs = await services.lookout.signs_soon()
        return JSONResponse({"status": worst(signs) or "ok", "signs": _named(signs)})

    async def ready(request: Request) -> Response:
        del request
        amiss = [
            sign
            for sign in await services.lookout.signs_soon()
            if sign.name in NOT_READY and sign.severity is Severity.ERROR
        ]
        status = HTTPStatus.SERVICE_UNAVAILABLE if amiss else HTTPStatus.OK
        body = {"status": "not ready" if amiss else "ok", "signs": _named(amiss)}
        return JSONResponse(body, status)

    return [Route("/healthz", alive), Route("/readyz", ready)]


def _named(signs: Iterable[Sign]) -> list[dict[str, Any]]:
    return [
        {
            "name": sign.name,
            "subject": sign.subject,
            "severity": sign.severity,
            "since": None if sign.since is None else sign.since.isoformat(timespec="seconds"),
        }
        for sign in signs
    ]
