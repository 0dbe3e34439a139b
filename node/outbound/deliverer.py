"""Sends results: one thread for each destination, so one that is down delays nobody else.

Each object that a destination has confirmed is written down at once; a try that fails later goes
on from there.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Protocol

from node.config import DeliveryConfig, DestinationConfig
from node.core.errors import DestinationRefused, LeaseLost, VariantRejected
from node.core.results import CaptureVariant, ReportVariant
from node.core.variants import Form, Wishes, in_form, kind_of
from node.lease_holder import Clock, KeepsLeases, LeaseHolder, keep_working, log
from node.outbound.connect import connect
from node.outbound.destination import ArtifactFile, Destination
from node.persistence.process_identity import this_process
from node.persistence.rows import DeliveryLease, StoredArtifact
from node.persistence.spool import Spool


class KeepsDeliveries(KeepsLeases, Protocol):
    """What the deliverer asks of the store."""

    def claim_delivery(
        self, *, destination: str, owner: str, lease_s: float, now: datetime
    ) -> DeliveryLease | None:
        """The destination's next delivery is this owner's."""
        ...

    def mark_delivered(
        self, lease: DeliveryLease, artifact_id: int, *, status: int, now: datetime
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

    def finish_delivery(self, lease: DeliveryLease, *, now: datetime) -> None:
        """The destination has everything."""
        ...


def run(
    config: DeliveryConfig,
    destinations: Sequence[DestinationConfig],
    store: KeepsDeliveries,
    spool: Spool,
    stop: threading.Event,
) -> None:
    """Deliver until `stop` is set; what is being sent then is sent to its end."""
    threads = [
        threading.Thread(
            target=Courier(config, destination, store, spool).run,
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
    ) -> None:
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
        wishes = Wishes(report=self._destination.report, captures=self._destination.captures)
        form = wishes.first(lease.report_variant, lease.capture_variant)
        destination = self._connect(self._destination)
        confirmed = set(lease.already_delivered)
        while True:
            try:
                self._send_form(lease, form, destination, confirmed)
            except VariantRejected as rejected:
                kind = kind_of(rejected.sop_class_uid, lease.artifacts)
                poorer = None if kind is None else wishes.poorer(form, kind)
                if poorer is None:
                    raise
                log("falls_back", lease, because=str(rejected))
                form = poorer
            else:
                return

    def _send_form(
        self, lease: DeliveryLease, form: Form, destination: Destination, confirmed: set[int]
    ) -> None:
        """Send what is not confirmed yet; `confirmed` grows with every answer."""

        def on_stored(artifact: ArtifactFile, status: int) -> None:
            confirmed.add(artifact.artifact_id)
            now = self._clock()
            if not self._store.mark_delivered(lease, artifact.artifact_id, status=status, now=now):
                # Whoever holds it now sends the rest; a newer report may be on its way already.
                raise LeaseLost(f"delivery {lease.number}: attempt {lease.attempt} is over")

        files = [self._file(artifact) for artifact in in_form(lease.artifacts, form)]
        destination.send([file for file in files if file.artifact_id not in confirmed], on_stored)
        if (form.report, form.captures) != (lease.report_variant, lease.capture_variant):
            self._store.note_variant(
                lease,
                report_variant=form.report,
                capture_variant=form.captures,
                now=self._clock(),
            )

    def _file(self, artifact: StoredArtifact) -> ArtifactFile:
        path = self._spool.locate(artifact.path)
        if artifact.artifact_id is None or not path.exists():
            raise DestinationRefused(
                f"the stored result {artifact.sop_instance_uid} is gone from this node's storage; "
                "requeue the job"
            )
        return ArtifactFile(
            artifact_id=artifact.artifact_id,
            sop_class_uid=artifact.sop_class_uid,
            sop_instance_uid=artifact.sop_instance_uid,
            path=path,
        )
