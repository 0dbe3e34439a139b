"""Large objects, many senders, a database that is away: over real sockets, disk and SQLite."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from node.config import ReceiverConfig
from node.inbound.dimse.receiver import Receiver
from node.inbound.intake import Intake
from node.persistence.spool import Spool
from node.persistence.store import open_store
from tests.integration.queueing import now_utc, open_node
from tests.integration.test_receiver import running
from tests.node.inbound.dimse.senders_of_bytes import (
    COMMAND,
    DATA,
    LAST,
    P_DATA,
    RELEASE,
    Wire,
    command,
    echo,
    pdu,
    pdv,
    store,
)
from tests.node.inbound.dimse.test_odd_senders import object_of
from tests.node.scu import CT, associate, small_object
from tests.peers import free_port

MB = 1 << 20


def peak_kb(pid: int) -> int:
    """The most memory that the process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError(line)


def sent_object(sender: Wire, size: int, number: int, *, sop_class: str = CT) -> int:
    """An object whose pixels are so large; its status."""
    header = object_of(number, sop_class) + b"\xe0\x7f\x10\0OW\0\0" + size.to_bytes(4, "little")
    asked = command(b"2.25.7777%d" % number, sop_class=sop_class)
    sender.sends(pdu(P_DATA, pdv(COMMAND | LAST, asked)))
    sender.sends(pdu(P_DATA, pdv(DATA, header)))
    piece = bytes(120_000)
    whole = pdu(P_DATA, pdv(DATA, piece))
    for _ in range(size // len(piece)):
        sender.sends(whole)
    sender.sends(pdu(P_DATA, pdv(LAST, bytes(size % len(piece)))))
    return sender.status()


def test_the_size_of_an_object_costs_no_memory(tmp_path: Path) -> None:
    port = free_port()
    command_line = [sys.executable, "-m", "tests.benchmarks.ingest.node", str(port), str(tmp_path)]
    node = subprocess.Popen(command_line)
    try:
        sender = connected(port)
        with sender:
            sender.asks()
            assert sent_object(sender, 2 * MB, 1) == 0x0000
            before_kb = peak_kb(node.pid)
            assert sent_object(sender, 300 * MB, 2) == 0x0000
            assert peak_kb(node.pid) - before_kb < 8_000
    finally:
        node.terminate()
        node.wait(30)


def connected(port: int) -> Wire:
    for _ in range(600):
        try:
            return Wire(port, timeout_s=120)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError("the node does not listen")


def test_an_object_that_is_too_large_is_refused_and_the_next_one_is_taken(tmp_path: Path) -> None:
    store_, spool, _ = open_node(tmp_path)
    config = ReceiverConfig(port=free_port(), max_object_mb=1)
    intake = Intake(spool=spool, store=store_, min_free_bytes=0, clock=now_utc, config=config)
    receiver = Receiver(config, intake, store_)
    receiver.start()
    try:
        with Wire(config.port) as sender:
            sender.asks()
            assert sent_object(sender, 2 * MB, 1) == 0xC000
            assert list(spool.directory.rglob("*.part")) == []
            sender.sends(store(object_of(2), b"2.25.77772"))
            assert sender.status() == 0x0000
    finally:
        receiver.stop(drain_s=5)
        store_.close()


def test_an_echo_is_answered_while_sixteen_send(tmp_path: Path) -> None:
    stop = threading.Event()

    def send(number: int) -> None:
        with Wire(here.port, timeout_s=60) as sender:
            sender.asks()
            for count in range(10_000):
                if stop.is_set():
                    break
                uid = b"2.25.%d.%d" % (number, count)
                data = object_of(1).replace(b"2.25.77771", uid.ljust(10, b"\0")[:10])
                sender.sends(store(data, uid[:10]))
                sender.status()
            sender.sends(RELEASE)

    with running(tmp_path, max_associations=32) as here:
        senders = [threading.Thread(target=send, args=(number,)) for number in range(16)]
        for each in senders:
            each.start()
        try:
            waits_s = []
            with Wire(here.port) as sender:
                sender.asks()
                for _ in range(20):
                    started = time.monotonic()
                    sender.sends(echo())
                    assert sender.status() == 0x0000
                    waits_s.append(time.monotonic() - started)
        finally:
            stop.set()
            for each in senders:
                each.join(60)
    assert sorted(waits_s)[10] < 0.25  # within 50 ms on a quiet machine, measured by hand


def test_while_the_database_is_locked_a_sender_is_asked_to_come_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm3node.sqlite'}"
    store_ = open_store(url, patience_s=1)
    spool = Spool(tmp_path / "spool")
    intake = Intake(spool=spool, store=store_, min_free_bytes=0, clock=now_utc)
    config = ReceiverConfig(port=free_port())
    receiver = Receiver(config, intake, store_)
    receiver.start()
    try:
        association = associate(config.port)
        assert association.send_c_store(small_object(1)).Status == 0x0000
        with closing(sqlite3.connect(tmp_path / "m3node.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            assert association.send_c_store(small_object(2)).Status == 0xA700
            assert time.monotonic() - started < 5
            other.rollback()
        assert association.send_c_store(small_object(2)).Status == 0x0000
        association.release()
    finally:
        receiver.stop(drain_s=5)
        store_.close()
