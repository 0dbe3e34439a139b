"""Senders that are gone in the middle, after any byte: nothing stays of what was not answered.

The streams are those of dcmtk's storescu, pynetdicom and Orthanc (`recording`).  An end (FIN) is
read on the test's own thread; a reset (RST) comes over a port, while the receiver reads, writes, or
waits.
"""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.inbound.dimse.receiver import Receiver
from node.persistence.store import Store
from tests.integration.queueing import open_node
from tests.node.inbound.dimse.recording import FOLDER
from tests.node.inbound.dimse.senders_of_bytes import LAST, P_DATA, RELEASE, Wire, echo, request
from tests.node.inbound.dimse.test_streams import CONFIG, Here, pdus
from tests.peers import free_port, wait_until

SENDERS = ("dcmtk", "pynetdicom", "orthanc")
STORED = b"\0\0\0\x09\2\0\0\0\0\0"
"""Status (0000,0900) of a response: 0000."""
EVERY = 16
"""Of the bytes of a long request, which lists every storage class three times over."""


def stream_of(sender: str) -> bytes:
    return (FOLDER / f"{sender}.bin").read_bytes()


def cuts(stream: bytes) -> Iterator[int]:
    """After each byte of the first object; of a long request, and of what follows, after some.

    What is cut later has the first object stored once more, which is synced to the disk.
    """
    ends, at = [], 0
    for kind, body in pdus(stream):
        at += 6 + len(body)
        if kind != P_DATA or body[5] == LAST:  # of a Data Set
            ends.append(at)
    asked, stored, *_ = ends
    yield from range(0, asked, EVERY if asked > 1000 else 1)
    yield from range(asked, stored)
    yield from range(stored, len(stream), EVERY)
    yield len(stream)


def open_rows(store: Store) -> int:
    return sum(study.open_senders for study in store.list_studies())


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    store, spool, intake = open_node(tmp_path / "node")
    yield Here(store, spool, intake)
    store.close()


def left(served: Here) -> list[str]:
    return os.listdir(served.spool.directory / "parts")


@pytest.mark.parametrize("sender", SENDERS)
def test_an_end_after_any_byte_leaves_what_was_answered_and_nothing_else(
    here: Here, sender: str
) -> None:
    stream = stream_of(sender)
    here.serve(b"")
    descriptors = len(os.listdir("/proc/self/fd"))
    answered = 0
    for at in cuts(stream):
        answers = here.serve(stream[:at])
        assert left(here) == [], at
        if (stored := answers.count(STORED)) != answered:
            assert stored == answered + 1 == len(here.files()), at
            answered = stored
    assert answered == len(here.files()) == 2
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 2  # of SQLite's connections
    assert open_rows(here.store) == 0


def test_a_reset_after_any_byte_leaves_no_thread_descriptor_part_or_row(tmp_path: Path) -> None:
    store, spool, intake = open_node(tmp_path / "node")
    config = CONFIG.model_copy(update={"port": free_port()})
    receiver = Receiver(config, intake, store)
    receiver.start()
    served = Here(store, spool, intake)
    try:
        descriptors = len(os.listdir("/proc/self/fd"))
        for sender in SENDERS:
            stream = stream_of(sender)
            asked = 6 + struct.unpack_from(">xxL", stream)[0]
            for number, at in enumerate(cuts(stream)):
                vanish(config.port, stream[:at], waits=at >= asked and number % 3 == 0)
        with Wire(config.port) as next_one:
            next_one.sends(request() + echo() + RELEASE)
            assert next_one.answer()[0] == 2
            assert next_one.status() == 0x0000
        wait_until(lambda: receiver._connections.all() == [], "all are over")
        wait_until(lambda: serving() == [], "their threads have ended")
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 2  # of SQLite's connections
        assert left(served) == []
        assert open_rows(store) == 0
    finally:
        receiver.stop(drain_s=5)
        store.close()


def serving() -> list[str]:
    """The threads of associations."""
    return [each.name for each in threading.enumerate() if each.name.startswith("from ")]


def vanish(port: int, sent: bytes, *, waits: bool) -> None:
    """So much is sent, and the connection reset; before or after the node has answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.sendall(sent)
        if waits:
            sender.recv(1)
