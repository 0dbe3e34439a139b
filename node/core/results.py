"""What one analysis leaves behind: one set of objects, in the richest form.

What a destination needs in a poorer form is derived from the stored set
(`sr_templates.objects.poorer`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydicom import Dataset

from sr_templates.findings import (
    NOT_MEASURED,
    PLACE_UNKNOWN,
    Growth,
    Location,
    Measurements,
    Outcome,
    RatedAlike,
)


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
    """What a result object is; each kind has a series of its own."""

    REPORT = "report"
    CAPTURE = "capture"
    PRESENTATION_STATE = "presentation_state"
    """Outlines and probabilities drawn on the CT, for viewers that draw no SR."""
    KEY_OBJECTS = "key_objects"
    """The key slices, chosen."""
    PDF = "pdf"
    """The report as a document."""
    PARAMETRIC_MAP = "parametric_map"
    """The heat maps as numbers."""
    REJECTION_NOTE = "rejection_note"
    """Which earlier results are to be hidden (IHE IOCM); made when it is sent."""


COMPANIONS = (
    ArtifactKind.PRESENTATION_STATE,
    ArtifactKind.KEY_OBJECTS,
    ArtifactKind.PDF,
    ArtifactKind.PARAMETRIC_MAP,
)
"""What stands beside report and captures where somebody asks for it, in the order of sending.

A companion refers to the CT alone, never to report or captures: it is the same in every form.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One result object, in the richest form of its kind.

    tracking_uid : of the nodule that it shows; None if it is of the study
    """

    kind: ArtifactKind
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
    growth: Growth | None = None
    """Since an earlier CT of the patient; None: not known."""
    no_growth: str | None = None
    """Why it is not known although there is an earlier CT; None where there is none."""
    rated_alike: RatedAlike | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The end of one analysis.

    left_out : one phrase for each kind of companion that was asked for and could not be made
    """

    outcome: Outcome
    headline: str
    remarks: tuple[str, ...]
    nodules: Sequence[NoduleResult]
    artifacts: Sequence[Artifact]
    left_out: tuple[str, ...] = ()
