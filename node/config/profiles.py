"""What a destination gets unless its own settings say otherwise: one set of answers a profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from node.core.results import CaptureVariant, ReportVariant

ProfileName = Literal["standard", "ohif", "weasis", "basic"]
Compression = Literal["accepted", "never"]
CompanionName = Literal["presentation_state", "key_objects", "pdf", "parametric_map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One answer for each setting of a destination that a profile decides."""

    report: Literal["auto"] | ReportVariant = "auto"
    captures: Literal["auto"] | CaptureVariant = "auto"
    compression: Compression = "accepted"
    companions: tuple[CompanionName, ...] = ()
    reject_superseded: bool = False


PROFILES: Mapping[ProfileName, Profile] = {
    "standard": Profile(),
    # Draws the report's outlines with their numbers, and shows nothing else of it: refused nodules
    # and remarks are read in the document.
    "ohif": Profile(companions=("pdf",)),
    # Reads SR as text; the outlines come by presentation states, the key slices by key objects.
    "weasis": Profile(companions=("presentation_state", "key_objects")),
    # Shows single images and documents, and knows nothing newer.
    "basic": Profile(
        report=ReportVariant.COMPREHENSIVE,
        captures=CaptureVariant.SINGLE_FRAME,
        compression="never",
        companions=("pdf",),
    ),
}
