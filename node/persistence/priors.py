"""The earlier CT with which a job compares: chosen when the job is claimed first, then the same.

Kept of it is the number of the job that judged it, and by what that is known again: numbers of
erased jobs are given anew, and nothing may tell of a study that is erased.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, exists, select
from sqlalchemy.orm import aliased

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.inputs import Intent, PriorStudy
from node.core.prior import Person, latest_day
from node.core.states import State
from node.persistence.codec import facts_from_row, inputs_from_json, instance_ids
from node.persistence.conditions import in_states
from node.persistence.schema import Instance, Job, Study
from sr_templates.findings import Outcome

Paths = dict[SOPInstanceUID, str]

_JUDGED = (Outcome.ANALYSED, Outcome.PARTLY_ANALYSED)


def with_prior(connection: Connection, job: Row[Any]) -> dict[str, Any]:
    """The job's inputs with the earlier CT that it compares with, if there is one.

    The latest that is of the same patient and long enough before, whose last report judged nodules,
    and whose files are here.
    """
    inputs: dict[str, Any] = job.inputs
    if "prior" in inputs or inputs["intent"] != Intent.ANALYSE:
        return inputs
    study = connection.execute(
        select(*Study.__table__.columns).where(Study.study_instance_uid == job.study_instance_uid)
    ).one()
    day = latest_day(study.study_date)
    if day is None or not study.patient_id:
        return {**inputs, "prior": None}
    later = aliased(Job)
    earlier = connection.execute(
        select(*Study.__table__.columns, Job.id.label("job_id"), Job.outcome, Job.summary)
        .join(Job, Job.study_instance_uid == Study.study_instance_uid)
        .where(
            Study.patient_id == study.patient_id,
            Study.study_date > "",
            Study.study_date <= day,
            in_states(Job.state, {State.DONE}),
            ~exists().where(
                later.study_instance_uid == Job.study_instance_uid,
                later.revision > Job.revision,
                in_states(later.state, {State.DONE, State.DEAD}),
            ),
        )
        .order_by(Study.study_date.desc(), Study.study_time.desc(), Study.study_instance_uid)
    ).all()
    for each in earlier:
        chosen = {"job": each.job_id, "known_by": _known_by(each.study_instance_uid)}
        if (
            each.outcome in _JUDGED
            and _person(study).is_surely(_person(each))
            and judged_in(each.summary)
            and prior_of(connection, chosen) is not None
        ):
            return {**inputs, "prior": chosen}
    return {**inputs, "prior": None}


def prior_of(
    connection: Connection, chosen: Mapping[str, Any] | None
) -> tuple[PriorStudy, Paths] | None:
    """What was chosen, with its files; None if nothing was, or not all of it is here any more."""
    if chosen is None:
        return None
    job = connection.execute(
        select(*Job.__table__.columns).where(Job.id == chosen["job"])
    ).one_or_none()
    if job is None or _known_by(job.study_instance_uid) != chosen["known_by"]:
        return None
    wanted = set(instance_ids(job.inputs))
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
    study = StudyInstanceUID(job.study_instance_uid)
    facts = {row.id: facts_from_row(row._asdict()) for row in rows}
    prior = PriorStudy(
        inputs=inputs_from_json(study, job.inputs, facts), judged=judged_in(job.summary)
    )
    return prior, {SOPInstanceUID(row.sop_instance_uid): row.path for row in rows}


def without_prior(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs for a job that is to choose anew."""
    return {name: value for name, value in inputs.items() if name != "prior"}


def judged_in(summary: Mapping[str, Any]) -> frozenset[str]:
    """Tracking UIDs of the nodules that have a probability."""
    return frozenset(
        nodule["tracking_uid"]
        for nodule in summary.get("nodules", ())
        if nodule["probability"] is not None
    )


def _person(study: Any) -> Person:
    return Person(
        patient_id=study.patient_id,
        issuer=study.issuer_of_patient_id,
        birth_date=study.patient_birth_date,
        sex=study.patient_sex,
    )


def _known_by(study: str) -> str:
    return hashlib.sha256(study.encode()).hexdigest()
