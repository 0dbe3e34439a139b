"""One reader for each kind of object, found by SOP Class."""

from collections.abc import Mapping

from pydicom import Dataset

from m3net.annotations.chest_cad import CHEST_CAD_READER
from m3net.annotations.image_classes import SEGMENTATIONS
from m3net.annotations.kinds import (
    CHEST_CAD_REPORTS,
    MEASUREMENT_REPORTS,
    PRESENTATION_STATES,
    STRUCTURE_SETS,
    VOLUMETRIC_PRESENTATION_STATES,
)
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
    sop_class: reader
    for sop_classes, reader in (
        (SEGMENTATIONS, SEGMENTATION_READER),
        (MEASUREMENT_REPORTS, MEASUREMENT_REPORT_READER),
        (CHEST_CAD_REPORTS, CHEST_CAD_READER),
        (STRUCTURE_SETS, STRUCTURE_SET_READER),
        (PRESENTATION_STATES, PRESENTATION_STATE_READER),
        (VOLUMETRIC_PRESENTATION_STATES, VOLUMETRIC_PRESENTATION_STATE_READER),
    )
    for sop_class in sorted(sop_classes)
}

_DAMAGED: tuple[type[Exception], ...] = (StudyError, *PARSER_ERRORS)


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
