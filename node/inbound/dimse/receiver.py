"""The Storage SCP: what scanners and the PACS send arrives here.

A thread a port accepts connections, one serves each of them (`association`).  An address that is
not allowed is turned away before a byte of it is kept, and before any handshake.
"""

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from node.config import ReceiverConfig
from node.config.reloading import ALLOW_LISTS
from node.core.errors import ConfigError
from node.dicom.limits import LONGEST_HANDSHAKE_S, MAX_REQUEST_BYTES, TOLERANCE_BYTES
from node.dicom.transfer_syntaxes import decodable, missing
from node.inbound.certificates import Certificates
from node.inbound.dimse import upper_layer
from node.inbound.dimse.admission import DRAINING, IN_THE_CLEAR, PEER, rejection_of
from node.inbound.dimse.association import AcceptsObjects, Association, LetsIn, Names
from node.inbound.dimse.connections import Connected, Connections
from node.inbound.dimse.secured import NotSecured, Secured
from node.inbound.dimse.transport import InTheClear, Transport
from node.inbound.dimse.upper_layer import ASSOCIATE_RQ, Rejection
from node.inbound.dimse.wire import TLS_HANDSHAKE, Wire
from node.inbound.peers import is_allowed
from node.inbound.senders import KeepsSenders, Senders
from node.logs import event

_BACKLOG = 128
_NO_DESCRIPTOR_PAUSE_S = 0.1


@dataclass(slots=True, kw_only=True)
class _Door:
    """A port that is listened on; `certificates` where TLS is spoken."""

    listening: socket.socket
    certificates: Certificates | None
    thread: threading.Thread | None = None


class Receiver:
    """The ports that are listened on, and their associations."""

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
        self._doors: list[_Door] = []

    def run(self, stop: threading.Event, *, drain_s: float = 20.0) -> None:
        """Receive until `stop` is set; then open associations have `drain_s` to end."""
        self.start()
        try:
            while not stop.wait(timeout=5.0):
                self.senders.look_after()
                self.look_at_certificates()
        finally:
            self.stop(drain_s=drain_s)

    def admit(self, config: ReceiverConfig) -> None:
        """Who may send is as `config` has it from the next association on; nothing else changes."""
        lists = {name: getattr(config, name) for name in ALLOW_LISTS}
        self._config = self._config.model_copy(update=lists)
        event("receiver.admits", lists=lists)

    def start(self) -> None:
        """Listen; raises ConfigError if a port is taken, or TLS is not possible."""
        tls = self._config.tls
        secured = (
            None
            if tls is None
            else Certificates(
                "receiver.tls",
                certificate_file=tls.certificate_file,
                key_file=tls.key_file,
                ca_file=tls.ca_file,
                client_certificate=tls.client_certificate,
                minimum_version=tls.minimum_version,
            )
        )
        try:
            for key, port in self._config.ports.items():
                plain = tls is None or port != tls.port
                self._doors.append(
                    _Door(
                        listening=self._listening_on(key, port),
                        certificates=None if plain else secured,
                    )
                )
        except ConfigError:
            for door in self._doors:
                door.listening.close()
            raise
        for door in self._doors:
            door.thread = threading.Thread(
                target=self._accept, args=(door,), name="receiver", daemon=True
            )
            door.thread.start()

    def _listening_on(self, key: str, port: int) -> socket.socket:
        host = self._config.host
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; "
                f"is another node running, or is {key} below 1024?"
            ) from error
        event("receiver.listening", host=host, port=port, key=key, ae_title=self._config.ae_title)
        return listening

    def look_at_certificates(self) -> None:
        """Certificates that have changed on disk are used from now on, or the log says why not."""
        for door in self._doors:
            if door.certificates is not None:
                door.certificates.context()

    def stop(self, *, drain_s: float) -> None:
        """Take no new association, let the open ones end, abort those that do not."""
        if not self._doors:
            return
        self._draining = True
        for door in self._doors:
            with suppress(OSError):
                door.listening.shutdown(socket.SHUT_RDWR)  # it wakes whoever accepts
            if door.thread is not None:
                door.thread.join()
            door.listening.close()
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
        self._doors = []
        aborted = sum(connected.associated for connected in stubborn)
        event("receiver.stopped", aborted_associations=aborted)

    def open_associations(self) -> int:
        """How many associations are open now."""
        return self._connections.associated()

    def _accept(self, door: _Door) -> None:
        while not self._draining:
            try:
                connection, address = door.listening.accept()
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return  # it was shut down
                # Out of descriptors, or a peer that has gone already: the next may be taken.
                event("receiver.not_accepted", level=logging.WARNING, error=error)
                time.sleep(_NO_DESCRIPTOR_PAUSE_S)
                continue
            connected = Connected(
                connection, str(address[0]), is_secured=door.certificates is not None
            )
            giving_way = self._connections.add(connected)
            if giving_way is not None:
                giving_way.cut_off()
            connected.thread = threading.Thread(
                target=self._serve,
                args=(connected, door),
                name=f"from {connected.peer}",
                daemon=True,
            )
            try:
                connected.thread.start()
            except RuntimeError as error:  # no thread can be started now; others may end
                event("receiver.not_accepted", level=logging.WARNING, error=error)
                connection.close()
                self._connections.remove(connected)

    def _serve(self, connected: Connected, door: _Door) -> None:
        try:
            connection = connected.connection
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if not is_allowed(connected.peer, self._config.allowed_peers):
                self._turn_away(connected)
                return
            transport = InTheClear(connection, silence_s=self._config.network_timeout_s)
            if door.certificates is None:
                self._associate(connected, transport)
            else:
                self._secure(connected, transport, door.certificates)
        finally:
            connected.connection.close()
            self._connections.remove(connected)

    def _associate(
        self,
        connected: Connected,
        transport: Transport,
        *,
        let_in: LetsIn | None = None,
        tls: str = "none",
    ) -> None:
        silence_s = self._config.network_timeout_s
        largest = max(MAX_REQUEST_BYTES, self._config.max_pdu_bytes + TOLERANCE_BYTES)
        Association(
            Wire(transport, largest=largest, silence_s=silence_s),
            connected.peer,
            config=self._config,
            decodable=self._decodable,
            intake=self._intake,
            senders=self.senders,
            let_in=let_in or (lambda names: self._let_in(connected, names)),
            tls=tls,
        ).run()

    def _secure(
        self, connected: Connected, transport: InTheClear, certificates: Certificates
    ) -> None:
        """Within TLS it is served; DICOM in the clear is told that it may not be."""
        until = time.monotonic() + min(LONGEST_HANDSHAKE_S, self._config.network_timeout_s)
        first = transport.first_byte(until=until)
        if first == ASSOCIATE_RQ:
            self._associate(connected, transport, let_in=lambda _names: IN_THE_CLEAR)
            return
        try:
            if first is None:
                raise NotSecured("it sent nothing, where a TLS handshake was awaited")
            if first != TLS_HANDSHAKE:
                raise NotSecured("what came is neither TLS nor DICOM")
            secured = Secured(transport, certificates.context())
            secured.handshake(until=until)
        except NotSecured as error:
            event(
                "connection.refused",
                level=logging.WARNING,
                because=str(error),
                peer=connected.peer,
            )
            return
        self._associate(connected, secured, tls=secured.how)

    def _turn_away(self, connected: Connected) -> None:
        """An address that may not connect is told so, whatever it sends; within TLS, hung up on."""
        event(
            "association.rejected",
            level=logging.WARNING,
            because=PEER.because,
            peer=connected.peer,
        )
        if not connected.is_secured:
            transport = InTheClear(connected.connection, silence_s=2.0)
            Wire(transport, largest=4096, silence_s=2.0).turn_away(upper_layer.reject(PEER))

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
