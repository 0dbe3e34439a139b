"""What was received: studies, their series and instances, and who sent them."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import (
    AN_OBJECT,
    SORTED_BY_BYTES,
    Base,
    file_indexes,
    partial_index,
    searched_text,
)

WAITING = "waiting_for IS NOT NULL"
EXPIRED = "expired_at IS NOT NULL"
IGNORED = "ignored_because IS NOT NULL"


class Study(Base):
    r"""One study, and the only place where a patient is named.

    patient_name_key, referring_physician_name_key : as names are compared (`dicom.searchable`)
    study_time to issuer_of_patient_id : what stored objects say, read after they are here
    modalities, number_of_series, number_of_instances : of what is found in it (`searched`):
        \CT\SR\; nothing is found in a study without an instance
    uid_backwards : the UID from its last character to its first, by which its end is found
    change   : grows with everything that may change the judgement of completeness
    judge_at : when to judge again; None: not before something arrives
    waiting_for : the sentence of the last judgement, while it waits
    expired_at  : since when it has waited for longer than is waited without a word
    ignored_because : the sentence of the last judgement, if nothing in it is for this node
    numbered_above : the greatest Series Number of the study when its first job was taken: that of
                     every result is greater; the same for all results of the study
    """

    __tablename__ = "study"

    study_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    uid_backwards: Mapped[str] = searched_text()
    patient_id: Mapped[str] = mapped_column(SORTED_BY_BYTES)
    patient_name: Mapped[str]
    accession_number: Mapped[str] = mapped_column(SORTED_BY_BYTES)
    study_date: Mapped[str] = mapped_column(SORTED_BY_BYTES)
    patient_name_key: Mapped[str] = searched_text()
    study_time: Mapped[str] = searched_text()
    study_id: Mapped[str] = searched_text()
    study_description: Mapped[str] = searched_text()
    referring_physician_name: Mapped[str] = searched_text()
    referring_physician_name_key: Mapped[str] = searched_text()
    timezone: Mapped[str] = searched_text()
    patient_birth_date: Mapped[str] = searched_text()
    patient_sex: Mapped[str] = searched_text()
    issuer_of_patient_id: Mapped[str] = searched_text()
    modalities: Mapped[str] = searched_text()
    number_of_series: Mapped[int] = mapped_column(server_default="0")
    number_of_instances: Mapped[int] = mapped_column(server_default="0")
    first_arrival_at: Mapped[datetime]
    last_arrival_at: Mapped[datetime]
    change: Mapped[int]
    judge_at: Mapped[datetime | None]
    waiting_for: Mapped[str | None]
    expired_at: Mapped[datetime | None]
    ignored_because: Mapped[str | None]
    numbered_above: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index(None, "judge_at"),
        Index(None, "accession_number"),
        Index(None, "last_arrival_at"),
        Index("ix_study_newest", "study_date", "study_time", "study_instance_uid", "modalities"),
        Index(None, "patient_id"),
        Index(None, "patient_name_key"),
        Index(None, "referring_physician_name_key"),
        Index(None, "uid_backwards"),
        partial_index("ix_study_waiting", "last_arrival_at", where=WAITING),
        partial_index("ix_study_expired", "last_arrival_at", where=EXPIRED),
        partial_index("ix_study_ignored", "last_arrival_at", where=IGNORED),
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
    modality: Mapped[str] = searched_text()
    series_number: Mapped[int | None]
    series_description: Mapped[str] = searched_text()
    series_date: Mapped[str] = searched_text()
    series_time: Mapped[str] = searched_text()
    body_part_examined: Mapped[str] = searched_text()
    protocol_name: Mapped[str] = searched_text()
    manufacturer: Mapped[str] = searched_text()
    station_name: Mapped[str] = searched_text()
    performed_date: Mapped[str] = searched_text()
    performed_time: Mapped[str] = searched_text()
    scheduled_step_id: Mapped[str] = searched_text()
    requested_procedure_id: Mapped[str] = searched_text()
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

    __table_args__ = (
        partial_index("ix_sender_open", "closed_at", where="closed_at IS NULL"),
        Index(None, "name"),
    )


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
FOUND = "current AND findable"


class Instance(Base):
    """One version of one SOP Instance; of every instance exactly one version is current.

    version    : 1, 2, ...; the last to arrive has the highest
    role, kind, content_digest, facts : what was read of the stored file; null until it has been
    facts      : as JSON, what `node.core.inputs.InstanceFacts` has beside the columns here
    read_tries : how often it has been begun to read them
    findable   : whether a search finds it while it is current; a result of ours that came back is
                 not; null until what it says for that has been read
    instance_number, rows, columns, bits_allocated, number_of_frames : what it says for that
    freed_at   : since when its file may be gone; null while it is here
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
    freed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("study_instance_uid", "sop_instance_uid", "sha256"),
        *file_indexes("instance"),
        *(
            CheckConstraint(f"({name} IS NULL) = (facts IS NULL)", name=f"{name}_is_read")
            for name in ("role", "kind", "content_digest")
        ),
        partial_index("ix_instance_unread", "study_instance_uid", "id", where=UNREAD),
        partial_index("ix_instance_not_described", "id", where=NOT_DESCRIBED),
        partial_index("ix_instance_found", *AN_OBJECT, where=FOUND),
        partial_index("ix_instance_found_uid", "sop_instance_uid", where=FOUND),
        Index(
            "uq_instance_current",
            "study_instance_uid",
            "sop_instance_uid",
            unique=True,
            postgresql_where=text("current"),
            sqlite_where=text("current"),
        ),
    )
