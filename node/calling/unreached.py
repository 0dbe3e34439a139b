"""Why a destination could not be reached, in one sentence for each way in which that happens.

What an administrator does about it differs: start the program, open the firewall, mend the name,
swap the port.  None of these sentences quotes what the peer said.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from http.client import BadStatusLine, HTTPException, RemoteDisconnected

from node.core.errors import DestinationError, DestinationNotReady, DestinationUnreachable
from node.dicom.tls import why

_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_NO_TLS_THERE = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def unreached(where: str, error: BaseException, *, timeout_s: float) -> DestinationError:
    """The error to raise for what a connection, or an attempt at one, has failed with.

    where     : what was to be reached; the sentence begins with it
    error     : as a library raised it, its cause somewhere within
    timeout_s : after which waiting was given up
    """
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return DestinationUnreachable(f"{where}: DNS does not know the name of the host")
            case ssl.SSLCertVerificationError():
                return DestinationNotReady(
                    f"{where}: its certificate is not trusted ({cause.verify_message}); "
                    "see ca_file, and the name in the address"
                )
            case ssl.SSLError() if cause.reason in _NO_TLS_THERE:
                return DestinationNotReady(f"{where} does not speak TLS there: wrong port, or http")
            case ssl.SSLError():
                return DestinationNotReady(
                    f"{where} and this node agree on no TLS connection: {why(cause)}"
                )
            case ConnectionRefusedError():
                return DestinationUnreachable(
                    f"{where} accepts no connection: nothing listens on that port, or a firewall "
                    "refuses"
                )
            case RemoteDisconnected():
                return DestinationUnreachable(f"{where} closed the connection without an answer")
            case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
                return DestinationUnreachable(f"{where} reset the connection")
            case TimeoutError():
                return DestinationUnreachable(
                    f"{where} was silent for {timeout_s:g} s: it is down or busy, or a firewall "
                    "drops what is sent to it"
                )
            case OSError(errno=number) if number in _NO_WAY:
                return DestinationUnreachable(f"{where}: there is no route to the host")
            case BadStatusLine():
                return DestinationNotReady(
                    f"{where} answered something that is not HTTP: wrong port, or https is wanted"
                )
            case HTTPException():
                return DestinationUnreachable(f"{where} broke its answer off")
    return DestinationUnreachable(f"{where} was not reached ({type(error).__name__})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of, the innermost first."""
    found, seen = [error], {id(error)}
    for each in found:
        within = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        for cause in within:
            if isinstance(cause, BaseException) and id(cause) not in seen:
                seen.add(id(cause))
                found.append(cause)
    return reversed(found)
