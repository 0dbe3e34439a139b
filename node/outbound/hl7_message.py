"""A report as HL7 v2: ORU^R01 of version 2.5.1, and what its acknowledgement says.

One OBR is the study's report of ours: of a revision the filler order number is the same and its
status C.  Of its OBX some are the lines of the report, then those of each finding under a sub-ID of
its own, then where the report lies.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pydicom import Dataset
from pydicom.sr.coding import Code

from sr_templates import codes
from sr_templates.objects.told import Told, ToldFinding

CHARACTER_SET = "UNICODE UTF-8"
_NARRATIVE = Code("18782-3", "LN", "Radiology Study observation (narrative)")
_REPORT = Code("18748-4", "LN", "Diagnostic imaging study")
_STUDY = Code("110180", "DCM", "Study Instance UID")
_SERIES = Code("112002", "DCM", "Series Instance UID")
_INSTANCE = Code("SOP_INSTANCE_UID", codes.PRIVATE_SCHEME, "SOP Instance UID")
_ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "~": "\\R\\",
    "&": "\\T\\",
    "\r\n": "\\.br\\",
    "\r": "\\.br\\",
    "\n": "\\.br\\",
}
_ESCAPED = re.compile(r"\r\n|[\\|^~&\r\n]")
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_EIGHT = re.compile(r"[0-9]{8}")
_PAIRS = re.compile(r"(?:[0-9]{2}){1,3}")
_NO_NAME = "^^^^^^U"
_KEPT_OF_A_HASH = 14
"""Letters: with "^M3NODE" the filler order number is no longer than the 22 that OBR-3 has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """From whom the message is, and to whom: MSH-3 to MSH-6."""

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """MSA-1 and MSA-2."""

    code: str
    control_id: str


def control_id(told: Told) -> str:
    """MSH-10: the same for the same report, however often it is sent."""
    return sha256(told.report.sop_instance_uid.encode()).hexdigest()[:20]


def oru(told: Told, envelope: Envelope) -> str:
    """The message, its segments ended by CR."""
    header = told.header
    at = told.at.strftime("%Y%m%d%H%M%S%z")
    status = "C" if told.replaces else "P"
    observations = [
        _segment("OBX", str(number), *each, *[""] * 4, status if judged else "X", "", "", at)
        for number, (judged, each) in enumerate(_observations(told), 1)
    ]
    segments = [
        "MSH|^~\\&|"
        + "|".join(
            (
                text(envelope.sending_application),
                text(envelope.sending_facility),
                text(envelope.receiving_application),
                text(envelope.receiving_facility),
                at,
                "",
                "ORU^R01^ORU_R01",
                control_id(told),
                "P",
                "2.5.1",
                *[""] * 5,
                CHARACTER_SET,
            )
        ),
        _segment(
            "PID",
            "1",
            "",
            _patient_id(header),
            "",
            _name(header),
            "",
            _day(header, "PatientBirthDate"),
            text(str(header.get("PatientSex") or "")),
        ),
        _segment(
            "OBR",
            "1",
            text(_order(header, "PlacerOrderNumberImagingServiceRequest")),
            f"{sha256(told.identity.encode()).hexdigest()[:_KEPT_OF_A_HASH]}^M3NODE",
            _coded(_REPORT),
            "",
            "",
            _studied(header) or at,
            *[""] * 10,
            text(str(header.get("AccessionNumber") or "")),
            *[""] * 3,
            at,
            "",
            "RAD",
            status,
        ),
        *observations,
    ]
    return "".join(f"{segment}\r" for segment in segments)


def acknowledgement(message: str) -> Acknowledgement | None:
    """What the answer says; None if it is no acknowledgement."""
    segments = [each for each in re.split(r"[\r\n]+", message) if each]
    if not segments or not segments[0].startswith("MSH") or len(segments[0]) < 4:
        return None
    separator = segments[0][3]
    for segment in segments:
        fields = segment.split(separator)
        if fields[0] == "MSA" and len(fields) > 2:
            return Acknowledgement(code=fields[1].strip(), control_id=fields[2].strip())
    return None


def text(value: str) -> str:
    """The text as a field or component holds it (HL7 2.5.1 chapter 2.7)."""
    return _CONTROL.sub(" ", _ESCAPED.sub(lambda found: _ESCAPES[found.group()], value))


def number(value: float) -> str:
    """NM: digits and a point, never an exponent (HL7 2.5.1 chapter 2.A.47)."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


_Observation = tuple[str, str, str, str, str]
"""OBX-2 to OBX-6: type, identifier, sub-ID, value, unit."""


def _observations(told: Told) -> Iterator[tuple[bool, _Observation]]:
    """Each with whether it is a result; one that could not be had has the status X."""
    for number, line in enumerate(told.lines, 1):
        yield True, ("TX", _coded(_NARRATIVE), f"0.{number}", text(line), "")
    for number, finding in enumerate(told.findings, 1):
        yield from _of(finding, str(number))
    for name, uid in (
        (_STUDY, str(told.header.StudyInstanceUID)),
        (_SERIES, told.report.series_instance_uid),
        (_INSTANCE, told.report.sop_instance_uid),
    ):
        yield True, ("ST", _coded(name), "0", text(uid), "")


def _of(finding: ToldFinding, sub_id: str) -> Iterator[tuple[bool, _Observation]]:
    name = f"{finding.tracking_id}: {finding.sentence}"
    if finding.probability is None:
        yield False, ("TX", _coded(codes.PROBABILITY_OF_CANCER), sub_id, text(name), "")
        return
    for each in (finding.probability, *finding.sizes):
        unit = _coded(each.unit)
        yield True, ("NM", _coded(each.name), sub_id, number(each.value), unit)
    place = ", ".join(each.meaning for each in (finding.site, finding.side) if each is not None)
    if place:
        yield True, ("ST", "363698007^Finding site^SCT", sub_id, text(place), "")
    if finding.texture is not None:
        yield True, ("CE", _coded(codes.TEXTURE), sub_id, _coded(finding.texture), "")
    yield True, ("TX", _coded(codes.COMMENT), sub_id, text(name), "")


def _segment(*fields: str) -> str:
    return "|".join(fields).rstrip("|")


def _coded(code: Code) -> str:
    """CE: identifier, text, coding system."""
    return "^".join(map(text, (code.value, code.meaning, code.scheme_designator)))


def _patient_id(header: Dataset) -> str:
    number, issuer = (str(header.get(k) or "") for k in ("PatientID", "IssuerOfPatientID"))
    return f"{text(number)}^^^{text(issuer)}".rstrip("^") if number else '""'


def _name(header: Dataset) -> str:
    """XPN: family, given, middle, suffix, prefix; of the alphabetic representation."""
    name = header.get("PatientName")
    if not name:
        return _NO_NAME
    parts: Sequence[str] = (
        name.family_name,
        name.given_name,
        name.middle_name,
        name.name_suffix,
        name.name_prefix,
    )
    return "^".join(map(text, parts)).rstrip("^") or _NO_NAME


def _order(header: Dataset, keyword: str) -> str:
    """Of the request that the study was made for, if the CT names one."""
    for request in header.get("ReferencedRequestSequence") or ():
        if value := str(request.get(keyword) or ""):
            return value
    return ""


def _studied(header: Dataset) -> str:
    """DTM: the day, and of the time hours, minutes and seconds as far as they are given."""
    day, time = _day(header, "StudyDate"), str(header.get("StudyTime") or "").partition(".")[0]
    return day + (time if day and _PAIRS.fullmatch(time) else "")


def _day(header: Dataset, keyword: str) -> str:
    """Empty unless it is eight digits: of old, and by mistake, days are written in other ways."""
    day = str(header.get(keyword) or "")
    return day if _EIGHT.fullmatch(day) else ""
