"""The same bytes within TLS (PS3.15 B.12), and the handshake before the first of them.

TLS works on memory here, and what it reads and writes goes over the connection below it: so every
deadline holds as it does in the clear, whatever a peer does within TLS, and a connection can be cut
off from another thread.
"""

import ssl
import time
from contextlib import suppress
from typing import cast

from node.dicom.tls import certificate_of, why
from node.inbound.dimse.transport import InTheClear

_SEALED_BYTES = 64 << 10
_ALERT_S = 1.0


class NotSecured(Exception):
    """The handshake came to nothing; says why."""


class Secured:
    """A connection within TLS, once `handshake` has returned; one thread uses it."""

    def __init__(self, below: InTheClear, context: ssl.SSLContext) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sealed = memoryview(bytearray(_SEALED_BYTES))
        self._has_ended = False  # what the peer sends

    def handshake(self, *, until: float) -> None:
        """What follows is within TLS.  Raises NotSecured; the peer has been told then."""
        try:
            self._shake_hands(until)
        except ssl.SSLError as error:
            with suppress(OSError):
                self._pass_on(until=time.monotonic() + _ALERT_S)
                self._below.end()
            raise NotSecured(f"the TLS handshake failed: {why(error)}") from error
        except OSError as error:
            raise NotSecured("the connection was lost in the TLS handshake") from error

    def _shake_hands(self, until: float) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._pass_on(until=until)
            else:
                self._pass_on(until=until)
                return
            received = self._below.receive(self._sealed, whole=False)
            if received == 0:
                raise NotSecured("the peer closed the connection in the TLS handshake")
            if time.monotonic() > until:
                raise NotSecured("the TLS handshake was not over in time")
            self._incoming.write(self._sealed[: max(0, received)])

    @property
    def how(self) -> str:
        """For the log: the version, the cipher suite, and whose certificate the peer has shown."""
        suite = self._tls.cipher()
        subject = certificate_of(self._tls).subject
        return f"{self._tls.version()} {suite[0] if suite else ''}, {subject or 'no certificate'}"

    def receive(self, room: memoryview, *, whole: bool) -> int:
        """As `Transport.receive`."""
        del whole  # how much of it a record seals is the peer's choice
        if not (opened := self._opened(room)) and not self._has_ended:
            received = self._below.receive(self._sealed, whole=False)
            if received <= 0:
                return received
            self._incoming.write(self._sealed[:received])
            opened = self._opened(room)
        return opened or (0 if self._has_ended else -1)

    def _opened(self, room: memoryview) -> int:
        """Bytes that lie here already, as far as they can be read and there is room."""
        count = 0
        while count < len(room) and not self._has_ended:
            try:
                # With a buffer it returns how much it has put there, whatever its types say.
                opened = cast(int, self._tls.read(len(room) - count, room[count:]))
            except ssl.SSLWantReadError:
                self._pass_on(until=time.monotonic() + _ALERT_S)  # an answer to a new key
                break
            self._has_ended = opened == 0  # it has said so
            count += opened
        return count

    def send(self, data: bytes, *, until: float) -> None:
        """As `Transport.send`."""
        self._tls.write(data)
        self._pass_on(until=until)

    def end(self) -> None:
        """As `Transport.end`."""
        with suppress(OSError):
            with suppress(ssl.SSLError):
                self._tls.unwrap()  # which asks for the peer's answer; none is waited for
            self._pass_on(until=time.monotonic() + _ALERT_S)
        self._below.end()

    def close(self) -> None:
        """As `Transport.close`."""
        self._below.close()

    def _pass_on(self, *, until: float) -> None:
        if self._outgoing.pending:
            self._below.send(self._outgoing.read(), until=until)
