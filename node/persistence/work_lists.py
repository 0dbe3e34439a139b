"""Jobs, deliveries and fetches as an operator sees them: one way to ask for any kind of work."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, func, select

from m3net.uids import StudyInstanceUID
from node.core.errors import UnknownEntry
from node.core.results import CaptureVariant, ReportVariant
from node.core.states import State
from node.persistence.asked import DeliveriesAsked, FetchesAsked, Page, WorkAsked, WorkOrder
from node.persistence.meant import meant
from node.persistence.rows import DeliveryRow, FetchRow, JobRow
from node.persistence.schema import Delivered, Delivery, Fetching, Job, LeasedWork, Study
from node.persistence.transactions import Transactions
from sr_templates.findings import Outcome

T = TypeVar("T")


class WorkLists(Transactions):
    """What is done, sent and asked for."""

    def jobs(self, asked: WorkAsked) -> Page[JobRow]:
        """The jobs that are asked for, and how many there are."""
        return self._page(Job, asked, _job)

    def deliveries(self, asked: DeliveriesAsked) -> Page[DeliveryRow]:
        """The deliveries that are asked for, and how many there are."""
        return self._page(Delivery, asked, _delivery)

    def fetches(self, asked: FetchesAsked) -> Page[FetchRow]:
        """The questions to sources that are asked for, and how many there are."""
        return self._page(Fetching, asked, _fetch)

    def list_jobs(
        self,
        *,
        study: StudyInstanceUID | None = None,
        states: Sequence[State] = (),
        since: datetime | None = None,
        ids: Sequence[int] = (),
        limit: int | None = None,
    ) -> list[JobRow]:
        """Jobs that fit every given filter, newest first."""
        asked = WorkAsked(study=study, states=states, since=since, ids=ids, limit=limit)
        with self._read() as connection:
            return _rows(connection, Job, asked, _job)

    def list_deliveries(
        self,
        *,
        study: StudyInstanceUID | None = None,
        job_id: int | None = None,
        destination: str | None = None,
        states: Sequence[State] = (),
        since: datetime | None = None,
        ids: Sequence[int] = (),
        limit: int | None = None,
    ) -> list[DeliveryRow]:
        """Deliveries that fit every given filter, newest first."""
        asked = DeliveriesAsked(
            study=study,
            job_id=job_id,
            destination=destination,
            states=states,
            since=since,
            ids=ids,
            limit=limit,
        )
        with self._read() as connection:
            return _rows(connection, Delivery, asked, _delivery)

    def list_fetches(self, study: StudyInstanceUID) -> list[FetchRow]:
        """What was asked about the study, oldest first."""
        with self._read() as connection:
            return _rows(connection, Fetching, FetchesAsked(study=study, forwards=True), _fetch)

    def destinations(self) -> list[str]:
        """The names of all that anything was ever to be sent to."""
        return self._names(Delivery.destination)

    def sources(self) -> list[str]:
        """The names of all that were ever asked for anything."""
        return self._names(Fetching.source)

    def _names(self, column: Any) -> list[str]:
        # One step along the index for each name: DISTINCT would walk all of it.
        found: list[str] = []
        with self._read() as connection:
            query = select(func.min(column))
            while name := connection.execute(
                query.where(column > found[-1]) if found else query
            ).scalar_one():
                found.append(name)
        return found

    def job(self, job_id: int) -> JobRow:
        """One job.  Raises UnknownEntry."""
        found = self.list_jobs(ids=[job_id])
        if not found:
            raise UnknownEntry(f"there is no job {job_id}")
        return found[0]

    def _page(
        self, kind: type[LeasedWork], asked: WorkAsked, as_row: Callable[[Row[Any]], T]
    ) -> Page[T]:
        with self._read() as connection:
            rows = _rows(connection, kind, asked, as_row)
            how_many = _filtered(select(func.count()).select_from(kind), kind, asked)
            total = connection.execute(how_many).scalar_one()
        return Page(rows=rows, total=total, offset=asked.offset)


def _rows(
    connection: Connection,
    kind: type[LeasedWork],
    asked: WorkAsked,
    as_row: Callable[[Row[Any]], T],
) -> list[T]:
    query = _filtered(_SELECTED[kind], kind, asked)
    order: list[Any] = [kind.id] if asked.order is WorkOrder.NUMBER else [kind.state, kind.id]
    if asked.since is not None and asked.order is WorkOrder.NUMBER:
        order.insert(0, kind.created_at)  # the index that the filter walks
    query = query.order_by(*(each if asked.forwards else each.desc() for each in order))
    rows = connection.execute(query.limit(asked.limit).offset(asked.offset or None)).all()
    return [as_row(row) for row in rows]


def _selected(kind: type[LeasedWork], *more: Any) -> Select[Any]:
    accession = (
        select(Study.accession_number)
        .where(Study.study_instance_uid == kind.study_instance_uid)
        .correlate(kind)
        .scalar_subquery()
    )
    return select(*kind.__table__.columns, accession.label("accession_number"), *more)


_SELECTED: Mapping[type[LeasedWork], Select[Any]] = {
    Job: _selected(Job),
    Delivery: _selected(
        Delivery,
        select(func.count())
        .where(Delivered.delivery_id == Delivery.id, Delivered.status.is_not(None))
        .correlate(Delivery)
        .scalar_subquery()
        .label("delivered"),
    ),
    Fetching: _selected(Fetching),
}


def _filtered(query: Select[Any], kind: type[LeasedWork], asked: WorkAsked) -> Select[Any]:
    """What is asked for; every filter has an index."""
    if asked.study is not None:
        query = query.where(kind.study_instance_uid == asked.study)
    if asked.search:
        found = meant(asked.search, with_patients=asked.with_patients)
        query = query.where(kind.study_instance_uid.in_(found))
    if asked.states:
        query = query.where(kind.state.in_(asked.states))
    if asked.since is not None:
        query = query.where(kind.created_at >= asked.since)
    if asked.ids:
        query = query.where(kind.id.in_(asked.ids))
    match asked:
        case DeliveriesAsked():
            if asked.job_id is not None:
                query = query.where(Delivery.job_id == asked.job_id)
            if asked.destination is not None:
                query = query.where(Delivery.destination == asked.destination)
        case FetchesAsked():
            if asked.source is not None:
                query = query.where(Fetching.source == asked.source)
    return query


def _job(row: Row[Any]) -> JobRow:
    return JobRow(
        job_id=row.id,
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        accession_number=row.accession_number,
        revision=row.revision,
        state=State(row.state),
        tries=row.tries,
        max_attempts=row.max_attempts,
        attempt=row.attempt,
        owner=row.owner,
        lease_until=row.lease_until,
        not_before=row.not_before,
        created_at=row.created_at,
        settled_at=row.settled_at,
        analysis_id=row.analysis_id,
        input_digest=row.input_digest,
        outcome=Outcome(row.outcome) if row.outcome else None,
        headline=row.headline,
        summary=row.summary,
        error=row.error,
    )


def _delivery(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(
        delivery_id=row.id,
        job_id=row.job_id,
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        accession_number=row.accession_number,
        destination=row.destination,
        outcome=Outcome(row.outcome),
        round=row.round,
        state=State(row.state),
        tries=row.tries,
        max_attempts=row.max_attempts,
        owner=row.owner,
        lease_until=row.lease_until,
        not_before=row.not_before,
        created_at=row.created_at,
        settled_at=row.settled_at,
        delivered=row.delivered,
        report_variant=row.report_variant and ReportVariant(row.report_variant),
        capture_variant=row.capture_variant and CaptureVariant(row.capture_variant),
        error=row.error,
    )


def _fetch(row: Row[Any]) -> FetchRow:
    return FetchRow(
        number=row.id,
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        accession_number=row.accession_number,
        source=row.source,
        by_itself=row.by_itself,
        state=State(row.state),
        tries=row.tries,
        max_attempts=row.max_attempts,
        not_before=row.not_before,
        created_at=row.created_at,
        settled_at=row.settled_at,
        error=row.error,
    )
