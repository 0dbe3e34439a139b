"""A destination that takes results over C-STORE."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from node.config import DimseDestination
from node.core.errors import DestinationRefused, DestinationUnreachable, VariantRejected
from node.dicom.pynetdicom_fixes import prepare
from node.outbound.destination import ArtifactFile, OnStored, require_stored, without_identity
from sr_templates.character_sets import write_raw_as_it_is

_TRANSFER_SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_REJECTED_PERMANENT = 1


class StorageProvider:
    """One Storage SCP; every `send` is one association of its own."""

    def __init__(self, config: DimseDestination) -> None:
        self._config = config

    def send(self, artifacts: Sequence[ArtifactFile], on_stored: OnStored) -> None:
        """Store all artifacts over one association, each in the transfer syntax agreed upon.

        All contexts are looked at before the first object goes out, so a destination that takes
        only some of the classes never holds half a set.
        """
        if not artifacts:
            return
        classes = list(dict.fromkeys(artifact.sop_class_uid for artifact in artifacts))
        with self._association(classes) as association:
            for artifact in artifacts:
                on_stored(artifact, self._store(association, artifact))

    def verify(self) -> None:
        """C-ECHO."""
        with self._association([Verification]) as association:
            answer = association.send_c_echo()
            if "Status" not in answer:
                raise DestinationUnreachable(f"no answer to a C-ECHO in {self._config.timeout_s} s")
            if answer.Status != 0x0000:
                raise DestinationRefused(f"answered a C-ECHO with status {answer.Status:04X}")

    def _store(self, association: Association, artifact: ArtifactFile) -> int:
        dataset = dcmread(artifact.path)
        for context in association.accepted_contexts:
            if context.abstract_syntax == artifact.sop_class_uid:
                implicit_vr = context.transfer_syntax[0] == ImplicitVRLittleEndian
                write_raw_as_it_is(dataset, implicit_vr=implicit_vr)
        try:
            answer = association.send_c_store(dataset)
        except RuntimeError as error:  # pynetdicom: the association is gone
            raise DestinationUnreachable("closed the association before all was sent") from error
        if "Status" not in answer:
            raise DestinationUnreachable(
                f"no answer to a C-STORE of {artifact.sop_instance_uid}: it aborted, the "
                f"connection broke, or {self._config.timeout_s} s went by"
            )
        status = int(answer.Status)
        require_stored(status, artifact, said=_said(answer, dataset))
        return status

    @contextmanager
    def _association(self, sop_classes: Sequence[str]) -> Iterator[Association]:
        """An association on which every class may be sent; aborted if anything goes wrong.

        What timed out once is never used again: a late answer would be taken for the next one.
        """
        association = self._request(sop_classes)
        try:
            _require_all(association, sop_classes)
            yield association
        except BaseException:
            association.abort()
            raise
        association.release()

    def _request(self, sop_classes: Iterable[str]) -> Association:
        config = self._config
        prepare()
        ae = AE(ae_title=config.calling_ae_title)
        ae.connection_timeout = ae.acse_timeout = config.timeout_s
        ae.dimse_timeout = ae.network_timeout = config.timeout_s
        where = f"{config.ae_title} at {config.host}:{config.port}"
        try:
            association = ae.associate(
                config.host,
                config.port,
                contexts=[build_context(uid, _TRANSFER_SYNTAXES) for uid in sop_classes],
                ae_title=config.ae_title,
                evt_handlers=[(evt.EVT_CONN_OPEN, _limit_socket, [config.timeout_s])],
            )
        except OSError as error:
            raise DestinationUnreachable(f"{where}: {error.strerror}") from error
        if association.is_established:
            return association
        if association.is_rejected:
            answer = cast(A_ASSOCIATE, association.acceptor.primitive)
            words = f"{where} rejected the association: {answer.reason_str}"
            if answer.result == _REJECTED_PERMANENT:
                raise DestinationRefused(f"{words}; called as {config.calling_ae_title}")
            raise DestinationUnreachable(words)
        _require_all(association, [])
        raise DestinationUnreachable(f"{where} accepts no connection, or answered no request")


def _require_all(association: Association, sop_classes: Sequence[str]) -> None:
    """Every proposed class was accepted."""
    for context in association.rejected_contexts:
        uid = str(context.abstract_syntax)
        raise VariantRejected(
            f"rejects the presentation context of SOP class {uid}: {context.status}",
            sop_class_uid=uid,
        )
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    for uid in sop_classes:
        if uid not in accepted:
            raise VariantRejected(
                f"left the presentation context of SOP class {uid} unanswered", sop_class_uid=uid
            )


def _limit_socket(connected: evt.Event, timeout_s: float) -> None:
    """No read or write lasts longer than the timeout: pynetdicom would wait for ever."""
    wrapper = connected.assoc.dul.socket
    if wrapper is not None and wrapper.socket is not None:
        wrapper.socket.settimeout(timeout_s)
        wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _said(answer: Dataset, dataset: Dataset) -> str:
    return without_identity(str(answer.get("ErrorComment", "")).strip(), dataset)
