"""The work: jobs, their results, what is sent of them, what is fetched; and the diary of it all."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import AN_OBJECT, Base, file_indexes, partial_index
from node.persistence.schema.leased import DEAD, OPEN, RUNNING, LeasedWork
from node.persistence.schema.received import Study

RESULT_NOT_DESCRIBED = "transfer_syntax_uid IS NULL"
IN_FORCE = "in_force"


class Job(LeasedWork):
    """Analyse one study: keyed by (study, digest of the inputs, analysis id).

    revision         : 1, 2, ... within the study
    inputs           : intent, series, ids of instances ...: `node.persistence.codec`
    predecessor_id   : fixed at the first claim
    failure_reported : it has died, and its "technical failure" report is written or not needed
    """

    __tablename__ = "job"

    input_digest: Mapped[str]
    analysis_id: Mapped[str]
    revision: Mapped[int]
    inputs: Mapped[dict[str, Any]]
    predecessor_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    outcome: Mapped[str | None]
    headline: Mapped[str | None]
    summary: Mapped[dict[str, Any]]
    failure_reported: Mapped[bool] = mapped_column(default=False)

    @classmethod
    def told(cls, row: Row[Any]) -> dict[str, Any]:
        """Its number."""
        return {"job_id": row.id}

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        """Its keys."""
        return (
            UniqueConstraint("study_instance_uid", "input_digest", "analysis_id"),
            UniqueConstraint("study_instance_uid", "revision"),
            CheckConstraint("(state = 'done') = (outcome IS NOT NULL)", name="outcome"),
            # The jobs of a study run one at a time.
            partial_index("uq_job_running", "study_instance_uid", where=RUNNING, unique=True),
            Index(None, "outcome"),
            partial_index("ix_job_unreported", "failure_reported", "id", where=DEAD),
        )


class Artifact(Base):
    """One result object of a job, in the richest form; versions before wrote the poorer ones too.

    outcome             : tells a result from an earlier technical failure
    capture_variant     : of a report: of the captures that it refers to
    transfer_syntax_uid : of the stored file; null if a version before wrote it, until it is read
    in_force            : whether it is handed out and found (`searched`)
    instance_number, rows, columns, bits_allocated, number_of_frames : what it says for a search
    freed_at            : since when its file may be gone; null while it is here
    """

    __tablename__ = "artifact"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(Study.study_instance_uid))
    job_id: Mapped[int] = mapped_column(ForeignKey(Job.id))
    outcome: Mapped[str]
    kind: Mapped[str]
    report_variant: Mapped[str | None]
    capture_variant: Mapped[str | None]
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    series_instance_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str | None]
    path: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    in_force: Mapped[bool] = mapped_column(default=False)
    instance_number: Mapped[int | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    bits_allocated: Mapped[int | None]
    number_of_frames: Mapped[int | None]
    freed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("job_id", "sop_instance_uid"),
        *file_indexes("artifact"),
        # What is handed out is known well enough to be.
        CheckConstraint("NOT in_force OR transfer_syntax_uid IS NOT NULL", name="in_force"),
        partial_index("ix_artifact_not_described", "id", where=RESULT_NOT_DESCRIBED),
        partial_index("ix_artifact_found", *AN_OBJECT, where=IN_FORCE),
        partial_index("ix_artifact_found_uid", "sop_instance_uid", where=IN_FORCE),
        CheckConstraint("(kind = 'report') = (report_variant IS NOT NULL)", name="variant"),
        CheckConstraint(
            "(kind IN ('report', 'capture')) = (capture_variant IS NOT NULL)", name="captures"
        ),
    )


class Delivery(LeasedWork):
    """One job's results for one destination.

    outcome : of the results that are sent: the job's, or a technical failure's
    round   : 1, 2, ...; asking for a delivery that is done makes a new one, its history stays
    """

    __tablename__ = "delivery"
    queued_by = ("destination",)

    job_id: Mapped[int] = mapped_column(ForeignKey(Job.id))
    destination: Mapped[str]
    outcome: Mapped[str]
    round: Mapped[int]
    report_variant: Mapped[str | None]
    capture_variant: Mapped[str | None]

    @classmethod
    def told(cls, row: Row[Any]) -> dict[str, Any]:
        """Its number, its job's, and where it goes."""
        return {"job_id": row.job_id, "delivery_id": row.id, "destination": row.destination}

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        """Its key, and the ways to look for it."""
        return (
            UniqueConstraint("job_id", "destination", "outcome", "round"),
            Index("ix_delivery_of_study", "study_instance_uid", "destination", "id"),
            Index("ix_delivery_destination", "destination", "id"),
            Index("ix_delivery_counted", "destination", "state"),
        )


class Delivered(Base):
    """One object that a destination holds, or may hold: stored here or derived.

    status      : as the destination gave it; None: begun to be sent, and not answered
    rejected_by : SOP Instance UID of the rejection note that hides it there
    """

    __tablename__ = "delivered"

    delivery_id: Mapped[int] = mapped_column(ForeignKey(Delivery.id), primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    sop_class_uid: Mapped[str]
    series_instance_uid: Mapped[str]
    status: Mapped[int | None]
    at: Mapped[datetime]
    rejected_by: Mapped[str | None]


class Fetching(LeasedWork):
    """A question to one source: what it holds of a study, and that it sends what is missing here.

    content   : digest of what the question rests on
    by_itself : whether the node asked; else a person
    wanted    : `node.core.fetching.Wanted`
    findings  : `node.core.fetching.Findings`, of one that is done
    """

    __tablename__ = "fetch"
    queued_by = ("source",)

    source: Mapped[str]
    content: Mapped[str]
    by_itself: Mapped[bool]
    wanted: Mapped[dict[str, Any]]
    findings: Mapped[dict[str, Any] | None]

    @classmethod
    def told(cls, row: Row[Any]) -> dict[str, Any]:
        """Its number, and who is asked."""
        return {"number": row.id, "source": row.source}

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        """One at a time of a study, so that one answer is known before the next is asked."""
        return (
            CheckConstraint("(state = 'done') = (findings IS NOT NULL)", name="findings"),
            Index(None, "study_instance_uid"),
            Index("ix_fetch_source", "source", "id"),
            partial_index("uq_fetch_of_study", "study_instance_uid", where=OPEN, unique=True),
        )


class EventLog(Base):
    """The diary; written in the transaction that it tells of."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(Study.study_instance_uid))
    job_id: Mapped[int | None] = mapped_column(ForeignKey(Job.id))
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey(Delivery.id))
    kind: Mapped[str]
    details: Mapped[dict[str, Any]]

    __table_args__ = (Index(None, "study_instance_uid"),)
