"""The rows of CONFORMANCE's table: of which study an object of each kind is, and its SOP class."""

from collections.abc import Sequence

import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

KINDS = {
    "Comprehensive 3D SR": ("judged", Comprehensive3DSRStorage),
    "Comprehensive SR": ("untrained", ComprehensiveSRStorage),
    "Report without any nodule": ("refused", Comprehensive3DSRStorage),
    "Multi-frame capture": ("judged", MultiFrameTrueColorSecondaryCaptureImageStorage),
    "Single-frame capture": ("untrained", SecondaryCaptureImageStorage),
    "Presentation state": ("judged", GrayscaleSoftcopyPresentationStateStorage),
    "Key objects": ("judged", KeyObjectSelectionDocumentStorage),
    "PDF": ("judged", EncapsulatedPDFStorage),
    "Parametric map": ("judged", ParametricMapStorage),
}
REPORTS = ("Comprehensive 3D SR", "Comprehensive SR", "Report without any nodule")
CAPTURES = ("Multi-frame capture", "Single-frame capture")


def each(kinds: Sequence[str], peer: str, what: str) -> pytest.MarkDecorator:
    """The test is run for each kind, and claims that the peer does so with it."""
    return pytest.mark.parametrize(
        "kind", [pytest.param(kind, marks=pytest.mark.shows(kind, peer, what)) for kind in kinds]
    )
