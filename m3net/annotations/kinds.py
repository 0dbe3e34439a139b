"""The kinds of objects that mark something, by SOP Class; who reads each stands in `readers`.

The objects that this version knows but cannot read are named here as well, so that a study which
holds one ends in "not supported yet" and never in "no nodule".
"""

from collections.abc import Mapping

from m3net.annotations.image_classes import SEGMENTATIONS
from m3net.uids import SOPClassUID


def _classes(*last: str) -> frozenset[SOPClassUID]:
    return frozenset(SOPClassUID(f"1.2.840.10008.5.1.4.1.1.{each}") for each in last)


MEASUREMENT_REPORTS = _classes("88.11", "88.22", "88.33", "88.34")
"""Basic Text (dwv wrote measurements as such), Enhanced, Comprehensive and Comprehensive 3D SR."""
CHEST_CAD_REPORTS = _classes("88.65")
STRUCTURE_SETS = _classes("481.3")
PRESENTATION_STATES = _classes("11.1", "11.2", "11.3", "11.4", "11.8", "11.12")
"""Grayscale, color, pseudo-color, blending, advanced blending, variable modality LUT."""
VOLUMETRIC_PRESENTATION_STATES = _classes("11.6", "11.7", "11.9", "11.10", "11.11")
"""Their graphics are on no image, and are refused for that."""

READABLE = SEGMENTATIONS.union(
    MEASUREMENT_REPORTS,
    CHEST_CAD_REPORTS,
    STRUCTURE_SETS,
    PRESENTATION_STATES,
    VOLUMETRIC_PRESENTATION_STATES,
)
"""Each has a reader."""

UNSUPPORTED: Mapping[SOPClassUID, str] = {
    SOPClassUID("1.2.840.10008.5.1.4.1.1.66.5"): "Surface Segmentation",
    SOPClassUID("1.2.840.10008.5.1.4.1.1.481.11"): "RT Segment Annotation",
}
"""Objects made to mark something and that this version cannot read, by the name people use."""
