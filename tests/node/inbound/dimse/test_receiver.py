"""The Storage SCP's promises to a sender, over real sockets; disk and database are stood in for."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import pytest
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.dsutils import encode
from sqlalchemy.exc import OperationalError

from node.config import ReceiverConfig
from node.core.errors import ConfigError, Refused
from node.core.sender import Sender
from node.inbound.dimse.receiver import Receiver
from node.persistence.process_identity import this_process
from tests.node.inbound.dimse.senders_of_bytes import ASSOCIATE_RJ, Wire, request
from tests.node.scu import CT, associate, associated, small_object
from tests.peers import free_port, wait_until

PRIVATE = UID("1.3.12.2.1107.5.9.1")
MPEG4 = UID("1.2.840.10008.1.2.4.102")


class Disk:
    """Stands in for Intake: keeps what it is given, or raises what it is told to."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.raises: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()

    def begin(self, **of: Any) -> "Object":
        return Object(self, of)


class Object:
    """One object on the way to it."""

    def __init__(self, disk: Disk, of: dict[str, Any]) -> None:
        self.disk, self.of = disk, of
        self.encoded = bytearray()

    def write(self, data: memoryview) -> None:
        self.encoded += data

    def keep(self, sender_id: int | None) -> None:
        self.disk.hold.wait(10)
        if self.disk.raises is not None:
            raise self.disk.raises
        kept = {"encoded": bytes(self.encoded), "sender_id": sender_id, **self.of}
        self.disk.accepted.append(kept)

    def close(self) -> None:
        self.encoded.clear()


class Rows:
    """Stands in for the store's senders."""

    def __init__(self) -> None:
        self.opened: list[Sender] = []
        self.closed: list[int] = []
        self.kept: list[str] = []
        self.fails = False

    def open_sender(self, sender: Sender, *, owner: str, now: datetime) -> int:
        self.opened.append(sender)
        return len(self.opened)

    def keep_senders(self, owner: str, now: datetime) -> None:
        if self.fails:
            raise OperationalError("", {}, Exception("locked"))
        self.kept.append(owner)

    def close_sender(self, sender_id: int, now: datetime) -> None:
        if self.fails:
            raise OperationalError("", {}, Exception("locked"))
        self.closed.append(sender_id)


class Node:
    def __init__(self, port: int, receiver: Receiver, disk: Disk, rows: Rows) -> None:
        self.port, self.receiver, self.disk, self.rows = port, receiver, disk, rows


@contextmanager
def node(**settings: Any) -> Iterator[Node]:
    disk, rows, port = Disk(), Rows(), free_port()
    receiver = Receiver(ReceiverConfig(**{"port": port, **settings}), disk, rows)
    receiver.start()
    try:
        yield Node(port, receiver, disk, rows)
    finally:
        disk.hold.set()
        receiver.stop(drain_s=5)


def test_success_is_answered_after_the_bytes_are_kept_as_they_came() -> None:
    with node() as here, associated(here.port) as association:
        assert association.send_c_store(small_object(1)).Status == 0x0000
        (kept,) = here.disk.accepted
    assert bytes(kept["encoded"]) == encode(small_object(1), False, True)
    assert kept["sop_class_uid"] == CT
    assert kept["sop_instance_uid"] == "2.25.77771"
    assert kept["transfer_syntax_uid"] == "1.2.840.10008.1.2.1"
    assert kept["sender_id"] == 1


def test_open_rows_are_kept_alive_and_a_database_that_is_away_ends_nothing() -> None:
    with node() as here:
        here.receiver.senders.keep()
        assert here.rows.kept == [this_process()]
        here.rows.fails = True
        here.receiver.senders.keep()


def test_an_echo_is_answered_and_leaves_no_row() -> None:
    with node() as here:
        with associated(here.port) as association:
            assert association.send_c_echo().Status == 0x0000
        assert here.rows.opened == []


@pytest.mark.parametrize(
    ("status", "comment"),
    [
        (0xA700, "less than 2.0 GB free on the storage directory"),
        (0xA900, "data set is of another SOP instance than announced"),
        (0xC000, "x" * 64),
    ],
)
def test_a_refusal_carries_its_status_and_its_comment(status: int, comment: str) -> None:
    with node() as here, associated(here.port) as association:
        here.disk.raises = Refused(status, comment)
        answer = association.send_c_store(small_object(1))
        assert (answer.Status, answer.ErrorComment) == (status, comment)
        here.disk.raises = None
        assert association.send_c_store(small_object(2)).Status == 0x0000


def test_a_comment_never_exceeds_what_its_vr_allows() -> None:
    with node() as here, associated(here.port) as association:
        here.disk.raises = Refused(0xC000, "é" + "y" * 80)
        answer = association.send_c_store(small_object(1))
        assert answer.ErrorComment == "?" + "y" * 63


def test_a_disk_or_database_that_fails_asks_the_sender_to_come_again() -> None:
    with node() as here, associated(here.port) as association:
        for failure in (OSError(5, "I/O error"), OperationalError("", {}, Exception("locked"))):
            here.disk.raises = failure
            answer = association.send_c_store(small_object(1))
            assert answer.Status == 0xA700
            assert "send again" in answer.ErrorComment


def test_private_classes_and_classes_newer_than_the_dictionary_are_stored() -> None:
    newer = UID("1.2.840.10008.5.1.4.1.1.9999.1")
    with node() as here, associated(here.port, sop_classes=(PRIVATE, newer)) as association:
        for number, uid in enumerate((PRIVATE, newer)):
            answer = association.send_c_store(small_object(number, sop_class_uid=uid))
            assert answer.Status == 0x0000
        assert [each["sop_class_uid"] for each in here.disk.accepted] == [PRIVATE, newer]


def test_listed_rejects_contexts_of_what_is_not_interpreted() -> None:
    with node(accept="listed") as here, associated(here.port, sop_classes=(CT, PRIVATE)) as sender:
        assert [each.abstract_syntax for each in sender.accepted_contexts] == [CT]
        assert sender.rejected_contexts[0].result == 3  # abstract syntax not supported


@pytest.mark.parametrize("syntax", [MPEG4, UID("1.2.840.10008.1.2.8.1")])
def test_what_cannot_be_decoded_is_accepted_where_nothing_else_is_offered(syntax: UID) -> None:
    with (
        node() as here,
        associated(here.port, sop_classes=(CT,), transfer_syntaxes=(syntax,)) as association,
    ):
        (context,) = association.accepted_contexts
        assert context.transfer_syntax == [syntax]
    with node() as here:
        wishes = (syntax, ExplicitVRLittleEndian)
        with associated(here.port, sop_classes=(CT,), transfer_syntaxes=wishes) as association:
            (context,) = association.accepted_contexts
            assert context.transfer_syntax == [ExplicitVRLittleEndian]


def test_a_private_transfer_syntax_is_rejected_as_such() -> None:
    with node() as here:
        private = UID("1.2.840.113619.5.2")
        refused = associate(here.port, sop_classes=(CT,), transfer_syntaxes=(private,))
        assert not refused.is_established
        assert refused.rejected_contexts[0].result == 4  # transfer syntaxes not supported


@pytest.mark.parametrize(
    ("settings", "titles", "expected"),
    [
        ({"allowed_called_ae_titles": ("M3NODE",)}, {"called": b"OTHER"}, b"\0\1\1\7"),
        ({"allowed_calling_ae_titles": ("PACS",)}, {"calling": b"CT9"}, b"\0\1\1\3"),
        ({"allowed_peers": (ip_network("10.0.0.0/8"),)}, {}, b"\0\1\1\1"),
    ],
)
def test_whoever_is_off_a_list_is_rejected_for_the_right_reason(
    settings: dict[str, Any], titles: dict[str, bytes], expected: bytes
) -> None:
    with node(**settings) as here, Wire(here.port) as sender:
        sender.sends(request(**titles))
        assert sender.answer() == (ASSOCIATE_RJ, expected)
        assert here.receiver.open_associations() == 0


def test_one_association_too_many_is_rejected_for_now_only() -> None:
    with node(max_associations=1) as here:
        with associated(here.port), Wire(here.port) as second:
            second.sends(request())
            assert second.answer() == (ASSOCIATE_RJ, b"\0\2\3\2")
        wait_until(lambda: here.receiver.open_associations() == 0, "the first one has ended")
        with associated(here.port):
            pass


def test_the_row_of_an_association_is_closed_when_it_is_released() -> None:
    with node() as here:
        with associated(here.port, calling="CT7") as association:
            association.send_c_store(small_object(1))
            association.send_c_store(small_object(2))
            assert here.rows.closed == []
        wait_until(lambda: here.rows.closed == [1], "the row is closed")
        (opened,) = here.rows.opened
        assert (opened.name, opened.called, opened.peer) == (
            "CT7",
            "M3NODE",
            "127.0.0.1",
        )


def test_the_row_of_an_aborted_association_is_closed() -> None:
    with node() as here:
        association = associate(here.port)
        association.send_c_store(small_object(1))
        association.abort()
        wait_until(lambda: here.rows.closed == [1], "the row is closed")


def test_the_row_of_a_lost_connection_is_closed() -> None:
    with node() as here:
        association = associate(here.port)
        association.send_c_store(small_object(1))
        connection = association.dul.socket.socket
        connection.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: here.rows.closed == [1], "the row is closed")
        association.abort()


def test_a_sender_that_falls_silent_in_the_middle_of_a_pdu_is_given_up() -> None:
    with node(network_timeout_s=0.3) as here:
        association = associate(here.port)
        association.send_c_store(small_object(1))
        association.dul.socket.socket.sendall(b"\x04\x00\x00\x00\x10\x00half")
        wait_until(lambda: here.rows.closed == [1], "the row is closed")
        association.abort()


def test_a_row_that_cannot_be_closed_now_is_closed_later() -> None:
    with node() as here:
        here.rows.fails = True
        with associated(here.port) as association:
            association.send_c_store(small_object(1))
        wait_until(lambda: here.receiver.open_associations() == 0, "it has ended")
        here.rows.fails = False
        here.receiver.senders.close_left_over()
        wait_until(lambda: here.rows.closed == [1], "the row is closed")


def test_two_hundred_port_probes_leave_no_thread_and_no_row() -> None:
    with node() as here:
        before = threading.active_count()
        for _ in range(200):
            socket.create_connection(("127.0.0.1", here.port)).close()
        wait_until(lambda: threading.active_count() <= before, "the probes' threads have ended")
        with associated(here.port) as association:
            assert association.send_c_echo().Status == 0x0000
        assert here.rows.opened == []


def test_a_peer_that_speaks_http_is_hung_up_on() -> None:
    with node() as here:
        with socket.create_connection(("127.0.0.1", here.port), timeout=5) as browser:
            browser.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with suppress(ConnectionResetError):
                assert browser.recv(10) == b""
        assert here.receiver.open_associations() == 0


def test_threads_end_with_their_associations() -> None:
    with node() as here:
        before = threading.active_count()
        for number in range(5):
            with associated(here.port) as association:
                association.send_c_store(small_object(number))
        wait_until(lambda: threading.active_count() <= before, "the associations' threads ended")


def test_stopping_lets_an_open_association_finish_and_takes_no_new_one() -> None:
    with node() as here:
        association = associate(here.port)
        stopping = threading.Thread(target=here.receiver.stop, kwargs={"drain_s": 10})
        stopping.start()
        wait_until(lambda: not _listens(here.port), "nobody listens any more")
        assert association.send_c_store(small_object(1)).Status == 0x0000
        association.release()
        stopping.join(5)
        assert not stopping.is_alive()
        assert here.rows.closed == [1]


def test_stopping_aborts_an_association_that_does_not_end() -> None:
    with node() as here:
        association = associate(here.port)
        association.send_c_store(small_object(1))
        here.receiver.stop(drain_s=0.1)
        wait_until(lambda: association.is_aborted, "the sender sees the abort")
        assert here.rows.closed == [1]


def test_a_port_that_is_taken_is_a_mistake_in_the_configuration() -> None:
    with node() as here:
        second = Receiver(ReceiverConfig(port=here.port), Disk(), Rows())
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{here.port}"):
            second.start()


def test_logs_name_no_patient(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with node() as here, associated(here.port) as association:
        association.send_c_store(small_object(1))
        here.disk.raises = Refused(0xC000, "no Study Instance UID")
        association.send_c_store(small_object(2))
    assert "store.refused" in {getattr(record, "action", "") for record in caplog.records}
    ours = [record for record in caplog.records if record.name.startswith("node")]
    assert not any("Doe" in str(vars(record)) or "secret" in str(vars(record)) for record in ours)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
