"""The Storage SCP: what scanners and the PACS send arrives here.

One thread accepts connections, one serves each of them (`association`).  An address that is not
allowed is turned away before a byte of it is kept.
"""

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from node.config import ReceiverConfig
from node.core.errors import ConfigError
from node.dicom.limits import MAX_REQUEST_BYTES, TOLERANCE_BYTES
from node.dicom.transfer_syntaxes import decodable, missing
from node.inbound.dimse import upper_layer
from node.inbound.dimse.admission import DRAINING, PEER, rejection_of
from node.inbound.dimse.association import (
    AcceptsObjects,
    Association,
    Names,
)
from node.inbound.dimse.connections import Connected, Connections
from node.inbound.dimse.upper_layer import Rejection
from node.inbound.dimse.wire import Wire
from node.inbound.peers import is_allowed
from node.inbound.senders import KeepsSenders, Senders
from node.logs import event

_BACKLOG = 128
_NO_DESCRIPTOR_PAUSE_S = 0.1


def run(
    config: ReceiverConfig,
    intake: AcceptsObjects,
    store: KeepsSenders,
    stop: threading.Event,
    *,
    drain_s: float = 20.0,
) -> None:
    """Receive until `stop` is set; then open associations have `drain_s` to end by themselves."""
    receiver = Receiver(config, intake, store)
    receiver.start()
    try:
        while not stop.wait(timeout=5.0):
            receiver.senders.close_left_over()
            receiver.senders.keep()
    finally:
        receiver.stop(drain_s=drain_s)


class Receiver:
    """One listening port and its associations."""

    def __init__(
        self,
        config: ReceiverConfig,
        intake: AcceptsObjects,
        store: KeepsSenders,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        absent = missing()
        if absent:
            raise ConfigError(
                f"this installation cannot decode {', '.join(absent)}; install python-gdcm, "
                "pyjpegls, pylibjpeg and pylibjpeg-openjpeg"
            )
        self._config = config
        self._intake = intake
        self.senders = Senders(store, clock)
        self._decodable = frozenset(str(uid) for uid in decodable())
        self._connections = Connections()
        self._draining = False
        self._listening: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; raises ConfigError if the port is taken."""
        host, port = self._config.host, self._config.port
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; "
                "is another node running, or is receiver.port below 1024?"
            ) from error
        self._listening = listening
        self._thread = threading.Thread(
            target=self._accept, args=(listening,), name="receiver", daemon=True
        )
        self._thread.start()
        event("receiver.listening", host=host, port=port, ae_title=self._config.ae_title)

    def stop(self, *, drain_s: float) -> None:
        """Take no new association, let the open ones end, abort those that do not."""
        listening, thread = self._listening, self._thread
        if listening is None or thread is None:
            return
        self._draining = True
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # it wakes whoever accepts
        thread.join()
        listening.close()
        deadline = time.monotonic() + drain_s
        while self.open_associations() and time.monotonic() < deadline:
            time.sleep(0.05)
        stubborn = self._connections.all()
        for connected in stubborn:
            connected.cut_off(last=upper_layer.abort())
        for connected in stubborn:
            if connected.thread is not None:
                connected.thread.join(timeout=self._config.network_timeout_s)
        self.senders.close_left_over()
        self._listening = self._thread = None
        aborted = sum(connected.associated for connected in stubborn)
        event("receiver.stopped", aborted_associations=aborted)

    def open_associations(self) -> int:
        """How many associations are open now."""
        return self._connections.associated()

    def _accept(self, listening: socket.socket) -> None:
        while not self._draining:
            try:
                connection, address = listening.accept()
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return  # it was shut down
                # Out of descriptors, or a peer that has gone already: the next may be taken.
                event("receiver.not_accepted", level=logging.WARNING, error=error)
                time.sleep(_NO_DESCRIPTOR_PAUSE_S)
                continue
            connected = Connected(connection, str(address[0]))
            giving_way = self._connections.add(connected)
            if giving_way is not None:
                giving_way.cut_off()
            connected.thread = threading.Thread(
                target=self._serve, args=(connected,), name=f"from {connected.peer}", daemon=True
            )
            try:
                connected.thread.start()
            except RuntimeError as error:  # no thread can be started now; others may end
                event("receiver.not_accepted", level=logging.WARNING, error=error)
                connection.close()
                self._connections.remove(connected)

    def _serve(self, connected: Connected) -> None:
        try:
            connection = connected.connection
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if not is_allowed(connected.peer, self._config.allowed_peers):
                self._turn_away(connected)
                return
            largest = max(MAX_REQUEST_BYTES, self._config.max_pdu_bytes + TOLERANCE_BYTES)
            Association(
                Wire(connection, largest=largest, silence_s=self._config.network_timeout_s),
                connected.peer,
                config=self._config,
                decodable=self._decodable,
                intake=self._intake,
                senders=self.senders,
                let_in=lambda names: self._let_in(connected, names),
            ).run()
        finally:
            connected.connection.close()
            self._connections.remove(connected)

    def _turn_away(self, connected: Connected) -> None:
        """An address that may not connect is told so, whatever it sends."""
        event(
            "association.rejected",
            level=logging.WARNING,
            because=PEER.because,
            peer=connected.peer,
        )
        wire = Wire(connected.connection, largest=4096, silence_s=2.0)
        wire.turn_away(upper_layer.reject(PEER))

    def _let_in(self, connected: Connected, names: Names) -> Rejection | None:
        rejection: Rejection | None = DRAINING

        def refused(others: int, of_it: int) -> bool:
            nonlocal rejection
            if not self._draining:
                rejection = rejection_of(
                    **names, others_open=others, others_of_it=of_it, config=self._config
                )
            return rejection is not None

        self._connections.associate(connected, refused)
        return rejection
