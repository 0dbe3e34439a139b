"""An association that is asked for: what comes of it is told as it came."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from pynetdicom import transport
from pynetdicom.association import Association

from m3net.uids import StudyInstanceUID
from node.calling import association
from node.calling.association import Call, associated, echo
from node.config import DimseDestination, DimseSource
from node.core.errors import DestinationNotReady, DestinationUnreachable
from node.inbound.dimse import upper_layer
from node.pull import dimse
from node.pull.dimse import QueryRetrieveProvider
from tests.node.inbound.dimse.senders_of_bytes import A_ABORT
from tests.node.outbound.raw import speaking
from tests.peers import wait_until


class _Late(threading.Event):
    """The caller's thread goes on only when the peer has seen the connection's end."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__()
        self._over = over

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(timeout) and self._over.wait(10)


def test_a_rejection_that_is_faster_than_the_caller_is_a_rejection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    why = upper_layer.Rejection(result=1, source=1, diagnostic=3, because="")

    def reject(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(upper_layer.reject(why))
            while connection.recv(1 << 16):
                pass
        over.set()

    of_pynetdicom = transport.AssociationSocket.__init__

    def made(
        self: transport.AssociationSocket,
        assoc: Association,
        client_socket: socket.socket | None = None,
        address: transport.AddressInformation | None = None,
    ) -> None:
        of_pynetdicom(self, assoc, client_socket, address)
        self._ready = _Late(over)

    monkeypatch.setattr(transport.AssociationSocket, "__init__", made)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = threading.Thread(target=reject, args=(listening,))
        peer.start()
        called = DimseDestination(
            name="pacs", host="127.0.0.1", port=listening.getsockname()[1], ae_title="PACS"
        )
        with pytest.raises(DestinationNotReady, match="rejected the association: Calling AE"):
            echo(called)
        peer.join()


def _echo(port: int) -> None:
    echo(DimseDestination(name="pacs", host="127.0.0.1", port=port, ae_title="PACS"))


def _find(port: int) -> None:
    pacs = DimseSource(name="pacs", host="127.0.0.1", port=port, ae_title="PACS")
    QueryRetrieveProvider(pacs).find(StudyInstanceUID("1.2.3"))


@pytest.mark.parametrize("ending", [b"", A_ABORT], ids=["closes", "aborts"])
@pytest.mark.parametrize("ask", [_echo, _find])
def test_a_peer_that_accepts_and_ends_it_before_anything_is_asked_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[int], None], ending: bytes
) -> None:
    def accept(connection: socket.socket) -> None:
        request = upper_layer.decode_request(memoryview(connection.recv(1 << 16))[6:])
        (context,) = request.contexts
        taken = upper_layer.Answered(context_id=context.context_id, result=0)
        connection.sendall(upper_layer.accept(request, [taken], maximum_length=0) + ending)

    @contextmanager
    def ended(*args: Any, **kwargs: Any) -> Iterator[Call]:
        with associated(*args, **kwargs) as call:
            wait_until(lambda: not call.association.is_established, "it has ended")
            yield call

    for caller in (association, dimse):
        monkeypatch.setattr(caller, "associated", ended)
    with (
        speaking(accept) as port,
        pytest.raises(DestinationUnreachable, match=r"closed the association|instead of answering"),
    ):
        ask(port)
