"""Bytes to and from one peer: over a connection as it is, whose every wait has an end.

Reads block in the kernel, outside of the interpreter's lock; none lasts longer than `wait_s`, so
that whoever reads can heed a deadline, however a peer spreads its bytes.
"""

import socket
import struct
import time
from contextlib import suppress
from typing import Protocol

_MOST_WAIT_S = 1.0
_DRAIN_S = 2.0
_DRAIN_BYTES = 1 << 24
_DRAINED_AT_ONCE = 64 << 10


class Transport(Protocol):
    """What carries the PDUs of an association (PS3.8 9.1, PS3.15 annex B)."""

    def receive(self, room: memoryview, *, whole: bool) -> int:
        """Bytes received into the view; 0 at the end of the stream, -1 if none came in time.

        whole : as many as the view holds are wanted; yet a wait may end before

        Raises OSError.
        """
        ...

    def send(self, data: bytes, *, until: float) -> None:
        """The bytes are on their way.

        until : on the monotonic clock, when the peer has to have taken them

        Raises OSError; TimeoutError if it has not.
        """
        ...

    def end(self) -> None:
        """The peer reads the end of what was sent; what it still sends is thrown away."""
        ...

    def close(self) -> None:
        """The connection is closed."""
        ...


class InTheClear:
    """A connection as it is.

    silence_s : longest silence that anybody waits out; a quarter of it, at most, is one wait
    """

    def __init__(self, connection: socket.socket, *, silence_s: float) -> None:
        self._socket = connection
        connection.settimeout(None)
        seconds, fraction = divmod(min(_MOST_WAIT_S, silence_s / 4), 1)
        limit = struct.pack("@ll", int(seconds), max(1, int(fraction * 1e6)))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def receive(self, room: memoryview, *, whole: bool) -> int:
        """As `Transport.receive`."""
        return self._receive(room, socket.MSG_WAITALL if whole else 0)

    def first_byte(self, *, until: float) -> int | None:
        """The byte that the peer begins with, which stays to be received; None if none comes."""
        room = memoryview(bytearray(1))
        while (received := self._receive(room, socket.MSG_PEEK)) < 0 and time.monotonic() < until:
            pass
        return room[0] if received > 0 else None

    def _receive(self, room: memoryview, flags: int) -> int:
        try:
            return self._socket.recv_into(room, 0, flags)
        except BlockingIOError:
            return -1

    def send(self, data: bytes, *, until: float) -> None:
        """As `Transport.send`."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError("the peer takes no answer") from None

    def end(self) -> None:
        """As `Transport.end`.

        A socket that is closed with unread bytes in it resets the connection, and what was sent
        last is lost with it: so what still comes is read, and thrown away, for a moment.
        """
        room, drained = memoryview(bytearray(_DRAINED_AT_ONCE)), 0
        until = time.monotonic() + _DRAIN_S
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while time.monotonic() < until and drained < _DRAIN_BYTES:
                received = self.receive(room, whole=False)
                if received == 0:
                    return
                drained += max(0, received)

    def close(self) -> None:
        """As `Transport.close`."""
        self._socket.close()
