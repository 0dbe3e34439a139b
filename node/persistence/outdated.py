"""No destination gets an older report of a study after a newer one.

A job is *reported* once it is done, or dead with its "technical failure" report.  From that moment
no result of an earlier revision is sent to anybody: what is queued or dead is withdrawn, in the
transaction that reports the newer one.  What is just being sent is sent to its end, and the newer
one waits for it; should it fail, it is withdrawn then.  A "technical failure" of a job that has a
result after all is outdated in the same way.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update
from sqlalchemy.orm import aliased

from node.core.states import State
from node.persistence import work
from node.persistence.conditions import in_states
from node.persistence.schema import Artifact, Delivery, Job
from sr_templates.findings import Outcome


def is_reported(job: Any) -> ColumnElement[bool]:
    """The job is done, or its technical failure has been reported."""
    failed = exists().where(
        Artifact.job_id == job.id, Artifact.outcome == Outcome.TECHNICAL_FAILURE
    )
    return or_(in_states(job.state, {State.DONE}), failed)


def is_outdated(delivery: Any) -> ColumnElement[bool]:
    """What the delivery says has been overtaken: it must not be sent."""
    own, later = aliased(Job), aliased(Job)
    overtaken = exists().where(
        own.id == delivery.job_id,
        later.study_instance_uid == delivery.study_instance_uid,
        later.revision > own.revision,
        is_reported(later),
    )
    has_result = exists().where(own.id == delivery.job_id, in_states(own.state, {State.DONE}))
    return or_(overtaken, and_(delivery.outcome == Outcome.TECHNICAL_FAILURE, has_result))


def newest_reported(connection: Connection, study: str) -> tuple[int, int] | None:
    """The last reported job of the study and its revision."""
    row = connection.execute(
        select(Job.id, Job.revision)
        .where(Job.study_instance_uid == study, is_reported(Job))
        .order_by(Job.revision.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.id, row.revision)


def reported_after(connection: Connection, study: str, revision: int) -> int | None:
    """The number of a reported job of a later revision."""
    newest = newest_reported(connection, study)
    return newest[0] if newest is not None and newest[1] > revision else None


def withdraw_outdated(connection: Connection, study: str, now: datetime) -> None:
    """Nothing of the study that has been overtaken is sent any more; the diary says by what."""
    newest = newest_reported(connection, study)
    if newest is None:
        return
    job_id, revision = newest
    earlier = select(Job.id).where(Job.study_instance_uid == study, Job.revision < revision)
    done = select(Job.id).where(Job.study_instance_uid == study, in_states(Job.state, {State.DONE}))
    of_study = Delivery.study_instance_uid == study
    work.cancel(
        connection,
        Delivery,
        and_(of_study, Delivery.job_id.in_(earlier)),
        error=f"outdated: job {job_id} (revision {revision}) has newer inputs and is reported",
        now=now,
    )
    work.cancel(
        connection,
        Delivery,
        and_(of_study, Delivery.outcome == Outcome.TECHNICAL_FAILURE, Delivery.job_id.in_(done)),
        error="the job has a result now",
        now=now,
    )
    # Nor is a technical failure reported that is over.
    connection.execute(
        update(Job)
        .where(Job.id.in_(earlier), in_states(Job.state, {State.DEAD}))
        .values(failure_reported=True)
    )
