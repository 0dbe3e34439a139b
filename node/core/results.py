"""What one analysis leaves behind: objects to send, in the variants that destinations may need."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydicom import Dataset

from sr_templates.findings import NOT_MEASURED, PLACE_UNKNOWN, Location, Measurements, Outcome


class ReportVariant(StrEnum):
    """The SR storage class; the tree is the same."""

    COMPREHENSIVE_3D = "comprehensive_3d"
    """1.2.840.10008.5.1.4.1.1.88.34"""
    COMPREHENSIVE = "comprehensive"
    """1.2.840.10008.5.1.4.1.1.88.33, for destinations that reject the former"""


class CaptureVariant(StrEnum):
    """The secondary capture storage class."""

    MULTI_FRAME = "multi_frame"
    """Multi-frame True Color, 1.2.840.10008.5.1.4.1.1.7.4"""
    SINGLE_FRAME = "single_frame"
    """Secondary Capture, 1.2.840.10008.5.1.4.1.1.7, one instance a frame"""


class ArtifactKind(StrEnum):
    """What a result object is."""

    REPORT = "report"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One result object.

    report_variant : None for captures; a report refers to the captures of its `capture_variant`
    tracking_uid   : of the nodule that it shows; None if it is of the study
    """

    kind: ArtifactKind
    report_variant: ReportVariant | None
    capture_variant: CaptureVariant
    dataset: Dataset
    tracking_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleResult:
    """One row of the table that `m3node study show` prints."""

    tracking_uid: str
    tracking_id: str
    centre_mm: tuple[float, float, float] | None
    """LPS; None if the nodule was refused."""
    centre_index: tuple[float, float, float] | None
    """(z, y, x) in the analysed series, 0-based, slices ascending along the normal."""
    diameter_mm: float | None
    probability: float | None
    reason: str | None
    """Why there is no probability."""
    measurements: Measurements = NOT_MEASURED
    location: Location = PLACE_UNKNOWN
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The end of one analysis."""

    outcome: Outcome
    headline: str
    remarks: tuple[str, ...]
    nodules: Sequence[NoduleResult]
    artifacts: Sequence[Artifact]
