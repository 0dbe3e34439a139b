"""Command Sets: what a request says, and the response that is made of it (PS3.7 6.3, 9.3).

Implicit VR Little Endian, group 0000 and nothing else.  Decoded exactly: a Command Set whose
elements do not fill it is none.  A UID in it is text of the sender's; whoever uses it judges it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from node.inbound.dimse.wire import INVALID_PARAMETER, Unacceptable

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
RESPONSE = 0x8000
SUCCESS, UNRECOGNIZED_OPERATION, UNEXPECTED_ERROR = 0x0000, 0x0211, 0xC211
_NO_DATA_SET = 0x0101
_FIELD, _ID, _RESPONDED_TO, _DATA_SET, _STATUS, _COMMENT = (
    0x0100,
    0x0110,
    0x0120,
    0x0800,
    0x0900,
    0x0902,
)
_CLASS, _INSTANCE = 0x0002, 0x1000
_HEADER = struct.Struct("<HHL")
_SHORT = struct.Struct("<H")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A request.

    context_id : of the presentation context that it came in
    sop_class, sop_instance : as they came, without padding; empty where they are not there
    """

    context_id: int
    field: int
    message_id: int
    has_data_set: bool
    sop_class: bytes
    sop_instance: bytes


def decode(encoded: bytes | bytearray, *, context_id: int) -> Command:
    """The request.  Raises Unacceptable for what is none."""
    elements = dict(_elements(memoryview(encoded)))
    field, message_id = _short(elements, _FIELD), _short(elements, _ID)
    if field == C_CANCEL_RQ:
        message_id = _short(elements, _RESPONDED_TO)  # PS3.7 table 9.3-5: it has none of its own
    if field is None or field & RESPONSE or message_id is None:
        raise Unacceptable("a Command Set that is no request came", reason=INVALID_PARAMETER)
    return Command(
        context_id=context_id,
        field=field,
        message_id=message_id,
        has_data_set=_short(elements, _DATA_SET) not in (None, _NO_DATA_SET),
        sop_class=_text(elements, _CLASS),
        sop_instance=_text(elements, _INSTANCE),
    )


def _elements(encoded: memoryview) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(encoded):
        if at + _HEADER.size > len(encoded):
            raise Unacceptable("a Command Set is cut off", reason=INVALID_PARAMETER)
        group, number, length = _HEADER.unpack_from(encoded, at)
        at += _HEADER.size
        if group != 0 or at + length > len(encoded):
            raise Unacceptable("a Command Set is damaged", reason=INVALID_PARAMETER)
        yield number, bytes(encoded[at : at + length])
        at += length


def _short(elements: dict[int, bytes], number: int) -> int | None:
    value = elements.get(number, b"")
    return int(_SHORT.unpack(value)[0]) if len(value) == _SHORT.size else None


def _text(elements: dict[int, bytes], number: int) -> bytes:
    return elements.get(number, b"").strip(b" \0")


def response(
    request: Command,
    status: int,
    *,
    sop_class: str = "",
    sop_instance: str = "",
    comment: str = "",
) -> bytes:
    """The Command Set of the response.

    sop_class, sop_instance : the request's, where they are UIDs
    comment                 : Error Comment (0000,0902), at most 64 characters of ASCII
    """
    elements = b"".join(
        (
            _element(_CLASS, _padded(sop_class, b"\0")) if sop_class else b"",
            _element(_FIELD, _SHORT.pack(request.field | RESPONSE)),
            _element(_RESPONDED_TO, _SHORT.pack(request.message_id)),
            _element(_DATA_SET, _SHORT.pack(_NO_DATA_SET)),
            _element(_STATUS, _SHORT.pack(status)),
            _element(_COMMENT, _padded(comment, b" ")) if comment else b"",
            _element(_INSTANCE, _padded(sop_instance, b"\0")) if sop_instance else b"",
        )
    )
    return _element(0x0000, struct.pack("<L", len(elements))) + elements


def _element(number: int, value: bytes) -> bytes:
    return _HEADER.pack(0, number, len(value)) + value


def _padded(text: str, padding: bytes) -> bytes:
    value = text.encode("ascii")
    return value + padding * (len(value) % 2)
