"""Jobs as clients watch them (UPS-RS): what is to be done, how far it is, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import step_entry
from node.core.results import ArtifactKind
from node.core.states import State, Step
from node.core.uids import work_item_uid
from node.persistence.conditions import in_states
from node.persistence.rows import SentObject
from node.persistence.schema import Artifact, EventLog, Job, Study
from node.persistence.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One job.

    uid        : under which it is watched (`node.core.uids.work_item_uid`)
    series     : the CT series that is analysed; None if there is none to analyse
    begun_at   : when it was first taken; None before that
    outputs    : its results, if they are in force
    """

    job_id: int
    uid: SOPInstanceUID
    study_instance_uid: StudyInstanceUID
    series: SeriesInstanceUID | None
    state: State
    revision: int
    created_at: datetime
    begun_at: datetime | None
    settled_at: datetime | None
    headline: str | None
    error: str | None
    outputs: tuple[SentObject, ...]
    accession_number: str = field(repr=False)
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    patient_birth_date: str = field(repr=False)
    patient_sex: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItemsAsked:
    """Which are asked for; what is None or empty is not asked for."""

    states: tuple[State, ...] = ()
    job_ids: tuple[int, ...] | None = None
    studies: tuple[str, ...] = ()
    accession_number: str | None = field(default=None, repr=False)
    patient_id: str | None = field(default=None, repr=False)
    limit: int
    offset: int = 0


class WorkItems(Transactions):
    """Every job is one."""

    def work_items(self, asked: WorkItemsAsked) -> list[WorkItem]:
        """The newest first; one more than `limit` if there are more."""
        query = select(
            *Job.__table__.columns,
            Study.accession_number,
            Study.patient_id,
            Study.patient_name,
            Study.patient_birth_date,
            Study.patient_sex,
        ).join(Study, Study.study_instance_uid == Job.study_instance_uid)
        if asked.states:
            query = query.where(in_states(Job.state, asked.states))
        if asked.job_ids is not None:
            query = query.where(Job.id.in_(asked.job_ids))
        if asked.studies:
            query = query.where(Job.study_instance_uid.in_(asked.studies))
        if asked.accession_number is not None:
            query = query.where(Study.accession_number == asked.accession_number)
        if asked.patient_id is not None:
            query = query.where(Study.patient_id == asked.patient_id)
        query = query.order_by(Job.id.desc()).limit(asked.limit + 1).offset(asked.offset)
        with self._read() as connection:
            rows = connection.execute(query).all()
            begun = _begun(connection, rows)
            outputs = _outputs(connection, rows)
        return [_item(row, begun.get(row.id), outputs.get(row.id, ())) for row in rows]


def _begun(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[int, datetime]:
    found = connection.execute(
        select(EventLog.job_id, func.min(EventLog.at).label("at"))
        .where(
            EventLog.study_instance_uid.in_({row.study_instance_uid for row in rows}),
            EventLog.kind == step_entry("job", Step.CLAIM),
        )
        .group_by(EventLog.job_id)
    )
    return {row.job_id: row.at for row in found}


def _outputs(
    connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]
) -> dict[int, tuple[SentObject, ...]]:
    found: dict[int, tuple[SentObject, ...]] = {}
    for row in connection.execute(
        select(*Artifact.__table__.columns)
        .where(Artifact.job_id.in_([row.id for row in rows]), Artifact.in_force)
        .order_by(Artifact.id)
    ):
        output = SentObject(
            kind=ArtifactKind(row.kind),
            sop_class_uid=SOPClassUID(row.sop_class_uid),
            sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
            series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
        )
        found[row.job_id] = (*found.get(row.job_id, ()), output)
    return found


def _item(
    row: Row[*tuple[Any, ...]], begun_at: datetime | None, outputs: tuple[SentObject, ...]
) -> WorkItem:
    study = StudyInstanceUID(row.study_instance_uid)
    series = row.inputs.get("series")
    return WorkItem(
        job_id=row.id,
        uid=work_item_uid(
            row.id, study=study, input_digest=row.input_digest, analysis_id=row.analysis_id
        ),
        study_instance_uid=study,
        series=series and SeriesInstanceUID(series["series_instance_uid"]),
        state=State(row.state),
        revision=row.revision,
        created_at=row.created_at,
        begun_at=begun_at,
        settled_at=row.settled_at,
        headline=row.headline,
        error=row.error,
        outputs=outputs,
        accession_number=row.accession_number,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        patient_birth_date=row.patient_birth_date,
        patient_sex=row.patient_sex,
    )
