"""DICOM over TLS: who is let in, who is not, and what nobody can do to the others (PS3.15 B.12)."""

import logging
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

import pytest

from node.config import ReceiverTLSConfig
from node.core.errors import ConfigError
from node.dicom.tls import calling
from node.inbound.dimse import connections
from tests.certificates import Authority, Holder, authority
from tests.node.inbound.dimse.senders_of_bytes import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    RELEASE,
    RELEASE_RP,
    Wire,
    request,
    store,
)
from tests.node.inbound.dimse.test_odd_senders import object_of
from tests.node.inbound.dimse.test_receiver import Node, node
from tests.peers import free_port, wait_until
from tests.required import require_binary


@dataclass
class Hospital:
    """An authority, the node's certificate and a scanner's."""

    authority: Authority
    node: Holder
    scanner: Holder

    def tls(self, **settings: Any) -> ReceiverTLSConfig:
        return ReceiverTLSConfig(
            **{
                "port": free_port(),
                "certificate_file": self.node.certificate_file,
                "key_file": self.node.key_file,
                "ca_file": self.authority.ca_file,
                **settings,
            }
        )

    def wire(
        self,
        here: Node,
        holder: Holder | None,
        *,
        most: Literal["1.2", "1.3"] = "1.3",
        trusted: Path | None = None,
    ) -> Wire:
        """A sender that has shaken hands with the node, and shows the holder's certificate."""
        context = calling(
            ca_file=trusted or self.authority.ca_file,
            certificate_file=holder and holder.certificate_file,
            key_file=holder and holder.key_file,
            compares_name=True,
        )
        if most == "1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        made = Wire(tls_port(here))
        try:
            made.socket = context.wrap_socket(made.socket, server_hostname="127.0.0.1")
        except BaseException:
            made.socket.close()
            raise
        return made


def tls_port(here: Node) -> int:
    return here.receiver._config.ports["receiver.tls.port"]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    ca = authority(tmp_path_factory.mktemp("tls"))
    return Hospital(ca, ca.issue("m3node"), ca.issue("ct1"))


@pytest.fixture
def here(hospital: Hospital) -> Iterator[Node]:
    with node(tls=hospital.tls(), network_timeout_s=5) as made:
        yield made


def said(caplog: pytest.LogCaptureFixture, action: str) -> list[dict[str, Any]]:
    return [r.fields for r in caplog.records if getattr(r, "action", "") == action]


@contextmanager
def refused() -> Iterator[None]:
    """The node ends the handshake, or the connection right after it."""
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        yield


@pytest.mark.parametrize("most", ["1.2", "1.3"])
def test_a_sender_that_the_authority_vouches_for_is_served(
    here: Node, hospital: Hospital, most: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="node")
    with hospital.wire(here, hospital.scanner, most=most) as sender:
        assert sender.asks() == ASSOCIATE_AC
        sender.sends(store(object_of(1), b"2.25.77771"))
        assert sender.status() == 0x0000
        sender.sends(RELEASE)
        assert sender.answer()[0] == RELEASE_RP
        assert sender.socket.recv(1) == b""  # TLS is closed as it should be, not cut off
    (line,) = said(caplog, "association.delivers")
    assert line["tls"].startswith(f"TLSv{most} ")
    assert line["tls"].endswith(", CN=ct1")
    assert [each["encoded"] for each in here.disk.accepted] == [object_of(1)]


def test_nobody_else_is(
    here: Node, hospital: Hospital, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a certificate, with a stranger's, with one that has ended."""
    stranger = authority(tmp_path, "Stranger CA").issue("ct1")
    ended = hospital.authority.issue("ct1", days=-1, into=tmp_path / "ended")
    words = ["it showed no certificate", "unable to get local issuer", "certificate has expired"]
    for holder, reason in zip((None, stranger, ended), words, strict=True):
        caplog.clear()
        with refused(), hospital.wire(here, holder) as sender:
            sender.asks()
        wait_until(lambda: bool(said(caplog, "connection.refused")), "it is refused")
        (line,) = said(caplog, "connection.refused")
        assert reason in line["because"]
        assert line["peer"] == "127.0.0.1"
    assert here.disk.accepted == []


def test_a_certificate_may_be_left_out_where_it_is_optional_and_is_judged_where_it_is_shown(
    hospital: Hospital, tmp_path: Path
) -> None:
    stranger = authority(tmp_path, "Stranger CA").issue("ct1")
    with node(tls=hospital.tls(client_certificate="optional")) as here:
        for holder in (None, hospital.scanner):
            with hospital.wire(here, holder) as sender:
                assert sender.asks() == ASSOCIATE_AC
        with refused(), hospital.wire(here, stranger) as sender:
            sender.asks()
    with node(tls=hospital.tls(client_certificate="none", ca_file=None)) as here:
        for holder in (None, stranger):
            with hospital.wire(here, holder) as sender:
                assert sender.asks() == ASSOCIATE_AC


def test_a_peers_own_certificate_may_be_trusted_instead_of_an_authority(
    hospital: Hospital, tmp_path: Path
) -> None:
    one = authority(tmp_path, "Vendor CA").issue("ct1")
    with node(tls=hospital.tls(ca_file=one.certificate_file)) as here:
        with hospital.wire(here, one, trusted=hospital.node.certificate_file) as sender:
            assert sender.asks() == ASSOCIATE_AC
        with refused(), hospital.wire(here, hospital.scanner) as sender:
            sender.asks()


def test_dicom_in_the_clear_on_the_port_for_tls_is_rejected_with_its_titles_in_the_log(
    here: Node, caplog: pytest.LogCaptureFixture
) -> None:
    with Wire(tls_port(here)) as sender:
        sender.sends(request(calling=b"CT1"))
        assert sender.answer() == (ASSOCIATE_RJ, b"\0\1\1\1")
    (line,) = said(caplog, "association.rejected")
    assert (line["calling_ae"], line["peer"]) == ("CT1", "127.0.0.1")
    assert line["because"] == "it spoke in the clear where TLS is spoken"


def test_tls_on_the_plain_port_and_other_protocols_on_either_are_refused(
    here: Node, hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    context = calling(
        ca_file=hospital.authority.ca_file, certificate_file=None, key_file=None, compares_name=True
    )
    with Wire(here.port) as sender, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sender.socket, server_hostname="127.0.0.1")
    for port in (here.port, tls_port(here)):
        with Wire(port) as sender:
            sender.sends(b"GET / HTTP/1.1\r\n\r\n")
            assert sender.ended()
    assert [line["because"] for line in said(caplog, "connection.refused")] == [
        "TLS came where DICOM is spoken in the clear",
        "a PDU of type 47 came",
        "what came is neither TLS nor DICOM",
    ]


def test_an_address_that_is_not_allowed_is_hung_up_on_before_any_handshake(
    hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        node(tls=hospital.tls(), allowed_peers=(ip_network("10.0.0.0/8"),)) as here,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        hospital.wire(here, hospital.scanner)
    (line,) = said(caplog, "association.rejected")
    assert line["because"] == "address not in allowed_peers"


def test_the_plain_port_can_be_left_out(hospital: Hospital) -> None:
    tls = hospital.tls()
    with node(tls=tls, port=0) as here:
        assert here.receiver._config.ports == {"receiver.tls.port": tls.port}
        with hospital.wire(here, hospital.scanner) as sender:
            assert sender.asks() == ASSOCIATE_AC


def test_old_versions_are_not_spoken(hospital: Hospital) -> None:
    with node(tls=hospital.tls(minimum_version="1.3")) as here:
        with refused():
            hospital.wire(here, hospital.scanner, most="1.2")
        with hospital.wire(here, hospital.scanner) as sender:
            assert sender.asks() == ASSOCIATE_AC


def test_pdus_and_records_need_not_begin_or_end_together(here: Node, hospital: Hospital) -> None:
    """A record a byte; then all at once, so that much lies decrypted before it is asked for."""
    with hospital.wire(here, hospital.scanner) as sender:
        for byte in request():
            sender.sends(bytes((byte,)))
        assert sender.answer()[0] == ASSOCIATE_AC
        stores = [store(object_of(n) + bytes(40_000), b"2.25.7777%d" % n) for n in range(9)]
        sender.sends(b"".join([*stores, RELEASE]))
        assert [sender.status() for _ in range(9)] == [0x0000] * 9
        assert sender.answer()[0] == RELEASE_RP
    assert [each["encoded"] for each in here.disk.accepted] == [
        object_of(n) + bytes(40_000) for n in range(9)
    ]


def test_deadlines_hold_within_tls(hospital: Hospital) -> None:
    """A byte a record now and then, for ever."""
    with (
        node(tls=hospital.tls(), network_timeout_s=1.0) as here,
        hospital.wire(here, hospital.scanner) as sender,
    ):
        sender.asks()
        started = time.monotonic()
        sender.socket.settimeout(0.05)
        answered = b""
        for byte in store(object_of(1), b"2.25.77771"):
            # One thread for both: those of two must not meet in one TLS connection.
            with suppress(OSError):
                sender.sends(bytes((byte,)))
            with suppress(TimeoutError):
                answered = sender.socket.recv(1)
                break
        assert answered == bytes((ABORT,))
        assert time.monotonic() - started < 4


def test_new_keys_without_end_keep_no_association_alive(hospital: Hospital) -> None:
    openssl = require_binary("openssl", "openssl")
    with node(tls=hospital.tls(), network_timeout_s=1.0) as here:
        process = subprocess.Popen(
            [
                *(openssl, "s_client", "-connect", f"127.0.0.1:{tls_port(here)}"),
                *("-cert", str(hospital.scanner.certificate_file)),
                *("-key", str(hospital.scanner.key_file)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        started = time.monotonic()
        try:
            with suppress(OSError):
                while process.poll() is None and time.monotonic() - started < 15:
                    process.stdin.write(b"K\n")  # an update of the keys, and one asked for
                    process.stdin.flush()
            assert 0.9 < time.monotonic() - started < 10
        finally:
            process.kill()
            process.wait()
            with suppress(OSError):
                process.stdin.close()


def test_a_handshake_that_never_ends_shuts_nobody_out(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that send a part of it, or nothing; the accept loop waits for none."""
    monkeypatch.setattr(connections, "MOST_REQUESTS_OF_ONE", 8)
    before = threading.active_count()
    with node(tls=hospital.tls(), network_timeout_s=3) as here:
        half = []
        for number in range(300):
            with suppress(OSError):  # those before it are hung up on meanwhile
                sender = Wire(tls_port(here))
                half.append(sender)
                sender.sends(b"\x16\x03\x01\x02\x00\x01"[: number % 7])
        started = time.monotonic()
        with hospital.wire(here, hospital.scanner) as honest:
            assert honest.asks() == ASSOCIATE_AC
        assert time.monotonic() - started < 5
        for each in half:
            each.socket.close()
        wait_until(lambda: not here.receiver._connections.all(), "all are gone")
    wait_until(lambda: threading.active_count() <= before, "their threads have ended")


def test_one_handshake_that_stands_still_is_given_up_in_time(
    hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    with node(tls=hospital.tls(), network_timeout_s=0.5) as here:
        for sent in (b"", b"\x16", b"\x16\x03\x01\x02\x00"):
            with Wire(tls_port(here)) as sender:
                started = time.monotonic()
                sender.sends(sent)
                assert sender.ended()
                assert time.monotonic() - started < 3
        assert [line["because"] for line in said(caplog, "connection.refused")] == [
            "it sent nothing, where a TLS handshake was awaited",
            "the TLS handshake was not over in time",
            "the TLS handshake was not over in time",
        ]


@pytest.mark.parametrize("length", [0, 5, 1 << 14, (1 << 24) - 1])
def test_a_client_hello_of_any_length_costs_nothing(here: Node, length: int) -> None:
    hello = b"\1" + length.to_bytes(3, "big")
    record = struct.pack(">BHH", 0x16, 0x0301, 1 << 14)
    with Wire(tls_port(here)) as sender:
        with suppress(OSError):
            for _ in range(600):
                sender.sends(record + hello.ljust(1 << 14, b"\0"))
                hello = b""
        assert sender.ended()


def test_no_renegotiation(here: Node, hospital: Hospital) -> None:
    openssl = require_binary("openssl", "openssl")
    done = subprocess.run(
        [
            *(openssl, "s_client", "-connect", f"127.0.0.1:{tls_port(here)}", "-tls1_2"),
            *("-cert", str(hospital.scanner.certificate_file)),
            *("-key", str(hospital.scanner.key_file)),
        ],
        input=b"R\n",
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert b"no renegotiation" in done.stderr


def replaced(holder: Holder, by: Holder) -> None:
    shutil.copy(by.certificate_file, holder.certificate_file)
    shutil.copy(by.key_file, holder.key_file)


def test_certificates_are_replaced_while_associations_run(
    hospital: Hospital, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ca = hospital.authority
    shown = ca.issue("m3node", into=tmp_path / "shown")
    newer = ca.issue("m3node renewed", into=tmp_path / "newer")
    tls = hospital.tls(certificate_file=shown.certificate_file, key_file=shown.key_file)
    with node(tls=tls) as here, hospital.wire(here, hospital.scanner) as running:
        assert running.asks() == ASSOCIATE_AC
        shutil.copy(newer.certificate_file, shown.certificate_file)  # its key is not there yet
        with hospital.wire(here, hospital.scanner) as sender:
            assert _subject(sender) == "m3node"
        (line,) = [r for r in caplog.records if r.action == "receiver.certificates_unusable"]
        assert "is not of the certificate in" in str(line.exc_info[1])
        shutil.copy(newer.key_file, shown.key_file)
        with hospital.wire(here, hospital.scanner) as sender:
            assert _subject(sender) == "m3node renewed"
        running.sends(store(object_of(1), b"2.25.77771"))
        assert running.status() == 0x0000


def test_what_has_become_unreadable_is_said_once_and_the_old_goes_on(
    hospital: Hospital, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = hospital.authority.issue("m3node", into=tmp_path / "own")
    trusted = tmp_path / "trusted.pem"
    shutil.copy(hospital.authority.ca_file, trusted)
    tls = hospital.tls(
        certificate_file=own.certificate_file, key_file=own.key_file, ca_file=trusted
    )
    with node(tls=tls) as here:
        for file in (own.key_file, trusted, own.certificate_file):
            caplog.clear()
            file.rename(file.with_suffix(".away"))
            os.mkdir(file)  # root reads whatever chmod says
            for _ in range(3):
                here.receiver.look_at_certificates()
                with hospital.wire(here, hospital.scanner) as sender:
                    assert sender.asks() == ASSOCIATE_AC
            actions = [r.action for r in caplog.records]
            assert actions.count("receiver.certificates_unusable") == 1


def test_whom_a_new_file_of_authorities_does_not_name_is_out(
    hospital: Hospital, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    shutil.copy(hospital.authority.ca_file, trusted)
    with node(tls=hospital.tls(ca_file=trusted)) as here:
        with hospital.wire(here, hospital.scanner) as sender:
            assert sender.asks() == ASSOCIATE_AC
        shutil.copy(authority(tmp_path, "New CA").ca_file, trusted)
        with refused(), hospital.wire(here, hospital.scanner) as sender:
            sender.asks()


def test_a_node_that_cannot_show_a_certificate_does_not_start(hospital: Hospital) -> None:
    absent = hospital.tls(key_file=Path("/absent.key"))
    with (
        pytest.raises(ConfigError, match=r"^receiver\.tls: /absent\.key cannot be read"),
        node(tls=absent),
    ):
        raise AssertionError("it has started")


def test_a_certificate_that_ends_soon_is_a_warning_at_the_start(
    hospital: Hospital, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="node")
    soon = hospital.authority.issue("m3node", days=12, into=tmp_path)
    tls = hospital.tls(certificate_file=soon.certificate_file, key_file=soon.key_file)
    with node(tls=tls):
        (record,) = [r for r in caplog.records if r.action == "receiver.certificate"]
        assert (record.levelname, record.fields["days_left"]) == ("WARNING", 12)


def test_a_node_that_stops_hangs_up_on_those_that_do_not_end(hospital: Hospital) -> None:
    with (
        node(tls=hospital.tls(), network_timeout_s=5) as here,
        hospital.wire(here, hospital.scanner) as sender,
    ):
        sender.asks()
        here.receiver.stop(drain_s=0.1)
        assert sender.ended()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", here.port)) != 0


def _subject(sender: Wire) -> str:
    assert isinstance(sender.socket, ssl.SSLSocket)
    said = sender.socket.getpeercert() or {}
    return str(dict(pair for part in said["subject"] for pair in part)["commonName"])
