"""An HL7 v2 interface that is told what the report says, over MLLP (HL7 2.5.1, LLP release 1).

In the clear, or over TLS as IHE ITI asks for (ATNA, 3.19), with the peer's certificate or both.
"""

import socket
from contextlib import ExitStack, closing

from node.calling.guard import LARGEST_ANSWER, Guard, allowed_s
from node.calling.secured import secured
from node.calling.unreached import unreached
from node.config import Hl7Destination
from node.core.errors import DestinationNotReady, DestinationUnreachable
from node.outbound.destination import OutgoingObject
from node.outbound.hl7_message import Acknowledgement, Envelope, acknowledgement, control_id, oru
from node.outbound.told import ToldDestination
from sr_templates.objects.told import Told

_START, _END = b"\x0b", b"\x1c\r"
_ACCEPTED = frozenset({"AA", "CA"})
_SAYS = {"AE": "an error", "CE": "an error", "AR": "a rejection", "CR": "a rejection"}


class Hl7Interface(ToldDestination):
    """One interface; each message has a connection of its own."""

    def __init__(self, config: Hl7Destination) -> None:
        self._config = config

    def tell(self, said: Told, report: OutgoingObject) -> None:
        """The interface has accepted it (AA)."""
        answer = acknowledgement(self._exchange(oru(said, self._envelope())))
        self._require_accepted(answer, control_id(said), report)

    def verify(self) -> None:
        """Something listens there; HL7 v2 has no question that changes nothing."""
        seconds = 2 * self._config.timeout_s
        with closing(Guard()) as guard, guard.within(seconds), self._connected(guard):
            pass

    def _require_accepted(
        self, answer: Acknowledgement | None, sent: str, report: OutgoingObject
    ) -> None:
        where, uid = self._where(), report.sop_instance_uid
        if answer is None:
            raise DestinationNotReady(
                f"{where} answered something that is no HL7 acknowledgement; whether the report is "
                "there is not known"
            )
        if answer.code in _SAYS:
            raise DestinationNotReady(
                f"{where} acknowledged with {_SAYS[answer.code]} ({answer.code}); its log says why",
                sop_instance_uid=uid,
            )
        if answer.code not in _ACCEPTED or answer.control_id != sent:
            raise DestinationNotReady(
                f"{where} acknowledged something else; whether the report is there is not known"
            )

    def _exchange(self, message: str) -> str:
        """What is answered to the message; raises if nothing is."""
        config, guard = self._config, Guard()
        framed = _START + message.encode() + _END
        seconds = allowed_s(
            len(framed), timeout_s=config.timeout_s, slowest_kb_s=config.slowest_kb_s
        )
        answer = bytearray()
        with closing(guard), guard.within(seconds), self._connected(guard) as connection:
            try:
                connection.sendall(framed)
                while _END not in answer and len(answer) <= LARGEST_ANSWER:
                    piece = connection.recv(1 << 16)
                    if not piece:
                        break
                    answer += piece
            except OSError as error:
                if not guard.expired:
                    raise unreached(self._where(), error, timeout_s=config.timeout_s) from error
        if guard.expired:
            raise DestinationUnreachable(
                f"{self._where()} took longer than {seconds:.1f} s to acknowledge; see timeout_s"
            )
        if not answer:
            raise DestinationUnreachable(
                f"{self._where()} closed the connection without an acknowledgement"
            )
        body = bytes(answer).partition(_END)[0].partition(_START)
        return (body[2] if body[1] else body[0]).decode(errors="replace")

    def _connected(self, guard: Guard) -> socket.socket:
        """Over TLS where it is configured: whoever listens there has shown who it is."""
        config, how = self._config, secured(self._config)
        try:
            connection = socket.create_connection(
                (config.host, config.port), timeout=config.timeout_s
            )
            guard.watch(connection)
            if how is None:
                return connection
            with ExitStack() as on_failure:
                on_failure.callback(connection.close)
                wrapped = how.context.wrap_socket(connection, server_hostname=how.name)
                on_failure.pop_all()
            return wrapped
        except OSError as error:
            raise unreached(self._where(), error, timeout_s=config.timeout_s) from error

    def _where(self) -> str:
        return f"{self._config.name} at {self._config.host}:{self._config.port}"

    def _envelope(self) -> Envelope:
        config = self._config
        return Envelope(
            sending_application=config.sending_application,
            sending_facility=config.sending_facility,
            receiving_application=config.receiving_application,
            receiving_facility=config.receiving_facility,
        )
