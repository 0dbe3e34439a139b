"""Work items as clients watch them (UPS-RS): what is to be done, how far it is, what came of it.

Every job is one, and so is what a client asked for (`requested_items`): as soon as there is a job
it is that, under the UID that its client knows.  The job's own UID is answered too.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Integer,
    Row,
    Select,
    cast,
    false,
    func,
    null,
    or_,
    select,
    union_all,
)

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import step_entry
from node.core.results import ArtifactKind
from node.core.states import SETTLED, State, Step
from node.core.uids import job_of_work_item, work_item_uid
from node.persistence.conditions import in_states
from node.persistence.rows import SentObject
from node.persistence.schema import Artifact, EventLog, Fetching, Job, RequestedItem, Study
from node.persistence.transactions import Transactions

_Query = Select[*tuple[Any, ...]]
_Row = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One job, or what a client asked for and what is no job yet.

    job_id     : None if it is no job yet
    uid        : under which it is watched: its client's, else `node.core.uids.work_item_uid`
    series     : the CT series that is analysed; None if there is none to analyse, or no job yet
    begun_at   : when the job was first taken; None before that
    headline   : what came of it; of what is no job yet, what it waits for
    outputs    : its results, if they are in force
    """

    job_id: int | None
    uid: SOPInstanceUID
    study_instance_uid: StudyInstanceUID
    series: SeriesInstanceUID | None = None
    state: State
    created_at: datetime
    begun_at: datetime | None = None
    settled_at: datetime | None = None
    headline: str | None = None
    error: str | None = None
    outputs: tuple[SentObject, ...] = ()
    accession_number: str = field(repr=False)
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    patient_birth_date: str = field(repr=False)
    patient_sex: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItemsAsked:
    """Which are asked for; what is None or empty is not asked for."""

    states: tuple[State, ...] = ()
    uids: tuple[str, ...] | None = None
    studies: tuple[str, ...] = ()
    accession_number: str | None = field(default=None, repr=False)
    patient_id: str | None = field(default=None, repr=False)
    limit: int
    offset: int = 0


class WorkItems(Transactions):
    """Jobs, and what clients asked for."""

    def work_items(self, asked: WorkItemsAsked) -> list[WorkItem]:
        """The newest first; one more than `limit` if there are more."""
        with self._read() as connection:
            keys = connection.execute(_keys(asked)).all()
            jobs = _rows(connection, Job, {key.job_id for key in keys})
            items = _rows(connection, RequestedItem, {key.item_id for key in keys})
            asks = _rows(connection, Fetching, {each.fetch_id for each in items.values()})
            begun = _begun(connection, list(jobs.values()))
            outputs = _outputs(connection, list(jobs.values()))
        found = [
            _waiting(items[key.item_id], asks.get(items[key.item_id].fetch_id))
            if key.job_id is None
            else _analysis(
                jobs[key.job_id],
                items.get(key.item_id),
                begun_at=begun.get(key.job_id),
                outputs=outputs.get(key.job_id, ()),
            )
            for key in keys
        ]
        # The number of a job can be written into a UID that is not its own.
        return [each for each in found if asked.uids is None or each.uid in asked.uids]


_NO_NUMBER = cast(null(), Integer)


def _keys(asked: WorkItemsAsked) -> CompoundSelect[*tuple[Any, ...]]:
    """The numbers of what is asked for, of jobs, of items, or of an item and the job that it is.

    Each part walks along an index, and no further than to the limit.
    """
    waiting = select(
        _NO_NUMBER.label("job_id"), RequestedItem.id.label("item_id"), RequestedItem.created_at
    ).where(RequestedItem.job_id.is_(None))
    jobs = select(Job.id.label("job_id"), RequestedItem.id.label("item_id"), Job.created_at)
    if asked.uids is None:
        parts = [waiting, jobs.outerjoin(RequestedItem, RequestedItem.job_id == Job.id)]
    else:
        numbers = {job_of_work_item(uid) for uid in asked.uids} - {None}
        its_own = select(Job.id.label("job_id"), _NO_NUMBER.label("item_id"), Job.created_at).where(
            Job.id.in_(numbers)
        )
        named = RequestedItem.uid.in_(asked.uids)
        requested = jobs.join(RequestedItem, RequestedItem.job_id == Job.id)
        parts = [waiting.where(named), its_own, requested.where(named)]
    first, *others = parts
    found = union_all(_waiting_asked(first, asked), *(_jobs_asked(each, asked) for each in others))
    job_id, item_id, at = found.selected_columns
    return (
        found.order_by(at.desc(), job_id.desc(), item_id.desc())
        .limit(asked.limit + 1)
        .offset(asked.offset)
    )


def _waiting_asked(query: _Query, asked: WorkItemsAsked) -> _Query:
    if asked.states:
        ended = RequestedItem.cancelled_at
        query = query.where(
            or_(
                ended.is_(None) if State.QUEUED in asked.states else false(),
                ended.is_not(None) if State.CANCELLED in asked.states else false(),
            )
        )
    return _of_study(query, RequestedItem, asked)


def _jobs_asked(query: _Query, asked: WorkItemsAsked) -> _Query:
    if asked.states:
        query = query.where(in_states(Job.state, asked.states))
    return _of_study(query, Job, asked)


def _of_study(query: _Query, table: type[Job | RequestedItem], asked: WorkItemsAsked) -> _Query:
    if asked.studies:
        query = query.where(table.study_instance_uid.in_(asked.studies))
    if asked.accession_number is None and asked.patient_id is None:
        return query
    query = query.join(Study, Study.study_instance_uid == table.study_instance_uid)
    if asked.accession_number is not None:
        query = query.where(Study.accession_number == asked.accession_number)
    if asked.patient_id is not None:
        query = query.where(Study.patient_id == asked.patient_id)
    return query


def _rows(
    connection: Connection,
    table: type[Job | RequestedItem | Fetching],
    numbers: Collection[int | None],
) -> dict[int, _Row]:
    """The rows of these numbers, each with what is known of its study."""
    wanted = [number for number in numbers if number is not None]
    if not wanted:
        return {}
    rows = connection.execute(
        select(
            *table.__table__.columns,
            Study.waiting_for,
            Study.accession_number,
            Study.patient_id,
            Study.patient_name,
            Study.patient_birth_date,
            Study.patient_sex,
        )
        .join(Study, Study.study_instance_uid == table.study_instance_uid)
        .where(table.id.in_(wanted))
    )
    return {row.id: row for row in rows}


def _begun(connection: Connection, rows: Sequence[_Row]) -> dict[int, datetime]:
    found = connection.execute(
        select(EventLog.job_id, func.min(EventLog.at).label("at"))
        .where(
            EventLog.study_instance_uid.in_({row.study_instance_uid for row in rows}),
            EventLog.kind == step_entry("job", Step.CLAIM),
        )
        .group_by(EventLog.job_id)
    )
    return {row.job_id: row.at for row in found}


def _outputs(connection: Connection, rows: Sequence[_Row]) -> dict[int, tuple[SentObject, ...]]:
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


def _analysis(
    row: _Row,
    item: _Row | None,
    *,
    begun_at: datetime | None,
    outputs: tuple[SentObject, ...],
) -> WorkItem:
    """A job, under its own UID or that of the item."""
    study = StudyInstanceUID(row.study_instance_uid)
    series = row.inputs.get("series")
    own = work_item_uid(
        row.id, study=study, input_digest=row.input_digest, analysis_id=row.analysis_id
    )
    return WorkItem(
        job_id=row.id,
        uid=own if item is None else SOPInstanceUID(item.uid),
        study_instance_uid=study,
        series=series and SeriesInstanceUID(series["series_instance_uid"]),
        state=State(row.state),
        created_at=row.created_at if item is None else item.created_at,
        begun_at=begun_at,
        settled_at=row.settled_at,
        headline=row.headline,
        error=row.error,
        outputs=outputs,
        **_patient(row),
    )


def _waiting(item: _Row, fetch: _Row | None) -> WorkItem:
    """What is no job yet, or will never be one."""
    return WorkItem(
        job_id=None,
        uid=SOPInstanceUID(item.uid),
        study_instance_uid=StudyInstanceUID(item.study_instance_uid),
        state=State.QUEUED if item.cancelled_at is None else State.CANCELLED,
        created_at=item.created_at,
        settled_at=item.cancelled_at,
        headline=_what_it_waits_for(item, fetch) if item.cancelled_at is None else None,
        error=item.reason,
        **_patient(item),
    )


def _what_it_waits_for(item: _Row, fetch: _Row | None) -> str:
    if fetch is not None and fetch.state not in SETTLED:
        said = f"waiting for {fetch.source}, from which the study is fetched"
        return said if fetch.error is None else f"{said} (try {fetch.tries}: {fetch.error})"
    said = f"waiting {item.waiting_for or 'to be judged'}"
    if fetch is not None and fetch.findings is None:
        said += f"; it could not be fetched from {fetch.source}: {fetch.error}"
    return said


def _patient(row: _Row) -> dict[str, Any]:
    return {
        name: getattr(row, name)
        for name in (
            "accession_number",
            "patient_id",
            "patient_name",
            "patient_birth_date",
            "patient_sex",
        )
    }
