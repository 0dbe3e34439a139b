"""Senders that break a rule of titles and identifiers are served, as dcmtk serves them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.dsutils import encode

from node.config import ReceiverConfig
from node.inbound.dimse.receiver import Receiver
from tests.integration.queueing import open_node
from tests.node.inbound.dimse.senders_of_bytes import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    COMMAND,
    LAST,
    P_DATA,
    Wire,
    pdu,
    pdv,
    store,
)
from tests.node.scu import CT, associate, small_object
from tests.peers import free_port

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


def status(sender: Wire, data: bytes, sop_instance_uid: bytes) -> int:
    """What answers a C-STORE-RQ of it."""
    sender.sends(store(data, sop_instance_uid))
    return sender.status()


def object_of(number: int, sop_class: str = CT) -> bytes:
    data = encode(small_object(number, sop_class_uid=sop_class), False, True)
    assert data is not None
    return data


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
        assert sender.asks(calling=calling) == ASSOCIATE_AC
        assert status(sender, object_of(1), b"2.25.77771") == 0x0000
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
        assert sender.asks(called=called) == ASSOCIATE_AC


def test_lists_are_compared_with_the_trimmed_title_and_odd_ones_match_nothing(
    tmp_path: Path,
) -> None:
    with receiver(tmp_path, allowed_calling_ae_titles=("CT1",)) as port:
        for calling, taken in ((b"CT1\0\0", True), (b"CT1\xfc", False), (b"", False)):
            with Wire(port) as sender:
                assert sender.asks(calling=calling) == (ASSOCIATE_AC if taken else ASSOCIATE_RJ)


@pytest.mark.parametrize(
    "uid", [b"1" * 65, b"1.2." + b"3" * 200, NAME.encode("latin-1"), b"", b"1.2 3"]
)
def test_a_command_without_a_sound_uid_is_answered_and_the_rest_of_the_batch_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, uid: bytes
) -> None:
    with receiver(tmp_path) as port, caplog.at_level(logging.INFO), Wire(port) as sender:
        assert sender.asks() == ASSOCIATE_AC
        assert status(sender, object_of(1), uid) == 0xC000
        assert status(sender, object_of(2), b"2.25.77772") == 0x0000
        events = {r.action: r.fields for r in caplog.records if hasattr(r, "action")}
    assert events["store.refused"]["sop_instance_uid"] == "(no UID)"
    assert "ller" not in str(events)


def test_what_is_said_of_an_association_that_is_aborted_names_its_peer_and_its_titles(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver(tmp_path) as port, caplog.at_level(logging.WARNING), Wire(port) as sender:
        assert sender.asks(calling=b"CT7") == ASSOCIATE_AC
        sender.sends(pdu(P_DATA, pdv(COMMAND | LAST, b"damaged")))
        assert sender.answer() == (ABORT, b"\0\0\2\6")
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
