"""What is asked for again needs its files: where they were freed it is refused, in words."""

from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from node.core.errors import NotAllowed
from node.persistence.codec import UNREADABLE, instance_ids
from node.persistence.schema import Artifact, Instance
from sr_templates.findings import Outcome


def require_inputs(connection: Connection, job: Row[Any]) -> None:
    """The files that the job analyses are here, as far as it can be read.  Raises NotAllowed."""
    try:
        analysed = instance_ids(job.inputs)
    except UNREADABLE:
        return  # whoever claims it says so
    row = connection.execute(
        select(func.count().label("gone"), func.max(Instance.freed_at).label("last")).where(
            Instance.id.in_(analysed),
            or_(Instance.freed_at.is_not(None), Instance.facts.is_(None)),
        )
    ).one()
    if row.gone:
        freed = f", the last on {row.last:%Y-%m-%d}" if row.last else " or not read yet"
        raise NotAllowed(
            f"job {job.id} cannot run again: the files of {row.gone} objects that it analyses were "
            f"freed from the disk{freed}; send the whole study again, then it is judged by itself"
        )


def require_results(connection: Connection, job_id: int, outcome: Outcome) -> None:
    """The files of the job's results are here.  Raises NotAllowed."""
    row = connection.execute(
        select(func.count().label("gone"), func.max(Artifact.freed_at).label("last")).where(
            Artifact.job_id == job_id,
            Artifact.outcome == outcome,
            Artifact.freed_at.is_not(None),
        )
    ).one()
    if row.gone:
        raise NotAllowed(
            f"the results of job {job_id} cannot be sent again: their files were freed from the "
            f"disk on {row.last:%Y-%m-%d}; destinations hold them, and m3node why says which"
        )
