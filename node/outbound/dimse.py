"""A destination that takes results over C-STORE."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from node.calling.guard import Guard, allowed_s
from node.calling.unreached import unreached
from node.calling.watched_socket import CallingAE, WatchedSocket
from node.config import DimseDestination
from node.core.errors import (
    ConfigError,
    DestinationError,
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
    VariantRejected,
)
from node.dicom.compression import PLAIN, plain
from node.dicom.pynetdicom_fixes import prepare
from node.dicom.tls import calling, failures_of
from node.outbound.destination import OnStored, OutgoingObject, require_stored, without_identity
from sr_templates.character_sets import write_raw_as_it_is

Context = tuple[str, tuple[UID, ...]]
"""A SOP class, and the transfer syntaxes of which the destination chooses one."""

_REJECTED_PERMANENT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """An association, what it is talked over, and what bounds it."""

    association: Association
    connection: WatchedSocket
    guard: Guard


class StorageProvider:
    """One Storage SCP; every `send` is one association of its own."""

    def __init__(self, config: DimseDestination) -> None:
        self._config = config

    def send(self, objects: Sequence[OutgoingObject], on_stored: OnStored) -> None:
        """Store all objects over one association, each as it is stored, else uncompressed.

        All contexts are looked at before the first object goes out, so a destination that takes
        only some of the classes never holds half a set.
        """
        if not objects:
            return
        contexts = [(each.sop_class_uid, one) for each in objects for one in self._proposed(each)]
        with self._association(list(dict.fromkeys(contexts))) as call:
            for each in objects:
                on_stored(each, self._store(call, each))

    def verify(self) -> None:
        """C-ECHO."""
        with self._association([(Verification, PLAIN)]) as call:
            with self._bounded(call, 0):
                answer = call.association.send_c_echo()
            if "Status" not in answer:
                raise self._unanswered(call, "a C-ECHO")
            if answer.Status != 0x0000:
                raise DestinationNotReady(f"answered a C-ECHO with status {answer.Status:04X}")

    def _proposed(self, each: OutgoingObject) -> list[tuple[UID, ...]]:
        """The transfer syntaxes for the object: those of a context each.

        The compressed one has a context of its own, since of several a destination chooses one by
        rules of its own; so it may accept both, and ours is the choice.
        """
        as_stored = each.transfer_syntax_uid
        if as_stored.is_encapsulated and self._config.compressed:
            return [(as_stored,), PLAIN]
        return [PLAIN]

    def _store(self, call: _Call, each: OutgoingObject) -> int:
        """In the best transfer syntax agreed upon; what is refused compressed is sent once more."""
        best, *others = self._agreed(call.association, each)
        try:
            return self._store_in(best, call, each)
        except VariantRejected:
            raise
        except (DestinationRefused, DestinationNotReady):
            if not others:
                raise
            return self._store_in(others[0], call, each)

    def _store_in(self, syntax: UID, call: _Call, each: OutgoingObject) -> int:
        dataset = each.read()
        if not syntax.is_encapsulated:
            dataset = plain(dataset)
        write_raw_as_it_is(dataset, implicit_vr=syntax.is_implicit_VR)
        try:
            with self._bounded(call, _size(dataset)):
                answer = call.association.send_c_store(dataset)
        except RuntimeError as error:  # pynetdicom: the association is gone
            raise DestinationUnreachable("closed the association before all was sent") from error
        if "Status" not in answer:
            raise self._unanswered(call, f"a C-STORE of {each.sop_instance_uid}")
        status = int(answer.Status)
        require_stored(status, each, said=_said(answer, dataset))
        return status

    def _agreed(self, association: Association, each: OutgoingObject) -> list[UID]:
        """The transfer syntaxes in which the object may go out: as it is stored, uncompressed."""
        accepted = [
            UID(context.transfer_syntax[0])
            for context in association.accepted_contexts
            if context.abstract_syntax == each.sop_class_uid
        ]
        agreed = [
            syntax
            for syntax in dict.fromkeys((each.transfer_syntax_uid, *PLAIN))
            if syntax in accepted
        ]
        if agreed:
            return agreed
        raise VariantRejected(
            f"takes SOP class {each.sop_class_uid} in no uncompressed transfer syntax",
            sop_class_uid=each.sop_class_uid,
        )

    @contextmanager
    def _association(self, contexts: Sequence[Context]) -> Iterator[_Call]:
        """An association on which every class may be sent; aborted if anything goes wrong.

        What timed out once is never used again: a late answer would be taken for the next one.
        """
        guard = Guard()
        try:
            call = self._request(contexts, guard)
            try:
                _require_all(call.association, contexts)
                yield call
            except BaseException:
                with guard.within(self._config.timeout_s):
                    call.association.abort()
                raise
            with guard.within(2 * self._config.timeout_s):
                call.association.release()
        finally:
            guard.close()

    @contextmanager
    def _bounded(self, call: _Call, size: int) -> Iterator[None]:
        """The block may last as long as sending so many bytes may, and the answer be no larger."""
        config = self._config
        seconds = allowed_s(size, timeout_s=config.timeout_s, slowest_kb_s=config.slowest_kb_s)
        call.association.dimse_timeout = seconds - config.timeout_s
        call.association.network_timeout = seconds
        call.connection.renew_budget()
        with call.guard.within(seconds):
            yield

    def _unanswered(self, call: _Call, what: str) -> DestinationError:
        if call.guard.expired:
            why = "it was too slow; see timeout_s and slowest_kb_s"
        elif call.connection.ended_by:
            why = f"it {call.connection.ended_by}, or aborted"
        elif call.association.is_aborted and not call.association.is_established:
            why = f"it aborted, or was silent for {call.association.dimse_timeout:g} s"
        else:
            why = f"it was silent for {call.association.dimse_timeout:g} s"
        return DestinationUnreachable(f"no answer to {what}: {why}")

    def _request(self, contexts: Sequence[Context], guard: Guard) -> _Call:
        config = self._config
        prepare()
        ae = CallingAE(guard, ae_title=config.calling_ae_title)
        ae.connection_timeout = ae.acse_timeout = config.timeout_s
        ae.dimse_timeout = ae.network_timeout = config.timeout_s
        where = f"{config.ae_title} at {config.host}:{config.port}"
        secured = self._secured()
        failures = [] if secured is None else failures_of(secured[0])
        try:
            with guard.within(2 * config.timeout_s):
                association = ae.associate(
                    config.host,
                    config.port,
                    contexts=[build_context(uid, list(syntaxes)) for uid, syntaxes in contexts],
                    ae_title=config.ae_title,
                    tls_args=secured,
                    evt_handlers=[(evt.EVT_CONN_OPEN, _limit_socket, [guard, config.timeout_s])],
                )
        except OSError as error:
            raise unreached(where, error, timeout_s=config.timeout_s) from error
        connection = cast(WatchedSocket, ae.connection)
        if association.is_established:
            return _Call(association=association, connection=connection, guard=guard)
        if association.is_rejected:
            raise _rejected(where, cast(A_ASSOCIATE, association.acceptor.primitive), config)
        if association.rejected_contexts:  # all of them
            _require_all(association, contexts)
        if failures:
            raise DestinationNotReady(f"{where} cannot be reached over TLS: {failures[0]}")
        raise self._unaccepted(where, connection, too_slow=guard.expired)

    def _unaccepted(
        self, where: str, connection: WatchedSocket, *, too_slow: bool
    ) -> DestinationError:
        """Why there is no association, though nobody rejected it."""
        if connection.unconnected is not None:
            return unreached(where, connection.unconnected, timeout_s=self._config.timeout_s)
        if otherwise := connection.speaks_otherwise():
            return DestinationNotReady(f"{where} answers {otherwise}")
        if too_slow:
            why = f"took more than {2 * self._config.timeout_s:g} s to answer"
        elif connection.ended_by:
            why = f"{connection.ended_by} instead of answering"
        elif connection.first:
            why = "aborted, instead of answering"
        else:
            why = f"accepts the connection, but was silent for {self._config.timeout_s:g} s after"
        return DestinationUnreachable(f"{where} {why} the association request")

    def _secured(self) -> tuple[ssl.SSLContext, str] | None:
        """How it is called over TLS, and by which name; read anew, since files change."""
        config = self._config
        if not config.tls:
            return None
        name = config.host if config.server_name is None else config.server_name
        try:
            context = calling(
                ca_file=config.ca_file,
                certificate_file=config.certificate_file,
                key_file=config.key_file,
                compares_name=bool(name),
            )
        except ConfigError as error:  # they may be about to be replaced
            raise DestinationUnreachable(f"cannot be called over TLS: {error}") from error
        return context, name or cast(str, None)  # pynetdicom hands it on to wrap_socket()


def _rejected(where: str, answer: A_ASSOCIATE, config: DimseDestination) -> DestinationError:
    """The rejection in words; until somebody has registered this node there, it is the rule."""
    words = f"{where} rejected the association: {answer.reason_str}"
    if answer.result != _REJECTED_PERMANENT:
        return DestinationUnreachable(words)
    return DestinationNotReady(
        f"{words}; called as {config.calling_ae_title}, which has to be registered there"
    )


def _size(dataset: Dataset) -> int:
    """Bytes of the object, about: those of its pixels, which alone make one large."""
    return len(dataset.get("PixelData", b"") or b"")


def _require_all(association: Association, contexts: Sequence[Context]) -> None:
    """Every proposed class was accepted, in one transfer syntax at least."""
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    refused = {str(each.abstract_syntax): each for each in association.rejected_contexts}
    for uid in dict.fromkeys(uid for uid, _ in contexts):
        if uid in accepted:
            continue
        if uid in refused:
            words = f"rejects the presentation context of SOP class {uid}: {refused[uid].status}"
        else:
            words = f"left the presentation context of SOP class {uid} unanswered"
        raise VariantRejected(words, sop_class_uid=uid)


def _limit_socket(connected: evt.Event, guard: Guard, timeout_s: float) -> None:
    """No read or write lasts longer than the timeout, nor all of them together than the guard says.

    pynetdicom would wait for ever.
    """
    wrapper = connected.assoc.dul.socket
    if wrapper is not None and wrapper.socket is not None:
        guard.watch(wrapper.socket)
        wrapper.socket.settimeout(timeout_s)
        wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _said(answer: Dataset, dataset: Dataset) -> str:
    return without_identity(str(answer.get("ErrorComment", "")).strip(), dataset)
