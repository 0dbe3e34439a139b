"""Clients that are slow, endless or many, over real sockets: each is cut off, and others served."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from node.web import connection as module
from tests.node.core.facts_of import STUDY
from tests.node.web.dicomweb.posting import MULTIPART, image, multipart, post
from tests.node.web.serving import Served, serving
from tests.peers import wait_until

SILENCE_S = 0.6
HEAD = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {MULTIPART}\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    sections = {"receiver": {"network_timeout_s": SILENCE_S, "max_object_mb": 1}}
    with serving(tmp_path_factory.mktemp("web"), **sections) as it:
        yield it


def connected(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=20)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def drips(connection: socket.socket, drop: bytes, *, every_s: float = 0.05) -> bytes:
    """Sends until it is cut off; what was said then."""
    connection.settimeout(every_s)
    said = b""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            connection.sendall(drop)
            received = connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not received:
            return said
        said += received
    raise AssertionError("it was not cut off")


def asks_for_ever(connection: socket.socket, request: bytes) -> None:
    """Sends, and reads nothing; raises what ends it, a TimeoutError if nothing does."""
    while True:
        with suppress(TimeoutError):
            connection.settimeout(SILENCE_S / 4)
            connection.sendall(request)
            continue
        connection.settimeout(20)
        connection.sendall(request)


def rest_of(connection: socket.socket) -> bytes:
    """What is said until the end."""
    said = b""
    try:
        while received := connection.recv(65536):
            said += received
    except ConnectionError:
        pass
    return said


def test_whoever_connects_and_says_nothing_is_cut_off(served: Served) -> None:
    with connected(served) as connection:
        assert rest_of(connection) == b""


def test_a_head_that_comes_a_byte_at_a_time_is_cut_off(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert drips(connection, b"a") == b""


def test_a_head_without_end_is_refused_with_431(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * (400 << 10))
        assert rest_of(connection).startswith(b"HTTP/1.1 431 ")
    with connected(served) as connection:
        connection.sendall(b"GET /" + b"a" * (400 << 10))
        assert rest_of(connection).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_comes_a_byte_at_a_time_is_cut_off(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(CHUNKED + chunk(b"--0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1\r\n"))
        assert drips(connection, chunk(b"a")) == b""


@pytest.mark.parametrize("endless", [b"5;" + b"x" * 1000, b"0\r\nTrailer: " + b"x" * 1000])
def test_what_stands_between_chunks_is_no_body_and_is_cut_off(
    served: Served, endless: bytes
) -> None:
    with connected(served) as connection:
        connection.sendall(CHUNKED + endless)
        drips(connection, b"x" * 50)


def test_a_body_without_end_is_cut_off_and_told_so(served: Served) -> None:
    opening = multipart([image(0)]).removesuffix(b"--\r\n") + b"\r\n\r\n"
    with connected(served) as connection:
        connection.sendall(CHUNKED + chunk(opening + image(1)))
        said, sent = b"", 0
        filler = chunk(bytes(64 << 10))
        while not said and sent < 400:
            connection.settimeout(20)
            connection.sendall(filler)
            sent += 1
            connection.settimeout(0.0005)
            try:
                said = connection.recv(65536)
            except TimeoutError:
                continue
        connection.settimeout(20)
        said += connection.recv(65536)
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b'"00081197":{"vr":"US","Value":[49152]}' in said
        assert drips(connection, filler, every_s=0.01) == b""


def test_a_million_parts_are_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.web.dicomweb.transaction.MOST_PARTS", 1000)
    answer = post(served, multipart([b""] * 50_000))
    assert answer.status_code == 413
    assert len(answer.json()["0008119A"]["Value"]) == 1000


def test_the_header_of_a_part_without_end_is_400_before_its_end(served: Served) -> None:
    with connected(served) as connection:
        opening = b"--0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1\r\nX: "
        connection.sendall(CHUNKED + chunk(opening + b"a" * 20_000))
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_client_that_never_reads_its_answer_is_cut_off(served: Served) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", served.port))
        connection.settimeout(5)
        with pytest.raises(ConnectionError):
            asks_for_ever(connection, get)
    assert served.get("/healthz").ok


def test_a_client_that_does_not_read_a_long_answer_is_cut_off(served: Served) -> None:
    slices = [image(100 + number, PixelData=bytes(900 << 10)) for number in range(16)]
    assert post(served, multipart(slices)).status_code == 200
    get = f"GET /dicom-web/studies/{STUDY} HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", served.port))
        connection.sendall(get.encode())
        watched = select.poll()
        watched.register(connection, 0)  # errors and the end are told in any case
        assert watched.poll(20_000)
    assert served.get("/healthz").ok


def test_requests_that_are_sent_far_ahead_end_the_connection(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        assert rest_of(connection).count(b"HTTP/1.1 200") < 100


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"A-ASSOCIATE-RQ\0\0\0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_so(served: Served, sent: bytes) -> None:
    with connected(served) as connection:
        connection.sendall(sent)
        said = rest_of(connection)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.endswith(b'{"status": 400, "error": "what came is no HTTP request"}')


def test_of_too_many_connections_the_longest_idle_gives_way(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 3)
    with ExitStack() as held:
        first, *others = [held.enter_context(connected(served)) for _ in range(4)]
        assert rest_of(first) == b""
        others[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert others[-1].recv(12) == b"HTTP/1.1 200"


def test_slow_clients_do_no_harm_to_others(served: Served) -> None:
    with ExitStack() as held:
        slow = [held.enter_context(connected(served)) for _ in range(50)]
        for each in slow[:30]:
            each.sendall(b"GET /healthz HTTP/1.1\r\nX: a")
        for each in slow[30:]:
            each.sendall(CHUNKED)
        begun = time.monotonic()
        answer = post(served, multipart([image(3)]))
        assert (answer.status_code, time.monotonic() - begun < 5) in ((200, True), (503, True))
        for each in slow:
            assert rest_of(each) == b""
    wait_until(lambda: post(served, multipart([image(3)])).status_code == 200, "all is well")


def test_nothing_that_a_client_was_cut_off_with_is_left(served: Served) -> None:
    parts: Path = served.services.spool.directory / "parts"
    wait_until(lambda: not list(parts.iterdir()), "nothing half-written stays")
