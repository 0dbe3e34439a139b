"""What a report says, before it is DICOM."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sr_templates.band import Call


class Outcome(StrEnum):
    """How the analysis of a study ended; each has its own unmistakable first line."""

    ANALYSED = "analysed"
    PARTLY_ANALYSED = "partly_analysed"
    NOTHING_MARKED = "nothing_marked"
    NOT_ANNOTATED = "not_annotated"
    NOT_ANALYSED = "not_analysed"
    TECHNICAL_FAILURE = "technical_failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """One CT slice that a finding is drawn on.

    frame_number : from 1; None for an image of one frame
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Centre and radius on one slice, in (column, row) pixels, DICOM's image-relative frame.

    (0.5, 0.5) is the centre of the first pixel (PS3.3 C.18.6.1.2).
    """

    image: ImageReference
    centre: tuple[float, float]
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Polyline:
    """A closed outline on one slice; points as (column, row), same frame as `Circle`."""

    image: ImageReference
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleFinding:
    """One nodule of the report.

    probability : of malignancy, in [0, 1]
    call        : None with untrained weights or a card without threshold
    diameter_mm : None where the annotation gives none
    region      : where it is drawn; on its key slice
    comment     : one line that a person can read
    """

    tracking_uid: str
    tracking_id: str
    probability: float
    call: Call | None
    diameter_mm: float | None
    region: Circle | Polyline
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFinding:
    """A marked nodule that was not analysed, and why."""

    tracking_uid: str
    tracking_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """The model as TID 4019 and ContributingEquipment state it."""

    name: str
    version: str
    manufacturer: str
    parameters: tuple[str, ...]
    """One "key = value" each: weights' sha256, threshold, precision ..."""
    device_uid: str
    device_model: str
    device_serial: str
    software_version: str
    trained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectIdentity:
    """Everything about an object of ours that is not its content; all derived, nothing drawn.

    at : the job's time with its zone; every date in the object comes from it
    """

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    instance_number: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PredecessorReference:
    """The report that this one replaces."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """The report of one study.

    headline : the first readable line; says at once what happened
    remarks  : further sentences, one each: chosen series, ignored specks, lossy input ...
    """

    outcome: Outcome
    headline: str
    nodules: Sequence[NoduleFinding] = ()
    refused: Sequence[RefusedFinding] = ()
    remarks: Sequence[str] = ()
