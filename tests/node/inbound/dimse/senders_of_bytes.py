"""A sender that writes whatever bytes it is told to, and the bytes that well-behaved ones write."""

import socket
import struct
from collections.abc import Sequence
from typing import Any

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
COMMAND, DATA, LAST = 1, 0, 2
ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RP, ABORT = 2, 3, 4, 6, 7


class Wire:
    """One connection to the node."""

    def __init__(self, port: int, *, timeout_s: float = 20, address: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((address, port), timeout=timeout_s)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def asks(self, *, maximum: int = 16384, **of_request: Any) -> int:
        """An A-ASSOCIATE-RQ; the type of the PDU that answers it."""
        self.socket.sendall(request(maximum=maximum, **of_request))
        return self.answer()[0]

    def sends(self, encoded: bytes) -> None:
        """The bytes, whatever they are."""
        self.socket.sendall(encoded)

    def answer(self) -> tuple[int, bytes]:
        """The next PDU: type and body."""
        kind, length = struct.unpack(">BxL", self._exactly(6))
        return kind, self._exactly(length)

    def status(self) -> int:
        """The status of the next response, whose fragments may come in any number of PDUs."""
        gathered = b""
        while True:
            kind, body = self.answer()
            assert kind == P_DATA, kind
            at = 0
            while at < len(body):
                length, _, control = struct.unpack_from(">LBB", body, at)
                gathered += body[at + 6 : at + 4 + length]
                at += 4 + length
                if control & LAST:
                    return elements(gathered)[0x0900]

    def ended(self) -> bool:
        """Whether the node has closed the connection, read to its end."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            more = self.socket.recv(count - len(received))
            assert more, "the node closed the connection"
            received += more
        return received


def request(
    *,
    called: bytes = b"M3NODE",
    calling: bytes = b"CT1",
    maximum: int = 16384,
    contexts: Sequence[tuple[int, str]] = ((1, CT), (3, VERIFICATION)),
    more_items: bytes = b"",
    version: int = 1,
    application: bytes = b"1.2.840.10008.3.1.1.1",
) -> bytes:
    """An A-ASSOCIATE-RQ."""
    items = item(0x10, application)
    for context_id, sop_class in contexts:
        syntaxes = item(0x30, sop_class.encode()) + item(0x40, EXPLICIT.encode())
        items += item(0x20, bytes((context_id, 0, 0, 0)) + syntaxes)
    user = item(0x51, struct.pack(">L", maximum)) + item(0x52, b"1.2.3")
    items += item(0x50, user + more_items)
    titles = called.ljust(16)[:16] + calling.ljust(16)[:16]
    return pdu(1, struct.pack(">HH", version, 0) + titles + bytes(32) + items)


def pdu(kind: int, content: bytes) -> bytes:
    """Any PDU."""
    return struct.pack(">BxL", kind, len(content)) + content


def item(kind: int, content: bytes) -> bytes:
    """An item or sub-item of an A-ASSOCIATE-RQ."""
    return struct.pack(">BxH", kind, len(content)) + content


def pdv(control: int, content: bytes, *, context_id: int = 1) -> bytes:
    """A fragment with its header."""
    return struct.pack(">LBB", len(content) + 2, context_id, control) + content


def command(
    sop_instance_uid: bytes = b"",
    *,
    field: int = 1,
    message_id: int = 7,
    sop_class: str = CT,
    has_data: bool = True,
) -> bytes:
    """A Command Set."""
    encoded = element(0x0002, sop_class.encode()) + element(0x0100, struct.pack("<H", field))
    encoded += element(0x0110, struct.pack("<H", message_id)) + element(0x0700, b"\0\0")
    encoded += element(0x0800, b"\0\0" if has_data else b"\1\1")
    if sop_instance_uid:
        encoded += element(0x1000, sop_instance_uid)
    return element(0x0000, struct.pack("<L", len(encoded))) + encoded


def store(data: bytes, sop_instance_uid: bytes, *, message_id: int = 7) -> bytes:
    """A C-STORE-RQ, command and data in one PDU."""
    asked = command(sop_instance_uid, message_id=message_id)
    return pdu(P_DATA, pdv(COMMAND | LAST, asked) + pdv(LAST, data))


def echo(*, message_id: int = 8) -> bytes:
    """A C-ECHO-RQ."""
    asked = command(field=0x30, sop_class=VERIFICATION, has_data=False, message_id=message_id)
    return pdu(P_DATA, pdv(COMMAND | LAST, asked, context_id=3))


def element(number: int, value: bytes) -> bytes:
    """An element of a Command Set."""
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", 0, number, len(value)) + value


def elements(encoded: bytes) -> dict[int, int]:
    """The numbers of a Command Set."""
    found, at = {}, 0
    while at < len(encoded):
        _, number, length = struct.unpack_from("<HHL", encoded, at)
        if length == 2:
            found[number] = int(struct.unpack_from("<H", encoded, at + 8)[0])
        at += 8 + length
    return found


RELEASE = pdu(5, bytes(4))
A_ABORT = pdu(7, bytes(4))
