"""The planner's transactions: studies to judge, and the jobs that come of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, or_, select, text, update

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.completeness import StudyPulse, StudySnapshot
from node.core.diary import Kind, queued_entry
from node.core.digest import later_occurrences, next_occurrence
from node.core.errors import UnknownEntry
from node.core.inputs import StudyInputs
from node.core.states import State
from node.persistence import work
from node.persistence.arrivals import open_senders
from node.persistence.codec import facts_from_row, inputs_to_json
from node.persistence.conditions import in_states
from node.persistence.fetches import fetches_of
from node.persistence.holding import HELD
from node.persistence.queueing import next_revision, queue_job
from node.persistence.rows import JobTerms
from node.persistence.schema import WAITING, Instance, Job, Study
from node.persistence.transactions import Transactions, lock_study, record
from node.persistence.waiting_items import (
    A_WORK_ITEM,
    become,
    go_on_waiting,
    items_of,
    waiting_items,
)


class Planning(Transactions):
    """What is to be done."""

    def studies_to_judge(self, now: datetime) -> list[StudyInstanceUID]:
        """Studies to which something has happened, or whose time has come; oldest first."""
        with self._read() as connection:
            found = connection.execute(
                select(Study.study_instance_uid)
                .where(Study.judge_at <= now)
                .order_by(Study.judge_at)
            ).scalars()
            return [StudyInstanceUID(uid) for uid in found]

    def judge_waiting_again(self, now: datetime) -> int:
        """Studies that wait are judged by the rules of today, the expired excepted; how many."""
        with self._write() as connection:
            return connection.execute(
                update(Study)
                .where(text(WAITING), Study.expired_at.is_(None))
                .values(judge_at=now, change=Study.change + 1)
            ).rowcount

    def next_judgement(self) -> datetime | None:
        """When the next study is to be judged; None if none is waiting for a time."""
        with self._read() as connection:
            return connection.execute(
                select(Study.judge_at)
                .where(Study.judge_at.is_not(None))
                .order_by(Study.judge_at)
                .limit(1)
            ).scalar_one_or_none()

    def study_pulse(self, study: StudyInstanceUID) -> StudyPulse:
        """Whether the study is quiet now.  Raises UnknownEntry."""
        with self._read() as connection:
            return _pulse(connection, study)

    def study_snapshot(self, study: StudyInstanceUID) -> StudySnapshot:
        """The study as it is now.  Raises UnknownEntry.

        Of instances that have not been read only the number is known.
        """
        with self._read() as connection:
            pulse = _pulse(connection, study)
            rows = connection.execute(
                select(*Instance.__table__.columns)
                .where(Instance.study_instance_uid == study, Instance.current)
                .order_by(Instance.received_at, Instance.id)
            ).all()
            here = [each for each in rows if each.freed_at is None]
            read = [each for each in here if each.facts is not None]
            return StudySnapshot(
                study_instance_uid=study,
                instances=tuple(facts_from_row(each._asdict()) for each in read),
                unread=len(here) - len(read),
                freed=tuple(
                    facts_from_row(each._asdict())
                    for each in rows
                    if each.freed_at is not None and each.facts is not None
                ),
                last_arrival_at=pulse.last_arrival_at,
                open_senders=pulse.open_senders,
                change=pulse.change,
                fetches=fetches_of(connection, study),
            )

    def note_judgement(
        self,
        snapshot: StudyPulse,
        *,
        kind: Kind,
        reason: str,
        look_again_at: datetime | None,
        now: datetime,
    ) -> bool:
        """The judgement stands; False if the study has changed meanwhile, or was erased.

        The diary has a line of it only if it differs from the judgement before.
        """
        study = snapshot.study_instance_uid
        with self._write() as connection:
            before = _waited_for(connection, study)
            waits = kind in (Kind.STUDY_WAITS, Kind.STUDY_EXPIRED)
            noted = connection.execute(
                update(Study)
                .where(Study.study_instance_uid == study, Study.change == snapshot.change)
                .values(
                    judge_at=look_again_at,
                    waiting_for=reason if waits else None,
                    expired_at=now if kind is Kind.STUDY_EXPIRED else None,
                    ignored_because=reason if kind is Kind.STUDY_IGNORED else None,
                )
            )
            if not noted.rowcount:
                return False
            go_on_waiting(
                connection,
                study,
                reason=f"waiting {reason}" if waits else reason,
                ended=kind in (Kind.STUDY_IGNORED, Kind.STUDY_EXPIRED),
                # It waits neither for a time, nor for what is on its way.
                at_rest=look_again_at is None and not snapshot.open_senders,
                now=now,
            )
            if not waits or before != reason:
                record(connection, kind, study=study, now=now, reason=reason)
            return True

    def postpone_judgement(
        self, study: StudyInstanceUID, *, reason: str, look_again_at: datetime, now: datetime
    ) -> None:
        """The study is judged later, and its diary says why; what arrives has it judged at once.

        Nothing of one that was erased meanwhile.
        """
        with self._write() as connection:
            before = _waited_for(connection, study)
            postponed = connection.execute(
                update(Study)
                .where(Study.study_instance_uid == study)
                .values(judge_at=look_again_at, waiting_for=reason, expired_at=None)
            )
            if postponed.rowcount and before != reason:
                record(connection, Kind.STUDY_WAITS, study=study, now=now, reason=reason)

    def enqueue(
        self, inputs: StudyInputs, *, digest: str, terms: JobTerms, now: datetime
    ) -> int | None:
        """The job's number, or None if the same job is there already.

        Queued jobs of the study with other inputs are cancelled: what they would report is no
        longer true.  A job that was so cancelled, or is held since a restore, is queued again when
        its inputs are judged once more.  Inputs that others have followed are a new job: its report
        is the last.

        What clients asked for is this job from now on; for them one that is dead or was cancelled
        is queued again.
        """
        study = inputs.study_instance_uid
        with self._write() as connection:
            lock_study(connection, study)
            waiting = waiting_items(connection, study)
            same = _latest_on(connection, study, digest=digest, analysis_id=terms.analysis_id)
            if (
                same is not None
                and (same.state in (State.DONE, State.DEAD) or same.failure_reported)
                and _overtaken(connection, study, same.revision)
            ):
                # It has been reported, and others after it: a report under UIDs of its own.
                digest, same = next_occurrence(same.input_digest), None
            if same is not None and not _is_wanted_after_all(same, bool(waiting)):
                record(connection, Kind.STUDY_UNCHANGED, study=study, now=now, job=same.id)
                _supersede(connection, study, Job.id != same.id, by=same.id, now=now)
                again = bool(waiting) and work.requeue(
                    connection, Job, same.id, now=now, line=work.Line({"by": A_WORK_ITEM})
                )
                become(connection, waiting, same.id, now=now)
                return same.id if again else None
            stored = inputs_to_json(inputs, _ids(connection, inputs))
            because = inputs.reason or (
                inputs.series.because if inputs.series else inputs.intent.value
            )
            if same is None:
                job_id = queue_job(
                    connection,
                    study,
                    input_digest=digest,
                    inputs=stored,
                    terms=terms,
                    because=because,
                    now=now,
                )
            else:
                job_id, revision = same.id, next_revision(connection, study)
                work.requeue(
                    connection,
                    Job,
                    job_id,
                    now=now,
                    line=work.Line(
                        {"revision": revision, "because": because},
                        entry=queued_entry(Job.__tablename__),
                    ),
                    inputs=stored,
                    revision=revision,
                    max_attempts=terms.max_attempts,
                    created_at=now,
                    error=None,
                )
            _supersede(connection, study, Job.id != job_id, by=job_id, now=now)
            become(connection, waiting, job_id, now=now)
            return job_id


def _waited_for(connection: Connection, study: str) -> str | None:
    """What the study waited for when it was judged last."""
    return connection.execute(
        select(Study.waiting_for).where(Study.study_instance_uid == study)
    ).scalar_one_or_none()


def _pulse(connection: Connection, study: StudyInstanceUID) -> StudyPulse:
    row = connection.execute(
        select(Study.last_arrival_at, Study.change).where(Study.study_instance_uid == study)
    ).one_or_none()
    if row is None:
        raise UnknownEntry(f"no study {study} has been received")
    return StudyPulse(
        study_instance_uid=study,
        last_arrival_at=row.last_arrival_at,
        open_senders=open_senders(connection, [study]).get(study, 0),
        change=row.change,
    )


def _latest_on(
    connection: Connection, study: str, *, digest: str, analysis_id: str
) -> Row[Any] | None:
    """The last job on these inputs with this model."""
    return connection.execute(
        select(*Job.__table__.columns)
        .where(
            Job.study_instance_uid == study,
            or_(Job.input_digest == digest, Job.input_digest.like(later_occurrences(digest))),
            Job.analysis_id == analysis_id,
        )
        .order_by(Job.revision.desc())
        .limit(1)
    ).one_or_none()


def _is_wanted_after_all(job: Row[Any], asked_for: bool) -> bool:
    """Whether the job was cancelled before anything was said of it, and is true or wanted again."""
    return job.state == State.CANCELLED and (
        job.error == SUPERSEDED
        or (job.error or "").startswith(HELD)
        or (asked_for and not job.failure_reported)
    )


def _overtaken(connection: Connection, study: str, revision: int) -> bool:
    """Whether a later job of the study has been begun."""
    return bool(
        connection.execute(
            select(
                exists().where(
                    Job.study_instance_uid == study,
                    Job.revision > revision,
                    in_states(Job.state, {State.RUNNING, State.DONE, State.DEAD}),
                )
            )
        ).scalar_one()
    )


SUPERSEDED = "superseded by newer inputs"
"""The error of a job that the planner cancelled."""


def _supersede(
    connection: Connection, study: str, others: ColumnElement[bool], *, by: int, now: datetime
) -> None:
    """Queued jobs of the study on other inputs will not run; what clients asked for is `by` now."""
    superseded = work.cancel(
        connection,
        Job,
        and_(Job.study_instance_uid == study, in_states(Job.state, {State.QUEUED}), others),
        error=SUPERSEDED,
        now=now,
        line=work.Line({"by": by}, entry=Kind.JOB_SUPERSEDED),
    )
    become(connection, items_of(connection, superseded), by, now=now)


def _ids(connection: Connection, inputs: StudyInputs) -> dict[SOPInstanceUID, int]:
    """The rows of the versions that were judged: the newest with the judged content."""
    used = (*inputs.instances(), *inputs.elsewhere)
    wanted = {facts.sop_instance_uid: facts.content_digest for facts in used}
    rows = connection.execute(
        select(Instance.id, Instance.sop_instance_uid, Instance.content_digest)
        .where(Instance.study_instance_uid == inputs.study_instance_uid)
        .order_by(Instance.version)
    )
    return {
        SOPInstanceUID(row.sop_instance_uid): row.id
        for row in rows
        if wanted.get(row.sop_instance_uid) == row.content_digest
    }
