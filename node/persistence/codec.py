"""Core values to JSON and back; what the database holds of them is text."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.digest import NO_PATIENT
from node.core.fetching import Findings, SourceCount, Wanted
from node.core.inputs import InstanceFacts, Intent, SeriesChoice, StudyInputs

_FACTS = TypeAdapter(InstanceFacts)
_WANTED = TypeAdapter(Wanted)
_FINDINGS = TypeAdapter(Findings)

UNREADABLE = (ValueError, KeyError, TypeError)
"""What reading a row raises that another version, or nobody, has written."""

_COLUMNS = (
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "sop_class_uid",
    "transfer_syntax_uid",
    "role",
    "kind",
    "content_digest",
)
"""Facts that queries ask for: columns of their own."""
_NO_PATIENT_BEFORE = hashlib.sha256(b"[]").hexdigest()
"""The key of no Patient ID, as the version before wrote it."""


def facts_to_row(facts: InstanceFacts) -> dict[str, str]:
    """The facts as columns of `schema.Instance`."""
    rest = _FACTS.dump_json(facts, exclude=set(_COLUMNS), exclude_defaults=True).decode()
    return {**{name: str(getattr(facts, name)) for name in _COLUMNS}, "facts": rest}


def facts_from_row(row: Mapping[str, Any]) -> InstanceFacts:
    """The facts that `facts_to_row` wrote, now or when an image had but one plane."""
    value = json.loads(row["facts"]) | {name: row[name] for name in _COLUMNS}
    if value["role"] == "unsupported_ct":  # of a multi-frame CT, before these were read
        value["role"] = "ct"
    if value["patient_key"] == _NO_PATIENT_BEFORE:
        value["patient_key"] = NO_PATIENT
    if plane := value.pop("plane", None):
        value["planes"] = {"1": plane}
    references = value.get("references")
    if references and "marked_uids" in references:
        references["marked"] = [{"sop_instance_uid": u} for u in references.pop("marked_uids")]
    return _FACTS.validate_python(value)


def series_number_in(facts: str) -> int | None:
    """The Series Number that the facts of a row hold."""
    number: int | None = json.loads(facts).get("series_number")
    return number


def inputs_to_json(inputs: StudyInputs, ids: Mapping[SOPInstanceUID, int]) -> dict[str, Any]:
    """The inputs with instances as ids of their rows: the very versions that were judged."""
    return {
        "intent": inputs.intent,
        "series": inputs.series
        and {
            "series_instance_uid": inputs.series.series_instance_uid,
            "because": inputs.series.because,
        },
        "ct": [ids[facts.sop_instance_uid] for facts in inputs.ct],
        "annotations": [ids[facts.sop_instance_uid] for facts in inputs.annotations],
        "elsewhere": [ids[facts.sop_instance_uid] for facts in inputs.elsewhere],
        "missing": sorted(inputs.missing),
        "scouts": sorted(inputs.scouts),
        "reason": inputs.reason,
        "unread": list(inputs.unread),
        "remarks": list(inputs.remarks),
        "at_source": inputs.at_source and asdict(inputs.at_source),
    }


def instance_ids(value: Mapping[str, Any]) -> Sequence[int]:
    """The ids of the rows that `inputs_to_json` referred to."""
    return [*value["ct"], *value["annotations"], *value["elsewhere"]]


def inputs_from_json(
    study: StudyInstanceUID, value: Mapping[str, Any], rows: Mapping[int, InstanceFacts]
) -> StudyInputs:
    """The inputs that `inputs_to_json` wrote; `rows` holds the facts of `instance_ids`."""
    series = value["series"]
    return StudyInputs(
        study_instance_uid=study,
        intent=Intent(value["intent"]),
        series=series
        and SeriesChoice(
            series_instance_uid=SeriesInstanceUID(series["series_instance_uid"]),
            because=series["because"],
        ),
        ct=tuple(rows[number] for number in value["ct"]),
        annotations=tuple(rows[number] for number in value["annotations"]),
        elsewhere=tuple(rows[number] for number in value["elsewhere"]),
        missing=frozenset(SOPInstanceUID(uid) for uid in value["missing"]),
        scouts=frozenset(SOPInstanceUID(uid) for uid in value.get("scouts", ())),
        reason=value["reason"],
        unread=tuple(value["unread"]),
        remarks=tuple(value["remarks"]),
        at_source=SourceCount(**at_source) if (at_source := value.get("at_source")) else None,
    )


def wanted_to_json(wanted: Wanted) -> dict[str, Any]:
    """What is asked of a source."""
    value: dict[str, Any] = _WANTED.dump_python(wanted, mode="json")
    return value


def wanted_from_json(value: Mapping[str, Any]) -> Wanted:
    """What `wanted_to_json` wrote."""
    return _WANTED.validate_python(value)


def findings_to_json(findings: Findings) -> dict[str, Any]:
    """What came of a fetch."""
    value: dict[str, Any] = _FINDINGS.dump_python(findings, mode="json")
    return value


def findings_from_json(value: Mapping[str, Any]) -> Findings:
    """What `findings_to_json` wrote."""
    return _FINDINGS.validate_python(value)
