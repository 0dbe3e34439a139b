"""Peers that misbehave: a server of raw bytes, and a Storage SCP that is tampered with."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

DRIP_S = 0.05
"""Between two bytes of a peer that drips: well within any timeout of these tests."""


@contextmanager
def speaking(talk: Callable[[socket.socket], None], *, port: int = 0) -> Iterator[int]:
    """A TCP server, by its port; `talk` is done with every connection, in a thread of its own."""
    talks: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connections.append(connection)
                thread = threading.Thread(target=one, args=(connection,))
                talks.append(thread)
                thread.start()

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk(connection)

    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            for each in (listening, *connections):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for talking in talks:
                talking.join(5)


def drip(connection: socket.socket, data: bytes) -> None:
    """A byte at a time, for as long as the connection stands."""
    for byte in data:
        connection.sendall(bytes([byte]))
        if ended(connection, DRIP_S):
            return


def ended(connection: socket.socket, seconds: float) -> bool:
    """Whether the peer closes the connection within so long; what it sends meanwhile is dropped."""
    connection.settimeout(seconds)
    try:
        return connection.recv(1 << 16) == b""
    except TimeoutError:
        return False
    finally:
        connection.settimeout(None)


def keeps_silent(connection: socket.socket) -> None:
    """It reads, and says nothing, until the peer gives up."""
    while connection.recv(1 << 16):
        pass


@contextmanager
def tampered(port: int, answer: Callable[[socket.socket, bytes, bytes], None]) -> Iterator[int]:
    """In front of the SCP at this port: what it answers goes through `answer`, PDU by PDU.

    answer : is given the connection to the caller, the type of the PDU and the whole PDU
    """

    def talk(caller: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as scp:
            back = threading.Thread(target=answers, args=(caller, scp))
            back.start()
            with suppress(OSError):
                while data := caller.recv(1 << 16):
                    scp.sendall(data)
            with suppress(OSError):  # pynetdicom closes what is aborted, and nothing else
                scp.sendall(b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00")
            back.join(5)

    def answers(caller: socket.socket, scp: socket.socket) -> None:
        with suppress(OSError, struct.error):
            while True:
                head = exactly(scp, 6)
                pdu = head + exactly(scp, struct.unpack(">BBL", head)[2])
                answer(caller, head[:1], pdu)
        with suppress(OSError):
            while scp.recv(1 << 16):  # unread, it would be reset
                pass

    def exactly(scp: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count and (more := scp.recv(count - len(data))):
            data += more
        return data

    with speaking(talk) as front:
        yield front
