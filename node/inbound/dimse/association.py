"""One association, from its request to its end, on one thread (PS3.8 9.2).

It reads a PDU, does what it asks for, and answers, and only then reads the next: a sender that
sends ahead is slowed down by its own connection, and no queue grows.  So asynchronous operations
are not agreed upon, and a sender that uses them all the same is answered one by one.
"""

import logging
import time
from collections.abc import Collection
from typing import Protocol, TypedDict

from pydicom.uid import UID
from sqlalchemy.exc import SQLAlchemyError

from node.config import ReceiverConfig
from node.core.errors import NotNow, Refused
from node.core.sender import Sender, SenderKind
from node.dicom.header_text import is_uid
from node.dicom.limits import LONGEST_NEGOTIATION_S, MAX_REQUEST_BYTES, TOLERANCE_BYTES
from node.inbound.dimse import upper_layer
from node.inbound.dimse.commands import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_STORE_RQ,
    SUCCESS,
    UNEXPECTED_ERROR,
    UNRECOGNIZED_OPERATION,
    Command,
    response,
)
from node.inbound.dimse.messages import P_DATA, Messages, as_pdus
from node.inbound.dimse.negotiation import answer
from node.inbound.dimse.upper_layer import ABORT, ASSOCIATE_RQ, RELEASE_RQ, Answered, Request
from node.inbound.dimse.wire import (
    UNEXPECTED_PDU,
    UNRECOGNIZED_PDU,
    Ended,
    TooSlow,
    Unacceptable,
    Wire,
    allowance_s,
)
from node.inbound.senders import Senders
from node.logs import event

_MAX_OTHER_BYTES = 1024
_MOST_TOLD = 8
"""SOP classes that a line of the log names."""


class Incoming(Protocol):
    """One object while it comes (`node.inbound.intake.Incoming`)."""

    def write(self, data: memoryview) -> None:
        """Its next bytes."""
        ...

    def keep(self, sender_id: int | None) -> object:
        """It is safe on disk, or Refused is raised, or what disk and database raise."""
        ...

    def close(self) -> None:
        """Nothing of it stays if it was not kept."""
        ...


class AcceptsObjects(Protocol):
    """`node.inbound.intake.Intake`."""

    def begin(
        self, *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> Incoming:
        """An object is announced."""
        ...


class Names(TypedDict):
    """What log lines about an association name."""

    calling_ae: str
    called_ae: str
    peer: str


class LetsIn(Protocol):
    """Whoever decides on a request."""

    def __call__(self, names: Names) -> upper_layer.Rejection | None:
        """None: it is let in."""
        ...


class Association:
    """One association; `run` is its thread."""

    def __init__(
        self,
        wire: Wire,
        peer: str,
        *,
        config: ReceiverConfig,
        decodable: Collection[str],
        intake: AcceptsObjects,
        senders: Senders,
        let_in: LetsIn,
        tls: str = "none",
    ) -> None:
        self._wire = wire
        self._config = config
        self._decodable = decodable
        self._intake = intake
        self._senders = senders
        self._let_in = let_in
        self._tls = tls
        self._names = Names(calling_ae="", called_ae="", peer=peer)
        self._maximum_length = 0
        self._syntaxes: dict[int, str] = {}
        self._incoming: Incoming | None = None
        self._row: int | None = None

    def run(self) -> None:
        """It is served to its end, its row is closed and so is its connection."""
        last = b""
        try:
            last = self._negotiate() or self._serve()
        except TooSlow as error:
            last = self._given_up(error, reason=None)
        except Unacceptable as error:
            last = self._given_up(error, reason=error.reason)
        except Ended:
            if self._incoming is not None:
                event("association.lost", level=logging.WARNING, **self._names)
        finally:
            if self._incoming is not None:
                self._incoming.close()
            if self._row is not None:
                self._senders.close(self._row)
            self._wire.close(last=last)

    def _given_up(self, error: Exception, *, reason: int | None) -> bytes:
        action = "association.aborted" if self._syntaxes else "connection.refused"
        event(action, level=logging.WARNING, because=str(error), **self._names)
        if not self._syntaxes and reason in (UNRECOGNIZED_PDU, UNEXPECTED_PDU):
            return b""  # it does not speak DICOM
        return upper_layer.abort(reason)

    def _negotiate(self) -> bytes:
        """What is sent last to one that is not let in; nothing to one that is."""
        until = time.monotonic() + min(LONGEST_NEGOTIATION_S, self._config.network_timeout_s)
        pdu = self._wire.next_pdu({ASSOCIATE_RQ: MAX_REQUEST_BYTES}, until=until)
        request = upper_layer.decode_request(pdu.body)
        self._names["calling_ae"], self._names["called_ae"] = request.calling, request.called
        rejection = upper_layer.unspoken(request) or self._let_in(self._names)
        if any(not title or "?" in title for title in (request.calling, request.called)):
            event("association.odd_title", level=logging.WARNING, **self._names)
        if rejection is not None:
            event(
                "association.rejected",
                level=logging.WARNING,
                because=rejection.because,
                **self._names,
            )
            return upper_layer.reject(rejection)
        answers = [
            answer(each, accept=self._config.accept, decodable=self._decodable)
            for each in request.contexts
        ]
        self._agreed(request, answers)
        self._tell_refused(request, answers)
        self._wire.send(
            upper_layer.accept(request, answers, maximum_length=self._config.max_pdu_bytes)
        )
        return b""

    def _tell_refused(self, request: Request, answers: Collection[Answered]) -> None:
        """Who asks for what is not served here (C-FIND, say) is told so, and so is the log."""
        accepted = {each.context_id for each in answers if each.is_accepted}
        taken = {each.abstract_syntax for each in request.contexts if each.context_id in accepted}
        refused = sorted({each.abstract_syntax for each in request.contexts} - taken)
        if refused:
            event(
                "association.contexts_refused",
                level=logging.WARNING,
                classes=[
                    UID(uid).name if is_uid(uid) else "no UID" for uid in refused[:_MOST_TOLD]
                ],
                number=len(refused),
                **self._names,
            )

    def _agreed(self, request: Request, answers: Collection[Answered]) -> None:
        self._maximum_length = request.maximum_length
        self._syntaxes = {
            each.context_id: each.transfer_syntax for each in answers if each.is_accepted
        }

    def _serve(self) -> bytes:
        """PDU after PDU; what is sent last."""
        caps = {
            P_DATA: self._config.max_pdu_bytes + TOLERANCE_BYTES,
            RELEASE_RQ: _MAX_OTHER_BYTES,
            ABORT: _MAX_OTHER_BYTES,
        }
        messages = Messages(self, self._syntaxes)
        silence_s = self._config.network_timeout_s
        begun, count = 0.0, 0
        while True:
            until = None
            if messages.under_way:
                now = time.monotonic()
                until = min(now + silence_s, begun + allowance_s(silence_s, count))
            pdu = self._wire.next_pdu(caps, until=until)
            if pdu.kind == RELEASE_RQ:
                return upper_layer.release_response()
            if pdu.kind == ABORT:
                event("association.aborted_by_peer", **self._names)
                return b""
            if not messages.under_way:
                begun, count = time.monotonic(), 0
            count += len(pdu.body)
            messages.take(pdu.body)

    # -- what `Messages` calls -----------------------------------------------------------------

    def begin(self, command: Command) -> None:
        """A command is here; an object that it announces is awaited."""
        if command.field == C_STORE_RQ:
            self._incoming = self._intake.begin(
                sop_class_uid=_text(command.sop_class),
                sop_instance_uid=_text(command.sop_instance),
                transfer_syntax_uid=self._syntaxes[command.context_id],
            )

    def fragment(self, data: memoryview) -> None:
        """The object grows; the Data Set of any other command is passed over."""
        if self._incoming is not None:
            self._incoming.write(data)

    def end(self, command: Command) -> None:
        """The message is here whole, and answered."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            status, comment = self._stored(incoming, command)
        elif command.field == C_CANCEL_RQ:
            return  # of what has been answered (PS3.7 9.3.2.3)
        else:
            status, comment = SUCCESS, ""
            if command.field != C_ECHO_RQ:
                status, comment = UNRECOGNIZED_OPERATION, "neither C-STORE nor C-ECHO"
        encoded = response(
            command,
            status,
            sop_class=_uid_or_nothing(command.sop_class),
            sop_instance=_uid_or_nothing(command.sop_instance),
            comment=comment,
        )
        self._wire.send(
            as_pdus(encoded, context_id=command.context_id, maximum=self._maximum_length)
        )

    def _stored(self, incoming: Incoming, command: Command) -> tuple[int, str]:
        """0x0000 only once the object is safe on disk; else the status and the comment."""
        try:
            incoming.keep(self._row_of_this())
        except Refused as error:  # not kept: its traceback holds the object open
            status, comment = error.status, error.comment
        except (OSError, SQLAlchemyError) as error:
            refused = NotNow(error)
            status, comment = refused.status, refused.comment
        except Exception as error:
            # An outer loop: the sender is answered, and its other objects are taken.
            event("store.failed", level=logging.ERROR, error=error, **self._names)
            status, comment = UNEXPECTED_ERROR, "unexpected error in this node"
        else:
            return SUCCESS, ""
        finally:
            incoming.close()
        event(
            "store.refused",
            level=logging.WARNING,
            status=f"{status:04X}",
            comment=comment,
            # Free text in its place may be a name.
            sop_instance_uid=_uid_or_nothing(command.sop_instance) or "(no UID)",
            **self._names,
        )
        return status, comment

    def _row_of_this(self) -> int:
        if self._row is None:
            self._row = self._senders.open(
                Sender(
                    kind=SenderKind.DIMSE,
                    name=self._names["calling_ae"],
                    called=self._names["called_ae"],
                    peer=self._names["peer"],
                )
            )
            event("association.delivers", association=self._row, tls=self._tls, **self._names)
        return self._row


def _text(uid: bytes) -> str:
    return uid.decode("ascii", "replace")


def _uid_or_nothing(uid: bytes) -> str:
    text = _text(uid)
    return text if is_uid(text) else ""
