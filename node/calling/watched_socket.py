"""pynetdicom's connection of a caller, bounded, and able to say afterwards what became of it.

pynetdicom reads a PDU of whatever length the peer declares, waits for its last byte as long as a
byte comes now and then, and keeps to itself why a connection was not had.
"""

import errno
import sys
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket

from node.calling.guard import LARGEST_ANSWER, Guard

_NOT_DICOM = {
    b"HTTP/": "in HTTP: it is the port of a web server",
    b"\x15\x03": "with an alert of TLS: it wants an encrypted connection",
    b"SSH-": "in SSH: it is the port of a shell",
    b"\x0b": "in MLLP: it is the port of an HL7 interface",
}
"""How what is no PDU begins (the type of a PDU is 01 to 07)."""


class WatchedSocket(AssociationSocket):
    """What one association is talked over."""

    def __init__(self, guard: Guard, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard
        self._largest = self._budget = LARGEST_ANSWER
        self.unconnected: BaseException | None = None
        """Why there was no connection; None if there was one."""
        self.first = b""
        """The first bytes that came."""
        self.ended_by: str | None = None
        """How the peer ended the connection; None if it did not."""

    def renew_budget(self, largest: int = LARGEST_ANSWER) -> None:
        """The peer may answer so many bytes more."""
        self._largest = self._budget = largest

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes, fewer if the connection has ended.  Raises OSError."""
        if nr_bytes > self._budget:
            self.ended_by = f"answered with more than {self._largest >> 20} MiB"
            self._shutdown_socket()
            raise OSError(errno.EMSGSIZE, self.ended_by)
        try:
            received = super().recv(nr_bytes)
        except ConnectionError:
            self.ended_by = "reset the connection"
            self._shutdown_socket()  # pynetdicom leaves it open
            raise
        self._budget -= len(received)
        self._guard.received(len(received))
        self.first = self.first or bytes(received)
        if len(received) < nr_bytes:
            self.ended_by = "closed the connection"
            self._shutdown_socket()
        return received

    def _shutdown_socket(self) -> None:
        """As pynetdicom does; it calls this while it handles what a connection failed with."""
        if not self._is_connected and self.unconnected is None:
            self.unconnected = sys.exception()
        super()._shutdown_socket()

    def speaks_otherwise(self) -> str | None:
        """In which other protocol the peer answers; None if that is not plain."""
        for beginning, words in _NOT_DICOM.items():
            if self.first.startswith(beginning):
                return words
        if self.first and not 1 <= self.first[0] <= 7:
            return "with something that is not DICOM"
        return None


class CallingAE(AE):
    """An AE that calls over watched sockets."""

    def __init__(self, guard: Guard, *, ae_title: str) -> None:
        super().__init__(ae_title=ae_title)
        self._guard = guard
        self.connection: WatchedSocket | None = None
        """Of the association that was asked for last."""

    def close(self) -> None:
        """The connection is closed, which pynetdicom leaves open if an abort cannot be sent."""
        self._guard.close()
        if self.connection is not None:
            self.connection._shutdown_socket()

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: Any
    ) -> AssociationSocket:
        self.connection = WatchedSocket(self._guard, assoc, address=address)
        self.connection.tls_args = tls_args
        return self.connection
