"""PDUs from a connection, one after the other, into one buffer (PS3.8 9.3.1).

A header is judged before anything of what it announces is read: its type, and its length against
the cap of that type.  So the memory of a connection is this one buffer, whatever a peer sends.

Reads block in the kernel, outside of the interpreter's lock, until all that is missing of a PDU is
there.  A peer has a deadline for each PDU from its first byte to its last, however it spreads them.
"""

import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from node.dicom.limits import SLOWEST_BYTES_S

HEADER_BYTES = 6
_LENGTH = struct.Struct(">BxL")
_MOST_WAIT_S = 1.0
_DRAIN_S = 2.0
_DRAIN_BYTES = 1 << 24


class PDU(NamedTuple):
    """A PDU; `body` is what follows the header, and good until the next one is asked for."""

    kind: int
    body: memoryview


class Ended(Exception):
    """The connection is over: closed or reset by the peer, or given up; says why."""


class TooSlow(Ended):
    """The peer let a deadline pass."""


class Unacceptable(Exception):
    """What came is against the protocol; the association is aborted.

    reason : of the A-ABORT (PS3.8 table 9-26)
    """

    def __init__(self, words: str, *, reason: int) -> None:
        super().__init__(words)
        self.reason = reason


UNRECOGNIZED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 1, 2, 6


def allowance_s(silence_s: float, count: int) -> float:
    """How long so many bytes may take: a silence, and what the slowest link needs for them."""
    return silence_s + count / SLOWEST_BYTES_S


class Wire:
    """One accepted connection.

    largest   : bytes of the longest PDU that any cap will let pass
    silence_s : longest wait for a PDU to begin, and for one to go on
    """

    def __init__(self, connection: socket.socket, *, largest: int, silence_s: float) -> None:
        self._socket = connection
        self._silence_s = silence_s
        self._view = memoryview(bytearray(2 * (HEADER_BYTES + largest)))
        self._start = self._end = 0
        self._receive = _receiver(connection, min(_MOST_WAIT_S, silence_s / 4))

    def next_pdu(self, caps: Mapping[int, int], *, until: float | None = None) -> PDU:
        """The next PDU.

        caps  : bytes of the longest body of each type that may come now
        until : on the monotonic clock, when it has to be here whole; else the silence counts

        Raises Ended, TooSlow, Unacceptable.
        """
        self._need(HEADER_BYTES, until or time.monotonic() + self._silence_s)
        kind, length = _LENGTH.unpack_from(self._view, self._start)
        if kind not in caps:
            known = 1 <= kind <= 7
            raise Unacceptable(
                f"a PDU of type {kind:02X} came",
                reason=UNEXPECTED_PDU if known else UNRECOGNIZED_PDU,
            )
        if length > caps[kind]:
            raise Unacceptable(
                f"a PDU of type {kind:02X} announces {length} bytes, at most {caps[kind]} were "
                "agreed upon",
                reason=INVALID_PARAMETER,
            )
        whole = HEADER_BYTES + length
        if self._end - self._start < whole:
            self._need(whole, until or time.monotonic() + allowance_s(self._silence_s, length))
        body = self._view[self._start + HEADER_BYTES : self._start + whole]
        self._start += whole
        return PDU(kind, body)

    def _need(self, count: int, until: float) -> None:
        """So many bytes are in the buffer, in one piece."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start + count > len(self._view):
            kept = bytes(self._view[self._start : self._end])
            self._view[: len(kept)] = kept
            self._start, self._end = 0, len(kept)
        while (missing := self._start + count - self._end) > 0:
            # Of a PDU that has begun the rest, and nothing else; otherwise whatever is there.
            whole = count > HEADER_BYTES
            room = self._view[self._end : self._end + missing] if whole else self._view[self._end :]
            try:
                received = self._receive(room, whole)
            except OSError as error:
                raise Ended("the connection is lost") from error
            if received == 0:
                raise Ended("the peer closed the connection")
            self._end += max(0, received)
            if received < missing and time.monotonic() > until:
                raise TooSlow("the peer is silent, or too slow")

    def send(self, encoded: bytes) -> None:
        """The bytes are on their way.  Raises Ended."""
        rest = memoryview(encoded)
        until = time.monotonic() + self._silence_s
        try:
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except (BlockingIOError, TimeoutError):
                    if time.monotonic() > until:
                        raise TooSlow("the peer takes no answer") from None
        except OSError as error:
            raise Ended("the connection is lost") from error

    def close(self, *, last: bytes = b"") -> None:
        """The connection is closed; `last` reaches a peer that still reads.

        A socket that is closed with unread bytes in it resets the connection, and what was sent
        last is lost with it: so what still comes is read, and thrown away, for a moment.
        """
        with suppress(OSError, Ended):
            if last:
                self.send(last)
                self._socket.shutdown(socket.SHUT_WR)
                self._drain()
        self._socket.close()

    def turn_away(self, answer: bytes) -> None:
        """A peer that has begun to speak is answered so; nothing of what it says is kept."""
        until = time.monotonic() + self._silence_s
        with suppress(OSError):
            while self._receive(self._view, False) < 0 and time.monotonic() < until:
                pass
        self.close(last=answer)

    def _drain(self) -> None:
        until, drained = time.monotonic() + _DRAIN_S, 0
        while time.monotonic() < until and drained < _DRAIN_BYTES:
            received = self._receive(self._view, False)
            if received == 0:
                return
            drained += max(0, received)


Receive = Callable[[memoryview, bool], int]
"""Bytes received into the view, 0 at the end of the stream, -1 if none came in time; the flag asks
for as many as the view holds, but a wait may end before."""


def _receiver(connection: socket.socket, wait_s: float) -> Receive:
    """How to read, so that no call blocks for longer than `wait_s`."""
    # In the kernel, where no interpreter is needed to wait on, whatever a peer dribbles.
    connection.settimeout(None)
    seconds, fraction = divmod(wait_s, 1)
    limit = struct.pack("@ll", int(seconds), max(1, int(fraction * 1e6)))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def receive(room: memoryview, whole: bool) -> int:
        try:
            return connection.recv_into(room, 0, socket.MSG_WAITALL if whole else 0)
        except BlockingIOError:
            return -1

    return receive
