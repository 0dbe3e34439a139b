"""Messages out of P-DATA: fragments put together, commands told from data (PS3.8 9.3.5, annex E).

A command is gathered, it is small.  Of a Data Set nothing is gathered: each fragment is handed on
as it lies in the buffer.  A fragment is of any length, a PDU holds any number of them, of both
kinds; what may not be is a command within a Data Set, or a Data Set that no command has announced.
"""

import struct
from collections.abc import Collection, Iterator
from typing import Protocol

from node.inbound.dimse.commands import Command, decode
from node.inbound.dimse.wire import INVALID_PARAMETER, Unacceptable

P_DATA = 4
_PDV = struct.Struct(">LBB")
_COMMAND, _LAST = 1, 2
MAX_COMMAND_BYTES = 1 << 16
_PDU_HEADER = struct.Struct(">BxL")
_SMALLEST_MAXIMUM = _PDV.size + 1


class TakesMessages(Protocol):
    """What becomes of a message."""

    def begin(self, command: Command) -> None:
        """A command is here; its Data Set, if it has one, follows."""
        ...

    def fragment(self, data: memoryview) -> None:
        """The next bytes of the Data Set; good until this returns."""
        ...

    def end(self, command: Command) -> None:
        """The message that began with this command is here whole."""
        ...


class Messages:
    """What has come of the message that comes now.

    contexts : IDs of the presentation contexts that were accepted
    """

    def __init__(self, taker: TakesMessages, contexts: Collection[int]) -> None:
        self._taker = taker
        self._contexts = contexts
        self._gathered = bytearray()
        self._of: int | None = None  # the context of the message that has begun
        self._announced: Command | None = None  # whose Data Set comes

    @property
    def under_way(self) -> bool:
        """Whether a message has begun and is not here whole."""
        return self._of is not None

    def take(self, body: memoryview) -> None:
        """The fragments of a P-DATA-TF.  Raises Unacceptable."""
        for context_id, control, data in _fragments(body):
            if context_id not in self._contexts:
                raise Unacceptable(
                    f"a fragment of presentation context {context_id} came, which was not accepted",
                    reason=INVALID_PARAMETER,
                )
            command = self._announced
            wanted = _COMMAND if command is None else 0
            if self._of not in (None, context_id) or control & _COMMAND != wanted:
                raise Unacceptable(
                    "a fragment of another message came within one", reason=INVALID_PARAMETER
                )
            self._of = context_id
            if command is None:
                self._command(context_id, data, last=bool(control & _LAST))
            else:
                if data:
                    self._taker.fragment(data)
                if control & _LAST:
                    self._end(command)

    def _command(self, context_id: int, data: memoryview, *, last: bool) -> None:
        if len(self._gathered) + len(data) > MAX_COMMAND_BYTES:
            raise Unacceptable("a Command Set is too long", reason=INVALID_PARAMETER)
        self._gathered += data
        if not last:
            return
        command = decode(self._gathered, context_id=context_id)
        self._gathered = bytearray()
        self._taker.begin(command)
        if command.has_data_set:
            self._announced = command
        else:
            self._end(command)

    def _end(self, command: Command) -> None:
        self._of = self._announced = None
        self._taker.end(command)


def _fragments(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    at = 0
    if not body:
        raise Unacceptable("a P-DATA-TF without a fragment came", reason=INVALID_PARAMETER)
    while at < len(body):
        if at + _PDV.size > len(body):
            raise Unacceptable("a fragment's header is cut off", reason=INVALID_PARAMETER)
        length, context_id, control = _PDV.unpack_from(body, at)
        end = at + 4 + length
        if length < 2 or end > len(body):
            raise Unacceptable("a fragment is longer than its PDU", reason=INVALID_PARAMETER)
        yield context_id, control, body[at + _PDV.size : end]
        at = end


def as_pdus(command: bytes, *, context_id: int, maximum: int) -> bytes:
    """The P-DATA-TFs of a Command Set.

    maximum : what the peer takes in one, bytes; 0 for any length (PS3.8 D.1)
    """
    most = max(_SMALLEST_MAXIMUM, maximum or len(command) + _PDV.size) - _PDV.size
    pdus = []
    for at in range(0, len(command), most):
        data = command[at : at + most]
        control = _COMMAND | (_LAST if at + most >= len(command) else 0)
        pdus.append(_PDU_HEADER.pack(P_DATA, _PDV.size + len(data)))
        pdus.append(_PDV.pack(2 + len(data), context_id, control) + data)
    return b"".join(pdus)
