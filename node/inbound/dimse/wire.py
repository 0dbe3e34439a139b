"""PDUs from a peer, one after the other, into one buffer (PS3.8 9.3.1).

A header is judged before anything of what it announces is read: its type, and its length against
the cap of that type.  So the memory of a connection is this one buffer, whatever a peer sends.

A peer has a deadline for each PDU from its first byte to its last, however it spreads them.
"""

import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from node.dicom.limits import SLOWEST_BYTES_S
from node.inbound.dimse.transport import Transport

HEADER_BYTES = 6
TLS_HANDSHAKE = 0x16
"""What a client that speaks TLS begins with, where a PDU has its type (RFC 8446 5.1)."""
_LENGTH = struct.Struct(">BxL")


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
    """What one peer sends.

    largest   : bytes of the longest PDU that any cap will let pass
    silence_s : longest wait for a PDU to begin, and for one to go on
    """

    def __init__(self, transport: Transport, *, largest: int, silence_s: float) -> None:
        self._transport = transport
        self._silence_s = silence_s
        self._view = memoryview(bytearray(2 * (HEADER_BYTES + largest)))
        self._start = self._end = 0

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
                "TLS came where DICOM is spoken in the clear"
                if kind == TLS_HANDSHAKE
                else f"a PDU of type {kind:02X} came",
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
                received = self._transport.receive(room, whole=whole)
            except OSError as error:
                raise Ended("the connection is lost") from error
            if received == 0:
                raise Ended("the peer closed the connection")
            self._end += max(0, received)
            if received < missing and time.monotonic() > until:
                raise TooSlow("the peer is silent, or too slow")

    def send(self, encoded: bytes) -> None:
        """The bytes are on their way.  Raises Ended."""
        try:
            self._transport.send(encoded, until=time.monotonic() + self._silence_s)
        except TimeoutError as error:
            raise TooSlow("the peer takes no answer") from error
        except OSError as error:
            raise Ended("the connection is lost") from error

    def close(self, *, last: bytes = b"") -> None:
        """The connection is closed; `last` reaches a peer that still reads."""
        with suppress(OSError, Ended):
            if last:
                self.send(last)
                self._transport.end()
        self._transport.close()

    def turn_away(self, answer: bytes) -> None:
        """A peer that has begun to speak is answered so; nothing of what it says is kept."""
        until = time.monotonic() + self._silence_s
        with suppress(OSError):
            while self._transport.receive(self._view, whole=False) < 0:
                if time.monotonic() > until:
                    break
        self.close(last=answer)
