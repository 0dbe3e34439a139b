"""An association with an application entity that is called, bounded in every way.

pynetdicom would wait for ever for a peer that stops in the middle, or drips.  What went wrong is
said in one sentence each: refused, rejected, silent, too slow, not DICOM.
"""

import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pydicom.uid import UID
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from node.calling.guard import LARGEST_ANSWER, Guard, allowed_s
from node.calling.secured import CalledHost, secured
from node.calling.unreached import unreached
from node.calling.watched_socket import CallingAE, WatchedSocket
from node.core.errors import (
    DestinationError,
    DestinationNotReady,
    DestinationUnreachable,
    VariantRejected,
)
from node.dicom.compression import PLAIN
from node.dicom.pynetdicom_fixes import prepare
from node.dicom.tls import failures_of

Context = tuple[str, tuple[UID, ...]]
"""A SOP class, and the transfer syntaxes of which the peer chooses one."""

_REJECTED_PERMANENT = 1


class CalledAE(CalledHost, Protocol):
    """What the sections of all application entities that are called say alike."""

    @property
    def ae_title(self) -> str:
        """Its AE title."""
        ...

    @property
    def calling_ae_title(self) -> str:
        """The title under which this node calls."""
        ...

    @property
    def slowest_kb_s(self) -> float:
        """Slowest pace."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An association, what it is talked over, and what bounds it."""

    association: Association
    connection: WatchedSocket
    guard: Guard
    config: CalledAE

    @contextmanager
    def bounded(self, size: int, *, largest: int = LARGEST_ANSWER) -> Iterator[None]:
        """The block may last as long as sending so many bytes may, and the answer be no larger."""
        config = self.config
        seconds = allowed_s(size, timeout_s=config.timeout_s, slowest_kb_s=config.slowest_kb_s)
        self.association.dimse_timeout = seconds - config.timeout_s
        self.association.network_timeout = seconds
        self.connection.renew_budget(largest)
        with self.guard.within(seconds), self.standing():
            yield

    @contextmanager
    def standing(self) -> Iterator[None]:
        """What is sent in the block goes out; else DestinationUnreachable.

        A peer may end an association at any time, also before anything was asked on it.
        """
        try:
            yield
        except RuntimeError as error:  # so says pynetdicom
            raise DestinationUnreachable("closed the association before all was sent") from error

    def unanswered(self, what: str) -> DestinationError:
        """The error to raise for a request to which no answer came."""
        if self.guard.expired:
            why = "it was too slow; see timeout_s and slowest_kb_s"
        elif self.connection.ended_by:
            why = f"it {self.connection.ended_by}, or aborted"
        elif self.association.is_aborted and not self.association.is_established:
            why = f"it aborted, or was silent for {self.association.dimse_timeout:g} s"
        else:
            why = f"it was silent for {self.association.dimse_timeout:g} s"
        return DestinationUnreachable(f"no answer to {what}: {why}")


@contextmanager
def associated(
    config: CalledAE,
    contexts: Sequence[Context],
    *,
    required: Collection[str] | None = None,
    stored_here: Collection[str] = (),
    handlers: Sequence[tuple[evt.EventType, Callable[..., Any]]] = (),
) -> Iterator[Call]:
    """An association; aborted if anything goes wrong.

    required    : SOP classes that have to be accepted; None: all of them
    stored_here : those of which this node is the SCP, as in a C-GET (PS3.7 D.3.3.4)
    handlers    : of what the peer asks for on it

    What timed out once is never used again: a late answer would be taken for the next one.
    Raises DestinationUnreachable, DestinationNotReady or VariantRejected.
    """
    guard = Guard()
    ae = CallingAE(guard, ae_title=config.calling_ae_title)
    try:
        call = _request(config, contexts, guard, ae=ae, stored_here=stored_here, handlers=handlers)
        try:
            wanted = [uid for uid, _ in contexts] if required is None else required
            _require(call.association, wanted)
            yield call
        except BaseException:
            with guard.within(config.timeout_s):
                call.association.abort()
            raise
        with guard.within(2 * config.timeout_s):
            call.association.release()
    finally:
        ae.close()


def echo(config: CalledAE) -> None:
    """It answers a C-ECHO.  Raises as `associated` does."""
    with associated(config, [(Verification, PLAIN)]) as call:
        with call.bounded(0):
            answer = call.association.send_c_echo()
        if "Status" not in answer:
            raise call.unanswered("a C-ECHO")
        if answer.Status != 0x0000:
            raise DestinationNotReady(f"answered a C-ECHO with status {answer.Status:04X}")


def _request(
    config: CalledAE,
    contexts: Sequence[Context],
    guard: Guard,
    *,
    ae: CallingAE,
    stored_here: Collection[str],
    handlers: Sequence[tuple[evt.EventType, Callable[..., Any]]],
) -> Call:
    prepare()
    ae.connection_timeout = ae.acse_timeout = config.timeout_s
    ae.dimse_timeout = ae.network_timeout = config.timeout_s
    where = f"{config.ae_title} at {config.host}:{config.port}"
    how = secured(config)
    failures = [] if how is None else failures_of(how.context)
    rejections: list[A_ASSOCIATE] = []
    try:
        with guard.within(2 * config.timeout_s):
            association = ae.associate(
                config.host,
                config.port,
                contexts=[build_context(uid, list(syntaxes)) for uid, syntaxes in contexts],
                ae_title=config.ae_title,
                ext_neg=[build_role(uid, scp_role=True) for uid in stored_here],
                # pynetdicom hands it on to wrap_socket()
                tls_args=None if how is None else (how.context, cast(str, how.name)),
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, _limit_socket, [guard, config.timeout_s]),
                    (evt.EVT_PDU_RECV, _keep_rejection, [rejections]),
                    *handlers,
                ],
            )
    except OSError as error:
        raise unreached(where, error, timeout_s=config.timeout_s) from error
    connection = cast(WatchedSocket, ae.connection)
    if association.is_established:
        return Call(association=association, connection=connection, guard=guard, config=config)
    if rejections:
        raise _rejected(where, rejections[0], config)
    if association.rejected_contexts:  # all of them
        _require(association, [uid for uid, _ in contexts])
    if failures:
        raise DestinationNotReady(f"{where} cannot be reached over TLS: {failures[0]}")
    raise _unaccepted(where, connection, config, too_slow=guard.expired)


def _unaccepted(
    where: str, connection: WatchedSocket, config: CalledAE, *, too_slow: bool
) -> DestinationError:
    """Why there is no association, though nobody rejected it."""
    if connection.unconnected is not None:
        return unreached(where, connection.unconnected, timeout_s=config.timeout_s)
    if otherwise := connection.speaks_otherwise():
        return DestinationNotReady(f"{where} answers {otherwise}")
    if too_slow:
        why = f"took more than {2 * config.timeout_s:g} s to answer"
    elif connection.ended_by:
        why = f"{connection.ended_by} instead of answering"
    elif connection.first:
        why = "aborted, instead of answering"
    else:
        why = f"accepts the connection, but was silent for {config.timeout_s:g} s after"
    return DestinationUnreachable(f"{where} {why} the association request")


def _rejected(where: str, answer: A_ASSOCIATE, config: CalledAE) -> DestinationError:
    """The rejection in words; until somebody has registered this node there, it is the rule."""
    words = f"{where} rejected the association: {answer.reason_str}"
    if answer.result != _REJECTED_PERMANENT:
        return DestinationUnreachable(words)
    return DestinationNotReady(
        f"{words}; called as {config.calling_ae_title}, which has to be registered there"
    )


def _require(association: Association, classes: Collection[str]) -> None:
    """Every one of the classes was accepted, in one transfer syntax at least."""
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    refused = {str(each.abstract_syntax): each for each in association.rejected_contexts}
    for uid in dict.fromkeys(classes):
        if uid in accepted:
            continue
        if uid in refused:
            words = f"rejects the presentation context of SOP class {uid}: {refused[uid].status}"
        else:
            words = f"left the presentation context of SOP class {uid} unanswered"
        raise VariantRejected(words, sop_class_uid=uid)


def _keep_rejection(received: evt.Event, rejections: list[A_ASSOCIATE]) -> None:
    """A rejection is kept as it comes.

    pynetdicom forgets one that is here before the thread that asked looks at its connection: it
    finds it closed, and takes it for one that was never had.
    """
    if isinstance(received.pdu, A_ASSOCIATE_RJ):
        rejections.append(received.pdu.to_primitive())


def _limit_socket(connected: evt.Event, guard: Guard, timeout_s: float) -> None:
    """No read or write lasts longer than the timeout, nor all of them together than the guard says.

    pynetdicom would wait for ever.
    """
    wrapper = connected.assoc.dul.socket
    if wrapper is not None and wrapper.socket is not None:
        guard.watch(wrapper.socket)
        wrapper.socket.settimeout(timeout_s)
        wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
