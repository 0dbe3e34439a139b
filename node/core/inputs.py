"""What the node knows of a study without its pixels, and what selection chose from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from m3net.annotations.types import References, SlicePlane
from m3net.uids import (
    FrameKey,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from node.core.fetching import SourceCount


class Role(StrEnum):
    """What an instance is to this node."""

    CT = "ct"
    LOCALIZER = "localizer"
    """A scout or a projection, such as a MIP: it shows no slice."""
    ANNOTATION = "annotation"
    UNSUPPORTED_ANNOTATION = "unsupported_annotation"
    OWN_RESULT = "own_result"
    """A result of this node that a PACS routed back; never an input."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """One stored SOP Instance, read from its header once, when it arrived.

    kind            : for people: "CT", "Segmentation", "RT Structure Set"
    patient_key     : sha256 of the Patient ID, to compare patients without naming them; empty
                      where there is none
    issuer_key      : the same of the ID's issuer; empty where none is named
    identity_digest : sha256 over the patient and study attributes that a result copies
    content_digest  : sha256 over SOP UID, identity, geometry, rescale and annotation content;
                      the transfer syntax and the file's bytes are not in it
    planes          : CT only, by frame number from 1; of an image with one frame {1: its plane};
                      a frame whose geometry the header lacks is not among them
    converted_from  : multi-frame CT only: the images that it was made of, and the frame of each
    references      : annotations only; None where the object cannot be read
    """

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    transfer_syntax_uid: str
    role: Role
    kind: str
    patient_key: str
    identity_digest: str
    content_digest: str
    series_number: int | None = None
    planes: Mapping[int, SlicePlane] = field(default_factory=dict)
    converted_from: Mapping[SOPInstanceUID, int] = field(default_factory=dict)
    slice_thickness_mm: float | None = None
    convolution_kernel: str | None = None
    references: References | None = None
    issuer_key: str = ""

    def frames(self) -> tuple[FrameKey, ...]:
        """The frames of a CT image; one that tells no geometry counts as one frame."""
        return tuple(FrameKey(self.sop_instance_uid, number) for number in self.planes or (1,))

    def may_be_of_the_patient_of(self, other: "InstanceFacts") -> bool:
        """No other Patient ID and no other issuer; many workstations omit one of them."""
        patients = {self.patient_key, other.patient_key} - {""}
        issuers = {self.issuer_key, other.issuer_key} - {""}
        return len(patients) < 2 and len(issuers) < 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyIdentity:
    """Whom a study is of; for the operator's eyes (`--phi`, `why ACCESSION`) and nowhere else.

    study_date : DA as sent, YYYYMMDD, or empty
    """

    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str


class Intent(StrEnum):
    """What a job is to produce."""

    ANALYSE = "analyse"
    REPORT_NOT_ANNOTATED = "report_not_annotated"
    REPORT_NOT_ANALYSED = "report_not_analysed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChoice:
    """The CT series that is analysed, and the sentence that says why this one."""

    series_instance_uid: SeriesInstanceUID
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyInputs:
    """What one job analyses; its digest is part of the job's key.

    ct          : the chosen series' slices, scouts and projections not among them
    annotations : the annotation objects, oldest first
    elsewhere   : slices of other series on which an annotation draws; only their planes are used
    missing     : instances that an annotation refers to and that never came
    scouts      : scouts and projections of the study that an annotation refers to
    reason      : for REPORT_NOT_ANALYSED: the one reason; else None
    unread      : sentences, one per annotation object that was refused or cannot be read yet; with
                  them no report says that everything was analysed
    remarks     : further sentences for the report (the chosen series, ...)
    at_source   : what a source's count says of the chosen series; None if none was asked
    prior       : the earlier CT that the nodules are compared with; what the job works on, and no
                  part of what tells two jobs of a study apart
    """

    study_instance_uid: StudyInstanceUID
    intent: Intent
    series: SeriesChoice | None
    ct: Sequence[InstanceFacts]
    annotations: Sequence[InstanceFacts]
    elsewhere: Sequence[InstanceFacts] = ()
    missing: frozenset[SOPInstanceUID] = frozenset()
    scouts: frozenset[SOPInstanceUID] = frozenset()
    reason: str | None = None
    unread: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    at_source: SourceCount | None = None
    prior: "PriorStudy | None" = None

    def instances(self) -> tuple[InstanceFacts, ...]:
        """Everything that the job reads."""
        return (*self.ct, *self.annotations)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorStudy:
    """An earlier CT of the same patient in which nodules were judged.

    inputs : what its report rests on
    judged : tracking UIDs of the nodules that have a probability in that report
    newer  : what has come of it since that report is not judged yet, or will not be
    """

    inputs: StudyInputs
    judged: frozenset[str]
    newer: bool = False
