"""Sends results: one thread for each destination, so one that is down delays nobody else.

Each object that a destination has confirmed is written down at once; a try that fails later goes
on from there.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Protocol

from m3net.uids import SOPInstanceUID
from node.config import DeliveryConfig, DestinationConfig
from node.core.errors import (
    DestinationError,
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
    LeaseLost,
    VariantRejected,
)
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.variants import Form
from node.lease_holder import Clock, KeepsLeases, LeaseHolder, keep_working, log
from node.outbound.connect import connect
from node.outbound.destination import Destination, OutgoingObject
from node.outbound.outgoing import objects_in
from node.outbound.rejection import rejection_note
from node.persistence.process_identity import this_process
from node.persistence.rows import DeliveryLease, SentObject
from node.persistence.spool import Spool
from node.watch.pulse import Moved, unseen
from sr_templates.findings import Outcome


class KeepsDeliveries(KeepsLeases, Protocol):
    """What the deliverer asks of the store."""

    def claim_delivery(
        self, *, destination: str, owner: str, lease_s: float, now: datetime
    ) -> DeliveryLease | None:
        """The destination's next delivery is this owner's."""
        ...

    def mark_begun(self, lease: DeliveryLease, sent: SentObject, *, now: datetime) -> None:
        """One object is on its way, and may be there from now on."""
        ...

    def mark_refused(self, lease: DeliveryLease, sent: SentObject) -> None:
        """The destination does not keep an object that was begun."""
        ...

    def mark_delivered(
        self, lease: DeliveryLease, sent: SentObject, *, status: int, now: datetime
    ) -> bool:
        """The destination has confirmed one object; False if the lease is lost."""
        ...

    def note_variant(
        self,
        lease: DeliveryLease,
        *,
        report_variant: ReportVariant,
        capture_variant: CaptureVariant,
        now: datetime,
    ) -> None:
        """The form that the destination takes is known to later tries."""
        ...

    def note_left_out(
        self, lease: DeliveryLease, kind: ArtifactKind, *, because: str, now: datetime
    ) -> None:
        """The diary says what was not sent beside the report."""
        ...

    def superseded(
        self, lease: DeliveryLease, *, sent: Collection[SOPInstanceUID]
    ) -> Sequence[SentObject]:
        """What the destination may hold beside what is sent, and no note has rejected."""
        ...

    def mark_rejected(
        self,
        lease: DeliveryLease,
        note: SentObject,
        rejected: Sequence[SentObject],
        *,
        status: int,
        now: datetime,
    ) -> bool:
        """The destination has confirmed a note that rejects these objects."""
        ...

    def finish_delivery(self, lease: DeliveryLease, *, now: datetime) -> None:
        """The destination has everything."""
        ...


def run(
    config: DeliveryConfig,
    destinations: Sequence[DestinationConfig],
    store: KeepsDeliveries,
    spool: Spool,
    stop: threading.Event,
    *,
    moved: Moved = unseen,
) -> None:
    """Deliver until `stop` is set; what is being sent then is sent to its end."""
    threads = [
        threading.Thread(
            target=Courier(config, destination, store, spool, moved=moved).run,
            args=(stop,),
            name=f"deliver-{destination.name}",
            daemon=True,
        )
        for destination in destinations
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join()


class Courier:
    """Delivers to one destination."""

    def __init__(
        self,
        config: DeliveryConfig,
        destination: DestinationConfig,
        store: KeepsDeliveries,
        spool: Spool,
        *,
        connect: Callable[[DestinationConfig], Destination] = connect,
        clock: Clock = lambda: datetime.now(UTC),
        rng: Random | None = None,
        moved: Moved = unseen,
    ) -> None:
        self._moved = partial(moved, part=destination.name)
        self._config = config
        self._destination = destination
        self._store = store
        self._spool = spool
        self._connect = connect
        self._clock = clock
        self._holder = LeaseHolder(config, store, clock=clock, rng=rng)

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set."""
        keep_working(
            self.deliver_one,
            poll_s=self._config.poll_s,
            stop=stop,
            interrupted="delivery.interrupted",
            moved=self._moved,
            destination=self._destination.name,
        )

    def deliver_one(self) -> bool:
        """Claim, send and settle one delivery; False if there is nothing to do now."""
        lease = self._store.claim_delivery(
            destination=self._destination.name,
            owner=this_process(),
            lease_s=self._config.lease_s,
            now=self._clock(),
        )
        if lease is None:
            return False
        self._holder.hold(lease, lambda: self._deliver(lease))
        return True

    def _deliver(self, lease: DeliveryLease) -> Mapping[str, object]:
        self._send(lease)
        self._store.finish_delivery(lease, now=self._clock())
        return {}

    def _send(self, lease: DeliveryLease) -> None:
        """Send the richest form that the destination takes, and remember which it was."""
        wishes = self._destination.wishes()
        form = wishes.first(lease.report_variant, lease.capture_variant)
        companions = wishes.companions
        destination = self._connect(self._destination)
        confirmed = set(lease.already_delivered)
        later: DestinationError | None = None
        while True:
            objects = objects_in(form, lease, self._spool, companions=companions)
            try:
                self._send_objects(lease, objects, destination, confirmed)
            except DestinationRefused as refused:
                kind = _kind_of(refused, objects)
                if kind is not None and kind in companions:
                    self._leave_out(lease, kind, refused)
                    companions = companions - {kind}
                    continue
                rejected = kind if isinstance(refused, VariantRejected) else None
                poorer = None if rejected is None else wishes.poorer(form, rejected)
                if poorer is None:
                    raise
                log("falls_back", lease, because=str(refused))
                form = poorer
            except (DestinationUnreachable, DestinationNotReady) as error:
                waiting = [each for each in objects if each.sent.sop_instance_uid not in confirmed]
                kind = _kind_of(error, objects)
                if not waiting or waiting[0].sent.kind not in companions:
                    lasts = error.not_kept and self._holder.lasts(lease, error)
                    poorer = wishes.poorer(form, kind) if lasts and kind is not None else None
                    if poorer is None:
                        raise
                    log("falls_back", lease, because=str(error))
                    form = poorer
                    continue
                if kind is not None and lease.tries >= lease.max_attempts:
                    self._leave_out(lease, kind, error)
                    companions = companions - {kind}
                    continue
                # The report does not wait for what stands beside it.
                later, companions = error, frozenset()
            else:
                break
        self._note_form(lease, form)
        wanted = self._destination.settled().reject_superseded
        if wanted and lease.outcome is not Outcome.TECHNICAL_FAILURE:
            self._reject_superseded(lease, objects, destination)
        if later is not None:
            raise later

    def _note_form(self, lease: DeliveryLease, form: Form) -> None:
        if (form.report, form.captures) != (lease.report_variant, lease.capture_variant):
            self._store.note_variant(
                lease,
                report_variant=form.report,
                capture_variant=form.captures,
                now=self._clock(),
            )

    def _send_objects(
        self,
        lease: DeliveryLease,
        objects: Sequence[OutgoingObject],
        destination: Destination,
        confirmed: set[SOPInstanceUID],
    ) -> None:
        """Send what is not confirmed yet; `confirmed` grows with every answer."""
        begun: list[OutgoingObject] = []

        def on_begun(each: OutgoingObject) -> None:
            begun.append(each)
            self._moved(f"delivery {lease.number} to {lease.destination}")
            self._store.mark_begun(lease, each.sent, now=self._clock())

        def on_stored(stored: OutgoingObject, status: int) -> None:
            confirmed.add(stored.sent.sop_instance_uid)
            now = self._clock()
            if not self._store.mark_delivered(lease, stored.sent, status=status, now=now):
                # Whoever holds it now sends the rest; a newer report may be on its way already.
                raise LeaseLost(f"delivery {lease.number}: attempt {lease.attempt} is over")

        waiting = [each for each in objects if each.sent.sop_instance_uid not in confirmed]
        try:
            destination.send(waiting, on_stored, on_begun=on_begun)
        except DestinationError as error:
            if error.not_kept and begun and begun[-1].sent.sop_instance_uid not in confirmed:
                self._store.mark_refused(lease, begun[-1].sent)
            raise

    def _reject_superseded(
        self, lease: DeliveryLease, objects: Sequence[OutgoingObject], destination: Destination
    ) -> None:
        """What the destination may hold of earlier results is hidden, now that it has the newer.

        A technical failure hides nothing: what was found before may still be all there is.

        objects : of the newer, the report last
        """
        report = objects[-1]
        sent = {each.sent.sop_instance_uid for each in objects}
        superseded = self._store.superseded(lease, sent=sent)
        if not superseded:
            return

        def on_stored(note: OutgoingObject, status: int) -> None:
            self._store.mark_rejected(
                lease, note.sent, superseded, status=status, now=self._clock()
            )

        try:
            destination.send([rejection_note(lease, report, superseded)], on_stored)
        except (DestinationRefused, DestinationNotReady) as refused:
            words = (
                f"holds the newer results; the note that hides {len(superseded)} earlier objects "
                f"there is not taken: {refused}"
            )
            if isinstance(refused, DestinationNotReady):
                raise DestinationNotReady(words) from refused
            raise DestinationRefused(words) from refused

    def _leave_out(
        self, lease: DeliveryLease, kind: ArtifactKind, because: DestinationError
    ) -> None:
        """What stands beside the report must not keep it from being sent; the diary says so."""
        log("leaves_out", lease, level=logging.WARNING, kind=kind, because=str(because))
        self._store.note_left_out(lease, kind, because=str(because), now=self._clock())


def _kind_of(refused: DestinationError, objects: Sequence[OutgoingObject]) -> ArtifactKind | None:
    """What was refused: an object, or all of one class; None if whatever is sent is."""
    for each in objects:
        if isinstance(refused, VariantRejected):
            if each.sop_class_uid == refused.sop_class_uid:
                return each.sent.kind
        elif each.sop_instance_uid == refused.sop_instance_uid:
            return each.sent.kind
    return None
