"""The earlier CT with which a job compares, chosen anew whenever the job is claimed.

Nothing of it is kept with the job: no try before has said anything, and what was erased, freed or
judged otherwise since then is not compared with.  What has come of it and is not judged is not
waited for, since it may never be: that it is so is known, and the report says it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, text
from sqlalchemy.orm import aliased

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.inputs import PriorStudy
from node.core.prior import Person, latest_day
from node.core.states import State
from node.persistence.codec import UNREADABLE, facts_from_row, inputs_from_json, instance_ids
from node.persistence.conditions import in_states
from node.persistence.holding import UNTIL_SENT_AGAIN
from node.persistence.planning import SUPERSEDED
from node.persistence.schema import UNREAD, Contribution, Instance, Job, Sender, Study
from sr_templates.findings import Outcome

Paths = dict[SOPInstanceUID, str]

_JUDGED = (Outcome.ANALYSED, Outcome.PARTLY_ANALYSED)


def prior_of(connection: Connection, study: StudyInstanceUID) -> tuple[PriorStudy, Paths] | None:
    """The earlier CT that the study is compared with, and its files; None if there is none.

    The latest that is of the same patient and long enough before, whose last report judged nodules,
    and whose files are here.  What is stored of one may be unreadable: that one is passed by, for
    it must not keep this one from being reported.
    """
    today = connection.execute(
        select(*Study.__table__.columns).where(Study.study_instance_uid == study)
    ).one()
    day = latest_day(today.study_date)
    if day is None or not today.patient_id:
        return None
    later = aliased(Job)
    earlier = connection.execute(
        select(
            *Study.__table__.columns,
            Job.id.label("job_id"),
            _has_newer().label("has_newer"),
        )
        .join(Job, Job.study_instance_uid == Study.study_instance_uid)
        .where(
            Study.patient_id == today.patient_id,
            Study.study_date > "",
            Study.study_date <= day,
            in_states(Job.state, {State.DONE}),
            Job.outcome.in_(_JUDGED),
            ~exists().where(
                later.study_instance_uid == Job.study_instance_uid,
                later.revision > Job.revision,
                in_states(later.state, {State.DONE, State.DEAD}),
            ),
        )
        .order_by(Study.study_date.desc(), Study.study_time.desc(), Study.study_instance_uid)
    ).all()
    for each in earlier:
        if _person(today).is_surely(_person(each)):
            try:
                found = _judged_by(connection, each.job_id, newer=bool(each.has_newer))
            except UNREADABLE:
                continue
            if found is not None:
                return found
    return None


def _has_newer() -> ColumnElement[bool]:
    """Of the study something is coming, waits, or has a job that has come to no report."""
    later = aliased(Job)
    of_study = Study.study_instance_uid
    return or_(
        Study.judge_at.is_not(None),
        # What a restore holds may have come before or after: nobody knows of anything newer.
        and_(Study.waiting_for.is_not(None), ~Study.waiting_for.startswith(UNTIL_SENT_AGAIN)),
        exists().where(Instance.study_instance_uid == of_study, text(UNREAD)),
        exists().where(
            Contribution.study_instance_uid == of_study,
            Contribution.sender_id == Sender.id,
            Sender.closed_at.is_(None),
        ),
        exists().where(
            later.study_instance_uid == of_study,
            later.revision > Job.revision,
            func.coalesce(later.error, "") != SUPERSEDED,
        ),
    )


def _judged_by(
    connection: Connection, job_id: int, *, newer: bool
) -> tuple[PriorStudy, Paths] | None:
    """What the job rests on; None if it judged no nodule, or not all of it is here any more."""
    job = connection.execute(
        select(Job.study_instance_uid, Job.inputs, Job.summary).where(Job.id == job_id)
    ).one()
    judged, wanted = _judged_in(job.summary), set(instance_ids(job.inputs))
    if not judged:
        return None
    rows = [
        row
        for row in connection.execute(
            select(*Instance.__table__.columns).where(
                Instance.study_instance_uid == job.study_instance_uid,
                Instance.freed_at.is_(None),
                Instance.facts.is_not(None),
            )
        )
        if row.id in wanted
    ]
    if len(rows) < len(wanted):
        return None
    facts = {row.id: facts_from_row(row._asdict()) for row in rows}
    inputs = inputs_from_json(StudyInstanceUID(job.study_instance_uid), job.inputs, facts)
    paths = {SOPInstanceUID(row.sop_instance_uid): row.path for row in rows}
    return PriorStudy(inputs=inputs, judged=judged, newer=newer), paths


def _judged_in(summary: Mapping[str, Any]) -> frozenset[str]:
    """Tracking UIDs of the nodules that have a probability."""
    return frozenset(
        nodule["tracking_uid"] for nodule in summary["nodules"] if nodule["probability"] is not None
    )


def _person(study: Any) -> Person:
    return Person(
        patient_id=study.patient_id,
        issuer=study.issuer_of_patient_id,
        birth_date=study.patient_birth_date,
        sex=study.patient_sex,
    )
