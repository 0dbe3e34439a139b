"""What this node needs of pynetdicom beyond its settings; called before it is first used."""

import socket
from contextlib import suppress

from pynetdicom import _config
from pynetdicom.transport import AssociationSocket


def prepare() -> None:
    """Sockets are always closed, and no PDU is formatted for a log that nobody reads.

    pynetdicom 3.0 calls close() only if shutdown() succeeded, which it does not on a connection
    that was refused or reset: the descriptor stays open until the garbage collector comes by.
    """
    AssociationSocket._shutdown_socket = _shutdown_and_close  # type: ignore[method-assign]
    _config.LOG_HANDLER_LEVEL = "none"


def _shutdown_and_close(self: AssociationSocket) -> None:
    open_socket = self.socket  # another thread of pynetdicom may forget it meanwhile
    if open_socket is not None:
        with suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)
        open_socket.close()
