"""pynetdicom's threaded server, made fit for load balancers' probes and senders that lose power."""

import socket
from collections.abc import Callable
from typing import cast

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

_A_ASSOCIATE_RQ = b"\x01"


class ProbeProofServer(ThreadedAssociationServer):
    """Calls `on_end` once for every association, in whatever way it ended."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    on_end: Callable[[Association], None]


class Connection(RequestHandler):
    """One TCP connection, watched until its association is over.

    A probe (connect, close) never becomes an association: pynetdicom would keep two threads
    waiting for the request for acse_timeout (pynetdicom issues 669, 912).  The socket has a
    timeout, since a sender that loses power in the middle of a PDU would hold a blocking read,
    and with it the study, for ever.
    """

    def handle(self) -> None:
        """Serve the connection to its end."""
        server = cast(ProbeProofServer, self.server)
        connection = cast(socket.socket, self.request)
        connection.settimeout(server.ae.acse_timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not _asks_for_an_association(connection):
            server.shutdown_request(connection)
            return
        connection.settimeout(server.ae.network_timeout)
        association = self._create_association()
        name_threads(association, f"from {self.client_address[0]}")
        try:
            evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
            association.start()
            association.join()
        finally:
            server.on_end(association)


def name_threads(association: Association, name: str) -> None:
    """Whatever pynetdicom logs of this association names its peer."""
    association.name = association.dul.name = name


def _asks_for_an_association(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) == _A_ASSOCIATE_RQ
    except OSError:
        return False
