"""What an operator sees: lists, single entries and the diary; nothing here changes anything."""

from typing import Any

from sqlalchemy import Row, func, select

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import Event
from node.core.states import State
from node.persistence.artifacts import artifacts_of
from node.persistence.destination_lists import DestinationLists
from node.persistence.rows import InstanceRow, StoredArtifact
from node.persistence.schema import Delivery, EventLog, Instance, Job
from node.persistence.study_lists import StudyLists
from node.persistence.work_lists import WorkLists
from sr_templates.findings import Outcome


class Lists(StudyLists, WorkLists, DestinationLists):
    """What is there."""

    def list_instances(self, study: StudyInstanceUID) -> list[InstanceRow]:
        """Every stored version of every instance of the study, in the order of arrival."""
        with self._read() as connection:
            rows = connection.execute(
                select(*Instance.__table__.columns)
                .where(Instance.study_instance_uid == study)
                .order_by(Instance.received_at, Instance.id)
            ).all()
        return [_instance(row) for row in rows]

    def artifacts(self, job_id: int) -> tuple[StoredArtifact, ...]:
        """The stored results of a job: of its analysis, else of its technical failure."""
        outcome = self.job(job_id).outcome or Outcome.TECHNICAL_FAILURE
        with self._read() as connection:
            return artifacts_of(connection, job_id, outcome)

    def diary(self, study: StudyInstanceUID) -> list[Event]:
        """Everything that happened to the study, in order."""
        with self._read() as connection:
            rows = connection.execute(
                select(*EventLog.__table__.columns)
                .where(EventLog.study_instance_uid == study)
                .order_by(EventLog.id)
            ).all()
        return [
            Event(
                at=row.at,
                study_instance_uid=study,
                kind=row.kind,
                job_id=row.job_id,
                delivery_id=row.delivery_id,
                details=row.details,
            )
            for row in rows
        ]

    def last_event(self) -> int:
        """The number of the diary's last line, of whatever study; 0 of an empty one."""
        with self._read() as connection:
            return connection.execute(select(func.coalesce(func.max(EventLog.id), 0))).scalar_one()

    def counts(self) -> dict[str, dict[State, int]]:
        """How many jobs and deliveries stand in each state."""
        with self._read() as connection:
            return {
                work.__tablename__: {
                    State(state): number
                    for state, number in connection.execute(
                        select(work.state, func.count()).group_by(work.state)
                    ).all()
                }
                for work in (Job, Delivery)
            }


def _instance(row: Row[Any]) -> InstanceRow:
    return InstanceRow(
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
        series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
        sop_class_uid=SOPClassUID(row.sop_class_uid),
        transfer_syntax_uid=row.transfer_syntax_uid,
        role=row.role,
        kind=row.kind,
        version=row.version,
        current=row.current,
        received_at=row.received_at,
        path=row.path,
        size=row.size,
    )
