"""What an operator sees: lists, single entries and the diary; nothing here changes anything."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import Event
from node.core.errors import UnknownEntry
from node.core.results import CaptureVariant, ReportVariant
from node.core.states import State
from node.persistence.artifacts import artifacts_of
from node.persistence.rows import DeliveryRow, InstanceRow, JobRow, StoredArtifact
from node.persistence.schema import Delivered, Delivery, EventLog, Instance, Job, LeasedWork
from node.persistence.study_lists import StudyLists
from sr_templates.findings import Outcome


class Lists(StudyLists):
    """What is there."""

    def list_instances(self, study: StudyInstanceUID) -> list[InstanceRow]:
        """Every stored version of every instance of the study, in the order of arrival."""
        with self._read() as connection:
            rows = connection.execute(
                select(*Instance.__table__.columns)
                .where(Instance.study_instance_uid == study)
                .order_by(Instance.received_at, Instance.id)
            ).all()
        return [_instance(row) for row in rows]

    def list_jobs(
        self,
        *,
        study: StudyInstanceUID | None = None,
        states: Sequence[State] = (),
        since: datetime | None = None,
        ids: Sequence[int] = (),
        limit: int | None = None,
    ) -> list[JobRow]:
        """Jobs that fit every given filter, newest first."""
        query = _filtered(
            select(*Job.__table__.columns), Job, study=study, states=states, since=since, ids=ids
        )
        with self._read() as connection:
            return [_job(row) for row in connection.execute(query.limit(limit)).all()]

    def list_deliveries(
        self,
        *,
        study: StudyInstanceUID | None = None,
        job_id: int | None = None,
        destination: str | None = None,
        states: Sequence[State] = (),
        since: datetime | None = None,
        ids: Sequence[int] = (),
        limit: int | None = None,
    ) -> list[DeliveryRow]:
        """Deliveries that fit every given filter, newest first."""
        delivered = (
            select(func.count())
            .where(Delivered.delivery_id == Delivery.id, Delivered.status.is_not(None))
            .correlate(Delivery)
            .scalar_subquery()
        )
        query: Select[Any] = select(
            *Delivery.__table__.columns,
            delivered.label("delivered"),
        )
        if job_id is not None:
            query = query.where(Delivery.job_id == job_id)
        if destination is not None:
            query = query.where(Delivery.destination == destination)
        query = _filtered(query, Delivery, study=study, states=states, since=since, ids=ids)
        with self._read() as connection:
            return [_delivery(row) for row in connection.execute(query.limit(limit)).all()]

    def job(self, job_id: int) -> JobRow:
        """One job.  Raises UnknownEntry."""
        found = self.list_jobs(ids=[job_id])
        if not found:
            raise UnknownEntry(f"there is no job {job_id}")
        return found[0]

    def artifacts(self, job_id: int) -> tuple[StoredArtifact, ...]:
        """The stored results of a job: of its analysis, else of its technical failure."""
        outcome = self.job(job_id).outcome or Outcome.TECHNICAL_FAILURE
        with self._read() as connection:
            return artifacts_of(connection, job_id, outcome)

    def diary(self, study: StudyInstanceUID) -> list[Event]:
        """Everything that happened to the study, in order."""
        with self._read() as connection:
            rows = connection.execute(
                select(*EventLog.__table__.columns)
                .where(EventLog.study_instance_uid == study)
                .order_by(EventLog.id)
            ).all()
        return [
            Event(
                at=row.at,
                study_instance_uid=study,
                kind=row.kind,
                job_id=row.job_id,
                delivery_id=row.delivery_id,
                details=row.details,
            )
            for row in rows
        ]

    def counts(self) -> dict[str, dict[State, int]]:
        """How many jobs and deliveries stand in each state."""
        with self._read() as connection:
            return {
                work.__tablename__: {
                    State(state): number
                    for state, number in connection.execute(
                        select(work.state, func.count()).group_by(work.state)
                    ).all()
                }
                for work in (Job, Delivery)
            }


def _filtered(
    query: Select[Any],
    work: type[LeasedWork],
    *,
    study: StudyInstanceUID | None,
    states: Sequence[State],
    since: datetime | None,
    ids: Sequence[int],
) -> Select[Any]:
    """The newest first; every filter and both orders have an index."""
    if study is not None:
        query = query.where(work.study_instance_uid == study)
    if states:
        query = query.where(work.state.in_(states))
    if since is not None:
        query = query.where(work.created_at >= since)
    if ids:
        query = query.where(work.id.in_(ids))
    by_age = [] if since is None else [work.created_at.desc()]
    return query.order_by(*by_age, work.id.desc())


def _instance(row: Row[Any]) -> InstanceRow:
    return InstanceRow(
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
        series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
        sop_class_uid=SOPClassUID(row.sop_class_uid),
        transfer_syntax_uid=row.transfer_syntax_uid,
        role=row.role,
        kind=row.kind,
        version=row.version,
        current=row.current,
        received_at=row.received_at,
        path=row.path,
        size=row.size,
    )


def _job(row: Row[Any]) -> JobRow:
    return JobRow(
        job_id=row.id,
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        revision=row.revision,
        state=State(row.state),
        tries=row.tries,
        max_attempts=row.max_attempts,
        attempt=row.attempt,
        owner=row.owner,
        lease_until=row.lease_until,
        not_before=row.not_before,
        created_at=row.created_at,
        settled_at=row.settled_at,
        analysis_id=row.analysis_id,
        input_digest=row.input_digest,
        outcome=Outcome(row.outcome) if row.outcome else None,
        headline=row.headline,
        summary=row.summary,
        error=row.error,
    )


def _delivery(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(
        delivery_id=row.id,
        job_id=row.job_id,
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        destination=row.destination,
        outcome=Outcome(row.outcome),
        round=row.round,
        state=State(row.state),
        tries=row.tries,
        max_attempts=row.max_attempts,
        owner=row.owner,
        lease_until=row.lease_until,
        not_before=row.not_before,
        created_at=row.created_at,
        settled_at=row.settled_at,
        delivered=row.delivered,
        report_variant=row.report_variant and ReportVariant(row.report_variant),
        capture_variant=row.capture_variant and CaptureVariant(row.capture_variant),
        error=row.error,
    )
