"""How jobs and deliveries come to be queued; parts of other transactions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from node.core.errors import NotAllowed
from node.persistence import work
from node.persistence.conditions import is_open
from node.persistence.rows import JobTerms, Outbox
from node.persistence.schema import Delivery, Job
from sr_templates.findings import Outcome


def next_revision(connection: Connection, study: str) -> int:
    """The revision of the study's next job; `lock_study` keeps it from being taken twice."""
    newest = connection.execute(
        select(func.max(Job.revision)).where(Job.study_instance_uid == study)
    ).scalar_one()
    return 1 + (newest or 0)


def queue_job(
    connection: Connection,
    study: str,
    *,
    input_digest: str,
    inputs: Mapping[str, Any],
    terms: JobTerms,
    because: str,
    now: datetime,
) -> int:
    """A new job of the study is queued as its next revision; its number."""
    revision = next_revision(connection, study)
    return work.add(
        connection,
        Job,
        max_attempts=terms.max_attempts,
        now=now,
        line=work.Line({"revision": revision, "because": because}),
        study_instance_uid=study,
        input_digest=input_digest,
        analysis_id=terms.analysis_id,
        revision=revision,
        inputs=inputs,
        summary={},
        failure_reported=False,
    )


def queue_deliveries(
    connection: Connection,
    job_id: int,
    *,
    study: str,
    outcome: Outcome,
    outbox: Outbox,
    now: datetime,
    by: str | None = None,
) -> list[int]:
    """One more round of deliveries; destinations that have one queued or running are passed by.

    by : who asked for it, for the diary; None if nobody had to
    """
    queued: list[int] = []
    for destination in outbox.destinations:
        before = connection.execute(
            select(
                func.count().filter(is_open(Delivery)).label("open"),
                func.coalesce(func.max(Delivery.round), 0).label("rounds"),
            ).where(
                Delivery.job_id == job_id,
                Delivery.destination == destination,
                Delivery.outcome == outcome,
            )
        ).one()
        if not before.open:
            queued.append(
                work.add(
                    connection,
                    Delivery,
                    max_attempts=outbox.max_attempts,
                    now=now,
                    line=work.PLAIN if by is None else work.Line({"by": by}),
                    study_instance_uid=study,
                    job_id=job_id,
                    destination=destination,
                    outcome=outcome,
                    round=before.rounds + 1,
                )
            )
    return queued


def resend(
    connection: Connection,
    job_id: int,
    *,
    study: str,
    outcome: Outcome,
    outbox: Outbox,
    now: datetime,
    by: str,
) -> Sequence[int]:
    """The stored results of the job are queued for every destination that they ever went to.

    Raises NotAllowed if they are on their way already, or there is nobody to send them to.

    outbox : to whom they go if they went to nobody yet
    """
    went = connection.execute(
        select(Delivery.destination, func.max(Delivery.max_attempts).label("max_attempts"))
        .where(Delivery.job_id == job_id, Delivery.outcome == outcome)
        .group_by(Delivery.destination)
        .order_by(Delivery.destination)
    ).all()
    boxes = [
        Outbox(destinations=[row.destination], max_attempts=row.max_attempts) for row in went
    ] or [outbox]
    queued = [
        number
        for each in boxes
        for number in queue_deliveries(
            connection, job_id, study=study, outcome=outcome, outbox=each, now=now, by=by
        )
    ]
    if not queued and went:
        raise NotAllowed(f"the results of job {job_id} are on their way already")
    if not queued:
        raise NotAllowed(
            f"the results of job {job_id} went to nobody, and no destination is configured: add "
            "[[destinations]], and requeue the job then"
        )
    return queued
