"""What an operator may ask of a job: again, or not at all."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from node.core.diary import AN_OPERATOR, Kind
from node.core.errors import NotAllowed, UnknownEntry
from node.core.states import State
from node.persistence import work
from node.persistence.conditions import in_states
from node.persistence.files_here import require_inputs, require_results
from node.persistence.outdated import reported_after
from node.persistence.queueing import queue_job, resend
from node.persistence.rows import NOBODY, JobTerms, Outbox, Requeued
from node.persistence.schema import Job
from node.persistence.transactions import Transactions, lock_study
from sr_templates.findings import Outcome


class JobRequests(Transactions):
    """Requeue and cancel."""

    def requeue_job(
        self,
        job_id: int,
        *,
        analysis_id: str,
        now: datetime,
        by: str = AN_OPERATOR,
        outbox: Outbox = NOBODY,
    ) -> Requeued:
        """The job runs again, or its stored results are sent again.

        Dead or cancelled: queued, with all its tries.  Done: its results are sent again as they
        lie, or, if the model or its settings have changed since, a new job analyses the same
        inputs.  Raises UnknownEntry, and NotAllowed for one that is queued or running, or that a
        later job of its study has overtaken: what it says is outdated; or whose files were freed;
        or whose results are being sent, or can be sent to nobody.

        by     : who asks, for the diary
        outbox : to whom stored results go that went to nobody yet
        """
        with self._write() as connection:
            job = _job(connection, job_id)
            match State(job.state):
                case State.QUEUED | State.RUNNING:
                    raise NotAllowed(f"job {job_id} is {job.state} already")
                case State.DEAD | State.CANCELLED:
                    require_inputs(connection, job)
                    _require_newest(job, _begun_after(connection, job))
                    work.requeue(connection, Job, job_id, now=now, line=work.Line({"by": by}))
                    return Requeued(
                        job_id=job_id, deliveries=(), sentence=f"job {job_id} is queued"
                    )
                case State.DONE if job.analysis_id == analysis_id:
                    study = job.study_instance_uid
                    require_results(connection, job_id, Outcome(job.outcome))
                    _require_newest(job, reported_after(connection, study, job.revision))
                    queued = resend(
                        connection,
                        job_id,
                        study=study,
                        outcome=Outcome(job.outcome),
                        outbox=outbox,
                        now=now,
                        by=by,
                    )
                    return Requeued(
                        job_id=job_id,
                        deliveries=tuple(queued),
                        sentence=f"job {job_id} is done: its stored results are sent again",
                    )
                case State.DONE:
                    return _analyse_anew(connection, job, analysis_id, now=now, by=by)

    def cancel_job(
        self, job_id: int, *, now: datetime, client: str | None = None, by: str = AN_OPERATOR
    ) -> None:
        """The job will not run, or what it comes to is not kept.

        Raises UnknownEntry, and NotAllowed for one that is done or cancelled, and over DICOMweb for
        one that runs.

        client : address of who asked for it over DICOMweb; None: `by` did
        by     : who asks, for the diary
        """
        who = by if client is None else f"a client at {client}"
        line = work.Line({"by": by})
        if client is not None:
            line = work.Line({"client": client}, entry=Kind.JOB_CANCELLED_BY_CLIENT)
        with self._write() as connection:
            job = _job(connection, job_id)
            error = f"cancelled by {who}"
            runs = job.state == State.RUNNING
            if (runs and client is not None) or not work.cancel_one(
                connection, job, Job, error=error, now=now, line=line
            ):
                raise NotAllowed(
                    f"job {job_id} is {job.state}; only what is queued, running or dead can be "
                    "cancelled"
                    if client is None
                    else f"job {job_id} is {job.state}; only what is queued can be cancelled"
                )


def _job(connection: Connection, job_id: int) -> Row[Any]:
    """The job, which nobody else changes until the transaction is over."""
    study = connection.execute(
        select(Job.study_instance_uid).where(Job.id == job_id)
    ).scalar_one_or_none()
    if study is None:
        raise UnknownEntry(f"there is no job {job_id}")
    lock_study(connection, study)
    return connection.execute(
        select(*Job.__table__.columns).where(Job.id == job_id).with_for_update()
    ).one()


def _require_newest(job: Row[Any], later: int | None) -> None:
    if later is not None:
        raise NotAllowed(
            f"job {job.id} has outdated inputs: job {later} of the same study came after it; "
            "requeue that one"
        )


def _begun_after(connection: Connection, job: Row[Any]) -> int | None:
    """A later job of the study that is running or reported."""
    running = connection.execute(
        select(func.min(Job.id)).where(
            Job.study_instance_uid == job.study_instance_uid,
            Job.revision > job.revision,
            in_states(Job.state, {State.RUNNING}),
        )
    ).scalar_one()
    return running or reported_after(connection, job.study_instance_uid, job.revision)


def _analyse_anew(
    connection: Connection, job: Row[Any], analysis_id: str, *, now: datetime, by: str
) -> Requeued:
    study = job.study_instance_uid
    same = connection.execute(
        select(Job.id, Job.state).where(
            Job.study_instance_uid == study,
            Job.input_digest == job.input_digest,
            Job.analysis_id == analysis_id,
        )
    ).one_or_none()
    if same is not None:
        raise NotAllowed(
            f"job {same.id} ({same.state}) has analysed the same inputs with the present model; "
            "requeue that one"
        )
    require_inputs(connection, job)
    # A new job would be the newest, and so would its inputs count.
    later = connection.execute(
        select(func.max(Job.id)).where(
            Job.study_instance_uid == study,
            Job.revision > job.revision,
            in_states(Job.state, set(State) - {State.CANCELLED}),
        )
    ).scalar_one()
    _require_newest(job, later)
    number = queue_job(
        connection,
        study,
        input_digest=job.input_digest,
        inputs=job.inputs,
        terms=JobTerms(analysis_id=analysis_id, max_attempts=job.max_attempts),
        because=f"{by} asked for job {job.id} again, and the model has changed since",
        now=now,
    )
    return Requeued(
        job_id=number,
        deliveries=(),
        sentence=f"the model has changed since job {job.id}: job {number} is queued",
    )
