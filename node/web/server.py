"""The web server: one listening port until it is told to stop.

A port that cannot be had is said loudly and tried again: whoever sends over DIMSE must not notice.
"""

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from node.config import WebConfig
from node.core.errors import ConfigError
from node.inbound.certificates import Certificates
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
    opened = _opened(config, stop)
    if opened is None:
        return
    listening, secured = opened
    settings = _settings(app, secured, silence_s=silence_s, drain_s=drain_s)
    server = _Server(settings, stop)
    ended = threading.Event()

    def look_after() -> None:
        while not ended.wait(_AGAIN_S):
            meanwhile()

    beside = threading.Thread(target=look_after, name="meanwhile", daemon=True)
    with listening:
        event("web.listening", host=config.host, port=config.port, tls=secured is not None)
        beside.start()
        server.run(sockets=[listening])
    ended.set()
    beside.join()
    meanwhile()
    event("web.stopped")


def _settings(
    app: ASGIApp, secured: ssl.SSLContext | None, *, silence_s: float, drain_s: float
) -> Limits:
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
        ssl_context_factory=None if secured is None else lambda *_: secured,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(drain_s)),
    )
    settings.silence_s = silence_s
    return settings


def _opened(
    config: WebConfig, stop: threading.Event
) -> tuple[socket.socket, ssl.SSLContext | None] | None:
    """The port, and how it is secured; None if it could not be had before the end."""
    told = None
    while not stop.is_set():
        try:
            secured = _secured(config)
            family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
            address = (config.host, config.port)
            return socket.create_server(address, family=family, backlog=_BACKLOG), secured
        except (OSError, ConfigError) as error:
            if str(error) != told:
                told = str(error)
                event(
                    "web.not_listening",
                    level=logging.ERROR,
                    error=error,
                    host=config.host,
                    port=config.port,
                    says="DICOMweb is not served, and everything else is; stop what listens there "
                    "or correct [web]; it is tried again every few seconds",
                )
        stop.wait(_AGAIN_S)
    return None


def _secured(config: WebConfig) -> ssl.SSLContext | None:
    """How connections are secured, by the files as they are at each one's beginning."""
    if config.certificate_file is None:
        return None
    certificates = Certificates(
        "web", certificate_file=config.certificate_file, key_file=config.key_file
    )

    def as_it_is_now(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = certificates.context()

    first = certificates.context()
    first.sni_callback = as_it_is_now
    return first


class _Server(uvicorn.Server):
    """Uvicorn, told to end by the event instead of by signals; it looks after its connections."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """No signal is handled here."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Open requests have come to their end, or are cut off."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.cut_off("this node is stopping")

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; asked ten times a second."""
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.look(now)
        return self._stop.is_set() or await super().on_tick(counter)
