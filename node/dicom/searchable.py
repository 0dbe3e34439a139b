"""What can be searched, and what a search answers: one table (PS3.18 10.6, PS3.4 C.6.2.1).

The columns of the database, what is read of a stored object for them, what a request may ask for,
what is answered, and what CONFORMANCE.md says of it, all follow this table.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

Value = str | int | None


class Level(IntEnum):
    """What is searched for; attributes of a level above can be asked for as well."""

    STUDY = 0
    SERIES = 1
    INSTANCE = 2


RESOURCES: tuple[tuple[str, Level], ...] = (
    ("/studies", Level.STUDY),
    ("/series", Level.SERIES),
    ("/instances", Level.INSTANCE),
    ("/studies/{study}/series", Level.SERIES),
    ("/studies/{study}/instances", Level.INSTANCE),
    ("/studies/{study}/series/{series}/instances", Level.INSTANCE),
)
"""Where it is searched (PS3.18 table 10.6.1-1)."""
MOST_RESULTS = 5000
"""Of one answer, whatever limit is asked for."""


class Matching(StrEnum):
    """How a value that is asked for is compared; the words that CONFORMANCE.md has for it."""

    UID = "list of UIDs"
    TEXT = "single value, wild card"
    CODE = "single value, wild card, list"
    NAME = "single value, wild card; case does not count"
    DATE = "date, range"
    TIME = "time, range; without seconds the whole minute"
    NUMBER = "single value"
    NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribute:
    """One attribute of a search; there is one of each, in `ATTRIBUTES`.

    path   : the tags that lead to it; of one in a sequence the sequence's, and its own
    column : that holds it; empty if it is made when it is answered
    always : it is answered unasked (PS3.18 tables 10.6.3-3 to 10.6.3-5); else by includefield
    inside : keyword of the sequence that it stands in, as its first item's; empty if in none
    """

    keyword: str
    path: tuple[int, ...]
    vr: str
    level: Level
    matching: Matching
    column: str
    always: bool
    inside: str

    @property
    def tag(self) -> int:
        """Its own tag."""
        return self.path[-1]


def _of(level: Level) -> tuple[Attribute, ...]:
    return tuple(
        Attribute(
            keyword=keyword,
            path=(*([Tag(inside)] if inside else ()), Tag(keyword)),
            vr=dictionary_VR(Tag(keyword)),
            level=level,
            matching=matching,
            column=column,
            always=always,
            inside=inside,
        )
        for keyword, matching, column, always, inside in _TABLE[level]
    )


_REQUEST = "RequestAttributesSequence"
_TABLE: Mapping[Level, Sequence[tuple[str, Matching, str, bool, str]]] = {
    Level.STUDY: (
        ("StudyDate", Matching.DATE, "study_date", True, ""),
        ("StudyTime", Matching.TIME, "study_time", True, ""),
        ("AccessionNumber", Matching.TEXT, "accession_number", True, ""),
        ("InstanceAvailability", Matching.NONE, "", True, ""),
        ("ModalitiesInStudy", Matching.CODE, "modalities", True, ""),
        ("ReferringPhysicianName", Matching.NAME, "referring_physician_name", True, ""),
        ("TimezoneOffsetFromUTC", Matching.NONE, "timezone", True, ""),
        ("StudyDescription", Matching.TEXT, "study_description", False, ""),
        ("RetrieveURL", Matching.NONE, "", True, ""),
        ("PatientName", Matching.NAME, "patient_name", True, ""),
        ("PatientID", Matching.TEXT, "patient_id", True, ""),
        ("IssuerOfPatientID", Matching.TEXT, "issuer_of_patient_id", False, ""),
        ("PatientBirthDate", Matching.DATE, "patient_birth_date", True, ""),
        ("PatientSex", Matching.CODE, "patient_sex", True, ""),
        ("StudyInstanceUID", Matching.UID, "study_instance_uid", True, ""),
        ("StudyID", Matching.TEXT, "study_id", True, ""),
        ("NumberOfStudyRelatedSeries", Matching.NONE, "number_of_series", True, ""),
        ("NumberOfStudyRelatedInstances", Matching.NONE, "number_of_instances", True, ""),
    ),
    Level.SERIES: (
        ("SeriesDate", Matching.DATE, "series_date", False, ""),
        ("SeriesTime", Matching.TIME, "series_time", False, ""),
        ("Modality", Matching.CODE, "modality", True, ""),
        ("Manufacturer", Matching.TEXT, "manufacturer", False, ""),
        ("StationName", Matching.TEXT, "station_name", False, ""),
        ("SeriesDescription", Matching.TEXT, "series_description", True, ""),
        ("RetrieveURL", Matching.NONE, "", True, ""),
        ("BodyPartExamined", Matching.CODE, "body_part_examined", False, ""),
        ("ProtocolName", Matching.TEXT, "protocol_name", False, ""),
        ("SeriesInstanceUID", Matching.UID, "series_instance_uid", True, ""),
        ("SeriesNumber", Matching.NUMBER, "series_number", True, ""),
        ("NumberOfSeriesRelatedInstances", Matching.NONE, "number_of_instances", True, ""),
        ("PerformedProcedureStepStartDate", Matching.DATE, "performed_date", True, ""),
        ("PerformedProcedureStepStartTime", Matching.TIME, "performed_time", True, ""),
        ("ScheduledProcedureStepID", Matching.TEXT, "scheduled_step_id", True, _REQUEST),
        ("RequestedProcedureID", Matching.TEXT, "requested_procedure_id", True, _REQUEST),
    ),
    Level.INSTANCE: (
        ("SOPClassUID", Matching.UID, "sop_class_uid", True, ""),
        ("SOPInstanceUID", Matching.UID, "sop_instance_uid", True, ""),
        ("InstanceAvailability", Matching.NONE, "", True, ""),
        ("RetrieveURL", Matching.NONE, "", True, ""),
        ("AvailableTransferSyntaxUID", Matching.NONE, "transfer_syntax_uid", False, ""),
        ("InstanceNumber", Matching.NUMBER, "instance_number", True, ""),
        ("NumberOfFrames", Matching.NONE, "number_of_frames", True, ""),
        ("Rows", Matching.NONE, "rows", True, ""),
        ("Columns", Matching.NONE, "columns", True, ""),
        ("BitsAllocated", Matching.NONE, "bits_allocated", True, ""),
    ),
}
ATTRIBUTES: Mapping[Level, tuple[Attribute, ...]] = {level: _of(level) for level in Level}
"""By level, in the order in which they are answered."""

_NOT_READ = frozenset(
    {
        # What is here, not what an object says.
        *("modalities", "number_of_series", "number_of_instances", "transfer_syntax_uid"),
        # Known since it came.
        *("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid"),
        *("patient_id", "patient_name", "accession_number", "study_date"),
    }
)
READ: Mapping[Level, tuple[Attribute, ...]] = {
    level: tuple(each for each in found if each.column and each.column not in _NOT_READ)
    for level, found in ATTRIBUTES.items()
}
"""What is read of a stored object for searches, after it is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What one object says of its study, its series and itself, by columns; those of `READ`.

    The study's names a patient: for the database alone.
    """

    study: Mapping[str, Value] = field(repr=False)
    series: Mapping[str, Value]
    instance: Mapping[str, Value]


NOTHING_SAID = Described(study={}, series={}, instance={})
"""Of an object that cannot be read: it is found by its identifiers alone."""


def name_key(name: str) -> str:
    """A person's name as names are compared: case does not count (PS3.4 C.2.2.2.1).

    Nor do spaces at the ends of components, nor components that are empty at the end of a group.
    """
    text = unicodedata.normalize("NFC", name).casefold()
    groups = ("^".join(part.strip() for part in group.split("^")) for group in text.split("="))
    return "=".join(group.rstrip("^") for group in groups).rstrip("=")
