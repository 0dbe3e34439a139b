"""The deliverer's transactions."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import aliased

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import AN_OPERATOR, Kind
from node.core.errors import LeaseLost, NotAllowed, UnknownEntry
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.states import State, Step
from node.persistence import work
from node.persistence.artifacts import artifacts_of, results_of
from node.persistence.conditions import in_states
from node.persistence.files_here import require_results
from node.persistence.leases import Leases
from node.persistence.outdated import is_outdated, newest_reported
from node.persistence.queueing import queue_deliveries
from node.persistence.rows import DeliveryLease, Outbox, SentObject
from node.persistence.schema import Delivered, Delivery, Job
from node.persistence.tallies import count_delivery
from node.persistence.transactions import lock_study, record
from sr_templates.findings import Outcome


class Deliveries(Leases):
    """What goes out."""

    def claim_delivery(
        self, *, destination: str, owner: str, lease_s: float, now: datetime
    ) -> DeliveryLease | None:
        """The destination's next delivery is this owner's for `lease_s`; None if there is none.

        A destination gets one delivery of a study at a time, and nothing that is outdated.
        """
        with self._write() as connection:
            row = work.claim(
                connection,
                Delivery,
                _CLAIMS,
                owner=owner,
                lease_s=lease_s,
                now=now,
                to=destination,
            )
            if row is None:
                return None
            confirmed = connection.execute(
                select(Delivered.sop_instance_uid).where(
                    Delivered.delivery_id == row.id, Delivered.status.is_not(None)
                )
            ).scalars()
            replaces = connection.execute(
                select(Job.predecessor_id).where(Job.id == row.job_id)
            ).scalar_one()
            return DeliveryLease(
                work=Delivery,
                number=row.id,
                attempt=row.attempt,
                tries=row.tries,
                max_attempts=row.max_attempts,
                owner=owner,
                study_instance_uid=StudyInstanceUID(row.study_instance_uid),
                destination=destination,
                job_id=row.job_id,
                outcome=Outcome(row.outcome),
                artifacts=artifacts_of(connection, row.job_id, Outcome(row.outcome)),
                predecessor=results_of(connection, replaces),
                already_delivered=frozenset(map(SOPInstanceUID, confirmed)),
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
                .where(work.held(lease))
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

    def note_left_out(
        self, lease: DeliveryLease, kind: ArtifactKind, *, because: str, now: datetime
    ) -> None:
        """The diary says what this destination did not take beside the report."""
        with self._write() as connection:
            record(
                connection,
                Kind.DELIVERY_LEFT_OUT,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                delivery_id=lease.delivery_id,
                destination=lease.destination,
                artifact=kind.replace("_", " "),
                because=because,
            )

    def mark_begun(self, lease: DeliveryLease, sent: SentObject, *, now: datetime) -> None:
        """One object is on its way: from now on the destination may hold it, answered or not."""
        with self._write() as connection:
            _mark(connection, lease, sent, status=None, now=now)

    def mark_refused(self, lease: DeliveryLease, sent: SentObject) -> None:
        """The destination has answered that it does not keep an object that was begun."""
        with self._write() as connection:
            connection.execute(
                delete(Delivered).where(
                    Delivered.delivery_id == lease.delivery_id,
                    Delivered.sop_instance_uid == sent.sop_instance_uid,
                    Delivered.status.is_(None),
                )
            )

    def mark_delivered(
        self, lease: DeliveryLease, sent: SentObject, *, status: int, now: datetime
    ) -> bool:
        """The destination has confirmed one object; a later try passes it by.

        It is noted whoever holds the lease by now; False if this process does no more, and should
        send nothing further.
        """
        with self._write() as connection:
            _mark(connection, lease, sent, status=status, now=now)
            return _is_held(connection, lease)

    def superseded(
        self, lease: DeliveryLease, *, sent: Collection[SOPInstanceUID]
    ) -> tuple[SentObject, ...]:
        """What this destination holds, or may hold, beside what is sent, and no note has rejected.

        Results of earlier revisions; a technical failure of the same job that has a result now;
        report and captures of the same job in another form, of when the destination was set up
        otherwise.  What was begun and never answered may be there, and counts.

        sent : the objects of this delivery, in the form that they are sent in
        """
        own, earlier = aliased(Job), aliased(Job)
        overtaken = or_(
            earlier.revision < own.revision,
            and_(earlier.id == own.id, Delivery.outcome != lease.outcome),
            and_(
                earlier.id == own.id,
                Delivered.kind.in_([ArtifactKind.REPORT, ArtifactKind.CAPTURE]),
                Delivered.sop_instance_uid.not_in(sent),
            ),
        )
        with self._read() as connection:
            rows = connection.execute(
                select(
                    Delivered.kind,
                    Delivered.sop_class_uid,
                    Delivered.sop_instance_uid,
                    Delivered.series_instance_uid,
                )
                .join(Delivery, Delivery.id == Delivered.delivery_id)
                .join(earlier, earlier.id == Delivery.job_id)
                .join(own, own.id == lease.job_id)
                .where(
                    Delivery.study_instance_uid == lease.study_instance_uid,
                    Delivery.destination == lease.destination,
                    Delivered.rejected_by.is_(None),
                    Delivered.kind != ArtifactKind.REJECTION_NOTE,
                    overtaken,
                )
                .distinct()
                .order_by(Delivered.sop_instance_uid)
            ).all()
        return tuple(
            SentObject(
                kind=ArtifactKind(row.kind),
                sop_class_uid=SOPClassUID(row.sop_class_uid),
                sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
                series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
            )
            for row in rows
        )

    def mark_rejected(
        self,
        lease: DeliveryLease,
        note: SentObject,
        rejected: Sequence[SentObject],
        *,
        status: int,
        now: datetime,
    ) -> bool:
        """The destination has confirmed a note that rejects these objects, as `mark_delivered`."""
        with self._write() as connection:
            _mark(connection, lease, note, status=status, now=now)
            here = select(Delivery.id).where(
                Delivery.study_instance_uid == lease.study_instance_uid,
                Delivery.destination == lease.destination,
            )
            connection.execute(
                update(Delivered)
                .where(
                    Delivered.delivery_id.in_(here),
                    Delivered.sop_instance_uid.in_([each.sop_instance_uid for each in rejected]),
                )
                .values(rejected_by=note.sop_instance_uid)
            )
            record(
                connection,
                Kind.DELIVERY_REJECTS,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                delivery_id=lease.delivery_id,
                destination=lease.destination,
                rejected=len(rejected),
            )
            return _is_held(connection, lease)

    def finish_delivery(self, lease: DeliveryLease, *, now: datetime) -> None:
        """The destination has everything.  Raises LeaseLost."""
        with self._write() as connection:
            delivered = connection.execute(
                select(func.count()).where(
                    Delivered.delivery_id == lease.number, Delivered.status.is_not(None)
                )
            ).scalar_one()
            work.settle(
                connection,
                lease,
                Step.FINISH,
                now=now,
                line=work.Line({"delivered": delivered}),
                error=None,
            )
            count_delivery(connection, lease, now=now)

    def requeue_delivery(self, delivery_id: int, *, now: datetime, by: str = AN_OPERATOR) -> int:
        """The same stored objects are sent again; the number of the delivery that does it.

        Dead or cancelled: this one, with all its tries.  Done: a new one, its history stays.
        Raises UnknownEntry, and NotAllowed for one that is queued or running, or outdated.

        by : who asks, for the diary
        """
        with self._write() as connection:
            row = _delivery(connection, delivery_id)
            outdated = connection.execute(
                select(is_outdated(Delivery)).where(Delivery.id == delivery_id)
            ).scalar_one()
            if outdated:
                newest = newest_reported(connection, row.study_instance_uid)
                assert newest is not None, "it is what makes this one outdated"  # noqa: S101
                raise NotAllowed(
                    f"delivery {delivery_id} is outdated: job {newest[0]} of the same study has "
                    "been reported since; requeue that one"
                )
            require_results(connection, row.job_id, Outcome(row.outcome))
            if row.state == State.DONE:
                queued = queue_deliveries(
                    connection,
                    row.job_id,
                    study=row.study_instance_uid,
                    outcome=Outcome(row.outcome),
                    outbox=Outbox(destinations=[row.destination], max_attempts=row.max_attempts),
                    now=now,
                    by=by,
                )
                if not queued:
                    raise NotAllowed(f"delivery {delivery_id} is being sent again already")
                return queued[0]
            line = work.Line({"by": by})
            if not work.requeue(connection, Delivery, delivery_id, now=now, line=line):
                raise NotAllowed(f"delivery {delivery_id} is {row.state} already")
            return delivery_id

    def cancel_delivery(self, delivery_id: int, *, now: datetime, by: str = AN_OPERATOR) -> None:
        """What had not been sent is not sent, unless somebody requeues it.

        Raises UnknownEntry, and NotAllowed for one that is done or cancelled.

        by : who asks, for the diary
        """
        with self._write() as connection:
            row = _delivery(connection, delivery_id)
            if not work.cancel_one(
                connection,
                row,
                Delivery,
                error=f"cancelled by {by}",
                now=now,
                line=work.Line({"by": by}, entry=Kind.DELIVERY_CANCELLED_BY),
            ):
                raise NotAllowed(
                    f"delivery {delivery_id} is {row.state}; only what is queued, running or dead "
                    "can be cancelled"
                )


def _mark(
    connection: Connection,
    lease: DeliveryLease,
    sent: SentObject,
    *,
    status: int | None,
    now: datetime,
) -> None:
    """The object has its row, with the first status that the destination gave."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    row = insert(Delivered).values(
        delivery_id=lease.delivery_id,
        kind=sent.kind,
        sop_class_uid=sent.sop_class_uid,
        sop_instance_uid=sent.sop_instance_uid,
        series_instance_uid=sent.series_instance_uid,
        status=status,
        at=now,
    )
    connection.execute(
        row.on_conflict_do_nothing()
        if status is None
        else row.on_conflict_do_update(
            index_elements=["delivery_id", "sop_instance_uid"],
            set_={"status": status, "at": now},
            where=Delivered.status.is_(None),
        )
    )


def _is_held(connection: Connection, lease: DeliveryLease) -> bool:
    held = select(Delivery.id).where(work.held(lease))
    return connection.execute(held).one_or_none() is not None


def _delivery(connection: Connection, delivery_id: int) -> Row[Any]:
    """The delivery, which nobody makes outdated until the transaction is over."""
    study = connection.execute(
        select(Delivery.study_instance_uid).where(Delivery.id == delivery_id)
    ).scalar_one_or_none()
    if study is None:
        raise UnknownEntry(f"there is no delivery {delivery_id}")
    lock_study(connection, study)
    return connection.execute(
        select(*Delivery.__table__.columns).where(Delivery.id == delivery_id).with_for_update()
    ).one()


def _another_is_running(candidate: Any) -> ColumnElement[bool]:
    """An older report is just being sent there: the newer one waits for its end."""
    other = aliased(Delivery)
    return exists().where(
        other.study_instance_uid == candidate.study_instance_uid,
        other.destination == candidate.destination,
        other.id != candidate.id,
        in_states(other.state, {State.RUNNING}),
    )


_CLAIMS = work.claims(
    Delivery,
    eligible=lambda candidate: [
        candidate.destination == bindparam("to"),
        ~is_outdated(candidate),
        ~_another_is_running(candidate),
    ],
)
