"""Nodule annotations: one reader for each kind of object, found by SOP Class.

The objects that this version knows but cannot read are named here as well, so that a study which
holds one ends in "not supported yet" and never in "no nodule".
"""

from collections.abc import Mapping

from pydicom import Dataset

from m3net.annotations.chest_cad import CHEST_CAD_READER
from m3net.annotations.measurement_report import MEASUREMENT_REPORT_READER
from m3net.annotations.presentation_state import (
    PRESENTATION_STATE_READER,
    VOLUMETRIC_PRESENTATION_STATE_READER,
)
from m3net.annotations.reader import AnnotationReader
from m3net.annotations.segmentation import SEGMENTATION_READER
from m3net.annotations.structure_set import STRUCTURE_SET_READER
from m3net.attributes import PARSER_ERRORS
from m3net.errors import StudyError
from m3net.uids import SOPClassUID

READERS: Mapping[SOPClassUID, AnnotationReader] = {
    SOPClassUID("1.2.840.10008.5.1.4.1.1.66.4"): SEGMENTATION_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.66.7"): SEGMENTATION_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.11"): MEASUREMENT_REPORT_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.22"): MEASUREMENT_REPORT_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.33"): MEASUREMENT_REPORT_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.34"): MEASUREMENT_REPORT_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.88.65"): CHEST_CAD_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.481.3"): STRUCTURE_SET_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.1"): PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.2"): PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.3"): PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.4"): PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.8"): PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.12"): PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.6"): VOLUMETRIC_PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.7"): VOLUMETRIC_PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.9"): VOLUMETRIC_PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.10"): VOLUMETRIC_PRESENTATION_STATE_READER,
    SOPClassUID("1.2.840.10008.5.1.4.1.1.11.11"): VOLUMETRIC_PRESENTATION_STATE_READER,
}
"""Segmentation, Label Map Segmentation; Basic Text (dwv wrote measurements as such), Enhanced,
Comprehensive and Comprehensive 3D SR; Chest CAD SR; RT Structure Set; presentation states:
grayscale, color, pseudo-color, blending, advanced blending, variable modality LUT, and the
volumetric ones, whose graphics are on no image and are refused for that."""

_DAMAGED: tuple[type[Exception], ...] = (StudyError, *PARSER_ERRORS)

UNSUPPORTED: Mapping[SOPClassUID, str] = {
    SOPClassUID("1.2.840.10008.5.1.4.1.1.66.5"): "Surface Segmentation",
    SOPClassUID("1.2.840.10008.5.1.4.1.1.481.11"): "RT Segment Annotation",
}
"""Objects made to mark something and that this version cannot read, by the name people use."""


def reader_for(sop_class_uid: SOPClassUID) -> AnnotationReader | None:
    """The reader of this kind of object, or None."""
    return READERS.get(sop_class_uid)


def recognise(dataset: Dataset) -> AnnotationReader | None:
    """The reader of this object; None if it is of no kind that can mark a nodule here.

    An object so damaged that this cannot be said counts: its reading says what is wrong with it.
    """
    reader = reader_for(SOPClassUID(str(dataset.get("SOPClassUID") or "")))
    if reader is None:
        return None
    try:
        recognised = reader.recognises(dataset)
    except _DAMAGED:
        return reader
    return reader if recognised else None
