"""What the node keeps of an instance: read from its header once, when it arrives.

Only here are strangers' bytes taken apart, so only here stands what pydicom raises on nonsense.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress

import pydicom.config
from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, CTImageStorage

from m3net.annotations import READERS, UNSUPPORTED, reader_for, recognise
from m3net.annotations.types import References, SlicePlane
from m3net.ct_series import is_localizer, slice_headers, slice_plane
from m3net.enhanced_ct import ENHANCED_CT, converted_from
from m3net.errors import StudyError
from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.device import MODEL_NAME
from node.core.digest import (
    annotation_digest,
    identity_digest,
    image_digest,
    issuer_key,
    patient_key,
)
from node.core.errors import CANNOT_UNDERSTAND, Refused
from node.core.inputs import InstanceFacts, Role, StudyIdentity
from node.core.uids import is_own_series

# A value that breaks a rule of its VR is none of intake's business, and pydicom's warning would
# quote it, a patient's name among others, to standard error.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

NONSENSE: tuple[type[Exception], ...] = (
    InvalidDicomError,
    BytesLengthException,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom and the readers raise on bytes that are no sound DICOM."""

_UID = re.compile(r"[0-9.]{1,64}")


def needs_whole(sop_class_uid: str) -> bool:
    """Whether the header is not enough: an annotation's content is part of its digest."""
    return sop_class_uid in READERS or sop_class_uid in UNSUPPORTED


def read_facts(dataset: Dataset, *, transfer_syntax: str) -> tuple[InstanceFacts, StudyIdentity]:
    """What is kept of it.  Raises Refused(0xC000) if it cannot be indexed."""
    try:
        return _facts(dataset, transfer_syntax), _identity(dataset)
    except NONSENSE as error:
        raise Refused(
            CANNOT_UNDERSTAND, f"the data set cannot be read ({type(error).__name__})"
        ) from error


def _facts(dataset: Dataset, transfer_syntax: str) -> InstanceFacts:
    study = StudyInstanceUID(_uid(dataset, "StudyInstanceUID"))
    series = SeriesInstanceUID(_uid(dataset, "SeriesInstanceUID"))
    sop_class = SOPClassUID(_uid(dataset, "SOPClassUID"))
    role, kind = _role(dataset, study, series, sop_class)
    frames = _frames(dataset) if role is Role.CT else {}
    image = next(iter(frames.values()), dataset)
    return InstanceFacts(
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=SOPInstanceUID(_uid(dataset, "SOPInstanceUID")),
        sop_class_uid=sop_class,
        transfer_syntax_uid=transfer_syntax,
        role=role,
        kind=kind,
        patient_key=patient_key(dataset),
        issuer_key=issuer_key(dataset),
        identity_digest=identity_digest(dataset),
        content_digest=_content_digest(dataset, role),
        series_number=_integer(dataset, "SeriesNumber"),
        planes=_planes(frames),
        converted_from=converted_from(dataset) if role is Role.CT else {},
        slice_thickness_mm=_real(image, "SliceThickness"),
        convolution_kernel=_text(image, "ConvolutionKernel") or None,
        references=_references(dataset, sop_class) if role is Role.ANNOTATION else None,
    )


def _role(
    dataset: Dataset, study: StudyInstanceUID, series: SeriesInstanceUID, sop_class: SOPClassUID
) -> tuple[Role, str]:
    name = UID(sop_class).name  # of an unknown class the UID itself
    kind = "" if name == str(sop_class) else name.removesuffix(" Storage")
    if is_own_series(study, series) or _text(dataset, "ManufacturerModelName") == MODEL_NAME:
        return Role.OWN_RESULT, kind or "result"
    if str(sop_class) == CTImageStorage or sop_class in ENHANCED_CT:
        image = ENHANCED_CT.get(sop_class, "CT")
        if is_localizer(dataset):
            return Role.LOCALIZER, f"{image} localizer"
        return Role.CT, image
    reader = recognise(dataset)
    if reader is not None:
        return Role.ANNOTATION, reader.kind
    if sop_class in UNSUPPORTED:
        return Role.UNSUPPORTED_ANNOTATION, UNSUPPORTED[sop_class]
    return Role.OTHER, kind or "object of an unknown kind"


def _content_digest(dataset: Dataset, role: Role) -> str:
    whole = role in (Role.ANNOTATION, Role.UNSUPPORTED_ANNOTATION)
    return annotation_digest(dataset) if whole else image_digest(dataset)


def _frames(dataset: Dataset) -> dict[int, Dataset]:
    """The header of each slice that the image holds; none of an object that is no CT in HU."""
    try:
        return {key.frame: header for key, header in slice_headers(dataset).items()}
    except StudyError:
        return {}


def _planes(frames: Mapping[int, Dataset]) -> dict[int, SlicePlane]:
    planes = {}
    for number, header in frames.items():
        with suppress(StudyError):
            planes[number] = slice_plane(header)
    return planes


def _references(dataset: Dataset, sop_class: SOPClassUID) -> References | None:
    """None where the object makes no sense: it is kept, and the report says that it does not."""
    reader = reader_for(sop_class)
    try:
        return None if reader is None else reader.references(dataset)
    except StudyError:
        return None
    except NONSENSE:
        return None


def _identity(dataset: Dataset) -> StudyIdentity:
    return StudyIdentity(
        patient_id=_text(dataset, "PatientID"),
        patient_name=_text(dataset, "PatientName"),
        accession_number=_text(dataset, "AccessionNumber"),
        study_date=_text(dataset, "StudyDate"),
    )


def _uid(dataset: Dataset, keyword: str) -> str:
    value = _text(dataset, keyword)
    if not _UID.fullmatch(value):
        raise Refused(CANNOT_UNDERSTAND, f"{keyword} is {'no UID' if value else 'missing'}")
    return value


def _text(dataset: Dataset, keyword: str) -> str:
    """Decoded, one line, and fit for any database: no NUL, no lone surrogate."""
    text = str(dataset.get(keyword) or "").replace("\0", "").strip()
    return text.encode("utf-8", "replace").decode("utf-8")


def _real(dataset: Dataset, keyword: str) -> float | None:
    text = _text(dataset, keyword)
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _integer(dataset: Dataset, keyword: str) -> int | None:
    number = _real(dataset, keyword)
    return int(number) if number is not None and number.is_integer() else None
