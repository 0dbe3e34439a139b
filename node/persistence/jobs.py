"""The worker's transactions: claim, finish, and report what died."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind
from node.core.inputs import Intent, Role
from node.core.states import State, Step
from node.persistence import work
from node.persistence.artifacts import add_artifacts, results_of
from node.persistence.codec import (
    UNREADABLE,
    facts_from_row,
    inputs_from_json,
    instance_ids,
    series_number_in,
)
from node.persistence.conditions import in_states
from node.persistence.in_force import hand_out_in_force
from node.persistence.leases import Leases
from node.persistence.outdated import reported_after, withdraw_outdated
from node.persistence.priors import prior_of
from node.persistence.queueing import queue_deliveries
from node.persistence.rows import JobLease, JobResult, Outbox, Predecessor, StoredArtifact
from node.persistence.schema import Instance, Job, Study
from node.persistence.tallies import count_job
from node.persistence.transactions import lock_study, record
from sr_templates.findings import Outcome


class Jobs(Leases):
    """Analyses."""

    def claim_job(
        self, *, owner: str, lease_s: float, now: datetime, compares: bool = False
    ) -> JobLease | None:
        """The next job is this owner's for `lease_s`; None if there is none.

        compares : whether it is compared with an earlier CT of the patient, if one is here; the
                   last try of several is not, for that may be what the others failed at

        The jobs of one study run one at a time, in the order of their revisions.  A job of which
        this version cannot read what is stored is dead, and holds up no other.
        """
        try:
            with self._write() as connection:
                row = work.claim(
                    connection,
                    Job,
                    _CLAIMS,
                    owner=owner,
                    lease_s=lease_s,
                    now=now,
                )
                if row is None:
                    return None
                try:
                    last = 1 < row.max_attempts <= row.tries
                    lease = _lease(connection, row, compares=compares and not last)
                except UNREADABLE as error:
                    work.bury(
                        connection,
                        work.lease_of(Job, row),
                        error="this version cannot read what is stored of its inputs "
                        f"({type(error).__name__}); send the study again, or go back to the "
                        "version that stored it",
                        now=now,
                    )
                    return None
                connection.execute(
                    update(Study)
                    .where(
                        Study.study_instance_uid == row.study_instance_uid,
                        Study.numbered_above.is_(None),
                    )
                    .values(numbered_above=lease.numbered_above)
                )
                return lease
        except IntegrityError:
            # Two jobs of one study, claimed at the same moment on PostgreSQL: uq_job_running
            # lets one of them through.
            return None

    def finish_job(
        self, lease: JobLease, *, result: JobResult, outbox: Outbox, now: datetime
    ) -> None:
        """The job is done, its results are known, and one delivery per destination is queued.

        What the study's earlier revisions have not yet sent is withdrawn.
        Raises LeaseLost; then nothing has changed.
        """
        study = lease.study_instance_uid
        with self._write() as connection:
            lock_study(connection, study)
            work.settle(
                connection,
                lease,
                Step.FINISH,
                now=now,
                line=work.Line({"outcome": result.outcome, "headline": result.headline}),
                outcome=result.outcome,
                headline=result.headline,
                summary=dict(result.summary),
                error=None,
            )
            count_job(connection, lease, result, now=now)
            add_artifacts(connection, lease.number, result.outcome, result.artifacts, study=study)
            queue_deliveries(
                connection,
                lease.number,
                study=study,
                outcome=result.outcome,
                outbox=outbox,
                now=now,
            )
            withdraw_outdated(connection, study, now)  # what this one makes so, or what it is
            hand_out_in_force(connection, study)

    def unreported_failure(self, *, except_for: Collection[int] = ()) -> JobLease | None:
        """A dead job whose "technical failure" report is still to be written; `failed` says why.

        The oldest; those that a later job of their study has overtaken need none: its result must
        not be followed by an alarm that is over.  It is no lease: the job stays dead, and writing
        the same report twice is harmless.
        """
        with self._read() as connection:
            dead = connection.execute(
                select(*Job.__table__.columns)
                .where(
                    in_states(Job.state, {State.DEAD}),
                    Job.failure_reported.is_(False),
                    Job.id.not_in(except_for),
                )
                .order_by(Job.id)
            )
            for row in dead:
                # of what cannot be read no report can be made: the diary and `job list` tell of it
                with suppress(*UNREADABLE):
                    return _lease(connection, row)
            return None

    def report_failure(
        self,
        dead: JobLease,
        *,
        artifacts: Sequence[StoredArtifact],
        outbox: Outbox,
        now: datetime,
    ) -> bool:
        """The dead job has its technical failure report, and deliveries of it are queued.

        False if it has one already, is dead no more, or a later job of the study is reported.
        """
        study, job_id, outcome = dead.study_instance_uid, dead.number, Outcome.TECHNICAL_FAILURE
        with self._write() as connection:
            lock_study(connection, study)
            still_due = connection.execute(
                update(Job)
                .where(
                    Job.id == job_id,
                    in_states(Job.state, {State.DEAD}),
                    Job.failure_reported.is_(False),
                )
                .values(failure_reported=True)
            ).rowcount
            if not still_due or reported_after(connection, study, dead.revision) is not None:
                return False
            add_artifacts(connection, job_id, outcome, artifacts, study=study)
            record(connection, Kind.JOB_REPORTED_DEAD, study=study, now=now, job_id=job_id)
            withdraw_outdated(connection, study, now)
            hand_out_in_force(connection, study)
            queue_deliveries(
                connection, job_id, study=study, outcome=outcome, outbox=outbox, now=now
            )
            return True


def _in_turn(candidate: Any) -> list[Any]:
    other = aliased(Job)
    in_the_way = exists().where(
        other.study_instance_uid == candidate.study_instance_uid,
        other.id != candidate.id,
        or_(
            in_states(other.state, {State.RUNNING}),
            and_(
                in_states(other.state, {State.QUEUED}),
                other.revision < candidate.revision,
            ),
        ),
    )
    return [~in_the_way]


def _predecessor() -> Any:
    """Fixed by the first try, so that a rebuild names the same one."""
    earlier = aliased(Job)
    latest = (
        select(earlier.id)
        .where(
            earlier.study_instance_uid == Job.study_instance_uid,
            earlier.revision < Job.revision,
            in_states(earlier.state, {State.DONE}),
        )
        .order_by(earlier.revision.desc())
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )
    return case((Job.tries == 0, latest), else_=Job.predecessor_id)


_CLAIMS = work.claims(Job, eligible=_in_turn, predecessor_id=_predecessor())


def _lease(connection: Connection, row: Row[Any], *, compares: bool = False) -> JobLease:
    study = StudyInstanceUID(row.study_instance_uid)
    instances = connection.execute(
        select(*Instance.__table__.columns).where(Instance.study_instance_uid == study)
    ).all()
    wanted = set(instance_ids(row.inputs))
    used = [instance for instance in instances if instance.id in wanted]
    inputs = inputs_from_json(
        study, row.inputs, {item.id: facts_from_row(item._asdict()) for item in used}
    )
    paths = {SOPInstanceUID(item.sop_instance_uid): item.path for item in used}
    if (
        compares
        and inputs.intent is Intent.ANALYSE
        and (found := prior_of(connection, study)) is not None
    ):
        prior, paths_there = found
        if paths.keys().isdisjoint(paths_there):  # else which file is meant is not certain
            inputs, paths = replace(inputs, prior=prior), {**paths, **paths_there}
    return JobLease(
        work=Job,
        number=row.id,
        attempt=row.attempt,
        tries=row.tries,
        max_attempts=row.max_attempts,
        owner=row.owner or "",
        study_instance_uid=study,
        inputs=inputs,
        paths=paths,
        revision=row.revision,
        created_at=row.created_at,
        analysis_id=row.analysis_id,
        input_digest=row.input_digest,
        predecessor=_before(connection, row.predecessor_id),
        failed=row.error,
        numbered_above=_numbered_above(connection, study, instances),
    )


def _before(connection: Connection, job_id: int | None) -> Predecessor | None:
    if job_id is None:
        return None
    row = connection.execute(select(Job.revision, Job.created_at).where(Job.id == job_id)).one()
    return Predecessor(
        job_id=job_id,
        revision=row.revision,
        created_at=row.created_at,
        artifacts=results_of(connection, job_id),
    )


def _numbered_above(connection: Connection, study: str, instances: Sequence[Row[Any]]) -> int:
    """As it was when the first job of the study was taken, or as it is now."""
    fixed: int | None = connection.execute(
        select(Study.numbered_above).where(Study.study_instance_uid == study)
    ).scalar_one()
    if fixed is not None:
        return fixed
    scans = {
        item.series_instance_uid: item.facts
        for item in instances
        if item.facts is not None and item.role in (Role.CT, Role.LOCALIZER)
    }
    return max((series_number_in(facts) or 0 for facts in scans.values()), default=0)
