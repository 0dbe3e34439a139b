"""What a web server says in words is quoted nowhere, and nothing that it says breaks anything."""

import socket

import pytest

from node.config import DicomwebDestination
from node.core.errors import DestinationError, DestinationNotReady
from node.outbound.connect import connect
from tests.node.outbound.raw import speaking


def told(answer: str) -> DestinationError:
    """What is made of an answer to a search."""

    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(f"{answer}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))

    with speaking(talk) as port:
        config = DicomwebDestination(name="web", url=f"http://127.0.0.1:{port}", timeout_s=3)
        with pytest.raises(DestinationError) as caught:
            connect(config).verify()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("HTTP/1.1 404 No Müller^Anna here\x1b[2J", "answered HTTP 404 Not Found; nothing is at"),
        ("HTTP/1.1 599 Müller^Anna\x9b2J", "answered HTTP 599"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://\x1b[2Jm\xfcller^anna/login",
            "answered HTTP 302 Found: it redirects; put",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://[login",
            "answered HTTP 302 Found: it redirects; put",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://login_2.example:8443/?as=Müller",
            "it redirects to login_2.example; put",
        ),
    ],
)
def test_of_what_a_server_says_in_words_nothing_is_quoted(answer: str, says: str) -> None:
    words = str(told(answer))
    assert says in words
    assert words.isascii()
    assert words.isprintable()


@pytest.mark.parametrize(
    "retry_after",
    ["9" * 400, "Mon, 01 Jan 2035 00:00:00 +99999999999999999999", "\x1b[2J", "٣"],
)
def test_a_pause_that_is_none_is_no_pause(retry_after: str) -> None:
    answer = "HTTP/1.1 401 Unauthorized\r\nRetry-After: "
    error = told(answer + retry_after.encode().decode("latin-1"))
    assert isinstance(error, DestinationNotReady)
    assert error.retry_after_s is None
