"""Senders that break a rule of titles and identifiers are served, as dcmtk serves them."""

import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.dsutils import encode

from node.config import ReceiverConfig
from node.inbound.dimse.receiver import Receiver
from tests.integration.queueing import open_node
from tests.node.scu import CT, associate, small_object
from tests.peers import free_port

EXPLICIT = "1.2.840.10008.1.2.1"
NAME = "Müller^Jörg"


@contextmanager
def receiver(tmp_path: Path, **settings: Any) -> Iterator[int]:
    store, _, intake = open_node(tmp_path, min_free_bytes=0)
    port = free_port()
    running = Receiver(ReceiverConfig(port=port, **settings), intake, store)
    running.start()
    try:
        yield port
    finally:
        running.stop(drain_s=5)
        store.close()


class Wire:
    """A sender that writes whatever bytes it is told to."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def asks(self, *, called: bytes = b"M3NODE", calling: bytes = b"CT1") -> int:
        """An A-ASSOCIATE-RQ for CT; the type of the PDU that answers it."""
        items = _item(0x10, b"1.2.840.10008.3.1.1.1")
        syntaxes = _item(0x30, CT.encode()) + _item(0x40, EXPLICIT.encode())
        items += _item(0x20, b"\1\0\0\0" + syntaxes)
        items += _item(0x50, _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3"))
        titles = called.ljust(16)[:16] + calling.ljust(16)[:16]
        self._send(1, b"\0\1\0\0" + titles + bytes(32) + items)
        return self._receive()[0]

    def stores(self, data: bytes, *, sop_instance_uid: bytes) -> int:
        """A C-STORE-RQ; the status that answers it."""
        command = _element(0x0002, CT.encode()) + _element(0x0100, struct.pack("<H", 1))
        command += _element(0x0110, struct.pack("<H", 7)) + _element(0x0700, b"\0\0")
        command += _element(0x0800, b"\0\0") + _element(0x1000, sop_instance_uid)
        command = _element(0x0000, struct.pack("<L", len(command))) + command
        self._send(4, _pdv(3, command) + _pdv(2, data))
        kind, answer = self._receive()
        assert kind == 4
        at = answer.index(b"\0\0\0\t\2\0\0\0"[1:])  # (0000,0900), two bytes
        return int(struct.unpack_from("<H", answer, at + 7)[0])

    def _send(self, kind: int, content: bytes) -> None:
        self._socket.sendall(struct.pack(">BBL", kind, 0, len(content)) + content)

    def _receive(self) -> tuple[int, bytes]:
        kind, _, length = struct.unpack(">BBL", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            more = self._socket.recv(count - len(received))
            assert more, "the node closed the connection"
            received += more
        return received


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _pdv(control: int, content: bytes) -> bytes:
    return struct.pack(">LBB", len(content) + 2, 1, control) + content


def _element(number: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", 0, number, len(value)) + value


def object_of(number: int, sop_class: str = CT) -> bytes:
    data = encode(small_object(number, sop_class_uid=sop_class), False, True)
    assert data is not None
    return data


ACCEPTED, REJECTED = 2, 3


@pytest.mark.parametrize(
    ("calling", "logged"),
    [
        (b"CT1\0\0\0\0\0\0\0\0\0\0\0\0\0", "CT1"),
        (b"  CT1", "CT1"),
        ("CT Süd".encode("latin-1"), "CT S?d"),
        ("CT 南".encode(), "CT ???"),
        (b"CT\\1", "CT?1"),
        (b"CT\t1", "CT?1"),
        (b"", ""),
        (bytes(16), ""),
    ],
)
def test_an_odd_calling_title_is_accepted_trimmed_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, calling: bytes, logged: str
) -> None:
    with receiver(tmp_path) as port, caplog.at_level(logging.INFO), Wire(port) as sender:
        assert sender.asks(calling=calling) == ACCEPTED
        assert sender.stores(object_of(1), sop_instance_uid=b"2.25.77771") == 0x0000
        events = {r.action: r.fields for r in caplog.records if hasattr(r, "action")}
    assert events["association.delivers"]["calling_ae"] == logged
    odd = not logged or "?" in logged
    assert ("association.odd_title" in events) is odd
    assert not odd or events["association.odd_title"]["peer"] == "127.0.0.1"


@pytest.mark.parametrize("called", [b"", bytes(16), b"M3NODE\0\0", "Süd".encode("latin-1")])
def test_an_odd_called_title_is_accepted_where_every_title_is(
    tmp_path: Path, called: bytes
) -> None:
    with receiver(tmp_path) as port, Wire(port) as sender:
        assert sender.asks(called=called) == ACCEPTED


def test_lists_are_compared_with_the_trimmed_title_and_odd_ones_match_nothing(
    tmp_path: Path,
) -> None:
    with receiver(tmp_path, allowed_calling_ae_titles=("CT1",)) as port:
        for calling, answer in ((b"CT1\0\0", ACCEPTED), (b"CT1\xfc", REJECTED), (b"", REJECTED)):
            with Wire(port) as sender:
                assert sender.asks(calling=calling) == answer


@pytest.mark.parametrize(
    "uid", [b"1" * 65, b"1.2." + b"3" * 200, NAME.encode("latin-1"), b"", b"1.2 3"]
)
def test_a_command_without_a_sound_uid_is_answered_and_the_rest_of_the_batch_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, uid: bytes
) -> None:
    with receiver(tmp_path) as port, caplog.at_level(logging.INFO), Wire(port) as sender:
        assert sender.asks() == ACCEPTED
        assert sender.stores(object_of(1), sop_instance_uid=uid) == 0xC000
        assert sender.stores(object_of(2), sop_instance_uid=b"2.25.77772") == 0x0000
        events = {r.action: r.fields for r in caplog.records if hasattr(r, "action")}
    assert events["store.refused"]["sop_instance_uid"] == "(no UID)"
    assert "ller" not in str(events)


def test_what_is_said_of_an_association_that_is_aborted_names_its_peer_and_its_titles(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver(tmp_path) as port, caplog.at_level(logging.WARNING), Wire(port) as sender:
        assert sender.asks(calling=b"CT7") == ACCEPTED
        sender._send(4, _pdv(3, b"damaged"))
        assert sender._receive() == (7, b"\0\0\2\6")
        (said,) = [record for record in caplog.records if hasattr(record, "action")]
    assert said.action == "association.aborted"
    assert said.fields == {
        "because": "a Command Set is cut off",
        "calling_ae": "CT7",
        "called_ae": "M3NODE",
        "peer": "127.0.0.1",
    }


def test_who_asks_for_what_is_not_served_here_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    query = "1.2.840.10008.5.1.4.1.2.2.1"
    with receiver(tmp_path) as port, caplog.at_level(logging.WARNING):
        associate(port, sop_classes=(CT, query)).release()
    (said,) = [
        record.fields
        for record in caplog.records
        if getattr(record, "action", "") == "association.contexts_refused"
    ]
    assert said["classes"] == ["Study Root Query/Retrieve Information Model - FIND"]
    assert (said["number"], said["calling_ae"]) == (1, "CT1")
