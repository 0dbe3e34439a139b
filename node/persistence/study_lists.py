"""Studies as an operator sees them, with what came of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from m3net.uids import StudyInstanceUID
from node.core.errors import UnknownEntry
from node.core.inputs import StudyIdentity
from node.core.states import State
from node.persistence.arrivals import open_senders
from node.persistence.rows import StudyRow
from node.persistence.schema import Instance, Job, Study
from node.persistence.transactions import Transactions
from sr_templates.findings import Outcome


class StudyLists(Transactions):
    """What has been received."""

    def list_studies(
        self, *, since: datetime | None = None, limit: int | None = None
    ) -> list[StudyRow]:
        """Studies, the last to receive something first."""
        query = select(*Study.__table__.columns).order_by(Study.last_arrival_at.desc())
        if since is not None:
            query = query.where(Study.last_arrival_at >= since)
        with self._read() as connection:
            return _studies(connection, connection.execute(query.limit(limit)).all())

    def find_study(self, accession_or_uid: str) -> StudyRow:
        """The study of that UID, or the last received of that accession number.

        Raises UnknownEntry.
        """
        with self._read() as connection:
            row = connection.execute(
                select(*Study.__table__.columns)
                .where(
                    or_(
                        Study.study_instance_uid == accession_or_uid,
                        Study.accession_number == accession_or_uid,
                    ),
                )
                .order_by(Study.last_arrival_at.desc())
                .limit(1)
            ).one_or_none()
            if row is None or not accession_or_uid:
                raise UnknownEntry(
                    "no study of that accession number or Study Instance UID has been received"
                )
            return _studies(connection, [row])[0]


AT_ONCE = 500
"""Studies that one query asks about; databases have a limit on parameters."""


def _studies(connection: Connection, rows: Sequence[Row[Any]]) -> list[StudyRow]:
    """What came of the studies, in three queries for all of them."""
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
            func.count().over(partition_by=Job.study_instance_uid).label("jobs"),
        )
        .where(Job.study_instance_uid.in_(uids))
        .order_by(Job.study_instance_uid, Job.revision),
    )
    receiving = open_senders(connection, uids)
    return [
        _study(row, stored.get(uid), jobs.get(uid), receiving.get(uid, 0))
        for uid, row in zip(uids, rows, strict=True)
    ]


def _by_study(connection: Connection, query: Select[*tuple[Any, ...]]) -> dict[str, Row[Any]]:
    """Of each study the last row."""
    return {row.study_instance_uid: row for row in connection.execute(query)}


def _study(
    row: Row[Any], stored: Row[Any] | None, last_job: Row[Any] | None, receiving: int
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
        look_again_at=row.judge_at,
        jobs=last_job.jobs if last_job else 0,
        last_job_state=State(last_job.state) if last_job else None,
        last_outcome=Outcome(last_job.outcome) if last_job and last_job.outcome else None,
        last_headline=last_job.headline if last_job else None,
    )
