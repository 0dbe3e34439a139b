"""What the store hands out: leases of work, and rows for an operator's eyes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.fetching import Wanted
from node.core.inputs import InstanceFacts, StudyIdentity, StudyInputs
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.standing import Standing, of_job
from node.core.states import State
from node.dicom.searchable import NOTHING_SAID, Described
from node.persistence.schema import LeasedWork
from node.persistence.spool import StoredFile
from sr_templates.findings import Outcome


class Arrival(StrEnum):
    """What an instance was when it arrived."""

    NEW = "new"
    SAME = "same"
    """The same bytes are here and current; nothing has changed."""
    NEWER_VERSION = "newer_version"
    """Other bytes under a UID that is here: all are kept, the last to arrive is current."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedInstance:
    """An object whose file is durable and whose row is to be.

    What else it says is read later.

    names_study : a scanner's object names the patient of the study; a stray annotation does not
    require     : raises if the file has gone since, and then no row is committed
    sender_id   : who brought it; None if nobody is to be remembered
    at          : when it was here whole
    """

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    transfer_syntax_uid: str
    identity: StudyIdentity = field(repr=False)
    names_study: bool
    file: StoredFile
    require: Callable[[], None] = field(default=lambda: None, repr=False)
    sender_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadInstance:
    """A stored object whose facts have not been read.

    tries : how often it was begun before to read them, and not brought to an end
    """

    number: int
    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    transfer_syntax_uid: str
    path: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadInstance:
    """What was read of a stored object."""

    facts: InstanceFacts
    says: Described = field(default=NOTHING_SAID, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDescribed:
    """A stored object of which a version before this one did not keep what it says for searches.

    number : its row
    made   : whether it is a result of this node; else it was received
    tries  : how often it was begun before to read it, and not brought to an end
    """

    number: int
    made: bool
    path: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArtifact:
    """One result object in the spool.

    report_variant      : of a report alone
    capture_variant     : of a report: of the captures that it refers to; None for companions
    transfer_syntax_uid : None if a version before wrote it, until it is read
    says                : for searches; when it is written, and not read back
    """

    kind: ArtifactKind
    report_variant: ReportVariant | None
    capture_variant: CaptureVariant | None
    sop_class_uid: SOPClassUID
    sop_instance_uid: SOPInstanceUID
    series_instance_uid: SeriesInstanceUID
    transfer_syntax_uid: str | None
    path: str
    sha256: str
    size: int
    says: Described = field(default=NOTHING_SAID, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentObject:
    """One result object as a destination holds it, stored here or derived from what is."""

    kind: ArtifactKind
    sop_class_uid: SOPClassUID
    sop_instance_uid: SOPInstanceUID
    series_instance_uid: SeriesInstanceUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """The earlier job of the study whose results the new ones replace."""

    job_id: int
    revision: int
    created_at: datetime
    artifacts: tuple[StoredArtifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms:
    """On what terms a job is made.

    analysis_id  : of the present model and settings; part of the job's key
    max_attempts : tries before it is dead
    """

    analysis_id: str
    max_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Where results go: one delivery per destination, each with so many tries."""

    destinations: Sequence[str]
    max_attempts: int


NOBODY = Outbox(destinations=(), max_attempts=1)
"""No destination is configured, or meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How an analysis ended, its objects being in the spool."""

    outcome: Outcome
    headline: str
    summary: Mapping[str, Any]
    artifacts: Sequence[StoredArtifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A piece of leased work that a process holds.

    work    : its kind
    number  : its row
    attempt : the fencing token; grows with every claim, for ever
    tries   : claims since it was made or requeued, this one included
    """

    work: type[LeasedWork]
    number: int
    attempt: int
    tries: int
    max_attempts: int
    owner: str
    study_instance_uid: StudyInstanceUID

    @property
    def noun(self) -> str:
        """What its kind is called: "job", "delivery"."""
        return str(self.work.__tablename__)

    def log_fields(self) -> dict[str, Any]:
        """What a log line about it names."""
        return {
            self.noun: self.number,
            "study": self.study_instance_uid,
            "tries": self.tries,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLease(Lease):
    """A job that this process holds.

    revision    : 1, 2, ... within the study
    paths       : spool path of every instance of `inputs` and of their prior
    predecessor : fixed at the first claim, so that a rebuild names the same one
    failed      : why the last try failed; for a dead job, why it is dead
    numbered_above : what the Series Numbers of all results of the study are greater than
    """

    inputs: StudyInputs
    paths: Mapping[SOPInstanceUID, str]
    revision: int
    created_at: datetime
    analysis_id: str
    input_digest: str
    predecessor: Predecessor | None
    failed: str | None
    numbered_above: int

    @property
    def job_id(self) -> int:
        """The job's number."""
        return self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLease(Lease):
    """One job's results for one destination, held by this process.

    artifacts         : in the order in which the job wrote them
    predecessor       : of the job whose report this one's replaces
    already_delivered : objects that the destination has confirmed in earlier tries
    report_variant    : chosen in an earlier try, or None
    """

    destination: str
    job_id: int
    outcome: Outcome
    artifacts: tuple[StoredArtifact, ...]
    predecessor: tuple[StoredArtifact, ...]
    already_delivered: frozenset[SOPInstanceUID]
    report_variant: ReportVariant | None
    capture_variant: CaptureVariant | None

    @property
    def delivery_id(self) -> int:
        """The delivery's number."""
        return self.number

    def log_fields(self) -> dict[str, Any]:
        """What a log line about it names."""
        return {**Lease.log_fields(self), "destination": self.destination}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLease(Lease):
    """A question to a source, held by this process."""

    source: str
    wanted: Wanted

    def log_fields(self) -> dict[str, Any]:
        """What a log line about it names."""
        return {**Lease.log_fields(self), "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One study; of `identity` all but the accession number is for `--phi` alone.

    waiting_for     : the sentence of the last judgement; None if it waits for nothing
    expired_at      : since when it has waited for too long
    ignored_because : the sentence of the last judgement; None if something in it is for this node
    deliveries      : how many destinations' last deliveries stand in each state
    senders         : AE titles, or names, of those who brought something to it
    """

    study_instance_uid: StudyInstanceUID
    identity: StudyIdentity = field(repr=False)
    instances: int
    bytes: int
    first_arrival_at: datetime
    last_arrival_at: datetime
    open_senders: int
    waiting_for: str | None
    expired_at: datetime | None
    ignored_because: str | None
    look_again_at: datetime | None
    jobs: int
    last_job_state: State | None
    last_outcome: Outcome | None
    last_headline: str | None
    last_error: str | None
    deliveries: Mapping[State, int]
    senders: Sequence[str]

    @property
    def standing(self) -> Standing:
        """Where it stands; `node.persistence.standings` asks the database the same."""
        if self.open_senders:
            return Standing.RECEIVING
        if self.waiting_for is not None:
            return Standing.EXPIRED if self.expired_at is not None else Standing.WAITING
        if self.last_job_state is not None:
            return of_job(self.last_job_state)
        return Standing.RECEIVED if self.ignored_because is None else Standing.IGNORED

    @property
    def says(self) -> str | None:
        """What there is to say of it; what it waits for hides nothing of the report that stands."""
        if self.waiting_for is not None:
            if self.last_headline:
                return f"{self.waiting_for}; reported before: {self.last_headline}"
            return self.waiting_for
        if self.last_job_state is not None:
            return self.last_error if self.last_job_state is State.DEAD else self.last_headline
        return self.ignored_because


class Tried:
    """Work in a list."""

    __slots__ = ()
    state: State
    tries: int
    error: str | None

    @property
    def waits(self) -> bool:
        """Whether it has failed, and will be tried again at `not_before`."""
        return self.state is State.QUEUED and self.tries > 0 and self.error is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow(Tried):
    """One job."""

    job_id: int
    study_instance_uid: StudyInstanceUID
    accession_number: str = field(repr=False)
    revision: int
    state: State
    tries: int
    max_attempts: int
    attempt: int
    owner: str | None
    lease_until: datetime | None
    not_before: datetime
    created_at: datetime
    settled_at: datetime | None
    analysis_id: str
    input_digest: str
    outcome: Outcome | None
    headline: str | None
    summary: Mapping[str, Any]
    error: str | None

    @property
    def says(self) -> str | None:
        """How its report begins, or why it waits, has failed or was cancelled."""
        return self.headline if self.state is State.DONE else self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow(Tried):
    """One job's results for one destination; `round` counts the times they were asked for."""

    delivery_id: int
    job_id: int
    study_instance_uid: StudyInstanceUID
    accession_number: str = field(repr=False)
    destination: str
    outcome: Outcome
    round: int
    state: State
    tries: int
    max_attempts: int
    owner: str | None
    lease_until: datetime | None
    not_before: datetime
    created_at: datetime
    settled_at: datetime | None
    delivered: int
    report_variant: ReportVariant | None
    capture_variant: CaptureVariant | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRow(Tried):
    """One question to a source; `by_itself` is false where a person asked."""

    number: int
    study_instance_uid: StudyInstanceUID
    accession_number: str = field(repr=False)
    source: str
    by_itself: bool
    state: State
    tries: int
    max_attempts: int
    not_before: datetime
    created_at: datetime
    settled_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """One series of a study, of which something is here.

    kinds       : what its current instances are, and how many of each ("not read yet" as well)
    number      : Series Number, None if it says none or has not been read
    description : Series Description, likewise
    """

    series_instance_uid: SeriesInstanceUID
    modality: str
    number: int | None
    description: str
    kinds: Mapping[str, int]

    @property
    def instances(self) -> int:
        """How many are current."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRow:
    """One stored version of one instance; `role` and `kind` are None until they have been read."""

    sop_instance_uid: SOPInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_class_uid: SOPClassUID
    transfer_syntax_uid: str
    role: str | None
    kind: str | None
    version: int
    current: bool
    received_at: datetime
    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """What asking for a job again came to.

    job_id     : the job that runs or whose results are sent; another one if the model has changed
    deliveries : the deliveries that were queued
    """

    job_id: int
    deliveries: tuple[int, ...]
    sentence: str
