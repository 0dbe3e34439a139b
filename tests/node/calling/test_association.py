"""An association that is asked for: what comes of it is told as it came."""

import socket
import threading
from contextlib import suppress

import pytest
from pynetdicom import transport

from node.calling.association import echo
from node.config import DimseDestination
from node.core.errors import DestinationNotReady
from node.inbound.dimse import upper_layer


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

    def made(self: transport.AssociationSocket, *args: object, **kwargs: object) -> None:
        of_pynetdicom(self, *args, **kwargs)  # type: ignore[arg-type]
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
