"""The web server: one listening port until it is told to stop.

A port that cannot be had is said loudly and tried again: whoever sends over DIMSE must not notice.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from node.config import WebConfig
from node.logs import event
from node.web.connection import Connection, Limits

_AGAIN_S = 5.0
_BACKLOG = 128
_KEEP_ALIVE_S = 60


def run(
    config: WebConfig,
    app: ASGIApp,
    stop: threading.Event,
    *,
    silence_s: float,
    drain_s: float,
    meanwhile: Callable[[], None],
) -> None:
    """Serve until `stop` is set; then open requests have `drain_s` to end.

    silence_s : how long a client may be silent in the midst of a request or its answer
    meanwhile : called every few seconds, and in the end
    """
    listening = _listening(config, stop)
    if listening is None:
        return
    server = _Server(_settings(app, silence_s=silence_s, drain_s=drain_s), stop)
    ended = threading.Event()

    def look_after() -> None:
        while not ended.wait(_AGAIN_S):
            meanwhile()

    beside = threading.Thread(target=look_after, name="meanwhile", daemon=True)
    with listening:
        event("web.listening", host=config.host, port=config.port)
        beside.start()
        server.run(sockets=[listening])
    ended.set()
    beside.join()
    meanwhile()
    event("web.stopped")


def _settings(app: ASGIApp, *, silence_s: float, drain_s: float) -> Limits:
    settings = Limits(
        app,
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(drain_s)),
    )
    settings.silence_s = silence_s
    return settings


def _listening(config: WebConfig, stop: threading.Event) -> socket.socket | None:
    """The port; None if it could not be had before the end."""
    told = None
    while not stop.is_set():
        try:
            family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((config.host, config.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            if str(error) != told:
                told = str(error)
                event(
                    "web.not_listening",
                    level=logging.ERROR,
                    host=config.host,
                    port=config.port,
                    because=error.strerror,
                    says="DICOMweb is not served, and DIMSE is; stop what listens there or choose "
                    "another web.port (or web.enabled = false); tried again every few seconds",
                )
        stop.wait(_AGAIN_S)
    return None


class _Server(uvicorn.Server):
    """Uvicorn, told to end by the event instead of by signals; it looks after its connections."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """No signal is handled here."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; asked ten times a second."""
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.look(now)
        return self._stop.is_set() or await super().on_tick(counter)
