"""A report as FHIR R4: a transaction Bundle with one DiagnosticReport.

Its Observations, one a nodule, are contained in it, and so are device and study.  They could stand
alone; but then a revision that judges a nodule no more would leave the old number standing beside
the new report.  So the report is replaced as a whole: the same study has the same identifier, and
the server updates what has it (conditional update, R4 http.html 3.1.0.4.3).

The patient is referred to by identifier: the RIS has its own.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydicom import Dataset
from pydicom.sr.coding import Code

from sr_templates import codes
from sr_templates.objects.told import Measured, Told, ToldFinding

Json = dict[str, Any]

UID_SYSTEM, URI_SYSTEM = "urn:dicom:uid", "urn:ietf:rfc:3986"
_SYSTEMS: Mapping[str, str] = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "SCT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "RADLEX": "http://radlex.org",
    "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
}
_HL7 = "http://terminology.hl7.org/CodeSystem"
_RADIOLOGY = {"coding": [{"system": f"{_HL7}/v2-0074", "code": "RAD", "display": "Radiology"}]}
_IMAGING = {"coding": [{"system": f"{_HL7}/observation-category", "code": "imaging"}]}
_STUDY_REPORT = {"system": "http://loinc.org", "code": "18748-4"}
_MODALITY = {"system": _SYSTEMS["DCM"], "code": "CT"}


def bundle(told: Told, *, patient_id_system: str | None = None) -> Json:
    """The transaction that makes this the study's report of ours, whether or not there is one.

    patient_id_system : the namespace of Patient ID, as the server knows it
    """
    report = diagnostic_report(told, patient_id_system=patient_id_system)
    identifier = report["identifier"][0]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": report,
                "request": {
                    "method": "PUT",
                    "url": "DiagnosticReport?identifier="
                    f"{identifier['system']}|{identifier['value']}",
                },
            }
        ],
    }


def diagnostic_report(told: Told, *, patient_id_system: str | None = None) -> Json:
    """The report; of a revision, the same one corrected."""
    header = told.header
    subject = _subject(header, patient_id_system)
    observations = [
        _observation(each, number, told, subject) for number, each in enumerate(told.findings, 1)
    ]
    return {
        "resourceType": "DiagnosticReport",
        "contained": [_device(header), _study(told, subject), *observations],
        "identifier": [
            {"system": URI_SYSTEM, "value": f"urn:oid:{told.identity}"},
            _uid(told.report.sop_instance_uid),
        ],
        **_based_on(header),
        "status": _status(told),
        "category": [_RADIOLOGY],
        "code": {"coding": [_STUDY_REPORT], "text": str(header.SeriesDescription)},
        **subject,
        **_effective(header, told),
        "issued": told.at.isoformat(timespec="milliseconds"),
        "imagingStudy": [{"reference": "#study"}],
        "result": [{"reference": f"#{each['id']}"} for each in observations],
        "conclusion": "\n".join(told.lines),
    }


def _status(told: Told) -> str:
    """Nobody has verified it; of a revision, that it replaces what was told before."""
    return "corrected" if told.replaces else "preliminary"


def _observation(finding: ToldFinding, number: int, told: Told, subject: Json) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"finding-{number}",
        "identifier": [_uid(finding.tracking_uid)],
        "status": _status(told),
        "category": [_IMAGING],
        "code": _concept(
            codes.PROBABILITY_OF_CANCER if finding.probability is None else finding.probability.name
        ),
        **subject,
        **_effective(told.header, told),
        **_value(finding.probability),
        **_site(finding),
        "note": [{"text": f"{finding.tracking_id}: {finding.sentence}"}],
        "device": {"reference": "#device"},
        "derivedFrom": [{"reference": "#study"}],
        **_components(finding),
    }


def _value(probability: Measured | None) -> Json:
    if probability is not None:
        return {"valueQuantity": _quantity(probability)}
    system = f"{_HL7}/data-absent-reason"
    return {"dataAbsentReason": {"coding": [{"system": system, "code": "not-performed"}]}}


def _components(finding: ToldFinding) -> Json:
    found: list[Json] = [
        {"code": _concept(each.name), "valueQuantity": _quantity(each)} for each in finding.sizes
    ]
    if finding.texture is not None:
        found.append(
            {
                "code": _concept(codes.TEXTURE),
                "valueCodeableConcept": _concept(finding.texture),
            }
        )
    return {"component": found} if found else {}


def _site(finding: ToldFinding) -> Json:
    if finding.site is None:
        return {}
    place = _concept(finding.site)
    if finding.side is not None:
        place["coding"].append(_coding(finding.side))
        place["text"] = f"{finding.site.meaning}, {finding.side.meaning.lower()}"
    return {"bodySite": place}


def _study(told: Told, subject: Json) -> Json:
    """The study with the series that the report rests on, and the report's own."""
    series: dict[str, list[Json]] = {}
    for each in (*told.evidence, told.report):
        series.setdefault(each.series_instance_uid, []).append(
            {
                "uid": each.sop_instance_uid,
                "sopClass": {"system": URI_SYSTEM, "code": f"urn:oid:{each.sop_class_uid}"},
            }
        )
    modalities = {told.report.series_instance_uid: "SR"}
    images = {each.image for each in told.findings}
    return {
        "resourceType": "ImagingStudy",
        "id": "study",
        "identifier": [_uid(str(told.header.StudyInstanceUID))],
        "status": "available",
        **(subject or {"subject": {"display": "not stated"}}),
        "series": [
            {
                "uid": uid,
                "modality": {
                    **_MODALITY,
                    "code": modalities.get(
                        uid, "CT" if any(each["uid"] in images for each in instances) else "OT"
                    ),
                },
                "instance": instances,
            }
            for uid, instances in series.items()
        ],
    }


def _device(header: Dataset) -> Json:
    return {
        "resourceType": "Device",
        "id": "device",
        "manufacturer": str(header.Manufacturer),
        "serialNumber": str(header.DeviceSerialNumber),
        "deviceName": [{"name": str(header.ManufacturerModelName), "type": "model-name"}],
        "version": [{"value": str(header.SoftwareVersions)}],
    }


def _subject(header: Dataset, system: str | None) -> Json:
    """By Patient ID; without one there is nobody to refer to."""
    patient_id = str(header.get("PatientID") or "")
    if not patient_id:
        return {}
    identifier: Json = {"value": patient_id}
    if system is not None:
        identifier["system"] = system
    elif issuer := str(header.get("IssuerOfPatientID") or ""):
        identifier["assigner"] = {"display": issuer}
    return {"subject": {"type": "Patient", "identifier": identifier}}


def _based_on(header: Dataset) -> Json:
    accession = str(header.get("AccessionNumber") or "")
    if not accession:
        return {}
    kind = {"coding": [{"system": f"{_HL7}/v2-0203", "code": "ACSN"}]}
    identifier = {"type": kind, "value": accession}
    return {"basedOn": [{"type": "ServiceRequest", "identifier": identifier}]}


def _effective(header: Dataset, told: Told) -> Json:
    """When the study was made; if it names no day, when the report was."""
    day = str(header.get("StudyDate") or "")
    when = told.at.isoformat(timespec="seconds")
    with suppress(ValueError):
        if len(day) == 8:  # strptime reads fewer digits as well
            when = datetime.strptime(day, "%Y%m%d").date().isoformat()
    return {"effectiveDateTime": when}


def _uid(uid: str) -> Json:
    """R4 imagingstudy.html 10.5.6: a DICOM UID is an identifier as a URN."""
    return {"system": UID_SYSTEM, "value": f"urn:oid:{uid}"}


def _concept(code: Code) -> Json:
    return {"coding": [_coding(code)], "text": code.meaning}


def _coding(code: Code) -> Json:
    system = _SYSTEMS.get(code.scheme_designator)
    named = {} if system is None else {"system": system}
    return {**named, "code": code.value, "display": code.meaning}


def _quantity(measured: Measured) -> Json:
    return {
        "value": measured.value,
        "unit": measured.unit.value,
        "system": _SYSTEMS["UCUM"],
        "code": measured.unit.value,
    }
