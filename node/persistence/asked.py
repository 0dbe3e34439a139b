"""What a list is asked for, and the page of it that comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from m3net.uids import StudyInstanceUID
from node.core.standing import Standing
from node.core.states import State

T = TypeVar("T")


class StudyOrder(StrEnum):
    """What studies are sorted by."""

    ARRIVAL = "arrival"
    """When something came last."""
    ACCESSION = "accession"
    DATE = "date"
    """Study Date and Study Time."""


class WorkOrder(StrEnum):
    """What jobs, deliveries and fetches are sorted by."""

    NUMBER = "number"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every list can be asked for.

    search        : an accession number or how it begins, a Study Instance UID or how it ends, the
                    AE title or name of a sender; empty: everything
    with_patients : whether a Patient ID, or how it begins, is found too
    since         : that arrived (a study) or was made (work) since
    forwards      : whether the least comes first; else the greatest, which is the newest
    limit, offset : so many, after so many
    """

    search: str = field(default="", repr=False)
    with_patients: bool = False
    since: datetime | None = None
    forwards: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudiesAsked(Asked):
    """Which studies.

    standings       : one of them; empty: any
    delivery_states : the last delivery to one destination at least stands in one of them
    """

    standings: Sequence[Standing] = ()
    delivery_states: Sequence[State] = ()
    order: StudyOrder = StudyOrder.ARRIVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkAsked(Asked):
    """Which pieces of work; what is None or empty is not asked for."""

    study: StudyInstanceUID | None = None
    states: Sequence[State] = ()
    ids: Sequence[int] = ()
    order: WorkOrder = WorkOrder.NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesAsked(WorkAsked):
    """Which deliveries."""

    job_id: int | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchesAsked(WorkAsked):
    """Which questions to sources."""

    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some rows of a list.

    total  : how many there are of what was asked for
    offset : how many of them stand before these
    """

    rows: Sequence[T]
    total: int
    offset: int
