"""What this node needs of pynetdicom beyond its settings; called before it is first used."""

import socket
from contextlib import suppress

from pynetdicom import _config, association, pdu, pdu_primitives
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.transport import AssociationSocket


def prepare() -> None:
    """Sockets are always closed, odd names abort nothing, and no PDU is formatted for a log.

    pynetdicom 3.0 calls close() only if shutdown() succeeded, which it does not on a connection
    that was refused or reset: the descriptor stays open until the garbage collector comes by.

    It aborts an association, and with it the rest of a batch, over an AE title that is blank,
    padded with NUL or not ASCII, and over a SOP Instance UID of more than 64 characters.  Here
    titles come trimmed, with a question mark for each byte that may not stand in one, and UIDs come
    as they are, or not at all (it would leave such a request without an answer): whoever uses them
    judges them.
    """
    AssociationSocket._shutdown_socket = _shutdown_and_close  # type: ignore[method-assign]
    _config.LOG_HANDLER_LEVEL = "none"
    _config.VALIDATORS["UI"] = lambda value: (True, "")  # noqa: ARG005  # as it names its argument
    pdu.A_ASSOCIATE_RQ._wrap_bytes = staticmethod(_title_of)  # type: ignore[assignment]
    C_STORE.REQUEST_KEYWORDS = _NEEDED  # type: ignore[assignment]  # it has five of them
    for module in (pdu, pdu_primitives, association):
        module.set_ae = _any_title  # type: ignore[attr-defined]


_NEEDED = ("MessageID", "AffectedSOPClassUID", "DataSet")


def _title_of(encoded: bytes) -> str:
    text = encoded.replace(b"\0", b" ").strip()
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else "?" for byte in text)


def _any_title(
    value: str | None, name: str, allow_empty: bool = True, allow_none: bool = True
) -> str | None:
    """In the place of `pynetdicom.utils.set_ae`."""
    del name, allow_empty, allow_none
    return value


def _shutdown_and_close(self: AssociationSocket) -> None:
    if self.socket is not None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
