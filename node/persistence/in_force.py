"""Which results of a study are handed out and found: those in force, and no others.

A result that has been overtaken must never be shown beside the one that replaced it, or instead of
it.  So what is handed out changes in the very transaction in which a newer job is reported.
"""

from sqlalchemy import Connection, select, text, update

from node.core.results import COMPANIONS, ArtifactKind
from node.core.variants import RICHEST, choose
from node.persistence.artifacts import artifacts_of
from node.persistence.outdated import newest_reported
from node.persistence.rows import StoredArtifact
from node.persistence.schema import IN_FORCE, Artifact, Job
from node.persistence.searched import recount
from node.persistence.transactions import lock_study
from sr_templates.findings import Outcome


def hand_out_in_force(connection: Connection, study: str) -> None:
    """The results of the last reported job are handed out, in the richest form, and no others.

    While a newer job waits or runs they stand, here as at every destination; once it has died and
    its "technical failure" is written, that stands alone.  What a version before has written is
    handed out once it is described.
    """
    lock_study(connection, study)
    connection.execute(
        update(Artifact)
        .where(Artifact.study_instance_uid == study, text(IN_FORCE))
        .values(in_force=False)
    )
    newest = newest_reported(connection, study)
    if newest is not None:
        job_id, _ = newest
        connection.execute(
            update(Artifact)
            .where(
                Artifact.job_id == job_id,
                Artifact.sop_instance_uid.in_(
                    [each.sop_instance_uid for each in _of(connection, job_id)]
                ),
                Artifact.transfer_syntax_uid != "",
                Artifact.freed_at.is_(None),
            )
            .values(in_force=True)
        )
    recount(connection, study)


def _of(connection: Connection, job_id: int) -> list[StoredArtifact]:
    said = connection.execute(select(Job.outcome).where(Job.id == job_id)).scalar_one()
    outcome = Outcome.TECHNICAL_FAILURE if said is None else Outcome(said)
    artifacts = artifacts_of(connection, job_id, outcome)
    if not any(each.kind is ArtifactKind.REPORT for each in artifacts):
        return []  # never a picture without the report that says what it is
    chosen = choose(artifacts, RICHEST, COMPANIONS)
    return [*chosen.captures, *chosen.companions, chosen.report]
