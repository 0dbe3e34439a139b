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

    nominal : nobody drew it: it stands for a bare point, and its radius says nothing
    """

    image: ImageReference
    centre: tuple[float, float]
    radius: float
    nominal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Polyline:
    """A closed outline on one slice; points as (column, row), same frame as `Circle`."""

    image: ImageReference
    points: tuple[tuple[float, float], ...]


class Consistency(StrEnum):
    """How dense a nodule is; the Fleischner Society's words."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    GROUND_GLASS = "ground glass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """What was measured from the mark in the CT; None where that is not safe.

    long_axis_mm  : longest distance within the outline on the key slice
    short_axis_mm : longest distance at right angles to it, on the same slice
    volume_mm3    : of the marked voxels
    mean_hu       : of the CT's voxels that are marked
    contains_air  : as a cavity does; then no consistency is said
    """

    long_axis_mm: float | None = None
    short_axis_mm: float | None = None
    volume_mm3: float | None = None
    mean_hu: float | None = None
    consistency: Consistency | None = None
    contains_air: bool | None = None

    @property
    def mean_axis_mm(self) -> float | None:
        """The mean of both axes: the size that guidelines speak of."""
        if self.long_axis_mm is None or self.short_axis_mm is None:
            return None
        return (self.long_axis_mm + self.short_axis_mm) / 2


NOT_MEASURED = Measurements()


class Side(StrEnum):
    """The lung in which a nodule lies; the patient's left and right."""

    LEFT = "left"
    RIGHT = "right"


class Lobe(StrEnum):
    """The lobe in which an annotation says that a nodule lies."""

    UPPER = "upper lobe"
    MIDDLE = "middle lobe"
    LOWER = "lower lobe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the key slice and the nodule are, in the words of a reader; None: not known.

    side          : only if sure
    lobe          : only as the annotation codes it
    series_number : the CT's, as a PACS shows it
    image_number  : the key slice's: its Instance Number, or the number of its frame
    images        : of the series, or frames of the object, as they were received
    """

    side: Side | None = None
    lobe: Lobe | None = None
    series_number: int | None = None
    image_number: int | None = None
    images: int | None = None


PLACE_UNKNOWN = Location()


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How the nodule's volume differs from that in an earlier CT, both measured from their marks.

    on             : the day of the earlier CT, YYYY-MM-DD
    days           : from that day to that of this CT
    volume_mm3     : in the earlier CT
    change_percent : of this volume against the earlier one; at -20 a fifth is gone
    doubling_days  : volume doubling time; None unless it has grown beyond the error of measurement
    limits         : what differs between both CTs, or their marks
    """

    on: str
    days: int
    volume_mm3: float
    change_percent: float
    doubling_days: float | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierImage:
    """The slice of the earlier CT on which the nodule was measured, and whose CT that is.

    accession : empty where it has none
    """

    accession: str
    study_instance_uid: str
    series_instance_uid: str
    image: ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedAlike:
    """What panels of radiologists rated nodules of a like probability, 1 to 5 for suspicion.

    low, high : at least nine in ten panels' means lay from the one to the other
    middle    : the median
    """

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleFinding:
    """One nodule of the report.

    probability : of malignancy, in [0, 1]
    call        : None with untrained weights or a card without threshold
    diameter_mm : None where the annotation gives none
    region      : where it is drawn; on its key slice
    comment     : one line that a person can read
    limits      : what the number must be read with: thick slices, an outline that is none ...
    growth      : since an earlier CT; None: not known, which is not "none"
    earlier     : on what its growth rests
    rated_alike : the scatter that the probability hides; None: not known
    """

    tracking_uid: str
    tracking_id: str
    probability: float
    call: Call | None
    diameter_mm: float | None
    region: Circle | Polyline
    comment: str
    measurements: Measurements = NOT_MEASURED
    location: Location = PLACE_UNKNOWN
    limits: tuple[str, ...] = ()
    growth: Growth | None = None
    earlier: EarlierImage | None = None
    rated_alike: RatedAlike | None = None


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
    """One "key = value" each, for people: threshold, preset ..."""
    device_uid: str
    device_model: str
    device_serial: str
    software_version: str
    trained: bool
    fingerprints: tuple[str, ...] = ()
    """One "key = value" each, hashes that tell models and analyses apart; not in what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectIdentity:
    """Everything about an object of ours that is not its content; all derived, nothing drawn.

    at       : the job's time with its zone; every date in the object comes from it
    revision : 1, 2, ... of the study's results; from 2 on the series' description names it
    """

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    instance_number: int
    at: datetime
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PredecessorReference:
    """The report that this one replaces.

    in_words : such as "revision 1 of 27 Nov 2026 14:12"
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    in_words: str = "an earlier one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """The report of one study.

    headline : the first readable line; says at once what happened
    revision : of a report that replaces another, which one it is and which it replaces
    summary  : of several nodules one line each, by risk
    remarks  : further sentences, one each: chosen series, ignored specks, lossy input ...
    """

    outcome: Outcome
    headline: str
    revision: str = ""
    summary: Sequence[str] = ()
    nodules: Sequence[NoduleFinding] = ()
    refused: Sequence[RefusedFinding] = ()
    remarks: Sequence[str] = ()
