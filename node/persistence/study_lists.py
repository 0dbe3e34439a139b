"""Studies as an operator sees them, with what came of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.core.errors import Ambiguous, UnknownEntry
from node.core.inputs import StudyIdentity
from node.core.states import State
from node.persistence.arrivals import open_senders
from node.persistence.asked import Page, StudiesAsked, StudyOrder
from node.persistence.erasure import when_erased
from node.persistence.meant import A_TELLING_END, SHORTEST_END, ends_with, meant, uid_end
from node.persistence.rows import SeriesRow, StudyRow
from node.persistence.schema import (
    Contribution,
    Delivery,
    Instance,
    Job,
    Sender,
    Series,
    Study,
)
from node.persistence.standings import has_delivery, stands
from node.persistence.transactions import Transactions
from sr_templates.findings import Outcome

NOT_READ = "not read yet"
"""The kind of an object of which nothing has been read."""


class StudyLists(Transactions):
    """What has been received."""

    def list_studies(
        self, *, since: datetime | None = None, limit: int | None = None
    ) -> list[StudyRow]:
        """Studies, the last to receive something first."""
        asked = StudiesAsked(since=since, limit=limit)
        with self._read() as connection:
            return _rows(connection, asked)

    def studies(self, asked: StudiesAsked) -> Page[StudyRow]:
        """The studies that are asked for, and how many there are."""
        with self._read() as connection:
            rows = _rows(connection, asked)
            total = connection.execute(_filtered(_HOW_MANY, asked)).scalar_one()
            return Page(rows=rows, total=total, offset=asked.offset)

    def find_study(self, accession_or_uid: str) -> StudyRow:
        """The one study of that accession number, of that UID, or whose UID ends so.

        Raises UnknownEntry, and Ambiguous where there are several.
        """
        with self._read() as connection:
            rows = _named(connection, accession_or_uid)
            if not rows and (erased := when_erased(connection, accession_or_uid)) is not None:
                at, by = erased
                raise UnknownEntry(f"the study was erased at {at:%Y-%m-%d %H:%M} UTC by {by}")
            if not rows:
                raise UnknownEntry(
                    "no study of that accession number or Study Instance UID has been received"
                )
            if len(rows) > 1:
                raise Ambiguous([(row.study_instance_uid, row.last_arrival_at) for row in rows])
            return _studies(connection, rows)[0]

    def list_series(self, study: StudyInstanceUID) -> list[SeriesRow]:
        """The series of the study by their numbers, those without one last."""
        with self._read() as connection:
            said: dict[str, Any] = {
                row.series_instance_uid: row
                for row in connection.execute(
                    select(
                        Series.series_instance_uid,
                        Series.modality,
                        Series.series_number,
                        Series.series_description,
                    ).where(Series.study_instance_uid == study)
                )
            }
            kinds: dict[str, dict[str, int]] = {}
            for row in connection.execute(
                select(Instance.series_instance_uid, Instance.kind, func.count().label("number"))
                .where(Instance.study_instance_uid == study, Instance.current)
                .group_by(Instance.series_instance_uid, Instance.kind)
                .order_by(func.min(Instance.id))
            ):
                kinds.setdefault(row.series_instance_uid, {})[row.kind or NOT_READ] = row.number
        found = [_series(uid, said.get(uid), counts) for uid, counts in kinds.items()]
        return sorted(found, key=lambda each: (each.number is None, each.number or 0))


def _rows(connection: Connection, asked: StudiesAsked) -> list[StudyRow]:
    query = _ordered(_filtered(select(*Study.__table__.columns), asked), asked)
    return _studies(connection, connection.execute(query).all())


_HOW_MANY = select(func.count()).select_from(Study)


def _filtered(query: Select[Any], asked: StudiesAsked) -> Select[Any]:
    """What is asked for; every filter has an index."""
    if asked.search:
        found = meant(asked.search, with_patients=asked.with_patients)
        query = query.where(Study.study_instance_uid.in_(found))
    if asked.since is not None:
        query = query.where(Study.last_arrival_at >= asked.since)
    if asked.standings:
        query = query.where(stands(asked.standings))
    if asked.delivery_states:
        query = query.where(has_delivery(asked.delivery_states))
    return query


_ORDERS: Mapping[StudyOrder, Sequence[Any]] = {
    StudyOrder.ARRIVAL: (Study.last_arrival_at,),
    StudyOrder.ACCESSION: (Study.accession_number,),
    StudyOrder.DATE: (Study.study_date, Study.study_time, Study.study_instance_uid),
}


def _ordered(query: Select[Any], asked: StudiesAsked) -> Select[Any]:
    order = _ORDERS[asked.order]
    return (
        query.order_by(*(each if asked.forwards else each.desc() for each in order))
        .limit(asked.limit)
        .offset(asked.offset or None)
    )


def _named(connection: Connection, said: str) -> Sequence[Row[Any]]:
    """The studies that go by it: one of that very UID, else those of that accession number.

    Those whose UID ends so as well, where what was said is so long that an end may be meant, or
    means nothing else.
    """
    query = select(*Study.__table__.columns)
    end = uid_end(said)
    if not end:
        return []
    whole = connection.execute(query.where(Study.study_instance_uid == said)).all()
    if whole:
        return whole
    newest_first = query.order_by(Study.last_arrival_at.desc())
    by_end = ends_with(end)
    by_accession = Study.accession_number == said
    if len(end) >= A_TELLING_END:
        return connection.execute(newest_first.where(or_(by_accession, by_end))).all()
    found = connection.execute(newest_first.where(by_accession)).all()
    if found or len(end) < SHORTEST_END:
        return found
    return connection.execute(newest_first.where(by_end)).all()


AT_ONCE = 500
"""Studies that one query asks about; databases have a limit on parameters."""


def _studies(connection: Connection, rows: Sequence[Row[Any]]) -> list[StudyRow]:
    """What came of the studies, in four queries for all of them."""
    return [
        study
        for start in range(0, len(rows), AT_ONCE)
        for study in _some_studies(connection, rows[start : start + AT_ONCE])
    ]


def _some_studies(connection: Connection, rows: Sequence[Row[Any]]) -> list[StudyRow]:
    uids = [row.study_instance_uid for row in rows]
    stored = _by_study(
        connection,
        select(
            Instance.study_instance_uid,
            func.count().filter(Instance.current).label("instances"),
            func.sum(Instance.size).label("bytes"),
        )
        .where(Instance.study_instance_uid.in_(uids))
        .group_by(Instance.study_instance_uid),
    )
    jobs = _by_study(
        connection,
        select(
            Job.study_instance_uid,
            Job.state,
            Job.outcome,
            Job.headline,
            Job.error,
            func.count().over(partition_by=Job.study_instance_uid).label("jobs"),
        )
        .where(Job.study_instance_uid.in_(uids))
        .order_by(Job.study_instance_uid, Job.revision),
    )
    receiving = open_senders(connection, uids)
    sent = _last_deliveries(connection, uids)
    senders = _senders(connection, uids)
    return [
        _study(
            row,
            stored.get(uid),
            jobs.get(uid),
            receiving.get(uid, 0),
            deliveries=sent.get(uid, {}),
            senders=senders.get(uid, ()),
        )
        for uid, row in zip(uids, rows, strict=True)
    ]


def _by_study(connection: Connection, query: Select[*tuple[Any, ...]]) -> dict[str, Row[Any]]:
    """Of each study the last row."""
    return {row.study_instance_uid: row for row in connection.execute(query)}


def _last_deliveries(connection: Connection, uids: Sequence[str]) -> dict[str, Counter[State]]:
    """Of each study, how many destinations' last deliveries stand in each state."""
    last: dict[str, dict[str, State]] = {}
    for row in connection.execute(
        select(Delivery.study_instance_uid, Delivery.destination, Delivery.state)
        .where(Delivery.study_instance_uid.in_(uids))
        .order_by(Delivery.study_instance_uid, Delivery.id)
    ):
        last.setdefault(row.study_instance_uid, {})[row.destination] = State(row.state)
    return {uid: Counter(states.values()) for uid, states in last.items()}


def _senders(connection: Connection, uids: Sequence[str]) -> dict[str, list[str]]:
    """Of each study, who brought something to it; the first first."""
    names: dict[str, list[str]] = {}
    for row in connection.execute(
        select(Contribution.study_instance_uid, Sender.name)
        .join(Sender, Sender.id == Contribution.sender_id)
        .where(Contribution.study_instance_uid.in_(uids))
        .order_by(Sender.id)
    ):
        of_study = names.setdefault(row.study_instance_uid, [])
        if row.name not in of_study:
            of_study.append(row.name)
    return names


def _study(
    row: Row[Any],
    stored: Row[Any] | None,
    last_job: Row[Any] | None,
    receiving: int,
    *,
    deliveries: Mapping[State, int],
    senders: Sequence[str],
) -> StudyRow:
    return StudyRow(
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        identity=StudyIdentity(
            patient_id=row.patient_id,
            patient_name=row.patient_name,
            accession_number=row.accession_number,
            study_date=row.study_date,
        ),
        instances=stored.instances if stored else 0,
        bytes=int(stored.bytes) if stored else 0,
        first_arrival_at=row.first_arrival_at,
        last_arrival_at=row.last_arrival_at,
        open_senders=receiving,
        waiting_for=row.waiting_for,
        expired_at=row.expired_at,
        ignored_because=row.ignored_because,
        look_again_at=row.judge_at,
        jobs=last_job.jobs if last_job else 0,
        last_job_state=State(last_job.state) if last_job else None,
        last_outcome=Outcome(last_job.outcome) if last_job and last_job.outcome else None,
        last_headline=last_job.headline if last_job else None,
        last_error=last_job.error if last_job else None,
        deliveries=deliveries,
        senders=senders,
    )


def _series(uid: str, said: Any | None, kinds: Mapping[str, int]) -> SeriesRow:
    return SeriesRow(
        series_instance_uid=SeriesInstanceUID(uid),
        modality=said.modality if said else "",
        number=said.series_number if said else None,
        description=said.series_description if said else "",
        kinds=kinds,
    )
