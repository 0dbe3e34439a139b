"""Whose result it is: the patient and study attributes that every result carries as the CT does.

A PACS matches a result to its study by these, issuers and other identifiers included; a result that
lacks one of them ends in a queue for manual correction.
"""

import re
from collections.abc import Callable
from copy import deepcopy

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag
from pydicom.valuerep import PersonName

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

    Text is equal after decoding, whatever the source's character set: `target` is UTF-8
    (ISO_IR 192), in its items as well.  Values are not judged: a Patient ID that is too long stays
    as it is.  Only a number that is none (a weight of "1,75") is left out.
    """
    target.SpecificCharacterSet = "ISO_IR 192"
    for keyword in IDENTITY_KEYWORDS:
        tag = BaseTag(tag_for_keyword(keyword) or 0)
        if tag in target:
            del target[tag]
        element = _decoded(source, tag)
        if element is not None:
            target.add(element)
    for keyword in _REQUIRED:
        if keyword not in target:
            setattr(target, keyword, "")


def _decoded(source: Dataset, tag: BaseTag) -> DataElement | None:
    """A copy of one element that remembers nothing of its old character set."""
    if tag not in source:
        return None
    try:
        element = source[tag]
        return DataElement(tag, element.VR, _decoded_value(element), validation_mode=IGNORE)
    except ValueError:
        return None


def _decoded_value(element: DataElement) -> object:
    if element.VR == "SQ":
        return [_decoded_item(item) for item in element.value]
    if element.VR == "PN":
        return _each(element.value, lambda name: PersonName(str(name)))
    return deepcopy(element.value)


def _decoded_item(item: Dataset) -> Dataset:
    copy = Dataset()
    for tag in item.keys():  # noqa: SIM118  # iterating a Dataset yields converted elements
        if tag != 0x00080005:
            element = _decoded(item, tag)
            if element is not None:
                copy.add(element)
    return copy


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
    parts += [str(item.get("PatientID", "")) for item in others]
    folded = text.casefold()
    return any(
        len(part) >= (3 if part.isascii() else 2) and part.casefold() in folded for part in parts
    )


_TELLTALE = ("PatientID", "PatientBirthDate", "AccessionNumber")
