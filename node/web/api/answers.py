"""What is answered: the rows of the store as the command line's --json has them."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from node.core.standing import Standing
from node.core.states import State
from node.listed.cautions import Name as CautionName
from node.persistence.rows import DeliveryRow, FetchRow, JobRow
from node.watch.sign import Severity
from node.web.actions import Target
from sr_templates.findings import Outcome

Row = TypeVar("Row")


class Answer(BaseModel):
    """An answer holds what is listed here and nothing else."""

    model_config = ConfigDict(extra="forbid")


class Rows(Answer, Generic[Row]):
    """A part of a list, and how long the whole is."""

    rows: list[Row]
    total: int
    offset: int


class StudyAnswer(Answer):
    """One study in a list: no patient is named."""

    study_instance_uid: str
    accession_number: str
    instances: int
    bytes: int
    first_arrival_at: datetime
    last_arrival_at: datetime
    open_senders: int
    standing: Standing
    state: str
    says: str | None
    deliveries_by_state: dict[State, int]
    waiting_for: str | None
    expired_at: datetime | None
    look_again_at: datetime | None
    jobs: int
    last_job_state: State | None
    last_outcome: Outcome | None
    last_headline: str | None


class SeriesAnswer(Answer):
    """One series that something was received of."""

    series_instance_uid: str
    modality: str
    series_number: int | None
    series_description: str
    instances: int
    kinds: dict[str, int]


class EventAnswer(Answer):
    """One line of the diary."""

    at: datetime
    kind: str
    job_id: int | None
    delivery_id: int | None
    details: dict[str, Any]
    sentence: str


class CautionAnswer(Answer):
    """Why the report in force may not be all that there is to say of its study."""

    name: CautionName
    says: str


class WholeStudyAnswer(StudyAnswer):
    """One study with all that belongs to it; the patient is named.

    job_in_force : whose report stands, be it here or only where it was sent; null if there is none
    cautions     : what a reader of its report has to know beside it
    """

    job_in_force: int | None
    cautions: list[CautionAnswer]
    patient_id: str
    patient_name: str
    study_date: str
    series: list[SeriesAnswer]
    job_list: list[JobRow]
    deliveries: list[DeliveryRow]
    fetches: list[FetchRow]
    events: list[EventAnswer]


class DestinationAnswer(Answer):
    """One destination."""

    name: str
    configured: bool
    last_success_at: datetime | None
    under_way: int
    oldest_waiting_at: datetime | None
    dead: int
    error: str


class SignAnswer(Answer):
    """One thing that is wrong."""

    name: str
    severity: Severity
    subject: str
    says: str
    since: datetime | None


class HealthAnswer(Answer):
    """Everything that is wrong, the worst first; `status` is "ok" if nothing is."""

    status: str
    signs: list[SignAnswer]


class ActionAnswer(Answer):
    """Something that an operator may do."""

    name: str
    target: Target
    title: str
    asks: str


class DoneAnswer(Answer):
    """What came of it."""

    sentence: str
    study_instance_uid: str | None


class Failed(Answer):
    """Every other answer: a status and a sentence."""

    status: int
    error: str
