"""The worker's transactions: claim, settle, and report what died."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind
from node.core.states import State, Step
from node.persistence.artifacts import (
    add_artifacts,
    artifacts_of,
    queue_deliveries,
    withdraw_failure_reports,
)
from node.persistence.codec import facts_from_json, inputs_from_json, instance_ids
from node.persistence.leases import Leases, claim, entering, settle
from node.persistence.rows import JobLease, Predecessor, StoredArtifact
from node.persistence.schema import Artifact, Instance, Job
from node.persistence.transactions import record
from sr_templates.findings import Outcome


class Jobs(Leases):
    """Analyses."""

    def claim_job(self, *, owner: str, lease_s: float, now: datetime) -> JobLease | None:
        """The next job is this owner's for `lease_s`; None if there is none.

        The jobs of one study run one at a time, in the order of their revisions.  A job of which
        this version cannot read what is stored is dead, and holds up no other.
        """
        try:
            with self._write() as connection:
                row = claim(
                    connection,
                    Job,
                    eligible=_in_turn,
                    owner=owner,
                    lease_s=lease_s,
                    now=now,
                    values=_predecessor,
                )
                if row is None:
                    return None
                record(
                    connection,
                    Kind.JOB_CLAIMED,
                    study=row.study_instance_uid,
                    now=now,
                    job_id=row.id,
                    owner=owner,
                    tries=row.tries,
                    max_attempts=row.max_attempts,
                )
                try:
                    return _lease(connection, row)
                except UNREADABLE as error:
                    _bury_unreadable(connection, row, error, now=now)
                    return None
        except IntegrityError:
            # Two jobs of one study, claimed at the same moment on PostgreSQL: uq_job_running
            # lets one of them through.
            return None

    def finish_job(
        self,
        lease: JobLease,
        *,
        outcome: Outcome,
        headline: str,
        summary: Mapping[str, Any],
        artifacts: Sequence[StoredArtifact],
        destinations: Sequence[str],
        delivery_max_attempts: int,
        now: datetime,
    ) -> None:
        """The job is done, its results are known, and one delivery per destination is queued.

        Raises LeaseLost; then nothing has changed.
        """
        with self._write() as connection:
            settle(
                connection,
                lease,
                Step.FINISH,
                now=now,
                outcome=outcome,
                headline=headline,
                summary=dict(summary),
                error=None,
            )
            record(
                connection,
                Kind.JOB_DONE,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                outcome=outcome,
                headline=headline,
            )
            withdraw_failure_reports(connection, lease.study_instance_uid, lease.job_id, now)
            add_artifacts(connection, lease.job_id, outcome, artifacts)
            queue_deliveries(
                connection,
                job_id=lease.job_id,
                study=lease.study_instance_uid,
                outcome=outcome,
                destinations=destinations,
                max_attempts=delivery_max_attempts,
                now=now,
            )

    def retry_job(
        self, lease: JobLease, *, error: str, not_before: datetime, now: datetime
    ) -> State:
        """The job is queued again, or dead if this was its last try.  Raises LeaseLost."""
        if lease.tries >= lease.max_attempts:
            self.bury_job(lease, error=f"{error} (try {lease.tries}, the last)", now=now)
            return State.DEAD
        with self._write() as connection:
            settle(connection, lease, Step.RETRY, now=now, error=error, not_before=not_before)
            record(
                connection,
                Kind.JOB_RETRIED,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                error=error,
                not_before=not_before.isoformat(timespec="seconds"),
            )
        return State.QUEUED

    def bury_job(self, lease: JobLease, *, error: str, now: datetime) -> None:
        """The job is dead and waits for a person.  Raises LeaseLost."""
        with self._write() as connection:
            settle(connection, lease, Step.BURY, now=now, error=error)
            record(
                connection,
                Kind.JOB_DEAD,
                study=lease.study_instance_uid,
                now=now,
                job_id=lease.job_id,
                error=error,
            )

    def unreported_failure(self, *, but: Collection[int] = ()) -> JobLease | None:
        """A dead job whose "technical failure" report is still to be written; `failed` says why.

        The oldest, those numbered in `but` left aside, and those that a later job of their study
        has overtaken: its result must not be followed by an alarm that is over.  It is no lease:
        the job stays dead, and writing the same report twice is harmless.
        """
        reported = exists().where(
            Artifact.job_id == Job.id, Artifact.outcome == Outcome.TECHNICAL_FAILURE
        )
        later = aliased(Job)
        overtaken = exists().where(
            later.study_instance_uid == Job.study_instance_uid,
            later.revision > Job.revision,
            later.state == State.DONE,
        )
        with self._read() as connection:
            dead = connection.execute(
                select(*Job.__table__.columns)
                .where(Job.state == State.DEAD, ~reported, ~overtaken, Job.id.not_in(but))
                .order_by(Job.id)
            ).all()
            for row in dead:
                # of what cannot be read no report can be made: the diary and `job list` tell of it
                with suppress(*UNREADABLE):
                    return _lease(connection, row)
            return None

    def attach_artifacts(
        self,
        job_id: int,
        *,
        artifacts: Sequence[StoredArtifact],
        destinations: Sequence[str],
        delivery_max_attempts: int,
        now: datetime,
    ) -> bool:
        """The dead job has its technical failure report, and deliveries of it are queued.

        False if it has one already, or is dead no more.
        """
        with self._write() as connection:
            row = connection.execute(
                select(Job.study_instance_uid)
                .where(Job.id == job_id, Job.state == State.DEAD)
                .with_for_update()
            ).one_or_none()
            if row is None or artifacts_of(connection, job_id, Outcome.TECHNICAL_FAILURE):
                return False
            study = row.study_instance_uid
            add_artifacts(connection, job_id, Outcome.TECHNICAL_FAILURE, artifacts)
            record(connection, Kind.JOB_REPORTED_DEAD, study=study, now=now, job_id=job_id)
            queue_deliveries(
                connection,
                job_id=job_id,
                study=study,
                outcome=Outcome.TECHNICAL_FAILURE,
                destinations=destinations,
                max_attempts=delivery_max_attempts,
                now=now,
            )
            return True


UNREADABLE = (ValueError, KeyError, TypeError)
"""What reading a row raises that another version, or nobody, has written."""


def _bury_unreadable(
    connection: Connection, row: Row[Any], error: Exception, *, now: datetime
) -> None:
    reason = (
        f"this version cannot read what is stored of its inputs ({type(error).__name__}); send the "
        "study again, or go back to the version that stored it"
    )
    connection.execute(
        update(Job)
        .where(Job.id == row.id)
        .values(**entering(State.RUNNING, Step.BURY, now), error=reason)
    )
    record(
        connection,
        Kind.JOB_DEAD,
        study=row.study_instance_uid,
        now=now,
        job_id=row.id,
        error=reason,
    )


def _in_turn(candidate: Any) -> list[Any]:
    other = aliased(Job)
    in_the_way = exists().where(
        other.study_instance_uid == candidate.study_instance_uid,
        other.id != candidate.id,
        or_(
            other.state == State.RUNNING,
            and_(other.state == State.QUEUED, other.revision < candidate.revision),
        ),
    )
    return [~in_the_way]


def _predecessor(job: Any) -> dict[str, Any]:
    """Fixed by the first try, so that a rebuild names the same one."""
    earlier = aliased(Job)
    latest = (
        select(earlier.id)
        .where(
            earlier.study_instance_uid == job.study_instance_uid,
            earlier.revision < job.revision,
            earlier.state == State.DONE,
        )
        .order_by(earlier.revision.desc())
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )
    return {"predecessor_id": case((job.tries == 0, latest), else_=job.predecessor_id)}


def _lease(connection: Connection, row: Row[Any]) -> JobLease:
    study = StudyInstanceUID(row.study_instance_uid)
    instances = connection.execute(
        select(Instance.id, Instance.sop_instance_uid, Instance.path, Instance.facts).where(
            Instance.study_instance_uid == study
        )
    ).all()
    wanted = set(instance_ids(row.inputs))
    used = [instance for instance in instances if instance.id in wanted]
    return JobLease(
        job_id=row.id,
        attempt=row.attempt,
        tries=row.tries,
        max_attempts=row.max_attempts,
        owner=row.owner or "",
        study_instance_uid=study,
        inputs=inputs_from_json(
            study, row.inputs, {item.id: facts_from_json(item.facts) for item in used}
        ),
        paths={SOPInstanceUID(item.sop_instance_uid): item.path for item in used},
        revision=row.revision,
        created_at=row.created_at,
        analysis_id=row.analysis_id,
        input_digest=row.input_digest,
        predecessor=row.predecessor_id
        and Predecessor(
            job_id=row.predecessor_id,
            artifacts=_results_of(connection, row.predecessor_id),
        ),
        failed=row.error,
    )


def _results_of(connection: Connection, job_id: int) -> tuple[StoredArtifact, ...]:
    outcome = connection.execute(select(Job.outcome).where(Job.id == job_id)).scalar_one()
    return artifacts_of(connection, job_id, Outcome(outcome)) if outcome else ()
