"""WADO-RS (PS3.18 10.4): what is here is retrieved.

What blocks runs in threads, a piece at a time, so that the event loop stays free and a client that
reads slowly holds no thread.  An answer that cannot be brought to its end is cut off: whoever
counts bytes, or waits for the last part, cannot take it for whole.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

import anyio.from_thread
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.web.dicomweb.accept import wishes
from node.web.dicomweb.asked import Answer, Asked
from node.web.dicomweb.bulkdata import bulkdata
from node.web.dicomweb.encoded_object import Unreadable
from node.web.dicomweb.frame_index import Inseparable, NoFrames
from node.web.dicomweb.frame_media import frame_numbers, frames_of
from node.web.dicomweb.frames import NoSuchFrame, Undecodable
from node.web.dicomweb.instances import instances
from node.web.dicomweb.metadata import metadata
from node.web.dicomweb.paths import base_of, uid_of
from node.web.dicomweb.rendered import rendered, thumbnail
from node.web.problems import Problem
from node.web.services import Services

AT_ONCE = 4
"""Pieces that are read, decoded or rendered at the same time, for all clients together."""
_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_FRAMES = _INSTANCE + "/frames/{frames}"

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Patients are not to be kept by proxies and browsers, nor their documents run as pages."""
_LEVELS = ("study", "series", "instance")
_Named = tuple[StudyInstanceUID, SeriesInstanceUID | None, SOPInstanceUID | None]
Make = Callable[[Asked, Request], Answer]


def routes(services: Services) -> list[BaseRoute]:
    """Its routes, relative to the base of the service."""
    working = anyio.CapacityLimiter(AT_ONCE)

    def route(path: str, make: Make) -> Route:
        async def endpoint(request: Request) -> Response:
            find = partial(_answer, services, request, _named(request), make)
            with _cancelled_when_gone(request):
                answer = await anyio.to_thread.run_sync(find, limiter=working)
                return _Streamed(answer, working, with_body=request.method != "HEAD")
            return Response()  # that nobody reads

        return Route(path, endpoint)

    found = []
    for path in (_STUDY, _SERIES, _INSTANCE):
        found += [
            route(path, lambda asked, _: instances(asked)),
            route(f"{path}/metadata", lambda asked, _: metadata(asked)),
            route(f"{path}/rendered", lambda asked, _: rendered(asked, None)),
            route(f"{path}/thumbnail", lambda asked, _: thumbnail(asked, None)),
        ]
    return [
        *found,
        route(_FRAMES, lambda asked, request: frames_of(asked, _numbers(request))),
        route(f"{_FRAMES}/rendered", lambda asked, request: rendered(asked, _numbers(request))),
        route(f"{_FRAMES}/thumbnail", lambda asked, request: thumbnail(asked, _numbers(request))),
        route(
            _INSTANCE + "/bulkdata/{where:path}",
            lambda asked, request: bulkdata(asked, request.path_params["where"]),
        ),
    ]


@contextmanager
def _cancelled_when_gone(request: Request) -> Iterator[None]:
    """What is awaited within the block ends as soon as the client has hung up."""
    with anyio.CancelScope() as scope:
        watching = asyncio.ensure_future(_gone(request))
        watching.add_done_callback(lambda _: scope.cancel())
        try:
            yield
        finally:
            watching.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _named(request: Request) -> _Named:
    """Raises Problem(400) if one of them is no UID."""
    said = {name: uid_of(request, name) for name in _LEVELS if name in request.path_params}
    series, instance = said.get("series"), said.get("instance")
    return (
        StudyInstanceUID(said["study"]),
        None if series is None else SeriesInstanceUID(series),
        None if instance is None else SOPInstanceUID(instance),
    )


def _numbers(request: Request) -> list[int]:
    return frame_numbers(request.path_params["frames"])


def _answer(services: Services, request: Request, named: _Named, make: Make) -> Answer:
    """What is sent back.  Raises Problem."""
    query = dict(request.query_params)
    wanted = wishes(", ".join(request.headers.getlist("accept")), query.pop("accept", None))
    held = services.store.held(*named)
    if not held:
        freed_at = services.store.when_freed(*named)
        if freed_at is not None:
            raise Problem(
                HTTPStatus.GONE,
                f"it was here, and its files were freed from the disk on {freed_at:%Y-%m-%d}",
            )
        raise Problem(HTTPStatus.NOT_FOUND, "nothing of that is here")
    asked = Asked(
        held=held,
        wishes=wanted,
        query=query,
        base=base_of(services, request),
        spool=services.spool,
        max_bytes=services.config.receiver.max_object_mb << 20,
        assumed_character_set=services.config.receiver.assumed_character_set,
        go_on=anyio.from_thread.check_cancelled,
    )
    try:
        return make(asked, request)
    except (NoFrames, NoSuchFrame) as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
    except (Inseparable, Undecodable) as error:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, str(error)) from error
    except (Unreadable, FileNotFoundError) as error:
        says = str(error) if isinstance(error, Unreadable) else "the stored file is gone"
        raise Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, f"{says}; send the instance again"
        ) from error


class _Streamed(StreamingResponse):
    """The answer, each piece of it made in a thread when the last one has gone out."""

    def __init__(self, answer: Answer, working: anyio.CapacityLimiter, *, with_body: bool) -> None:
        self._answer, self._working, self._with_body = answer, working, with_body
        headers = {**_HEADERS, **answer.headers}
        if answer.length is not None:
            headers["Content-Length"] = str(answer.length)
        super().__init__(self._pieces(), status_code=answer.status, headers=headers)
        self.headers["Content-Type"] = answer.content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.end()

    async def _pieces(self) -> AsyncIterator[bytes]:
        def following() -> bytes | None:
            return next(self._answer.chunks, None)

        piece = await self._in_thread(following) if self._with_body else None
        while piece is not None:
            yield piece
            piece = await self._in_thread(following)

    async def _in_thread(self, make: Callable[[], bytes | None]) -> bytes | None:
        return await anyio.to_thread.run_sync(make, limiter=self._working)
