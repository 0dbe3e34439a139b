"""Result objects and the deliveries that are queued with them; parts of other transactions."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.core.diary import Kind
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.states import State
from node.persistence.rows import StoredArtifact
from node.persistence.schema import Artifact, Delivery
from node.persistence.transactions import record
from sr_templates.findings import Outcome


def add_artifacts(
    connection: Connection, job_id: int, outcome: Outcome, artifacts: Sequence[StoredArtifact]
) -> None:
    """The job has these results, in this order."""
    for artifact in artifacts:
        connection.execute(
            insert(Artifact).values(
                job_id=job_id,
                outcome=outcome,
                kind=artifact.kind,
                report_variant=artifact.report_variant,
                capture_variant=artifact.capture_variant,
                sop_class_uid=artifact.sop_class_uid,
                sop_instance_uid=artifact.sop_instance_uid,
                series_instance_uid=artifact.series_instance_uid,
                path=artifact.path,
                sha256=artifact.sha256,
                size=artifact.size,
            )
        )


def artifacts_of(
    connection: Connection, job_id: int, outcome: Outcome
) -> tuple[StoredArtifact, ...]:
    """What one run of the job left behind, in the order in which it was written."""
    rows = connection.execute(
        select(*Artifact.__table__.columns)
        .where(Artifact.job_id == job_id, Artifact.outcome == outcome)
        .order_by(Artifact.id)
    )
    return tuple(
        StoredArtifact(
            artifact_id=row.id,
            kind=ArtifactKind(row.kind),
            report_variant=row.report_variant and ReportVariant(row.report_variant),
            capture_variant=CaptureVariant(row.capture_variant),
            sop_class_uid=SOPClassUID(row.sop_class_uid),
            sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
            series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
            path=row.path,
            sha256=row.sha256,
            size=row.size,
        )
        for row in rows
    )


def queue_deliveries(
    connection: Connection,
    *,
    job_id: int,
    study: str,
    outcome: Outcome,
    destinations: Sequence[str],
    max_attempts: int,
    now: datetime,
) -> list[int]:
    """One more round of deliveries; destinations that have one queued or running are passed by."""
    queued: list[int] = []
    for destination in destinations:
        before = connection.execute(
            select(
                func.count()
                .filter(Delivery.state.in_((State.QUEUED, State.RUNNING)))
                .label("open"),
                func.coalesce(func.max(Delivery.round), 0).label("rounds"),
            ).where(
                Delivery.job_id == job_id,
                Delivery.destination == destination,
                Delivery.outcome == outcome,
            )
        ).one()
        if before.open:
            continue
        number = connection.execute(
            insert(Delivery)
            .values(
                job_id=job_id,
                destination=destination,
                outcome=outcome,
                round=before.rounds + 1,
                state=State.QUEUED,
                attempt=0,
                tries=0,
                max_attempts=max_attempts,
                not_before=now,
                created_at=now,
            )
            .returning(Delivery.id)
        ).scalar_one()
        queued.append(number)
        record(
            connection,
            Kind.DELIVERY_QUEUED,
            study=study,
            now=now,
            job_id=job_id,
            delivery_id=number,
            destination=destination,
        )
    return queued


def withdraw_failure_reports(
    connection: Connection, study: str, job_id: int, now: datetime
) -> None:
    """A "technical failure" report of this job that nobody has yet got is not sent any more."""
    withdrawn = connection.execute(
        update(Delivery)
        .where(
            Delivery.job_id == job_id,
            Delivery.outcome == Outcome.TECHNICAL_FAILURE,
            Delivery.state.in_((State.QUEUED, State.DEAD)),
        )
        .values(state=State.CANCELLED, settled_at=now, error="the job has a result now")
        .returning(Delivery.id, Delivery.destination)
    ).all()
    for row in withdrawn:
        record(
            connection,
            Kind.DELIVERY_CANCELLED,
            study=study,
            now=now,
            job_id=job_id,
            delivery_id=row.id,
            destination=row.destination,
            error="the job has a result now",
        )
