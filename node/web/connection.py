"""One connection, and how long its client may keep it waiting.

Uvicorn reads and writes; what a client may take is bounded here: the bytes of a request's head and
the time for it, how slow a body may come and an answer be read, how many requests may be sent
ahead, and how many connections there are.  Silence is paid back by bytes: whoever sends or reads at
least `SLOWEST_BYTES_S` owes nothing.
"""

import json
import logging
import socket
import struct
import time
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from node.dicom.limits import (
    LONGEST_NEGOTIATION_S,
    MOST_CONNECTIONS,
    MOST_HEAD_BYTES,
    SLOWEST_BYTES_S,
)
from node.logs import event

MOST_AHEAD = 16
"""Requests that are sent before the answer to an earlier one."""
LINGER_S = 5.0
"""An answer that comes before the end of the body is given so long to be read."""

_RESET = struct.pack("ii", 1, 0)


class Limits(uvicorn.Config):
    """Uvicorn's settings, and ours.

    silence_s : how long a client may be silent in the midst of a body or an answer
    """

    silence_s: float = 60.0


class Connection(HttpToolsProtocol):
    """One connection; `look` at it several times a second."""

    def __init__(self, config: Limits, *arguments: Any, **more: Any) -> None:
        super().__init__(config, *arguments, **more)
        self.access_log = False  # a query may hold a name
        self._silence_s = config.silence_s
        self._head_s = min(LONGEST_NEGOTIATION_S, config.silence_s)
        self._linger_s = min(LINGER_S, config.silence_s)
        self._head_bytes = 0
        self._head_since: float | None = time.monotonic()
        self._body_is_here = True
        self._linger_since: float | None = None
        self._idle_since = self._looked_at = time.monotonic()
        self._refused = False
        self._owed_s = 0.0
        self._unread = 0

    # -- what asyncio calls ----------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """It is served, unless there are too many that are all at work."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [c for c in self.connections if cast(Connection, c).is_idle]
            oldest = min(waiting, key=lambda c: cast(Connection, c).idle_since)
            cast(Connection, oldest).cut_off("too many connections are open")

    def data_received(self, data: bytes) -> None:
        """The next bytes of requests."""
        if self._refused or self.transport.is_closing():
            return
        if self._head_since is None and self._body_is_here:
            self._head_since = time.monotonic()
        if self._head_since is not None:
            self._head_bytes += len(data)
        elif not self._body_is_here:
            self._owed_s = max(0.0, self._owed_s - len(data) / SLOWEST_BYTES_S)
        super().data_received(data)
        if self._head_since is not None and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long")

    # -- what the parser calls -------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._head_since, self._head_bytes = None, 0
        self._body_is_here = False
        self._owed_s = 0.0
        if len(self.pipeline) >= MOST_AHEAD:
            raise ValueError("too many requests are sent ahead")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is here."""
        self._body_is_here = True
        self._linger_since = None
        super().on_message_complete()

    # -- what uvicorn calls ----------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """The answer is on its way; a body that nobody waits for is read for a moment longer."""
        super().on_response_complete()
        self._idle_since = time.monotonic()
        if not self._body_is_here:
            self._linger_since = time.monotonic()
            self._unset_keepalive_if_required()

    def send_400_response(self, msg: str) -> None:
        """Whoever sends what is no HTTP is told so."""
        del msg
        self._refuse(HTTPStatus.BAD_REQUEST, "what came is no HTTP request")

    def _refuse(self, status: HTTPStatus, says: str) -> None:
        """The answer is sent, and nothing of what still comes is looked at."""
        event("web.no_request", level=logging.WARNING, because=says, peer=self._peer)
        if not self.is_idle:
            self.transport.abort()  # the answer to another request may be under way
            return
        said = json.dumps({"status": status, "error": says})
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(said)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write((head + said).encode("ascii"))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._refused = True
        # Closed with unread bytes in it, the connection would be reset, and the answer lost.
        self._linger_since = time.monotonic()

    def shutdown(self) -> None:
        """No further request is taken; one that is under way comes to its end."""
        if self.is_idle and not self.transport.get_write_buffer_size():
            self.transport.abort()  # closed, TLS would wait for the client's word
        else:
            super().shutdown()

    # -- what the server calls -------------------------------------------------------------------

    def look(self, now: float) -> None:
        """It is cut off if its client has kept it waiting for too long; `now` is monotonic."""
        elapsed, self._looked_at = now - self._looked_at, now
        unread = self.transport.get_write_buffer_size()
        if unread or not (self._body_is_here or self.flow.read_paused):
            self._owed_s += elapsed
        if unread < self._unread:
            self._owed_s -= (self._unread - unread) / SLOWEST_BYTES_S
        self._owed_s = max(0.0, self._owed_s)
        self._unread = unread
        if self._linger_since is not None and now - self._linger_since > self._linger_s:
            self.cut_off("the body goes on after the answer")
        elif self._head_since is not None and now - self._head_since > self._head_s:
            self.cut_off("the head of a request is not here in time")
        elif self._owed_s > self._silence_s:
            self.cut_off("the answer is not read" if unread else "the body does not come")

    def cut_off(self, because: str) -> None:
        """The connection is over, and whoever waits for it is told."""
        event("web.cut_off", level=logging.WARNING, because=because, peer=self._peer)
        if self.transport.get_write_buffer_size():
            # Or the kernel would hold what is not read, and offer it for a quarter of an hour.
            below = self.transport.get_extra_info("socket")
            below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered on it."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def idle_since(self) -> float:
        """When it was made, or its last answer was complete; on the monotonic clock."""
        return self._idle_since

    @property
    def _peer(self) -> str:
        return self.client[0] if self.client else ""
