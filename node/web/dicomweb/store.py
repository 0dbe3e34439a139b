"""STOW-RS (PS3.18 10.5): instances are stored.

A body is read while a thread writes what was read before: never more than a few megabytes of it
are in memory, and a client that sends faster than the disk takes is slowed down by its connection.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive

from node.core.people import Role
from node.dicom.content_type import content_type
from node.dicom.multipart import MOST_BOUNDARY, Body, Broken, Multipart, OnePart
from node.dicom.transfer_syntaxes import decodable
from node.inbound.peers import is_allowed
from node.logs import event
from node.web.access.person import is_let_in_as
from node.web.dicomweb.accept import wishes
from node.web.dicomweb.outcome import Outcome
from node.web.dicomweb.paths import base_of, uid_of
from node.web.dicomweb.stored_answer import answer
from node.web.dicomweb.transaction import DICOM, CutShort, Transaction
from node.web.problems import Problem
from node.web.services import Services

_MOST_GATHERED = 1 << 20
_TYPES = 'multipart/related; type="application/dicom"; boundary=..., or application/dicom'


def routes(services: Services) -> list[BaseRoute]:
    """`POST /studies`, and `POST /studies/{study}` for objects of that study."""
    store = _Store(services).store
    return [
        Route("/studies", store, methods=["POST"]),
        Route("/studies/{study}", store, methods=["POST"]),
    ]


class _Store:
    """All requests to store; so many at a time as associations may be open."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._receiver = services.config.receiver
        self._threads = ThreadPoolExecutor(self._receiver.max_associations, "store")
        self._keeper = ThreadPoolExecutor(self._receiver.max_associations, "keep")
        self._decodable = frozenset(str(uid) for uid in decodable())
        self._open: list[str] = []

    async def store(self, request: Request) -> Response:
        """The answer to one request."""
        peer = request.client.host if request.client else ""
        self._require_admission(peer, is_sender=is_let_in_as(request, Role.SENDER))
        study = uid_of(request, "study") if "study" in request.path_params else None
        boundary = _boundary_of(request)
        wanted = wishes(", ".join(request.headers.getlist("accept")))
        self._open.append(peer)
        try:
            outcome, cut = await self._stored(request, self._transaction(peer, study), boundary)
        finally:
            self._open.remove(peer)
        return answer(outcome, cut, base=base_of(self._services, request), wishes=wanted)

    def _require_admission(self, peer: str, *, is_sender: bool) -> None:
        """Raises Problem where an association would be rejected, but for known senders."""
        config = self._receiver
        if not is_sender and not is_allowed(peer, config.allowed_peers):
            raise _refused(peer, HTTPStatus.FORBIDDEN, "this address is not in allowed_peers")
        if (
            len(self._open) >= config.max_associations
            or self._open.count(peer) >= config.most_of_one_peer
        ):
            raise _refused(peer, HTTPStatus.SERVICE_UNAVAILABLE, "too many others are storing now")

    def _transaction(self, peer: str, study: str | None) -> Transaction:
        return Transaction(
            intake=self._services.intake,
            keeper=self._keeper,
            senders=self._services.senders,
            peer=peer,
            accept=self._receiver.accept,
            decodable=self._decodable,
            max_object_bytes=self._receiver.max_object_mb << 20,
            study=study,
        )

    async def _stored(
        self, request: Request, transaction: Transaction, boundary: str | None
    ) -> tuple[Outcome, HTTPStatus | None]:
        """What became of the objects; and, if the body was not read to its end, why.

        Raises Problem if it is no body of objects, or has none.
        """
        body = OnePart(transaction) if boundary is None else Multipart(boundary, transaction)
        cut = None
        try:
            try:
                await self._pour(request.receive, body)
                await self._in_thread(body.finish)
                await self._in_thread(transaction.finish)
            finally:
                await asyncio.shield(self._in_thread(transaction.close))
        except CutShort as short:
            cut = short.status
        except Broken as broken:
            raise Problem(HTTPStatus.BAD_REQUEST, str(broken)) from broken
        except ClientDisconnect as gone:
            raise Problem(HTTPStatus.BAD_REQUEST, "the client has gone") from gone
        outcome = transaction.outcome
        if not (outcome.stored or outcome.failed or cut):
            raise Problem(HTTPStatus.BAD_REQUEST, "the body has no part; send one for each object")
        return outcome, cut

    async def _pour(self, receive: Receive, body: Body) -> None:
        """All of the body has gone through, or as much of it as is wanted.

        Raises what the body raises, at once: a client that says nothing more is not waited for.
        """
        gathered: list[bytes] = []
        size = 0
        coming: asyncio.Task[Message] | None = asyncio.create_task(_next(receive))
        working: asyncio.Future[None] | None = None
        try:
            while not body.is_over and (coming or working or gathered):
                wanted = [working, coming if size < _MOST_GATHERED else None]
                await asyncio.wait(
                    [each for each in wanted if each], return_when=asyncio.FIRST_COMPLETED
                )
                if working and working.done():
                    working.result()
                    working = None
                if coming and coming.done():
                    message = coming.result()
                    gathered.append(message.get("body", b""))
                    size += len(gathered[-1])
                    more = message.get("more_body", False)
                    coming = asyncio.create_task(_next(receive)) if more else None
                if gathered and not working:
                    working = self._in_thread(body.feed, b"".join(gathered))
                    gathered, size = [], 0
        finally:
            if coming and not coming.cancel():
                coming.exception()  # it has been seen
            if working:
                await asyncio.shield(working)

    def _in_thread(self, work: Callable[..., None], *arguments: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


async def _next(receive: Receive) -> Message:
    """The next piece of the body.  Raises ClientDisconnect."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


def _boundary_of(request: Request) -> str | None:
    """The boundary between the parts; None for a body that is one object.

    Raises Problem: 415 for what is not stored here, 400 for a boundary that is missing or too long.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body is compressed; send it without Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )
    said = content_type(request.headers.get("content-type", ""))
    if said is not None and said.type == DICOM:
        return None
    if (
        said is None
        or said.type != "multipart/related"
        or said.parameters.get("type", DICOM).lower() != DICOM
    ):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the Content-Type is none that is stored here; send {_TYPES}",
        )
    boundary = said.parameters.get("boundary", "")
    if not 0 < len(boundary) <= MOST_BOUNDARY:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"the Content-Type names no boundary of 1 to {MOST_BOUNDARY} characters",
        )
    return boundary


def _refused(peer: str, status: HTTPStatus, because: str) -> Problem:
    event("dicomweb.rejected", level=logging.WARNING, because=because, peer=peer)
    headers = {"Retry-After": "5"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Problem(status, because, headers=headers)
