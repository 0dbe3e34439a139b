"""What has to be known of an object before its sender is told that it is here.

Its four identifiers, which have to be UIDs, and the patient and study as an operator sees them.
They stand at the beginning of a Data Set, in order (PS3.5 7.1): a walk over some sixty elements
finds them, and nothing is parsed.  Where a sender has broken that order, its whole header is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from m3net.attributes import PARSER_ERRORS
from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.errors import CANNOT_UNDERSTAND, Refused
from node.core.inputs import InstanceFacts, StudyIdentity
from node.dicom.described import date_of
from node.dicom.elements import PIXELS, top_level
from node.dicom.header_text import is_uid, text_of
from node.inbound.encoded import Parts, parsed
from sr_templates.character_sets import assume

_CLASS, _INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_UIDS: Mapping[int, str] = {
    _CLASS: "SOPClassUID",
    _INSTANCE: "SOPInstanceUID",
    _STUDY: "StudyInstanceUID",
    _SERIES: "SeriesInstanceUID",
}
_OF_THE_STUDY = frozenset({0x00080005, 0x00080020, 0x00080050, 0x00100010, 0x00100020})
_PATIENT_ID = {True: b"\x10\0\x20\0", False: b"\0\x10\0\x20"}
"""The tag as it is encoded in little endian, or in big."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """Which object it is; `identity` is for the operator's eyes."""

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    identity: StudyIdentity


def leading_identifiers(
    data: memoryview, *, syntax: str, assumed_character_set: str | None
) -> Identifiers | None:
    """The identifiers, if all four are found in order before `data` ends; else None.

    syntax : not a deflated one

    Raises Refused(0xC000) if one of them is no UID.
    """
    little, implicit = syntax != ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
    elements = top_level(data, implicit=implicit, little=little)
    uids: dict[int, str] = {}
    of_the_study: list[bytes] = []
    last = 0
    for tag, at, value, end in elements:
        if not last < tag <= _SERIES or end is None or end > len(data):
            return None
        last = tag
        if tag in _UIDS:
            text = bytes(data[value:end]).decode("ascii", "replace")
            uids[tag] = " ".join(text.replace("\0", "").split())
        elif tag in _OF_THE_STUDY:
            of_the_study.append(bytes(data[at:end]))
        if len(uids) == len(_UIDS):
            break
    else:
        return None
    if _names_another_patient(data, elements, little=little):
        return None
    identity = _identity(b"".join(of_the_study), syntax, assumed_character_set)
    return _identifiers({_UIDS[tag]: uid for tag, uid in uids.items()}, identity)


def _names_another_patient(
    data: memoryview, rest: Iterator[tuple[int, int, int, int | None]], *, little: bool
) -> bool:
    """Whether the tag of a Patient ID may stand twice before the Pixel Data: of two patients in
    one object, or an ID of old in a sequence.

    Among pixels its bytes are two values of Hounsfield, in every sixth slice of a lung.

    rest : the elements that have not been looked at
    """
    encoded, patient_id = data.tobytes(), _PATIENT_ID[little]
    if encoded.count(patient_id) <= 1:
        return False
    pixels = next((at for tag, at, _, _ in rest if tag in PIXELS), len(encoded))
    return encoded.count(patient_id, 0, pixels) > 1


@lru_cache(maxsize=256)
def _identity(encoded: bytes, syntax: str, assumed_character_set: str | None) -> StudyIdentity:
    """Of a whole study the same, and so read once."""
    try:
        return identity_of(parsed(memoryview(encoded), syntax), assumed_character_set)
    except PARSER_ERRORS as error:
        raise Refused(
            CANNOT_UNDERSTAND, f"the data set cannot be read ({type(error).__name__})"
        ) from error


def identity_of(dataset: Dataset, assumed_character_set: str | None) -> StudyIdentity:
    """Whom the study is of, as its header says."""
    assume(dataset, assumed_character_set)
    study_date = text_of(dataset, "StudyDate")
    return StudyIdentity(
        patient_id=text_of(dataset, "PatientID"),
        patient_name=text_of(dataset, "PatientName"),
        accession_number=text_of(dataset, "AccessionNumber"),
        study_date=date_of(study_date) or study_date,
    )


def identifiers_of(dataset: Dataset, assumed_character_set: str | None) -> Identifiers:
    """The identifiers of a header that has been parsed.

    Raises Refused(0xC000) if one of them is missing, or no UID.
    """
    uids = {keyword: text_of(dataset, keyword) for keyword in _UIDS.values()}
    return _identifiers(uids, identity_of(dataset, assumed_character_set))


def amiss(parts: Parts, ids: InstanceFacts | Identifiers) -> tuple[str, ...]:
    """What is wrong with the header of a file, a sentence each."""
    if not parts.meta:
        return ("no File Meta Information; taken as the Data Set that follows",)
    words = []
    if not parts.is_file:
        words.append("no preamble")
    if not parts.transfer_syntax_uid:
        words.append("File Meta names no transfer syntax; it was guessed")
    if parts.sop_instance_uid != ids.sop_instance_uid:
        words.append("File Meta names another SOP Instance; the Data Set's was taken")
    if parts.sop_class_uid != ids.sop_class_uid:
        words.append("File Meta names another SOP Class; the Data Set's was taken")
    return tuple(words)


def _identifiers(uids: Mapping[str, str], identity: StudyIdentity) -> Identifiers:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        if not is_uid(uids[keyword]):
            what = "no UID" if uids[keyword] else "missing"
            raise Refused(CANNOT_UNDERSTAND, f"{keyword} is {what}")
    return Identifiers(
        study_instance_uid=StudyInstanceUID(uids["StudyInstanceUID"]),
        series_instance_uid=SeriesInstanceUID(uids["SeriesInstanceUID"]),
        sop_instance_uid=SOPInstanceUID(uids["SOPInstanceUID"]),
        sop_class_uid=SOPClassUID(uids["SOPClassUID"]),
        identity=identity,
    )
