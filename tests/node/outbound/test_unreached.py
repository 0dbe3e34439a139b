"""Each way of not being reached has a sentence of its own, and the patience that it deserves."""

import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.calling.unreached import unreached
from node.config import DestinationConfig, DicomwebDestination, DimseDestination
from node.core.errors import DestinationError, DestinationNotReady, DestinationUnreachable
from node.outbound.connect import connect
from tests.node.outbound.answering import answering
from tests.node.outbound.raw import speaking
from tests.peers import free_port


def dimse(port: int, host: str = "127.0.0.1") -> DimseDestination:
    return DimseDestination(name="pacs", host=host, port=port, ae_title="PACS", timeout_s=3)


def web(port: int, scheme: str = "http", **more: Path) -> DicomwebDestination:
    return DicomwebDestination(name="web", url=f"{scheme}://127.0.0.1:{port}", timeout_s=3, **more)


def said(config: DestinationConfig) -> tuple[type[DestinationError], str]:
    with pytest.raises(DestinationError) as caught:
        connect(config).verify()
    return type(caught.value), str(caught.value)


def reset(connection: socket.socket) -> None:
    connection.recv(6)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close(connection: socket.socket) -> None:
    connection.recv(1 << 16)


def says(words: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(words)

    return talk


def test_a_refused_port_a_reset_and_a_closed_connection_are_told_apart() -> None:
    port = free_port()
    for config in (dimse(port), web(port)):
        kind, words = said(config)
        assert kind is DestinationUnreachable
        assert "accepts no connection: nothing listens on that port, or a firewall" in words
    with speaking(reset) as port:
        assert said(web(port)) == (
            DestinationUnreachable,
            f"http://127.0.0.1:{port} reset the connection",
        )
        assert said(dimse(port)) == (
            DestinationUnreachable,
            f"PACS at 127.0.0.1:{port} reset the connection instead of answering the association "
            "request",
        )
    with speaking(close) as port:
        assert said(web(port)) == (
            DestinationUnreachable,
            f"http://127.0.0.1:{port} closed the connection without an answer",
        )
        assert said(dimse(port)) == (
            DestinationUnreachable,
            f"PACS at 127.0.0.1:{port} closed the connection instead of answering the association "
            "request",
        )


def test_a_name_that_nobody_knows_is_said() -> None:
    for config in (
        dimse(104, host="pacs.invalid"),
        DicomwebDestination(name="web", url="http://pacs.invalid/dicom-web", timeout_s=3),
    ):
        kind, words = said(config)
        assert kind is DestinationUnreachable
        assert "pacs.invalid" in words
        assert words.endswith(": DNS does not know the name of the host")


def test_a_black_hole_and_a_missing_route_are_told_apart() -> None:
    silent = unreached("PACS at 10.9.8.7:104", TimeoutError(), timeout_s=30)
    assert str(silent) == (
        "PACS at 10.9.8.7:104 was silent for 30 s: it is down or busy, or a firewall drops what is "
        "sent to it"
    )
    no_route = unreached("PACS at 10.9.8.7:104", OSError(113, "No route to host"), timeout_s=30)
    assert str(no_route) == "PACS at 10.9.8.7:104: there is no route to the host"
    unknown = unreached("PACS", ValueError("Müller^Anna"), timeout_s=30)
    assert str(unknown) == "PACS was not reached (ValueError)"


@pytest.mark.parametrize(
    ("words", "tells"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers in HTTP: it is the port of a web server"),
        (b"\x15\x03\x03\x00\x02\x02\x16", "answers with an alert of TLS: it wants an encrypted"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "answers in SSH: it is the port of a shell"),
        (b"220 mail ESMTP\r\n", "answers with something that is not DICOM"),
    ],
)
def test_whoever_speaks_something_else_on_the_dicom_port_is_told_by_it(
    words: bytes, tells: str
) -> None:
    with speaking(says(words)) as port:
        kind, sentence = said(dimse(port))
    assert kind is DestinationNotReady
    assert f"PACS at 127.0.0.1:{port} {tells}" in sentence


def test_an_scp_behind_a_url_is_told() -> None:
    with speaking(says(b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x00")) as port:
        kind, words = said(web(port))
        assert kind is DestinationNotReady
        assert "answered something that is not HTTP" in words


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    options = "-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test"
    options += " -addext subjectAltName=IP:127.0.0.1 -keyout - -out -"
    command = ["openssl", "req", *options.split()]
    made = subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(made.stdout)
    return file


@pytest.fixture
def secured(certificate: Path) -> Iterator[int]:
    """The port of a web server over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1 << 16)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    with speaking(talk) as port:
        yield port


def test_a_certificate_and_a_scheme_that_do_not_fit_are_told(
    certificate: Path, secured: int
) -> None:
    connect(web(secured, "https", ca_file=certificate)).verify()
    kind, words = said(web(secured, "https"))
    assert kind is DestinationNotReady
    assert "its certificate is not trusted (self-signed certificate); see ca_file" in words
    by_name = DicomwebDestination(
        name="web", url=f"https://localhost:{secured}", ca_file=certificate, timeout_s=3
    )
    assert "its certificate is not trusted (Hostname mismatch" in said(by_name)[1]
    with answering() as server:
        kind, words = said(web(server.port, "https"))
        assert (kind, "does not speak TLS there" in words) == (DestinationNotReady, True)
