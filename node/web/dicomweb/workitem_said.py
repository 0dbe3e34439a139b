"""A work item as a Unified Procedure Step (PS3.3 B.26), as far as anybody watches it.

A job that is dead is CANCELED with its reason: the machinery failed, and nothing was assessed.
What a client asked for is SCHEDULED while it waits for its study, and its inputs are not READY.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

from node.core.states import State
from node.dicom.work_items import STATES, WORKLIST_LABEL
from node.persistence.work_items import WorkItem
from node.web.dicomweb.element_values import Value
from node.web.dicomweb.metadata_model import Attribute
from sr_templates.character_sets import UNICODE

LABEL = "Malignancy of annotated pulmonary nodules"
_UPS_PUSH = "1.2.840.10008.5.1.4.34.6.1"
_PERCENT: Mapping[State, Value] = {State.QUEUED: 0, State.RUNNING: 50, State.DONE: 100}
_DISCONTINUED = ("110513", "DCM", "Discontinued for unspecified reason")

_Item = list[Attribute]


def data_set(item: WorkItem, *, base: str) -> _Item:
    """What is said of it, ascending by tag.

    base : URI of the service
    """
    return _ordered(
        _said("SpecificCharacterSet", UNICODE),
        _said("SOPClassUID", _UPS_PUSH),
        _said("SOPInstanceUID", item.uid),
        _said("PatientName", item.patient_name),
        _said("PatientID", item.patient_id),
        _said("PatientBirthDate", item.patient_birth_date),
        _said("PatientSex", item.patient_sex),
        _said("StudyInstanceUID", item.study_instance_uid),
        _sequence("ReferencedRequestSequence", [_request(item)]),
        _said("ScheduledProcedureStepStartDateTime", _moment(item.created_at)),
        _said("ScheduledProcedureStepModificationDateTime", _moment(_changed_at(item))),
        _said("ScheduledProcedureStepPriority", "MEDIUM"),
        _said("ProcedureStepLabel", LABEL),
        _said("WorklistLabel", WORKLIST_LABEL),
        _said("InputReadinessState", "INCOMPLETE" if item.job_id is None else "READY"),
        _sequence("InputInformationSequence", _inputs(item, base)),
        _said("ProcedureStepState", STATES[item.state]),
        _sequence("ProcedureStepProgressInformationSequence", [_progress(item)]),
        _sequence("UnifiedProcedureStepPerformedProcedureSequence", _performed(item, base)),
    )


def _request(item: WorkItem) -> _Item:
    return _ordered(
        _said("StudyInstanceUID", item.study_instance_uid),
        _said("AccessionNumber", item.accession_number),
    )


def _changed_at(item: WorkItem) -> datetime:
    return item.settled_at or item.begun_at or item.created_at


def _inputs(item: WorkItem, base: str) -> list[_Item]:
    if item.series is None and item.job_id is not None:
        return []
    return [_series(item, item.series, (), base)]


def _progress(item: WorkItem) -> _Item:
    said = [_said("ProcedureStepProgress", _PERCENT.get(item.state))]
    if item.headline is not None:
        said.append(_said("ProcedureStepProgressDescription", item.headline))
    if STATES[item.state] == "CANCELED":
        said += [
            _said("ReasonForCancellation", item.error),
            _sequence("ProcedureStepDiscontinuationReasonCodeSequence", [_code(*_DISCONTINUED)]),
        ]
    return _ordered(*said)


def _performed(item: WorkItem, base: str) -> list[_Item]:
    if item.begun_at is None:
        return []
    outputs: dict[str, list[_Item]] = {}
    for output in item.outputs:
        reference = _ordered(
            _said("ReferencedSOPClassUID", output.sop_class_uid),
            _said("ReferencedSOPInstanceUID", output.sop_instance_uid),
        )
        outputs.setdefault(output.series_instance_uid, []).append(reference)
    said = [
        _said("PerformedProcedureStepStartDateTime", _moment(item.begun_at)),
        _sequence(
            "OutputInformationSequence",
            [_series(item, series, objects, base) for series, objects in outputs.items()],
        ),
    ]
    if item.settled_at is not None:
        said.append(_said("PerformedProcedureStepEndDateTime", _moment(item.settled_at)))
    return [_ordered(*said)]


def _series(item: WorkItem, series: str | None, objects: Sequence[_Item], base: str) -> _Item:
    """One item of a Referenced Instances and Access Macro (PS3.3 table 10-3b).

    series : None while it is not known which
    """
    address = f"{base}/studies/{item.study_instance_uid}"
    address += "" if series is None else f"/series/{series}"
    return _ordered(
        _said("TypeOfInstances", "DICOM"),
        _said("StudyInstanceUID", item.study_instance_uid),
        _said("SeriesInstanceUID", series),
        _sequence("ReferencedSOPSequence", list(objects)),
        _sequence("WADORSRetrievalSequence", [[_said("RetrieveURL", address)]]),
    )


def _code(value: str, scheme: str, meaning: str) -> _Item:
    return _ordered(
        _said("CodeValue", value),
        _said("CodingSchemeDesignator", scheme),
        _said("CodeMeaning", meaning),
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y%m%d%H%M%S%z}"


def _said(keyword: str, value: Value) -> Attribute:
    tag = Tag(keyword)
    return Attribute(
        tag=tag, vr=dictionary_VR(tag), values=None if value in (None, "") else [value]
    )


def _sequence(keyword: str, items: list[_Item]) -> Attribute:
    return Attribute(tag=Tag(keyword), vr="SQ", items=items)


def _ordered(*said: Attribute) -> _Item:
    return sorted(said, key=lambda each: each.tag)
