"""What a page on a screen is told while it stands there: that something has changed.

Server-sent events (HTML Living Standard 9.2).  What has changed is not sent: the page asks for
itself again, so that everything is made in one place.  Each beat says that the node still looks.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from zlib import crc32

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from node.watch.one_look import OneLook
from node.web.page.wrong import Wrong, wrong_now
from node.web.problems import Problem
from node.web.services import Services

MOST_STREAMS = 64
"""Screens that are told at the same time; others look for themselves, and say so."""
_LOOK_EVERY_S = 1.0
_BEAT_EVERY_S = 5.0
LONGEST_S = 600.0
"""Then the browser connects anew, and has to show again who asks."""
_UNREADABLE = "unreadable"


class Changes:
    """How far things are, as one word that differs as soon as anything does.

    It is looked once a second at most, however many ask, and none of them keeps a thread waiting: a
    database that is slow to answer is not to take the threads of those who ask for something else.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._look = OneLook(self._word)
        self.streams = 0

    async def word(self) -> str:
        """The word of now, or of a second ago."""
        try:
            return await self._look.seen_soon()
        except TimeoutError:
            return _UNREADABLE

    def _word(self) -> str:
        try:
            return word_of(self._services.store.last_event(), wrong_now(self._services))
        except SQLAlchemyError:
            return _UNREADABLE


def word_of(last_event: int, wrong: Wrong) -> str:
    """The word for a state of the diary, and of what is wrong."""
    said = "\n".join(each.says for each in wrong.signs)
    return f"{last_event}-{crc32(said.encode()):08x}"


async def stream(services: Services, changes: Changes, request: Request) -> Response:
    """Events until the browser goes, the node stops, or it is time to connect anew.

    Raises Problem(503) if too many are told already.
    """
    if changes.streams >= MOST_STREAMS:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many screens are told of changes")
    known = request.query_params.get("since", "")
    return StreamingResponse(
        _events(services, changes, known),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(services: Services, changes: Changes, known: str) -> AsyncIterator[str]:
    began = time.monotonic()
    beaten_at = float("-inf")
    changes.streams += 1
    try:
        yield "retry: 2000\n\n"
        while not services.stopping.is_set() and time.monotonic() - began < LONGEST_S:
            word = await changes.word()
            now = time.monotonic()
            if word != known:
                known, beaten_at = word, now
                yield f"event: change\ndata: {word}\n\n"
            elif now - beaten_at >= _BEAT_EVERY_S:
                beaten_at = now
                yield f"event: beat\ndata: {word}\n\n"
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        changes.streams -= 1
