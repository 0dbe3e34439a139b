"""The Storage SCP: what scanners and the PACS send arrives here.

pynetdicom negotiates and answers; from the encoded bytes to the disk it is `Intake.accept`, one
call behind one seam.  Nothing is decoded here.

An association is a row in the database from its first object until it is closed in whatever way
(released, aborted, connection lost), because a study is not quiet while one that delivered to it
is open.  A C-ECHO or a load balancer's probe leaves no row.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from socketserver import BaseServer
from typing import Protocol, TypedDict, cast

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE, SOPClassCommonExtendedNegotiation
from sqlalchemy.exc import SQLAlchemyError

from node.config import ReceiverConfig
from node.core.errors import OUT_OF_RESOURCES, ConfigError, Refused
from node.core.sender import Sender, SenderKind
from node.dicom.pynetdicom_fixes import prepare
from node.dicom.sop_classes import VERIFICATION
from node.dicom.transfer_syntaxes import decodable, missing
from node.inbound.dimse.admission import DRAINING, rejection_of
from node.inbound.dimse.association_server import Connection, ProbeProofServer, name_threads
from node.inbound.dimse.negotiation import acceptable, as_storage
from node.inbound.facts import is_uid
from node.logs import event
from node.persistence.process_identity import this_process

SUCCESS = 0x0000


class AcceptsObjects(Protocol):
    """`node.inbound.intake.Intake`: returns when the object is safe on disk, or raises Refused."""

    def accept(
        self,
        encoded: bytes | memoryview,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sender_id: int | None,
    ) -> object:
        """Keep one object: its Data Set as it came, without File Meta."""
        ...


class KeepsSenders(Protocol):
    """What the receiver asks of the store."""

    def open_sender(self, sender: Sender, *, owner: str, now: datetime) -> int:
        """Open a row and return its id."""
        ...

    def keep_senders(self, owner: str, now: datetime) -> None:
        """Say that this process still serves its rows."""
        ...

    def close_sender(self, sender_id: int, now: datetime) -> None:
        """Close the row."""
        ...


def run(
    config: ReceiverConfig,
    intake: AcceptsObjects,
    store: KeepsSenders,
    stop: threading.Event,
    *,
    drain_s: float = 20.0,
) -> None:
    """Receive until `stop` is set; then open associations have `drain_s` to end by themselves."""
    receiver = Receiver(config, intake, store)
    receiver.start()
    try:
        while not stop.wait(timeout=5.0):
            receiver.close_left_over_rows()
            receiver.keep_rows()
    finally:
        receiver.stop(drain_s=drain_s)


class Receiver:
    """One listening port and its associations."""

    def __init__(
        self,
        config: ReceiverConfig,
        intake: AcceptsObjects,
        store: KeepsSenders,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        absent = missing()
        if absent:
            raise ConfigError(
                f"this installation cannot decode {', '.join(absent)}; install python-gdcm, "
                "pyjpegls, pylibjpeg and pylibjpeg-openjpeg"
            )
        self._config = config
        self._intake = intake
        self._store = store
        self._clock = clock
        self._transfer_syntaxes = decodable()
        self._lock = threading.Lock()
        self._open: set[Association] = set()
        self._rows: dict[Association, int] = {}
        self._left_over: set[int] = set()
        self._draining = False
        self._server: ProbeProofServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; raises ConfigError if the port is taken."""
        prepare()
        ae = AE(ae_title=self._config.ae_title)
        ae.maximum_pdu_size = self._config.max_pdu_bytes
        ae.network_timeout = self._config.network_timeout_s
        ae.acse_timeout = min(30.0, self._config.network_timeout_s)
        ae.maximum_associations = 2**31  # counted here, before any work is done
        ae.add_supported_context(VERIFICATION)
        try:
            server = cast(
                ProbeProofServer,
                ae.make_server(
                    (self._config.host, self._config.port),
                    evt_handlers=[
                        (evt.EVT_REQUESTED, self._on_requested),
                        (evt.EVT_SOP_COMMON, self._on_sop_common),
                        (evt.EVT_C_STORE, self._on_c_store),
                    ],
                    server_class=ProbeProofServer,
                    request_handler=Connection,
                ),
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self._config.host}:{self._config.port}: {error.strerror}; "
                "is another node running, or is receiver.port below 1024?"
            ) from error
        server.on_end = self.association_ended
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.1,), name="receiver", daemon=True
        )
        self._thread.start()
        event(
            "receiver.listening",
            host=self._config.host,
            port=self._config.port,
            ae_title=self._config.ae_title,
        )

    def stop(self, *, drain_s: float) -> None:
        """Take no new association, let the open ones end, abort those that do not."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._draining = True
        BaseServer.shutdown(server)
        server.server_close()
        thread.join()
        deadline = time.monotonic() + drain_s
        while self.open_associations() and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._lock:
            stubborn = list(self._open)
        for association in stubborn:
            association.abort()
            association.join(timeout=self._config.network_timeout_s)
            self.association_ended(association)
        self.close_left_over_rows()
        self._server = self._thread = None
        event("receiver.stopped", aborted_associations=len(stubborn))

    def open_associations(self) -> int:
        """How many associations are open now."""
        with self._lock:
            return len(self._open)

    def association_ended(self, association: Association) -> None:
        """The association is over, in whatever way; its row, if it has one, is closed."""
        with self._lock:
            self._open.discard(association)
            row = self._rows.pop(association, None)
            if row is not None:
                self._left_over.add(row)
        self.close_left_over_rows()

    def close_left_over_rows(self) -> None:
        """Close the rows of ended associations; one that fails now is tried again later."""
        with self._lock:
            rows = sorted(self._left_over)
        for row in rows:
            try:
                self._store.close_sender(row, self._clock())
            except SQLAlchemyError as error:
                event("association.not_closed", level=logging.WARNING, error=error, association=row)
                return
            with self._lock:
                self._left_over.discard(row)

    def keep_rows(self) -> None:
        """Other hosts that share the database know that the open rows are served."""
        try:
            self._store.keep_senders(this_process(), self._clock())
        except SQLAlchemyError as error:
            event("sender.not_kept", level=logging.WARNING, error=error)

    def _on_requested(self, received: evt.Event) -> None:
        """Reject, or offer exactly those contexts of the request that are accepted here.

        pynetdicom goes on after an error in this handler; then no storage context is accepted.
        """
        association = received.assoc
        request = cast(A_ASSOCIATE, association.requestor.primitive)
        with self._lock:
            rejection = (
                DRAINING
                if self._draining
                else rejection_of(
                    calling_ae=request.calling_ae_title,
                    called_ae=request.called_ae_title,
                    peer=association.requestor.address,
                    others_open=len(self._open),
                    config=self._config,
                )
            )
            if rejection is None:
                self._open.add(association)
        names = _names(association)
        name_threads(association, f"{names['calling_ae']} at {names['peer']}")
        if any(not title or "?" in title for title in (names["calling_ae"], names["called_ae"])):
            event("association.odd_title", level=logging.WARNING, **names)
        if rejection is not None:
            association.acse.send_reject(rejection.result, rejection.source, rejection.diagnostic)
            association.kill()
            event(
                "association.rejected",
                level=logging.WARNING,
                because=rejection.because,
                **names,
            )
            return
        association.acceptor.supported_contexts = [
            *association.acceptor.supported_contexts,
            *acceptable(
                request.presentation_context_definition_list,
                accept=self._config.accept,
                transfer_syntaxes=self._transfer_syntaxes,
            ),
        ]

    def _on_sop_common(self, received: evt.Event) -> dict[UID, SOPClassCommonExtendedNegotiation]:
        return as_storage(received.assoc.acceptor.supported_contexts)

    def _on_c_store(self, received: evt.Event) -> Dataset | int:
        """0x0000 only once the object is safe on disk."""
        request = cast(C_STORE, received.request)
        try:
            self._intake.accept(
                received.encoded_dataset(include_meta=False),
                sop_class_uid=str(request.AffectedSOPClassUID),
                sop_instance_uid=str(request.AffectedSOPInstanceUID),
                transfer_syntax_uid=str(received.context.transfer_syntax),
                sender_id=self._row_of(received.assoc),
            )
        except Refused as refused:
            return self._refuse(received, refused)
        except (OSError, SQLAlchemyError) as error:
            comment = f"cannot store now ({type(error).__name__}); send again"
            return self._refuse(received, Refused(OUT_OF_RESOURCES, comment))
        return SUCCESS

    def _row_of(self, association: Association) -> int:
        row = self._rows.get(association)
        if row is None:
            names = _names(association)
            sender = Sender(
                kind=SenderKind.DIMSE,
                name=names["calling_ae"],
                called=names["called_ae"],
                peer=names["peer"],
            )
            row = self._store.open_sender(sender, owner=this_process(), now=self._clock())
            with self._lock:
                self._rows[association] = row
            event("association.delivers", association=row, **names)
        return row

    def _refuse(self, received: evt.Event, refused: Refused) -> Dataset:
        event(
            "store.refused",
            level=logging.WARNING,
            status=f"{refused.status:04X}",
            comment=refused.comment,
            sop_instance_uid=_loggable(cast(C_STORE, received.request).AffectedSOPInstanceUID),
            **_names(received.assoc),
        )
        answer = Dataset()
        answer.Status = refused.status
        answer.ErrorComment = refused.comment
        return answer


def _loggable(uid: object) -> str:
    """The UID; free text in its place may be a name."""
    return str(uid) if is_uid(str(uid)) else "(no UID)"


class _Names(TypedDict):
    calling_ae: str
    called_ae: str
    peer: str


def _names(association: Association) -> _Names:
    request = cast(A_ASSOCIATE, association.requestor.primitive)
    return {
        "calling_ae": request.calling_ae_title.strip(),
        "called_ae": request.called_ae_title.strip(),
        "peer": association.requestor.address,
    }
