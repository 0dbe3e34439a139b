"""What a connection may send, how much of it, and for how long (PS3.8 9.3)."""

import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from node.inbound.dimse import connections
from node.inbound.dimse.messages import as_pdus
from tests.node.inbound.dimse.senders_of_bytes import (
    A_ABORT,
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    COMMAND,
    LAST,
    P_DATA,
    RELEASE,
    RELEASE_RP,
    Wire,
    command,
    echo,
    pdu,
    pdv,
    request,
    store,
)
from tests.node.inbound.dimse.test_odd_senders import object_of
from tests.node.inbound.dimse.test_receiver import Node, node
from tests.peers import wait_until


@pytest.fixture
def here() -> Iterator[Node]:
    with node(network_timeout_s=5) as made:
        yield made


def kept(here: Node) -> list[bytes]:
    return [each["encoded"] for each in here.disk.accepted]


def one_byte_each(kind: int, encoded: bytes) -> list[bytes]:
    last = len(encoded) - 1
    return [pdv(kind | LAST * (at == last), encoded[at : at + 1]) for at in range(len(encoded))]


def test_fragments_of_one_byte_of_both_kinds_in_one_pdu_are_one_object(here: Node) -> None:
    data, asked = object_of(1), command(b"2.25.77771")
    parts = one_byte_each(COMMAND, asked) + one_byte_each(0, data)
    with Wire(here.port) as sender:
        assert sender.asks() == ASSOCIATE_AC
        sender.sends(pdu(P_DATA, b"".join(parts)))
        assert sender.status() == 0x0000
    assert kept(here) == [data]


def test_empty_fragments_and_one_pdu_a_byte_are_one_object(here: Node) -> None:
    data, asked = object_of(1), command(b"2.25.77771")
    with Wire(here.port) as sender:
        sender.asks()
        sender.sends(pdu(P_DATA, pdv(COMMAND, asked) + pdv(COMMAND | LAST, b"")))
        sender.sends(b"".join(pdu(P_DATA, pdv(0, bytes((byte,)))) for byte in data))
        sender.sends(pdu(P_DATA, pdv(LAST, b"")))
        assert sender.status() == 0x0000
    assert kept(here) == [data]


def test_a_sender_that_does_not_wait_for_answers_gets_them_in_turn(here: Node) -> None:
    """Asynchronous operations are not agreed upon; it sends ahead all the same."""
    window = struct.pack(">BBHHH", 0x53, 0, 4, 8, 8)
    with Wire(here.port) as sender:
        sender.sends(request(more_items=window))
        kind, body = sender.answer()
        assert kind == ASSOCIATE_AC
        assert b"\x53\0" not in body[68:]
        stores = [store(object_of(n), b"2.25.7777%d" % n, message_id=n) for n in range(5)]
        sender.sends(b"".join([*stores, echo(), RELEASE]))
        assert [sender.status() for _ in range(6)] == [0x0000] * 6
        assert sender.answer()[0] == RELEASE_RP
    assert kept(here) == [object_of(n) for n in range(5)]


def test_a_cancel_is_passed_over_and_other_operations_are_not_recognised(here: Node) -> None:
    with Wire(here.port) as sender:
        sender.asks()
        cancel = command(field=0x0FFF, has_data=False) + b"\0\0\x20\1\2\0\0\0\7\0"
        sender.sends(pdu(P_DATA, pdv(COMMAND | LAST, cancel)))
        find = command(field=0x20)
        sender.sends(pdu(P_DATA, pdv(COMMAND | LAST, find) + pdv(LAST, object_of(1))))
        assert sender.status() == 0x0211
        sender.sends(store(object_of(1), b"2.25.77771"))
        assert sender.status() == 0x0000


@pytest.mark.parametrize("maximum", [0, 1, 7, 16, 200, 1 << 31])
def test_answers_are_cut_to_what_the_sender_takes(here: Node, maximum: int) -> None:
    with Wire(here.port) as sender:
        sender.asks(maximum=maximum)
        sender.sends(echo())
        assert sender.status() == 0x0000
    for encoded in (bytes(1), bytes(300)):
        at, pdus = 0, as_pdus(encoded, context_id=1, maximum=maximum)
        while at < len(pdus):
            (length,) = struct.unpack_from(">xxL", pdus, at)
            assert length <= max(7, maximum or 1 << 30)
            at += 6 + length


@pytest.mark.parametrize(
    "sent",
    [
        pdu(P_DATA, b""),
        pdu(P_DATA, pdv(COMMAND, command(b"1.2"))[:-1]),
        pdu(P_DATA, b"\0\0\0\1\1"),
        pdu(P_DATA, pdv(COMMAND | LAST, command(b"1.2"), context_id=5)),
        pdu(P_DATA, pdv(LAST, object_of(1))),
        pdu(P_DATA, pdv(COMMAND | LAST, command(b"1.2")) + pdv(COMMAND | LAST, command(b"1.2"))),
        pdu(P_DATA, pdv(COMMAND | LAST, command(b"1.2")) + pdv(LAST, b"", context_id=3)),
        pdu(P_DATA, pdv(COMMAND | LAST, command(field=0x8001))),
        pdu(P_DATA, pdv(COMMAND | LAST, command(b"1.2")[:-3])),
        pdu(P_DATA, pdv(COMMAND | LAST, b"")),
        pdu(P_DATA, pdv(COMMAND | LAST, b"\x08\0\x16\0\0\0\0\0")),
        pdu(P_DATA, pdv(COMMAND, bytes(60_000))) * 2,
        struct.pack(">BxL", P_DATA, 131072 + 4096),
        struct.pack(">BxL", P_DATA, 0xFFFFFFFF),
        struct.pack(">BxL", 5, 1 << 20),
        request(),
        pdu(2, bytes(100)),
        pdu(6, bytes(4)),
        pdu(0x42, b""),
    ],
)
def test_what_is_against_the_protocol_is_aborted_at_once(here: Node, sent: bytes) -> None:
    with Wire(here.port) as sender:
        sender.asks()
        sender.sends(sent)
        kind, body = sender.answer()
        assert (kind, body[2]) == (ABORT, 2)
        assert sender.ended()
    wait_until(lambda: here.receiver.open_associations() == 0, "it is over")
    assert kept(here) == []


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"version": 2}, (1, 2, 2)),
        ({"application": b"1.2.3"}, (1, 1, 2)),
    ],
)
def test_what_is_not_spoken_here_is_rejected(
    here: Node, options: dict[str, Any], answer: tuple[int, ...]
) -> None:
    with Wire(here.port) as sender:
        sender.sends(request(**options))
        kind, body = sender.answer()
        assert (kind, tuple(body[1:4])) == (ASSOCIATE_RJ, answer)


def test_a_request_that_is_cut_anywhere_or_damaged_anywhere_hurts_nobody(here: Node) -> None:
    sound = request()
    for at in range(6, len(sound), 7):
        with Wire(here.port) as sender:
            sender.sends(pdu(1, sound[6:at]))
        with Wire(here.port) as sender:
            sender.sends(sound[:at] + b"\xff\xff" + sound[at + 2 :])
    with Wire(here.port) as sender:
        assert sender.asks() == ASSOCIATE_AC


def test_an_abort_or_an_end_at_any_byte_leaves_no_object_and_no_thread(here: Node) -> None:
    before = threading.active_count()
    whole = store(object_of(1), b"2.25.77771")
    begun = pdu(P_DATA, pdv(COMMAND | LAST, command(b"2.25.77771")) + pdv(0, object_of(1)))
    cut = [whole[:at] for at in range(1, len(whole), 11)]
    for sent in [*cut, begun + A_ABORT, A_ABORT, begun + RELEASE]:
        with Wire(here.port) as sender:
            sender.asks()
            sender.sends(sent)
    wait_until(lambda: here.receiver.open_associations() == 0, "all are over")
    wait_until(lambda: threading.active_count() <= before, "their threads have ended")
    assert kept(here) == []


def test_memory_is_bounded_before_anybody_is_let_in() -> None:
    """A length of 4 GiB is announced and streamed, by an address that is not allowed too."""
    for settings in ({}, {"allowed_peers": (ip_network("10.0.0.0/8"),)}):
        with node(network_timeout_s=5, **settings) as here:
            before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _ in range(4):
                with Wire(here.port) as sender:
                    sender.sends(b"\1\0\xff\xff\xff\xff")
                    streamed(sender, bytes(1 << 20), 64)
            grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
        assert grown_kb < 20_000


def streamed(sender: Wire, chunk: bytes, times: int) -> None:
    for _ in range(times):
        try:
            sender.sends(chunk)
        except OSError:
            return


def dribble(sender: Wire, encoded: bytes, *, pause_s: float, stop: threading.Event) -> None:
    for byte in encoded:
        try:
            sender.sends(bytes((byte,)))
        except OSError:
            return
        if stop.wait(pause_s):
            return


@pytest.mark.parametrize("what", ["request", "object", "empty fragments"])
def test_a_byte_now_and_then_holds_no_place(what: str) -> None:
    stop = threading.Event()
    with node(network_timeout_s=1.0, max_associations=2) as here, Wire(here.port) as sender:
        dribbled = request()
        if what != "request":
            assert sender.asks() == ASSOCIATE_AC
            dribbled = store(object_of(1), b"2.25.77771")
        if what == "empty fragments":
            dribbled = pdu(P_DATA, pdv(COMMAND, b"")) * 500
        thread = threading.Thread(
            target=dribble, args=(sender, dribbled), kwargs={"pause_s": 0.05, "stop": stop}
        )
        started = time.monotonic()
        thread.start()
        try:
            assert sender.answer()[0] == ABORT
            assert time.monotonic() - started < 4
        finally:
            stop.set()
            thread.join()


def test_requests_that_never_end_shut_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_REQUESTS_OF_ONE", 8)
    with node(network_timeout_s=30) as here:
        slow = [Wire(here.port) for _ in range(40)]
        for each in slow:
            each.sends(b"\1")
        with Wire(here.port) as honest:
            assert honest.asks() == ASSOCIATE_AC
        for each in slow:
            each.socket.close()


def test_one_address_has_a_limit_of_its_own() -> None:
    with node(max_associations_of_one_peer=1) as here, Wire(here.port) as first:
        assert first.asks() == ASSOCIATE_AC
        with Wire(here.port) as second:
            second.sends(request())
            assert second.answer() == (ASSOCIATE_RJ, b"\0\2\3\2")


def test_more_sockets_than_select_can_number_are_served() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("the limit of open files is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    fillers = [socket.socket() for _ in range(1100)]
    try:
        with node() as here, Wire(here.port) as sender:
            assert sender.socket.fileno() > 1024
            assert sender.asks() == ASSOCIATE_AC
            sender.sends(store(object_of(1), b"2.25.77771"))
            assert sender.status() == 0x0000
    finally:
        for each in fillers:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_sender_that_reads_no_answer_is_given_up(tmp_path: Path) -> None:
    del tmp_path
    with node(network_timeout_s=0.5) as here, Wire(here.port) as sender:
        sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert sender.asks(maximum=7) == ASSOCIATE_AC
        sender.socket.settimeout(0.5)
        streamed(sender, echo() * 100, 1000)
        wait_until(lambda: here.receiver.open_associations() == 0, "it is given up")
