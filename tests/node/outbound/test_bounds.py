"""No peer holds a courier for ever, nor fills its memory: real sockets, small deadlines."""

import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from node.calling.guard import allowed_s
from node.config import DicomwebDestination, DimseDestination
from node.core.errors import DestinationError, DestinationNotReady, DestinationUnreachable
from node.outbound.connect import connect
from node.outbound.destination import OutgoingObject
from tests.integration.delivering import pacs
from tests.node.outbound.answering import DICOM_JSON, stored
from tests.node.outbound.raw import DRIP_S, drip, keeps_silent, speaking, tampered

TIMEOUT_S = 0.4
ASSOCIATE_AC, RELEASE_RP, P_DATA = b"\x02", b"\x06", b"\x04"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 4000\r\n\r\n"


def web(port: int) -> DicomwebDestination:
    return DicomwebDestination(
        name="web", url=f"http://127.0.0.1:{port}/x", timeout_s=TIMEOUT_S, slowest_kb_s=1000
    )


def scp(port: int) -> DimseDestination:
    return DimseDestination(
        name="pacs",
        host="127.0.0.1",
        port=port,
        ae_title="STORESCP",
        timeout_s=TIMEOUT_S,
        slowest_kb_s=1000,
    )


@contextmanager
def soon_over() -> Iterator[None]:
    """It took a few deadlines at the most."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 10 * TIMEOUT_S


def test_the_deadline_grows_with_the_size_of_the_object() -> None:
    assert allowed_s(0, timeout_s=30, slowest_kb_s=20) == 60
    assert allowed_s(2_000_000, timeout_s=30, slowest_kb_s=20) == 160


def asked(connection: socket.socket) -> None:
    """The head of the request has come, and some of its body."""
    connection.recv(1 << 16)


def drips_its_header(connection: socket.socket) -> None:
    asked(connection)
    drip(connection, OK * 100)


def drips_its_body(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(OK)
    drip(connection, b" " * 4000)


def drips_without_a_length(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    drip(connection, b" " * 4000)


def goes_on_for_ever(connection: socket.socket) -> None:
    asked(connection)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize(
    "talk", [drips_its_header, drips_its_body, drips_without_a_length, goes_on_for_ever]
)
def test_a_web_server_that_answers_without_end_is_given_up(
    artifact: OutgoingObject, talk: Callable[[socket.socket], None]
) -> None:
    with speaking(talk) as port, soon_over():
        with pytest.raises(DestinationError):
            connect(web(port)).send([artifact], lambda *_: None)
        with pytest.raises(DestinationError):
            connect(web(port)).verify()


def test_a_web_server_that_takes_a_little_now_and_then_is_given_up(
    artifact: OutgoingObject, tmp_path: Path
) -> None:
    given_up = threading.Event()

    def takes_little(connection: socket.socket) -> None:
        while not given_up.wait(DRIP_S):
            connection.recv(1 << 18)

    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(20_000_000)
    with speaking(takes_little) as port, soon_over():
        quick = web(port).model_copy(update={"slowest_kb_s": 100_000})
        with pytest.raises(
            DestinationUnreachable, match=r"too slow: 20000\d+ bytes and the answer"
        ):
            connect(quick).send([replace(artifact, path=large)], lambda *_: None)
        given_up.set()


def test_an_answer_of_600_megabytes_is_not_read_into_memory(artifact: OutgoingObject) -> None:
    def says_much(connection: socket.socket) -> None:
        asked(connection)
        connection.sendall(OK.replace(b"4000", b"600000000"))
        while True:
            connection.sendall(b" " * (1 << 20))

    tracemalloc.start()
    try:
        with speaking(says_much) as port, soon_over():
            with pytest.raises(DestinationNotReady, match="more than 1 MiB"):
                connect(web(port)).send([artifact], lambda *_: None)
            connect(web(port)).verify()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_objects_leave_from_their_files_one_after_another_over_one_connection(
    artifact: OutgoingObject, tmp_path: Path
) -> None:
    connections: list[socket.socket] = []
    answer = json.dumps(stored(artifact)).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {DICOM_JSON}\r\n"
    head += f"Content-Length: {len(answer)}\r\n\r\n"

    def takes_all(connection: socket.socket) -> None:
        connections.append(connection)
        with connection.makefile("rb") as sent:
            while sent.readline():
                left = 0
                while (line := sent.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        left = int(line.split(b":")[1])
                while left:
                    left -= len(sent.read(min(left, 1 << 16)))
                connection.sendall(head.encode() + answer)

    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(24_000_000)
    confirmed: list[int] = []
    tracemalloc.start()
    try:
        with speaking(takes_all) as port:
            connect(web(port).model_copy(update={"timeout_s": 20})).send(
                [artifact, replace(artifact, path=large), artifact],
                lambda _, status: confirmed.append(status),
            )
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert confirmed == [0x0000] * 3
    assert len(connections) == 1


def drips_the_acceptance(caller: socket.socket, kind: bytes, pdu: bytes) -> None:
    drip(caller, pdu)


def drips_the_answer(caller: socket.socket, kind: bytes, pdu: bytes) -> None:
    caller.sendall(pdu) if kind == ASSOCIATE_AC else drip(caller, pdu[:6] + pdu[6:] * 99)


def declares_4_gigabytes(caller: socket.socket, kind: bytes, pdu: bytes) -> None:
    if kind == ASSOCIATE_AC:
        caller.sendall(pdu)
        return
    caller.sendall(b"\x04\x00\xff\xff\xff\xff")
    while True:
        caller.sendall(b" " * (1 << 20))


def never_ends_its_message(caller: socket.socket, kind: bytes, pdu: bytes) -> None:
    if kind == ASSOCIATE_AC:
        caller.sendall(pdu)
        return
    fragment = b"\x01\x01" + b" " * 16000  # of a command, and not its last
    item = len(fragment).to_bytes(4, "big") + fragment
    while True:
        caller.sendall(b"\x04\x00" + len(item).to_bytes(4, "big") + item)


def keeps_its_answer(caller: socket.socket, kind: bytes, pdu: bytes) -> None:
    if kind == ASSOCIATE_AC:
        caller.sendall(pdu)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (drips_the_acceptance, r"took more than 0\.8 s|was silent for 0\.4 s"),
        (drips_the_answer, "no answer to a C-STORE of .*: it "),
        (declares_4_gigabytes, "it answered with more than 1 MiB"),
        (never_ends_its_message, "it answered with more than 1 MiB"),
        (keeps_its_answer, r"no answer to a C-STORE of .*: it .*silent for 0\.4"),
    ],
)
def test_an_scp_that_answers_without_end_or_not_at_all_is_given_up(
    artifact: OutgoingObject, answer: Callable[[socket.socket, bytes, bytes], None], says: str
) -> None:
    with (
        pacs() as (port, _),
        tampered(port, answer) as front,
        soon_over(),
        pytest.raises(DestinationUnreachable, match=says),
    ):
        connect(scp(front)).send([artifact], lambda *_: None)


def test_an_scp_that_does_not_answer_the_release_has_everything_all_the_same(
    artifact: OutgoingObject,
) -> None:
    def keeps_the_release(caller: socket.socket, kind: bytes, pdu: bytes) -> None:
        if kind != RELEASE_RP:
            caller.sendall(pdu)

    def drips_the_release(caller: socket.socket, kind: bytes, pdu: bytes) -> None:
        caller.sendall(pdu) if kind != RELEASE_RP else drip(caller, pdu[:6] + pdu[6:] * 99)

    for answer in (keeps_the_release, drips_the_release):
        stored: list[str] = []
        with pacs() as (port, _), tampered(port, answer) as front, soon_over():
            connect(scp(front)).send(
                [artifact], lambda each, status, to=stored: to.append(each.sop_instance_uid)
            )
        assert stored == ["2.25.343"]


def test_a_peer_that_says_nothing_is_given_up(artifact: OutgoingObject) -> None:
    with speaking(keeps_silent) as port, soon_over():
        for config in (web(port), scp(port)):
            with pytest.raises(DestinationUnreachable, match=r"was silent for 0\.4 s"):
                connect(config).send([artifact], lambda *_: None)
