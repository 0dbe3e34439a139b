"""The deliverer's transactions."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from m3net.uids import StudyInstanceUID
from node.core.diary import Kind
from node.core.errors import LeaseLost, NotAllowed, UnknownEntry
from node.core.results import CaptureVariant, ReportVariant
from node.core.states import State, Step
from node.persistence.artifacts import artifacts_of, queue_deliveries
from node.persistence.leases import Leases, claim, held, move, settle, study_of
from node.persistence.rows import DeliveryLease
from node.persistence.schema import Delivered, Delivery
from node.persistence.transactions import record
from sr_templates.findings import Outcome


class Deliveries(Leases):
    """What goes out."""

    def claim_delivery(
        self, *, destination: str, owner: str, lease_s: float, now: datetime
    ) -> DeliveryLease | None:
        """The destination's next delivery is this owner's for `lease_s`; None if there is none."""
        with self._write() as connection:
            row = claim(
                connection,
                Delivery,
                eligible=lambda candidate: [candidate.destination == destination],
                owner=owner,
                lease_s=lease_s,
                now=now,
            )
            if row is None:
                return None
            study = study_of(connection, row.job_id)
            record(
                connection,
                Kind.DELIVERY_CLAIMED,
                study=study,
                now=now,
                job_id=row.job_id,
                delivery_id=row.id,
                destination=destination,
                tries=row.tries,
                max_attempts=row.max_attempts,
            )
            confirmed = connection.execute(
                select(Delivered.artifact_id).where(Delivered.delivery_id == row.id)
            ).scalars()
            return DeliveryLease(
                delivery_id=row.id,
                attempt=row.attempt,
                tries=row.tries,
                max_attempts=row.max_attempts,
                owner=owner,
                destination=destination,
                job_id=row.job_id,
                study_instance_uid=StudyInstanceUID(study),
                outcome=Outcome(row.outcome),
                artifacts=artifacts_of(connection, row.job_id, Outcome(row.outcome)),
                already_delivered=frozenset(confirmed),
                report_variant=row.report_variant and ReportVariant(row.report_variant),
                capture_variant=row.capture_variant and CaptureVariant(row.capture_variant),
            )

    def note_variant(
        self,
        lease: DeliveryLease,
        *,
        report_variant: ReportVariant,
        capture_variant: CaptureVariant,
        now: datetime,
    ) -> None:
        """The form that this destination takes is known to later tries.  Raises LeaseLost."""
        with self._write() as connection:
            noted = connection.execute(
                update(Delivery)
                .where(held(lease))
                .values(report_variant=report_variant, capture_variant=capture_variant)
            )
            if not noted.rowcount:
                raise LeaseLost(f"delivery {lease.delivery_id}: attempt {lease.attempt} is over")
            record(
                connection,
                Kind.DELIVERY_VARIANT,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                delivery_id=lease.delivery_id,
                destination=lease.destination,
                report_variant=report_variant,
                capture_variant=capture_variant,
            )

    def mark_delivered(
        self, lease: DeliveryLease, artifact_id: int, *, status: int, now: datetime
    ) -> None:
        """The destination has confirmed one object; a later try passes it by.

        True whoever holds the lease by now, so it is noted even if this process does not.
        """
        with self._write() as connection:
            insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
            connection.execute(
                insert(Delivered)
                .values(
                    delivery_id=lease.delivery_id, artifact_id=artifact_id, status=status, at=now
                )
                .on_conflict_do_nothing()
            )

    def finish_delivery(self, lease: DeliveryLease, *, now: datetime) -> None:
        """The destination has everything.  Raises LeaseLost."""
        with self._write() as connection:
            settle(connection, lease, Step.FINISH, now=now, error=None)
            delivered = connection.execute(
                select(Delivered.artifact_id).where(Delivered.delivery_id == lease.delivery_id)
            ).all()
            record(
                connection,
                Kind.DELIVERY_DONE,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                delivery_id=lease.delivery_id,
                destination=lease.destination,
                delivered=len(delivered),
            )

    def retry_delivery(
        self, lease: DeliveryLease, *, error: str, not_before: datetime, now: datetime
    ) -> State:
        """It is queued again, or dead if this was its last try.  Raises LeaseLost."""
        if lease.tries >= lease.max_attempts:
            self.bury_delivery(lease, error=f"{error} (try {lease.tries}, the last)", now=now)
            return State.DEAD
        with self._write() as connection:
            settle(connection, lease, Step.RETRY, now=now, error=error, not_before=not_before)
            record(
                connection,
                Kind.DELIVERY_RETRIED,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                delivery_id=lease.delivery_id,
                destination=lease.destination,
                error=error,
                not_before=not_before.isoformat(timespec="seconds"),
            )
        return State.QUEUED

    def bury_delivery(self, lease: DeliveryLease, *, error: str, now: datetime) -> None:
        """It is dead and waits for a person.  Raises LeaseLost."""
        with self._write() as connection:
            settle(connection, lease, Step.BURY, now=now, error=error)
            record(
                connection,
                Kind.DELIVERY_DEAD,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                delivery_id=lease.delivery_id,
                destination=lease.destination,
                error=error,
            )

    def requeue_delivery(self, delivery_id: int, *, now: datetime) -> int:
        """The same stored objects are sent again; the number of the delivery that does it.

        Dead or cancelled: this one, with all its tries.  Done: a new one, its history stays.
        Raises UnknownEntry, and NotAllowed for one that is queued or running.
        """
        with self._write() as connection:
            row = connection.execute(
                select(*Delivery.__table__.columns)
                .where(Delivery.id == delivery_id)
                .with_for_update()
            ).one_or_none()
            if row is None:
                raise UnknownEntry(f"there is no delivery {delivery_id}")
            study = study_of(connection, row.job_id)
            if row.state == State.DONE:
                queued = queue_deliveries(
                    connection,
                    job_id=row.job_id,
                    study=study,
                    outcome=Outcome(row.outcome),
                    destinations=[row.destination],
                    max_attempts=row.max_attempts,
                    now=now,
                )
                if not queued:
                    raise NotAllowed(f"delivery {delivery_id} is being sent again already")
                return queued[0]
            if not move(
                connection, Delivery, delivery_id, Step.REQUEUE, now=now, tries=0, not_before=now
            ):
                raise NotAllowed(f"delivery {delivery_id} is {row.state} already")
            record(
                connection,
                Kind.DELIVERY_REQUEUED,
                study=study,
                now=now,
                job_id=row.job_id,
                delivery_id=delivery_id,
                destination=row.destination,
            )
            return delivery_id
