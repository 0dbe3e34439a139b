"""The tables.

Rules for this file: every invariant that the program relies on stands here as a constraint, so that
no transaction can break it, whoever writes it.  Times are UTC.  Patient data stands in `study` and
nowhere else.  A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Row,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.types import TypeDecorator

from node.core.states import LEASED, SETTLED, State

_SORTED_BY_BYTES = Text().with_variant(Text(collation="C"), "postgresql")
"""Of text that is searched by how it begins, or by ranges: an index serves both."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime; in the database UTC, on SQLite without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        assert value.tzinfo is not None, "times have a zone"  # noqa: S101
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  # the base class names it
    ) -> datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_AN_OBJECT = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


class Base(DeclarativeBase):
    """All tables; constraints have predictable names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy reads it from the class
        str: Text(),
        datetime: UTCDateTime(),
        dict[str, Any]: JSON(),
    }


def _states(states: Iterable[State]) -> str:
    return ", ".join(f"'{state}'" for state in State if state in states)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(
        name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where)
    )


def _searched() -> Mapped[str]:
    """Text that a search asks for; empty if nothing is said."""
    return mapped_column(_SORTED_BY_BYTES, server_default="")


class Study(Base):
    r"""One study, and the only place where a patient is named.

    patient_name_key, referring_physician_name_key : as names are compared (`dicom.searchable`)
    study_time to issuer_of_patient_id : what stored objects say, read after they are here
    modalities, number_of_series, number_of_instances : of what is found in it (`searched`):
        \CT\SR\; nothing is found in a study without an instance
    change   : grows with everything that may change the judgement of completeness
    judge_at : when to judge again; None: not before something arrives
    waiting_for : the sentence of the last judgement, while it waits
    numbered_above : the greatest Series Number of the study when its first job was taken: that of
                     every result is greater; the same for all results of the study
    """

    __tablename__ = "study"

    study_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(_SORTED_BY_BYTES)
    patient_name: Mapped[str]
    accession_number: Mapped[str] = mapped_column(_SORTED_BY_BYTES)
    study_date: Mapped[str] = mapped_column(_SORTED_BY_BYTES)
    patient_name_key: Mapped[str] = _searched()
    study_time: Mapped[str] = _searched()
    study_id: Mapped[str] = _searched()
    study_description: Mapped[str] = _searched()
    referring_physician_name: Mapped[str] = _searched()
    referring_physician_name_key: Mapped[str] = _searched()
    timezone: Mapped[str] = _searched()
    patient_birth_date: Mapped[str] = _searched()
    patient_sex: Mapped[str] = _searched()
    issuer_of_patient_id: Mapped[str] = _searched()
    modalities: Mapped[str] = _searched()
    number_of_series: Mapped[int] = mapped_column(server_default="0")
    number_of_instances: Mapped[int] = mapped_column(server_default="0")
    first_arrival_at: Mapped[datetime]
    last_arrival_at: Mapped[datetime]
    change: Mapped[int]
    judge_at: Mapped[datetime | None]
    waiting_for: Mapped[str | None]
    numbered_above: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index(None, "judge_at"),
        Index(None, "accession_number"),
        Index(None, "last_arrival_at"),
        Index("ix_study_newest", "study_date", "study_time", "study_instance_uid", "modalities"),
        Index(None, "patient_id"),
        Index(None, "patient_name_key"),
        Index(None, "referring_physician_name_key"),
    )


class Series(Base):
    """What is said of one series of a study: by the last of its objects that was read.

    number_of_instances : that are found in it (`searched`); nothing is found in one without any
    """

    __tablename__ = "series"

    study_instance_uid: Mapped[str] = mapped_column(
        ForeignKey(Study.study_instance_uid), primary_key=True
    )
    series_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    modality: Mapped[str] = _searched()
    series_number: Mapped[int | None]
    series_description: Mapped[str] = _searched()
    series_date: Mapped[str] = _searched()
    series_time: Mapped[str] = _searched()
    body_part_examined: Mapped[str] = _searched()
    protocol_name: Mapped[str] = _searched()
    manufacturer: Mapped[str] = _searched()
    station_name: Mapped[str] = _searched()
    performed_date: Mapped[str] = _searched()
    performed_time: Mapped[str] = _searched()
    scheduled_step_id: Mapped[str] = _searched()
    requested_procedure_id: Mapped[str] = _searched()
    number_of_instances: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        Index(None, "series_instance_uid"),
        Index(None, "modality", "study_instance_uid", "series_instance_uid"),
    )


class Sender(Base):
    """One sender for as long as it sends (`node.core.sender`).

    owner    : the process that serves it
    alive_at : when that process last said that it still does; for other hosts to go by
    """

    __tablename__ = "sender"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    called: Mapped[str | None]
    peer: Mapped[str | None]
    owner: Mapped[str]
    opened_at: Mapped[datetime]
    alive_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    __table_args__ = (_partial("ix_sender_open", "closed_at", where="closed_at IS NULL"),)


class Contribution(Base):
    """What one sender brought to one study; while it sends the study is not quiet."""

    __tablename__ = "contribution"

    sender_id: Mapped[int] = mapped_column(ForeignKey(Sender.id), primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(
        ForeignKey(Study.study_instance_uid), primary_key=True
    )
    new: Mapped[int]
    same: Mapped[int]
    newer: Mapped[int]

    __table_args__ = (Index(None, "study_instance_uid"),)


UNREAD = "facts IS NULL"
NOT_DESCRIBED = "findable IS NULL AND facts IS NOT NULL"
RESULT_NOT_DESCRIBED = "transfer_syntax_uid IS NULL"
FOUND = "current AND findable"
IN_FORCE = "in_force"


class Instance(Base):
    """One version of one SOP Instance; of every instance exactly one version is current.

    version    : 1, 2, ...; the last to arrive has the highest
    role, kind, content_digest, facts : what was read of the stored file; null until it has been
    facts      : as JSON, what `node.core.inputs.InstanceFacts` has beside the columns here
    read_tries : how often it has been begun to read them
    findable   : whether a search finds it while it is current; a result of ours that came back is
                 not; null until what it says for that has been read
    instance_number, rows, columns, bits_allocated, number_of_frames : what it says for that
    """

    __tablename__ = "instance"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(Study.study_instance_uid))
    series_instance_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    role: Mapped[str | None]
    kind: Mapped[str | None]
    version: Mapped[int]
    current: Mapped[bool]
    content_digest: Mapped[str | None]
    sha256: Mapped[str]
    path: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    facts: Mapped[str | None]
    received_at: Mapped[datetime]
    read_tries: Mapped[int] = mapped_column(default=0)
    findable: Mapped[bool | None]
    instance_number: Mapped[int | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    bits_allocated: Mapped[int | None]
    number_of_frames: Mapped[int | None]

    __table_args__ = (
        UniqueConstraint("study_instance_uid", "sop_instance_uid", "sha256"),
        *(
            CheckConstraint(f"({name} IS NULL) = (facts IS NULL)", name=f"{name}_is_read")
            for name in ("role", "kind", "content_digest")
        ),
        _partial("ix_instance_unread", "study_instance_uid", "id", where=UNREAD),
        _partial("ix_instance_not_described", "id", where=NOT_DESCRIBED),
        _partial("ix_instance_found", *_AN_OBJECT, where=FOUND),
        _partial("ix_instance_found_uid", "sop_instance_uid", where=FOUND),
        Index(
            "uq_instance_current",
            "study_instance_uid",
            "sop_instance_uid",
            unique=True,
            postgresql_where=text("current"),
            sqlite_where=text("current"),
        ),
    )


OPEN = f"state IN ({_states({State.QUEUED, State.RUNNING})})"
"""What a claim looks at.  The database uses a partial index only for a query that says its very
words: `node.persistence.conditions` writes them."""
RUNNING = f"state = '{State.RUNNING}'"
DEAD = f"state = '{State.DEAD}'"


class LeasedWork(Base):
    """Work that one process at a time holds on a lease; `node.core.states` is its machine.

    A kind of work is a table of this; `node.persistence.work` does its steps.

    attempt    : the fencing token; grows with every claim, for ever
    tries      : claims since it was made or requeued; bounded by max_attempts
    not_before : the end of the pause after a failed try
    error      : why the last try failed, or why it is dead or cancelled
    """

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(Study.study_instance_uid))
    state: Mapped[str]
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    not_before: Mapped[datetime]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    error: Mapped[str | None]

    queued_by: ClassVar[tuple[str, ...]] = ()
    """Columns that divide the table into queues, each claimed by itself."""

    @classmethod
    def told(cls, row: Row[Any]) -> dict[str, Any]:
        """What each of its lines in the diary holds, beside what happened."""
        return {"number": row.id}

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        """The state machine's invariants, the indexes of its claims, and what the table adds."""
        name = cls.__tablename__
        return (
            CheckConstraint(f"state IN ({_states(State)})", name="state"),
            CheckConstraint(
                f"(state IN ({_states(LEASED)})) = (lease_until IS NOT NULL)", name="lease"
            ),
            CheckConstraint(f"(state IN ({_states(LEASED)})) = (owner IS NOT NULL)", name="owner"),
            CheckConstraint(
                f"(state IN ({_states(SETTLED)})) = (settled_at IS NOT NULL)", name="settled"
            ),
            CheckConstraint("tries BETWEEN 0 AND max_attempts", name="tries"),
            CheckConstraint("attempt >= tries", name="attempt"),
            _partial(f"ix_{name}_open", *cls.queued_by, "state", "not_before", where=OPEN),
            _partial(f"ix_{name}_running", "state", "lease_until", where=RUNNING),
            Index(f"ix_{name}_state", "state", "id"),
            Index(f"ix_{name}_created_at", "created_at"),
            *cls.further_table_args(),
        )

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        """What one kind of work adds."""
        return ()


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
            _partial("uq_job_running", "study_instance_uid", where=RUNNING, unique=True),
            _partial("ix_job_unreported", "failure_reported", "id", where=DEAD),
        )


class Artifact(Base):
    """One result object of a job, in the richest form; versions before wrote the poorer ones too.

    outcome             : tells a result from an earlier technical failure
    capture_variant     : of a report: of the captures that it refers to
    transfer_syntax_uid : of the stored file; null if a version before wrote it, until it is read
    in_force            : whether it is handed out and found (`searched`)
    instance_number, rows, columns, bits_allocated, number_of_frames : what it says for a search
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

    __table_args__ = (
        UniqueConstraint("job_id", "sop_instance_uid"),
        # What is handed out is known well enough to be.
        CheckConstraint("NOT in_force OR transfer_syntax_uid IS NOT NULL", name="in_force"),
        _partial("ix_artifact_not_described", "id", where=RESULT_NOT_DESCRIBED),
        _partial("ix_artifact_found", *_AN_OBJECT, where=IN_FORCE),
        _partial("ix_artifact_found_uid", "sop_instance_uid", where=IN_FORCE),
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
            Index(None, "study_instance_uid"),
            Index("ix_delivery_destination", "destination", "id"),
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
            _partial("uq_fetch_of_study", "study_instance_uid", where=OPEN, unique=True),
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
