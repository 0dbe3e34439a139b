"""Nodule annotations: one reader for each kind of object, found by SOP Class.

The objects that this version knows but cannot read are named here as well, so that a study which
holds one ends in "not supported yet" and never in "no nodule".
"""

from collections.abc import Mapping

from pydicom import Dataset

from m3net.annotations.measurement_report import MeasurementReportReader, is_measurement_report
from m3net.annotations.segmentation import SegmentationReader
from m3net.annotations.types import AnnotationReader
from m3net.uids import SOPClassUID

_SEGMENTATION = SegmentationReader()
_MEASUREMENT_REPORT = MeasurementReportReader()

READERS: Mapping[SOPClassUID, AnnotationReader] = {
    SOPClassUID("1.2.840.10008.5.1.4.1.1.66.4"): _SEGMENTATION,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.66.7"): _SEGMENTATION,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.22"): _MEASUREMENT_REPORT,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.33"): _MEASUREMENT_REPORT,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.34"): _MEASUREMENT_REPORT,
}
"""Segmentation, Label Map Segmentation; Enhanced, Comprehensive and Comprehensive 3D SR."""

UNSUPPORTED: Mapping[SOPClassUID, str] = {
    SOPClassUID("1.2.840.10008.5.1.4.1.1.481.3"): "RT Structure Set",
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.65"): "Chest CAD SR",
    SOPClassUID("1.2.840.10008.5.1.4.1.1.66.5"): "Surface Segmentation",
}
"""Objects made to mark something and that this version cannot read, by the name people use.

Presentation states are not among them: most hold a window setting and nothing else.
"""

UNSUPPORTED_CT: Mapping[SOPClassUID, str] = {
    SOPClassUID("1.2.840.10008.5.1.4.1.1.2.1"): "Enhanced CT",
    SOPClassUID("1.2.840.10008.5.1.4.1.1.2.2"): "Legacy Converted Enhanced CT",
}
"""CT images that this version cannot read."""


def reader_for(sop_class_uid: SOPClassUID) -> AnnotationReader | None:
    """The reader of this kind of object, or None."""
    return READERS.get(sop_class_uid)


def is_annotation(dataset: Dataset) -> bool:
    """Whether the object can mark nodules and can be read; an SR only if it follows TID 1500."""
    reader = reader_for(SOPClassUID(str(dataset.get("SOPClassUID") or "")))
    if reader is None:
        return False
    return reader is not _MEASUREMENT_REPORT or is_measurement_report(dataset)
