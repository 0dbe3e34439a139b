"""The PDUs that open, refuse and end an association (PS3.8 9.3.2 to 9.3.8).

An A-ASSOCIATE-RQ is decoded exactly, within the one buffer it came in: every length is checked
against what is around it.  Items that are not used here (roles, asynchronous operations, user
identity, extended negotiation) are skipped, and so not agreed upon.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from node import __version__
from node.inbound.dimse.wire import INVALID_PARAMETER, Unacceptable
from node.inbound.encoded import IMPLEMENTATION_CLASS_UID

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT = 1, 2, 3, 5, 6, 7
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
IMPLEMENTATION_VERSION_NAME = f"M3NODE_{__version__}"[:16]
_APPLICATION, _CONTEXT, _ANSWER, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAXIMUM_LENGTH, _CLASS_UID, _VERSION_NAME = 0x51, 0x52, 0x55
_FIXED = struct.Struct(">HH16s16s32s")
_ITEM = struct.Struct(">BxH")
_PDU = struct.Struct(">BxL")
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A presentation context of a request."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answer to one (PS3.8 table 9-18): 0 accepted, 3 abstract, 4 transfer syntaxes not."""

    context_id: int
    result: int
    transfer_syntax: str = "1.2.840.10008.1.2"  # said, and of no meaning, where nothing is accepted

    @property
    def is_accepted(self) -> bool:
        """Whether messages may come in it."""
        return self.result == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21), and the words for the log."""

    result: int
    source: int
    diagnostic: int
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An A-ASSOCIATE-RQ.

    called, calling   : trimmed, with a question mark for each byte that may not stand in a title
    titles            : both as they came, for the answer
    maximum_length    : of the P-DATA-TF that the peer takes; 0 for any
    """

    version: int
    called: str
    calling: str
    titles: bytes
    application_context: str
    contexts: Sequence[Proposed]
    maximum_length: int


@dataclass(slots=True)
class _Found:
    application_context: str = ""
    contexts: list[Proposed] = field(default_factory=list)
    maximum_length: int = 0


def decode_request(body: memoryview) -> Request:
    """The request.  Raises Unacceptable."""
    if len(body) < _FIXED.size:
        raise _damaged("it is cut off")
    version, _, called, calling, _ = _FIXED.unpack_from(body)
    found = _Found()
    for kind, content in _items(body[_FIXED.size :]):
        if kind == _APPLICATION:
            found.application_context = _uid(content)
        elif kind == _CONTEXT:
            found.contexts.append(_proposed(content))
        elif kind == _USER:
            for user_kind, user in _items(content):
                if user_kind == _MAXIMUM_LENGTH and len(user) == 4:
                    found.maximum_length = int.from_bytes(user, "big")
    ids = [context.context_id for context in found.contexts]
    if len(ids) != len(set(ids)):
        raise _damaged("two presentation contexts have one ID")
    return Request(
        version=version,
        called=_title(called),
        calling=_title(calling),
        titles=called + calling,
        application_context=found.application_context,
        contexts=found.contexts,
        maximum_length=found.maximum_length,
    )


def _proposed(content: memoryview) -> Proposed:
    if len(content) < 4:
        raise _damaged("a presentation context is cut off")
    abstract_syntax, transfer_syntaxes = "", []
    for kind, value in _items(content[4:]):
        if kind == _ABSTRACT:
            abstract_syntax = _uid(value)
        elif kind == _TRANSFER:
            transfer_syntaxes.append(_uid(value))
    return Proposed(
        context_id=content[0],
        abstract_syntax=abstract_syntax,
        transfer_syntaxes=transfer_syntaxes,
    )


def _items(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at < len(content):
        if at + _ITEM.size > len(content):
            raise _damaged("an item's header is cut off")
        kind, length = _ITEM.unpack_from(content, at)
        at += _ITEM.size
        if at + length > len(content):
            raise _damaged("an item is longer than what is around it")
        yield kind, content[at : at + length]
        at += length


def _damaged(words: str) -> Unacceptable:
    return Unacceptable(f"the A-ASSOCIATE-RQ is damaged: {words}", reason=INVALID_PARAMETER)


def _uid(value: memoryview) -> str:
    return bytes(value).decode("ascii", "replace").strip(" \0")


def _title(encoded: bytes) -> str:
    text = encoded.replace(b"\0", b" ").strip()
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else "?" for byte in text)


def accept(request: Request, answers: Sequence[Answered], *, maximum_length: int) -> bytes:
    """An A-ASSOCIATE-AC; `maximum_length` is of the P-DATA-TF that is taken here."""
    contexts = b"".join(
        _item(
            _ANSWER,
            bytes((answer.context_id, 0, answer.result, 0))
            + _item(_TRANSFER, answer.transfer_syntax.encode()),
        )
        for answer in answers
    )
    user = (
        _item(_MAXIMUM_LENGTH, maximum_length.to_bytes(4, "big"))
        + _item(_CLASS_UID, IMPLEMENTATION_CLASS_UID.encode())
        + _item(_VERSION_NAME, IMPLEMENTATION_VERSION_NAME.encode())
    )
    fixed = struct.pack(">HH32s32s", _VERSION, 0, request.titles, b"")
    items = _item(_APPLICATION, APPLICATION_CONTEXT.encode()) + contexts + _item(_USER, user)
    return _pdu(ASSOCIATE_AC, fixed + items)


PROTOCOL = Rejection(result=1, source=2, diagnostic=2, because="protocol version not supported")
APPLICATION = Rejection(
    result=1, source=1, diagnostic=2, because="application context name not supported"
)


def unspoken(request: Request) -> Rejection | None:
    """Why this is not spoken here: another protocol, another application context."""
    if not request.version & _VERSION:
        return PROTOCOL
    return None if request.application_context == APPLICATION_CONTEXT else APPLICATION


def reject(why: Rejection) -> bytes:
    """An A-ASSOCIATE-RJ."""
    return _pdu(ASSOCIATE_RJ, bytes((0, why.result, why.source, why.diagnostic)))


def release_response() -> bytes:
    """An A-RELEASE-RP."""
    return _pdu(RELEASE_RP, bytes(4))


def abort(reason: int | None = None) -> bytes:
    """An A-ABORT: by the provider for that reason, or by the user (PS3.8 table 9-26)."""
    return _pdu(ABORT, bytes((0, 0, 0, 0) if reason is None else (0, 0, 2, reason)))


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def _pdu(kind: int, content: bytes) -> bytes:
    return _PDU.pack(kind, len(content)) + content
