"""The stored objects that are handed out to whoever asks for them (WADO-RS): which, and where.

Of what was received: the current version of each instance.  Of what was made: the results in force
(`node.persistence.in_force`), and no others.  An object of ours that somebody has sent back is not
handed out as received: it may be an outdated report, and stand beside the one that replaced it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select, text

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.inputs import Role
from node.core.results import ArtifactKind
from node.core.uids import is_own_series
from node.persistence.outdated import newest_reported
from node.persistence.schema import IN_FORCE, Artifact, Instance, Job
from node.persistence.transactions import Transactions
from sr_templates.findings import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One stored object that is handed out.

    path     : in the spool
    received : whether it came from outside; else this node made it
    """

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    transfer_syntax_uid: str
    path: str
    size: int
    received: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultInForce:
    """One result of this node that is handed out.

    outcome          : the job's, or a technical failure
    number_of_frames : of an image; else None
    """

    job_id: int
    outcome: Outcome
    kind: ArtifactKind
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    path: str
    number_of_frames: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastReport:
    """The report that stands of a study, whether or not its files are still here.

    outcome : the job's, or a technical failure
    results : what is handed out of it, as it was written; empty where its files were freed, or
              have not been read since an upgrade
    """

    job_id: int
    outcome: Outcome
    results: Sequence[ResultInForce]


class HeldObjects(Transactions):
    """What is handed out."""

    def last_report(self, study: StudyInstanceUID) -> LastReport | None:
        """The report of the study's last reported job; None if there has been none."""
        with self._read() as connection:
            newest = newest_reported(connection, study)
            if newest is None:
                return None
            job_id, _ = newest
            said = connection.execute(select(Job.outcome).where(Job.id == job_id)).scalar_one()
            rows = connection.execute(
                select(*Artifact.__table__.columns)
                .where(Artifact.job_id == job_id, text(IN_FORCE))
                .order_by(Artifact.id)
            ).all()
        results = [
            ResultInForce(
                job_id=row.job_id,
                outcome=Outcome(row.outcome),
                kind=ArtifactKind(row.kind),
                series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
                sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
                path=row.path,
                number_of_frames=row.number_of_frames,
            )
            for row in rows
        ]
        outcome = Outcome.TECHNICAL_FAILURE if said is None else Outcome(said)
        return LastReport(job_id=job_id, outcome=outcome, results=results)

    def held(
        self,
        study_instance_uid: StudyInstanceUID,
        series_instance_uid: SeriesInstanceUID | None = None,
        sop_instance_uid: SOPInstanceUID | None = None,
    ) -> list[Held]:
        """What there is of a study, a series or an instance; empty if there is nothing.

        What was received comes first, in the order in which it came; then the results, as they
        were written.
        """
        query: Select[*tuple[Any, ...]] = select(
            Instance.study_instance_uid,
            Instance.series_instance_uid,
            Instance.sop_instance_uid,
            Instance.sop_class_uid,
            Instance.transfer_syntax_uid,
            Instance.role,
            Instance.path,
            Instance.size,
        ).where(
            Instance.study_instance_uid == study_instance_uid,
            Instance.current,
            Instance.freed_at.is_(None),
        )
        if series_instance_uid is not None:
            query = query.where(Instance.series_instance_uid == series_instance_uid)
        if sop_instance_uid is not None:
            query = query.where(Instance.sop_instance_uid == sop_instance_uid)
        with self._read() as connection:
            rows = connection.execute(query.order_by(Instance.id)).all()
            received = [_held(row, received=True) for row in rows if not _is_own(row)]
            if received and sop_instance_uid is not None:
                return received
            return received + [
                made
                for made in _results(connection, study_instance_uid)
                if series_instance_uid in (None, made.series_instance_uid)
                and sop_instance_uid in (None, made.sop_instance_uid)
            ]


_SCANS = (Role.CT, Role.LOCALIZER)


def _is_own(row: Row[*tuple[Any, ...]]) -> bool:
    """Whether a received object is a result of this node, read yet or not."""
    if row.role is None or Role(row.role) not in _SCANS:
        own = is_own_series(row.study_instance_uid, row.series_instance_uid)
        return own or row.role == Role.OWN_RESULT
    return False


def _results(connection: Connection, study: StudyInstanceUID) -> list[Held]:
    rows = connection.execute(
        select(
            Artifact.study_instance_uid,
            Artifact.series_instance_uid,
            Artifact.sop_instance_uid,
            Artifact.sop_class_uid,
            Artifact.transfer_syntax_uid,
            Artifact.path,
            Artifact.size,
        )
        .where(Artifact.study_instance_uid == study, text(IN_FORCE))
        .order_by(Artifact.id)
    )
    return [_held(row, received=False) for row in rows.all()]


def _held(row: Row[*tuple[Any, ...]], *, received: bool) -> Held:
    return Held(
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
        sop_class_uid=SOPClassUID(row.sop_class_uid),
        transfer_syntax_uid=row.transfer_syntax_uid,
        path=row.path,
        size=row.size,
        received=received,
    )
