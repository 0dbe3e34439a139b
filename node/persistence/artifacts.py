"""Result objects; parts of other transactions."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.persistence.rows import StoredArtifact
from node.persistence.schema import Artifact, Job
from node.persistence.searched import describe_series
from sr_templates.findings import Outcome


def add_artifacts(
    connection: Connection,
    job_id: int,
    outcome: Outcome,
    artifacts: Sequence[StoredArtifact],
    *,
    study: StudyInstanceUID,
) -> None:
    """The job of the study has these results, in this order."""
    for artifact in artifacts:
        describe_series(connection, study, artifact.series_instance_uid, artifact.says)
        connection.execute(
            insert(Artifact).values(
                study_instance_uid=study,
                job_id=job_id,
                outcome=outcome,
                kind=artifact.kind,
                report_variant=artifact.report_variant,
                capture_variant=artifact.capture_variant,
                sop_class_uid=artifact.sop_class_uid,
                sop_instance_uid=artifact.sop_instance_uid,
                series_instance_uid=artifact.series_instance_uid,
                transfer_syntax_uid=artifact.transfer_syntax_uid,
                path=artifact.path,
                sha256=artifact.sha256,
                size=artifact.size,
                in_force=False,
                **artifact.says.instance,
            )
        )


def artifacts_of(
    connection: Connection, job_id: int, outcome: Outcome
) -> tuple[StoredArtifact, ...]:
    """What one run of the job left behind, in the order in which it was written."""
    rows = connection.execute(
        select(*Artifact.__table__.columns)
        .where(Artifact.job_id == job_id, Artifact.outcome == outcome)
        .order_by(Artifact.id)
    )
    return tuple(
        StoredArtifact(
            kind=ArtifactKind(row.kind),
            report_variant=row.report_variant and ReportVariant(row.report_variant),
            capture_variant=row.capture_variant and CaptureVariant(row.capture_variant),
            sop_class_uid=SOPClassUID(row.sop_class_uid),
            sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
            series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
            transfer_syntax_uid=row.transfer_syntax_uid,
            path=row.path,
            sha256=row.sha256,
            size=row.size,
        )
        for row in rows
    )


def results_of(connection: Connection, job_id: int | None) -> tuple[StoredArtifact, ...]:
    """What a job left behind that is done; nothing of no job."""
    if job_id is None:
        return ()
    outcome = connection.execute(select(Job.outcome).where(Job.id == job_id)).scalar_one()
    return artifacts_of(connection, job_id, Outcome(outcome)) if outcome else ()
