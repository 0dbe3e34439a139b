"""Counters and histograms that are kept in rows, each raised in the transaction that it tells of.

So a crash counts nothing twice, and any process, or the next one, tells the same.  Labels are of
fixed lists; of names that senders choose, no more than `MOST_NAMES` are kept apart.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from node.core.drift import OTHER, UNKNOWN, kernel_class, manufacturer_class
from node.core.sender import SenderKind
from node.persistence.rows import DeliveryLease, JobLease, JobResult
from node.persistence.schema import Contribution, EventLog, Job, Sender, Series, Study, Tally

PHASE_SECONDS = "phase_seconds"
SLICE_THICKNESS = "slice_thickness_mm"
PROBABILITY = "probability"
RANGES: Mapping[str, tuple[float, ...]] = {
    PHASE_SECONDS: (1, 5, 15, 60, 300, 900, 3600, 14400, 86400),
    SLICE_THICKNESS: (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0),
    PROBABILITY: (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
}
"""Of each histogram, the upper ends of the ranges; what is above falls into one more."""
KERNEL, MANUFACTURER, SOURCE, NODULES = "kernel", "manufacturer", "source", "nodules"
MOST_NAMES = 200
SUM = -1
_TALLIES = cast(Table, Tally.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyRow:
    """One row; `schema.Tally` explains the fields."""

    metric: str
    label: str
    bucket: int
    value: float


def count(connection: Connection, metric: str, label: str, *, by: float = 1) -> None:
    """The counter is higher."""
    _add(connection, metric, label, 0, by)


def observe(connection: Connection, metric: str, value: float, *, label: str = "") -> None:
    """One more value fell into its range; what is no finite number counts nowhere."""
    if not math.isfinite(value):
        return
    _add(connection, metric, label, bisect_left(RANGES[metric], value), 1)
    _add(connection, metric, label, SUM, value)


def _add(connection: Connection, metric: str, label: str, bucket: int, by: float) -> None:
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    row = {"metric": metric, "label": label, "bucket": bucket, "value": by}
    connection.execute(
        insert(_TALLIES)
        .values(row)
        .on_conflict_do_update(
            index_elements=list(_TALLIES.primary_key), set_={"value": _TALLIES.c.value + by}
        )
    )


def count_job(connection: Connection, lease: JobLease, result: JobResult, *, now: datetime) -> None:
    """A job that has just been finished: its phases, what it was made of, and what it says."""
    study = lease.study_instance_uid
    claimed_at = connection.execute(
        select(func.max(EventLog.at)).where(
            EventLog.study_instance_uid == study,
            EventLog.job_id == lease.number,
            EventLog.kind == "job.claimed",
        )
    ).scalar_one()
    arrived_at = connection.execute(
        select(Study.last_arrival_at).where(Study.study_instance_uid == study)
    ).scalar_one()
    claimed_at = claimed_at or now
    _phase(connection, "waiting", arrived_at, lease.created_at)
    _phase(connection, "queued", lease.created_at, claimed_at)
    _phase(connection, "analysis", claimed_at, now)
    _inputs(connection, lease)
    for nodule in result.summary.get("nodules", ()):
        probability = nodule.get("probability")
        count(connection, NODULES, "not judged" if probability is None else "judged")
        if probability is not None:
            observe(connection, PROBABILITY, float(probability))


def count_delivery(connection: Connection, lease: DeliveryLease, *, now: datetime) -> None:
    """A delivery that has just been finished."""
    made_at = connection.execute(
        select(Job.settled_at).where(Job.id == lease.job_id)
    ).scalar_one_or_none()
    _phase(connection, "delivery", made_at or now, now)


def _phase(connection: Connection, phase: str, began: datetime, ended: datetime) -> None:
    """What a clock that was set back makes negative took no time."""
    seconds = max(0.0, (ended - began).total_seconds())
    observe(connection, PHASE_SECONDS, seconds, label=phase)


def _inputs(connection: Connection, lease: JobLease) -> None:
    if not lease.inputs.ct:
        return
    first = lease.inputs.ct[0]
    if first.slice_thickness_mm is not None:
        observe(connection, SLICE_THICKNESS, first.slice_thickness_mm)
    count(connection, KERNEL, kernel_class(first.convolution_kernel))
    manufacturer = connection.execute(
        select(Series.manufacturer).where(
            Series.study_instance_uid == lease.study_instance_uid,
            Series.series_instance_uid == first.series_instance_uid,
        )
    ).scalar_one_or_none()
    count(connection, MANUFACTURER, manufacturer_class(manufacturer))
    count(connection, SOURCE, _source(connection, lease.study_instance_uid))


def _source(connection: Connection, study: str) -> str:
    """The calling AE title that last brought something, or the way on which it came."""
    sender = connection.execute(
        select(Sender.kind, Sender.name)
        .join(Contribution, Contribution.sender_id == Sender.id)
        .where(Contribution.study_instance_uid == study, Contribution.new > 0)
        .order_by(Sender.id.desc())
        .limit(1)
    ).one_or_none()
    if sender is None:
        return UNKNOWN
    if sender.kind != SenderKind.DIMSE:
        return f"({sender.kind})"
    names = set(
        connection.execute(select(Tally.label).where(Tally.metric == SOURCE).limit(MOST_NAMES))
        .scalars()
        .all()
    )
    return sender.name if sender.name in names or len(names) < MOST_NAMES else OTHER
