"""What an operator may ask of a job: again, or not at all."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from node.core.diary import Kind
from node.core.errors import NotAllowed, UnknownEntry
from node.core.states import State, Step
from node.persistence.artifacts import queue_deliveries
from node.persistence.leases import move
from node.persistence.rows import Requeued
from node.persistence.schema import Delivery, Job
from node.persistence.transactions import Transactions, record
from sr_templates.findings import Outcome


class JobRequests(Transactions):
    """Requeue and cancel."""

    def requeue_job(self, job_id: int, *, analysis_id: str, now: datetime) -> Requeued:
        """The job runs again, or its stored results are sent again.

        Dead or cancelled: queued, with all its tries.  Done: its results are sent again as they
        lie, or, if the model or its settings have changed since, a new job analyses the same
        inputs.  Raises UnknownEntry, and NotAllowed for one that is queued or running, or whose
        study has a later result.
        """
        with self._write() as connection:
            job = _job(connection, job_id)
            match State(job.state):
                case State.QUEUED | State.RUNNING:
                    raise NotAllowed(f"job {job_id} is {job.state} already")
                case State.DEAD | State.CANCELLED:
                    return _requeue(connection, job, now)
                case State.DONE if job.analysis_id == analysis_id:
                    return _resend(connection, job, now)
                case State.DONE:
                    return _analyse_anew(connection, job, analysis_id, now)

    def cancel_job(self, job_id: int, *, now: datetime) -> None:
        """The job will not run.  Raises UnknownEntry, or NotAllowed unless it is queued or dead."""
        with self._write() as connection:
            job = _job(connection, job_id)
            if not move(
                connection, Job, job_id, Step.CANCEL, now=now, error="cancelled by an operator"
            ):
                raise NotAllowed(
                    f"job {job_id} is {job.state}; only what is queued or dead can be cancelled"
                )
            record(
                connection,
                Kind.JOB_CANCELLED,
                study=job.study_instance_uid,
                now=now,
                job_id=job_id,
            )


def _job(connection: Connection, job_id: int) -> Row[Any]:
    row = connection.execute(
        select(*Job.__table__.columns).where(Job.id == job_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise UnknownEntry(f"there is no job {job_id}")
    return row


def _requeue(connection: Connection, job: Row[Any], now: datetime) -> Requeued:
    later = connection.execute(
        select(func.min(Job.id)).where(
            Job.study_instance_uid == job.study_instance_uid,
            Job.revision > job.revision,
            Job.state.in_((State.DONE, State.RUNNING)),
        )
    ).scalar_one()
    if later is not None:
        raise NotAllowed(
            f"job {job.id} has outdated inputs: job {later} of the same study came after it; "
            "requeue that one"
        )
    move(connection, Job, job.id, Step.REQUEUE, now=now, tries=0, not_before=now)
    record(connection, Kind.JOB_REQUEUED, study=job.study_instance_uid, now=now, job_id=job.id)
    return Requeued(job_id=job.id, deliveries=(), sentence=f"job {job.id} is queued")


def _resend(connection: Connection, job: Row[Any], now: datetime) -> Requeued:
    latest = connection.execute(
        select(Delivery.destination, func.max(Delivery.max_attempts).label("max_attempts"))
        .where(Delivery.job_id == job.id, Delivery.outcome == job.outcome)
        .group_by(Delivery.destination)
        .order_by(Delivery.destination)
    ).all()
    queued: list[int] = []
    for row in latest:
        queued += queue_deliveries(
            connection,
            job_id=job.id,
            study=job.study_instance_uid,
            outcome=Outcome(job.outcome),
            destinations=[row.destination],
            max_attempts=row.max_attempts,
            now=now,
        )
    return Requeued(
        job_id=job.id,
        deliveries=tuple(queued),
        sentence=f"job {job.id} is done: its stored results are sent again",
    )


def _analyse_anew(
    connection: Connection, job: Row[Any], analysis_id: str, now: datetime
) -> Requeued:
    same = connection.execute(
        select(Job.id, Job.state).where(
            Job.study_instance_uid == job.study_instance_uid,
            Job.input_digest == job.input_digest,
            Job.analysis_id == analysis_id,
        )
    ).one_or_none()
    if same is not None:
        raise NotAllowed(
            f"job {same.id} ({same.state}) has analysed the same inputs with the present model; "
            "requeue that one"
        )
    revision = (
        1
        + connection.execute(
            select(func.max(Job.revision)).where(Job.study_instance_uid == job.study_instance_uid)
        ).scalar_one()
    )
    number = connection.execute(
        insert(Job)
        .values(
            study_instance_uid=job.study_instance_uid,
            input_digest=job.input_digest,
            analysis_id=analysis_id,
            revision=revision,
            inputs=job.inputs,
            summary={},
            state=State.QUEUED,
            attempt=0,
            tries=0,
            max_attempts=job.max_attempts,
            not_before=now,
            created_at=now,
        )
        .returning(Job.id)
    ).scalar_one()
    record(
        connection,
        Kind.JOB_QUEUED,
        study=job.study_instance_uid,
        now=now,
        job_id=number,
        revision=revision,
        because=f"an operator asked for job {job.id} again, and the model has changed since",
    )
    return Requeued(
        job_id=number,
        deliveries=(),
        sentence=f"the model has changed since job {job.id}: job {number} is queued",
    )
