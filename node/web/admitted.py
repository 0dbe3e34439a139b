"""Which addresses are answered at all."""

import logging
from collections.abc import Collection
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from node.inbound.peers import is_allowed
from node.logs import event
from node.web.problems import Problem, answer_to


class Admitted:
    """Whoever is in none of the networks is answered with 403; None lets everybody pass."""

    def __init__(
        self, app: ASGIApp, networks: Collection[IPv4Network | IPv6Network] | None
    ) -> None:
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or turn it away."""
        peer = scope["client"][0] if scope.get("client") else ""
        if scope["type"] != "http" or is_allowed(peer, self._networks):
            await self._app(scope, receive, send)
            return
        event("web.rejected", level=logging.WARNING, because="not in web.allowed_peers", peer=peer)
        problem = Problem(HTTPStatus.FORBIDDEN, "this address is not in web.allowed_peers")
        await answer_to(Request(scope), problem)(scope, receive, send)
