"""Whose result it is: the patient and study attributes that every result carries as the CT does.

A PACS matches a result to its study by these, issuers and other identifiers included; a result that
lacks one of them ends in a queue for manual correction.
"""

import re
from collections.abc import Callable, Iterable
from copy import deepcopy

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from pydicom.valuerep import PersonName

from sr_templates.character_sets import (
    SPECIFIC_CHARACTER_SET,
    UNICODE,
    UNREADABLE,
    Terms,
    Undecodable,
    character_set_of,
    read_element,
    stored,
    text_vr,
)

_PATIENT = (  # PS3.3 C.7.1.1, C.7.1.3
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientBirthDateInAlternativeCalendar",
    "PatientAlternativeCalendar",
    "PatientSex",
    "ReferencedPatientSequence",
    "SourcePatientGroupIdentificationSequence",
    "QualityControlSubject",
    "EthnicGroup",
    "PatientComments",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "IssuerOfClinicalTrialProtocolID",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "IssuerOfClinicalTrialSiteID",
    "ClinicalTrialSubjectID",
    "IssuerOfClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "IssuerOfClinicalTrialSubjectReadingID",
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
)

_STUDY = (  # PS3.3 C.7.2.1, C.7.2.2, C.7.2.3
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence",
    "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence",
    "PhysiciansOfRecord",
    "PhysiciansOfRecordIdentificationSequence",
    "NameOfPhysiciansReadingStudy",
    "PhysiciansReadingStudyIdentificationSequence",
    "RequestingService",
    "RequestingServiceCodeSequence",
    "ReferencedStudySequence",
    "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientSizeCodeSequence",
    "PatientWeight",
    "PatientBodyMassIndex",
    "MedicalAlerts",
    "Allergies",
    "Occupation",
    "SmokingStatus",
    "AdditionalPatientHistory",
    "PregnancyStatus",
    "LastMenstrualDate",
    "PatientSexNeutered",
    "PatientState",
    "ReasonForVisit",
    "ReasonForVisitCodeSequence",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ServiceEpisodeID",
    "IssuerOfServiceEpisodeIDSequence",
    "ServiceEpisodeDescription",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "IssuerOfClinicalTrialTimePointID",
    "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType",
    "ConsentForClinicalTrialUseSequence",
)

_REQUEST = ("RequestAttributesSequence",)  # PS3.3 C.7.3.1, of the CT's series

IDENTITY_KEYWORDS: tuple[str, ...] = (*_PATIENT, *_STUDY, *_REQUEST)

_REQUIRED = (  # Type 2: present, if need be empty
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


def copy_identity(source: Dataset, target: Dataset) -> None:
    """`target` carries those attributes of IDENTITY_KEYWORDS that `source` has, and only those.

    Text is equal after decoding: `target` is UTF-8 (ISO_IR 192), in its items as well.  Where one
    text is not of the character set that `source` declares (or it declares none), `target` has the
    declaration and the bytes of `source`: whoever reads the one right reads the other right.  The
    rest of `target` must then be ASCII; `character_sets.speak_ascii` sees to it.

    Values are not judged: a Patient ID that is too long stays as it is.  Only a number that is none
    (a weight of "1,75") is left out.  `source` should be as it was read, its text not yet accessed.
    """
    tags = [BaseTag(tag_for_keyword(keyword) or 0) for keyword in IDENTITY_KEYWORDS]
    for tag in (SPECIFIC_CHARACTER_SET, *tags):
        if tag in target:
            del target[tag]
    try:
        copied = _decoded(source, tags, ())
        copied.SpecificCharacterSet = UNICODE
    except Undecodable:
        copied = _as_it_is(source, [SPECIFIC_CHARACTER_SET, *tags])
    for tag in list(copied.keys()):
        target[tag] = copied.get_item(tag)
    for keyword in _REQUIRED:
        if keyword not in target:
            setattr(target, keyword, "")


def _decoded(source: Dataset, tags: Iterable[BaseTag], inherited: Terms) -> Dataset:
    """A copy that remembers nothing of its old character set.  Raises Undecodable."""
    character_set = character_set_of(source, inherited)
    copy = Dataset()
    for tag in tags:
        element = _readable(source, tag, character_set)
        if element is None or tag == SPECIFIC_CHARACTER_SET:
            continue
        if element.VR == "SQ":
            items = [_decoded(item, _tags(item), character_set) for item in element.value or ()]
            copy.add(DataElement(tag, "SQ", items))
        else:
            copy.add(element)
    return copy


def _as_it_is(source: Dataset, tags: Iterable[BaseTag]) -> Dataset:
    """A copy with every text's bytes as they are, for a target in the source's character set."""
    copy = Dataset()
    for tag in tags:
        raw = stored(source, tag)
        vr = text_vr(raw) if isinstance(raw, RawDataElement) else None
        if vr and not _of_its_kind(tag, vr):
            continue
        if isinstance(raw, RawDataElement) and (vr or tag == SPECIFIC_CHARACTER_SET):
            copy[tag] = raw._replace(
                VR=vr or "CS", is_implicit_VR=False, is_little_endian=True, value=raw.value or b""
            )
            continue
        element = _readable(source, tag, ())
        if element is not None and element.VR == "SQ":
            items = [_as_it_is(item, _tags(item)) for item in element.value or ()]
            copy.add(DataElement(tag, "SQ", items))
        elif element is not None:
            copy.add(element)
    return copy


def _tags(item: Dataset) -> list[BaseTag]:
    return [BaseTag(tag) for tag in item.keys()]  # noqa: SIM118  # iterating converts elements


def _readable(source: Dataset, tag: BaseTag, character_set: Terms) -> DataElement | None:
    """A copy of the element (not of its items); None if it is absent or nobody could read it.

    Raises Undecodable.
    """
    if stored(source, tag) is None:
        return None
    try:
        element = read_element(source, tag, character_set)
        if not _of_its_kind(tag, element.VR):
            return None
        if element.VR == "SQ":
            return element
        value = element.value
        if element.VR == "PN":  # a name remembers how it was encoded
            value = _each(value, lambda name: PersonName(str(name)))
        return DataElement(tag, element.VR, deepcopy(value), validation_mode=IGNORE)
    except Undecodable:
        raise
    except UNREADABLE:
        return None


def _of_its_kind(tag: BaseTag, vr: str) -> bool:
    """False of a sequence that is none, and of a number where the Standard has a text."""
    try:
        own = dictionary_VR(tag)
    except KeyError:
        return True
    return vr == own or (own != "SQ" and vr in _TEXTS)


_TEXTS = frozenset(
    [
        "AE",
        "AS",
        "CS",
        "DA",
        "DS",
        "DT",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "ST",
        "TM",
        "UC",
        "UI",
        "UR",
        "UT",
    ]
)


def _each(value: object, change: Callable[[object], object]) -> object:
    if value is None or isinstance(value, str | PersonName):
        return change(value or "")
    return [change(part) for part in value] if hasattr(value, "__iter__") else value


def names_patient(text: str, source: Dataset) -> bool:
    """Whether a free text, such as a tracking identifier, holds a part of the patient's identity.

    Looked for: the components of the name, the identifiers, the birth date and the accession
    number, as far as they are three letters long (two outside ASCII).  Such a text must not be
    drawn into pixels (Burned In Annotation NO).
    """
    identity = Dataset()
    copy_identity(source, identity)
    parts = re.split(r"[\s^=]+", str(identity.PatientName))
    parts += [str(identity.get(keyword, "")) for keyword in _TELLTALE]
    others = identity.get("OtherPatientIDsSequence") or []
    parts += [str(item.get("PatientID", "")) for item in others if isinstance(item, Dataset)]
    folded = text.casefold()
    return any(
        len(part) >= (3 if part.isascii() else 2) and part.casefold() in folded for part in parts
    )


_TELLTALE = ("PatientID", "PatientBirthDate", "AccessionNumber")
