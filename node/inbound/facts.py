"""What the node keeps of an instance: read from its header once, when it arrives."""

import hashlib
import math
from collections.abc import Mapping
from contextlib import suppress

from pydicom import Dataset
from pydicom.uid import UID, CTImageStorage

from m3net.annotations.kinds import UNSUPPORTED
from m3net.annotations.reader import AnnotationReader
from m3net.annotations.readers import READERS, reader_for, recognise
from m3net.annotations.types import References, SlicePlane
from m3net.attributes import PARSER_ERRORS
from m3net.ct.enhanced import ENHANCED_CT, converted_from
from m3net.ct.frame_types import shows_no_slice
from m3net.ct.series import slice_headers, slice_plane
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
from node.core.inputs import InstanceFacts, Role, StudyIdentity
from node.core.uids import is_own_series
from node.dicom.elements import MAX_DEPTH, MAX_ELEMENTS, Extent
from node.dicom.header_text import text_of
from node.inbound.identifiers import identifiers_of

_UNUSABLE: tuple[type[Exception], ...] = (StudyError, *PARSER_ERRORS)


_NOTHING = memoryview(b"")
_SOUND = Extent(end=0, elements=0)


_TOO_LARGE = {Role.ANNOTATION: Role.UNSUPPORTED_ANNOTATION, Role.CT: Role.OTHER}
"""What is never given to a parser whole: nobody knows how much memory it would take."""


def needs_whole(sop_class_uid: str) -> bool:
    """Whether the header is not enough: an annotation's content is part of its digest."""
    return sop_class_uid in READERS or sop_class_uid in UNSUPPORTED


def read_facts(
    dataset: Dataset,
    *,
    transfer_syntax: str,
    data: memoryview = _NOTHING,
    extent: Extent = _SOUND,
    is_cut: bool = False,
) -> tuple[InstanceFacts, StudyIdentity]:
    """What is kept of it.

    data   : the whole Data Set, encoded; needed where it is not sound, or cut
    is_cut : whether `dataset` lacks what follows, for being too large to be parsed
    extent : of `dataset`; if it is over, the rest has more elements than are read, and the object
             is kept and reported as not supported

    Raises Refused(0xC000) if it cannot be indexed: if it lacks one of its four identifiers.
    """
    ids = identifiers_of(dataset, None)
    study, series = ids.study_instance_uid, ids.series_instance_uid
    instance, sop_class = ids.sop_instance_uid, ids.sop_class_uid
    role, kind = _role(dataset, study, series, sop_class)
    if extent.over:
        kind = f"{kind} with more than {MAX_ELEMENTS} elements or {MAX_DEPTH} levels"
        role = _TOO_LARGE.get(role, role)
    frames = _frames(dataset) if role is Role.CT else {}
    image = next(iter(frames.values()), dataset)
    identity = identity_digest(dataset)
    facts = InstanceFacts(
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=instance,
        sop_class_uid=sop_class,
        transfer_syntax_uid=transfer_syntax,
        role=role,
        kind=kind,
        patient_key=patient_key(dataset),
        issuer_key=issuer_key(dataset),
        identity_digest=identity,
        content_digest=_content_digest(
            dataset, role=role, identity=identity, extent=extent, data=data, is_cut=is_cut
        ),
        series_number=_integer(dataset, "SeriesNumber"),
        planes=_planes(frames),
        converted_from=_converted_from(dataset) if role is Role.CT else {},
        slice_thickness_mm=_real(image, "SliceThickness"),
        convolution_kernel=text_of(image, "ConvolutionKernel") or None,
        references=_references(dataset, sop_class) if role is Role.ANNOTATION else None,
    )
    return facts, ids.identity


def _role(
    dataset: Dataset, study: StudyInstanceUID, series: SeriesInstanceUID, sop_class: SOPClassUID
) -> tuple[Role, str]:
    name = UID(sop_class).name  # of an unknown class the UID itself
    kind = "" if name == str(sop_class) else name.removesuffix(" Storage")
    if is_own_series(study, series) or text_of(dataset, "ManufacturerModelName") == MODEL_NAME:
        return Role.OWN_RESULT, kind or "result"
    if str(sop_class) == CTImageStorage or sop_class in ENHANCED_CT:
        image = ENHANCED_CT.get(sop_class, "CT")
        if _shows_no_slice(dataset):
            return Role.LOCALIZER, f"{image} scout or projection"
        return Role.CT, image
    reader = _reader_of(dataset, sop_class)
    if reader is not None:
        return Role.ANNOTATION, reader.kind
    if sop_class in UNSUPPORTED:
        return Role.UNSUPPORTED_ANNOTATION, UNSUPPORTED[sop_class]
    return Role.OTHER, kind or "object of an unknown kind"


def _reader_of(dataset: Dataset, sop_class: SOPClassUID) -> AnnotationReader | None:
    try:
        return recognise(dataset)
    except PARSER_ERRORS:
        return reader_for(sop_class)  # it says what is wrong with the object


def _shows_no_slice(dataset: Dataset) -> bool:
    try:
        return shows_no_slice(dataset)
    except PARSER_ERRORS:
        return False  # its geometry, or its pixels, will say so


def _content_digest(
    dataset: Dataset,
    *,
    role: Role,
    identity: str,
    extent: Extent,
    data: memoryview,
    is_cut: bool,
) -> str:
    """Over what the object says; over its bytes where that makes no sense, or is too much."""
    if is_cut or extent.over or extent.torn or extent.elements > _DIGESTED:
        return _bytes_digest(data)
    whole = role in (Role.ANNOTATION, Role.UNSUPPORTED_ANNOTATION)
    try:
        digest = annotation_digest if whole else image_digest
        return digest(dataset, identity=identity)
    except PARSER_ERRORS:
        return _bytes_digest(data)


_DIGESTED = 50_000
"""Elements of an object that are put in canonical form, at some 50 microseconds each."""


def _bytes_digest(data: memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _frames(dataset: Dataset) -> dict[int, Dataset]:
    """The header of each slice that the image holds; none of an object that is no CT in HU."""
    try:
        return {key.frame: header for key, header in slice_headers(dataset).items()}
    except _UNUSABLE:
        return {}


def _planes(frames: Mapping[int, Dataset]) -> dict[int, SlicePlane]:
    planes = {}
    for number, header in frames.items():
        with suppress(*_UNUSABLE):
            planes[number] = slice_plane(header)
    return planes


def _converted_from(dataset: Dataset) -> dict[SOPInstanceUID, int]:
    try:
        return converted_from(dataset)
    except PARSER_ERRORS:
        return {}


def _references(dataset: Dataset, sop_class: SOPClassUID) -> References | None:
    """None where the object makes no sense: it is kept, and the report says that it does not."""
    reader = reader_for(sop_class)
    try:
        return None if reader is None else reader.references(dataset)
    except _UNUSABLE:
        return None


def _real(dataset: Dataset, keyword: str) -> float | None:
    try:
        number = float(text_of(dataset, keyword))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _integer(dataset: Dataset, keyword: str) -> int | None:
    number = _real(dataset, keyword)
    return int(number) if number is not None and number.is_integer() else None
