"""What clients of DICOMweb asked to have analysed (UPS-RS), by naming a study."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import Base, partial_index
from node.persistence.schema.received import Study
from node.persistence.schema.work import Fetching, Job

_NO_JOB_YET = "job_id IS NULL AND cancelled_at IS NULL"


class RequestedItem(Base):
    """A work item that a client created: it waits for a job, has become one, or is cancelled.

    uid      : its client's, or ours
    fetch_id : what is asked of a source for it; None if the study was here
    asked    : whether that was asked for it; else it joined what was asked already
    job_id   : the job that the item is, from the time when there is one
    reason   : why it is cancelled
    """

    __tablename__ = "requested_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(Study.study_instance_uid))
    fetch_id: Mapped[int | None] = mapped_column(ForeignKey(Fetching.id))
    asked: Mapped[bool]
    job_id: Mapped[int | None] = mapped_column(ForeignKey(Job.id))
    created_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("uid"),
        CheckConstraint("job_id IS NULL OR cancelled_at IS NULL", name="is_a_job"),
        CheckConstraint("(cancelled_at IS NULL) = (reason IS NULL)", name="cancelled"),
        CheckConstraint("fetch_id IS NOT NULL OR NOT asked", name="asked"),
        Index(None, "study_instance_uid"),
        Index(None, "fetch_id"),
        Index("ix_requested_item_job", "job_id", "created_at"),
        partial_index("ix_requested_item_waiting", "study_instance_uid", where=_NO_JOB_YET),
    )
