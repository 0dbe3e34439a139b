"""The planner's transactions: studies to judge, and the jobs that come of it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, func, insert, or_, select, update

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.completeness import StudySnapshot
from node.core.diary import Kind
from node.core.digest import came_back, came_back_like
from node.core.errors import UnknownEntry
from node.core.inputs import StudyInputs
from node.core.states import State
from node.persistence.arrivals import open_associations
from node.persistence.codec import facts_from_json, inputs_to_json
from node.persistence.schema import Instance, Job, Study
from node.persistence.transactions import Transactions, record


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

    def study_snapshot(self, study: StudyInstanceUID) -> StudySnapshot:
        """The study as it is now.  Raises UnknownEntry."""
        with self._read() as connection:
            row = connection.execute(
                select(Study.last_arrival_at, Study.change).where(Study.study_instance_uid == study)
            ).one_or_none()
            if row is None:
                raise UnknownEntry(f"no study {study} has been received")
            facts = connection.execute(
                select(Instance.facts)
                .where(Instance.study_instance_uid == study, Instance.current)
                .order_by(Instance.received_at, Instance.id)
            ).scalars()
            return StudySnapshot(
                study_instance_uid=study,
                instances=tuple(facts_from_json(text) for text in facts),
                last_arrival_at=row.last_arrival_at,
                open_associations=open_associations(connection, study),
                change=row.change,
            )

    def note_judgement(
        self,
        snapshot: StudySnapshot,
        *,
        kind: Kind,
        reason: str,
        look_again_at: datetime | None,
        now: datetime,
    ) -> bool:
        """The judgement stands; False if the study has changed meanwhile and is judged again.

        The diary has a line of it only if it differs from the judgement before.
        """
        study = snapshot.study_instance_uid
        with self._write() as connection:
            before = connection.execute(
                select(Study.waiting_for).where(Study.study_instance_uid == study)
            ).scalar_one()
            noted = connection.execute(
                update(Study)
                .where(Study.study_instance_uid == study, Study.change == snapshot.change)
                .values(
                    judge_at=look_again_at,
                    waiting_for=reason if kind is Kind.STUDY_WAITS else None,
                )
            )
            if not noted.rowcount:
                return False
            if kind is not Kind.STUDY_WAITS or before != reason:
                record(connection, kind, study=study, now=now, reason=reason)
            return True

    def postpone_judgement(
        self, study: StudyInstanceUID, *, reason: str, look_again_at: datetime, now: datetime
    ) -> None:
        """The study is judged later, and its diary says why; what arrives has it judged at once."""
        with self._write() as connection:
            before = connection.execute(
                select(Study.waiting_for).where(Study.study_instance_uid == study)
            ).scalar_one()
            connection.execute(
                update(Study)
                .where(Study.study_instance_uid == study)
                .values(judge_at=look_again_at, waiting_for=reason)
            )
            if before != reason:
                record(connection, Kind.STUDY_WAITS, study=study, now=now, reason=reason)

    def enqueue(
        self,
        inputs: StudyInputs,
        *,
        digest: str,
        analysis_id: str,
        max_attempts: int,
        now: datetime,
    ) -> int | None:
        """The job's number, or None if the same job is there already.

        Queued jobs of the study with other inputs are cancelled: what they would report is no
        longer true.  A job that was so cancelled, and whose inputs have come back, is queued again.
        Inputs that come back after others were analysed are a new job: its report is the last.
        """
        study = inputs.study_instance_uid
        with self._write() as connection:
            # Locks the study, so that revisions are counted by one at a time.
            connection.execute(
                select(Study.change).where(Study.study_instance_uid == study).with_for_update()
            )
            same = connection.execute(
                select(Job.id, Job.state, Job.error, Job.input_digest, Job.revision)
                .where(
                    Job.study_instance_uid == study,
                    or_(Job.input_digest == digest, Job.input_digest.like(came_back_like(digest))),
                    Job.analysis_id == analysis_id,
                )
                .order_by(Job.revision.desc())
                .limit(1)
            ).one_or_none()
            if (
                same is not None
                and same.state in (State.DONE, State.DEAD)
                and _overtaken(connection, study, same.revision)
            ):
                digest, same = came_back(same.input_digest), None
            if same is not None and not (
                same.state == State.CANCELLED and same.error == SUPERSEDED
            ):
                record(connection, Kind.STUDY_UNCHANGED, study=study, now=now, job=same.id)
                _cancel_queued(connection, study, Job.id != same.id, by=same.id, now=now)
                return None
            revision = (
                1
                + connection.execute(
                    select(func.coalesce(func.max(Job.revision), 0)).where(
                        Job.study_instance_uid == study
                    )
                ).scalar_one()
            )
            values = {
                "state": State.QUEUED,
                "inputs": inputs_to_json(inputs, _ids(connection, inputs)),
                "revision": revision,
                "tries": 0,
                "max_attempts": max_attempts,
                "not_before": now,
                "created_at": now,
                "settled_at": None,
                "error": None,
            }
            if same is not None:
                job_id: int = same.id
                connection.execute(update(Job).where(Job.id == job_id).values(**values))
            else:
                job_id = connection.execute(
                    insert(Job)
                    .values(
                        **values,
                        study_instance_uid=study,
                        input_digest=digest,
                        analysis_id=analysis_id,
                        attempt=0,
                        summary={},
                    )
                    .returning(Job.id)
                ).scalar_one()
            _cancel_queued(connection, study, Job.revision < revision, by=job_id, now=now)
            record(
                connection,
                Kind.JOB_QUEUED,
                study=study,
                now=now,
                job_id=job_id,
                revision=revision,
                because=inputs.reason
                or (inputs.series.because if inputs.series else inputs.intent),
            )
            return job_id


def _overtaken(connection: Connection, study: str, revision: int) -> bool:
    """Whether a later job of the study has been begun."""
    return bool(
        connection.execute(
            select(
                exists().where(
                    Job.study_instance_uid == study,
                    Job.revision > revision,
                    Job.state.in_((State.RUNNING, State.DONE, State.DEAD)),
                )
            )
        ).scalar_one()
    )


SUPERSEDED = "superseded by newer inputs"
"""The error of a job that the planner cancelled."""


def _cancel_queued(
    connection: Connection,
    study: str,
    outdated: ColumnElement[bool],
    *,
    by: int,
    now: datetime,
) -> None:
    cancelled: Sequence[int] = (
        connection.execute(
            update(Job)
            .where(Job.study_instance_uid == study, Job.state == State.QUEUED, outdated)
            .values(state=State.CANCELLED, settled_at=now, error=SUPERSEDED)
            .returning(Job.id)
        )
        .scalars()
        .all()
    )
    for number in cancelled:
        record(connection, Kind.JOB_SUPERSEDED, study=study, now=now, job_id=number, by=by)


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
