"""What a client asks for by a new work item, read from its body (PS3.18 11.4.1, PS3.4 CC.2.5).

Read of the data set are the state, the UID, the Patient ID, and of the Input Information the study
and from where it can be had.  Nothing else of it is kept, and nothing is ever echoed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.dicom.header_text import is_uid
from node.web.problems import Problem

_TAG = re.compile(r"[0-9A-F]{8}")
_OF_THE_STANDARD = "1.2.840.10008."
_LONGEST_TEXT = 1024

_Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """From where one input can be had: each of these will do.

    urls   : Retrieve URLs of WADO-RS
    titles : AE titles, for C-MOVE and C-GET
    """

    urls: tuple[str, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorkItem:
    """What is asked for.

    uid        : None if the client gives none
    patient_id : empty if the client says none
    retrievals : of the inputs for which one is named
    """

    uid: SOPInstanceUID | None
    study: StudyInstanceUID
    retrievals: tuple[Retrieval, ...]
    patient_id: str = field(repr=False)


def read_new_work_item(body: bytes, uid: str | None) -> NewWorkItem:
    """What the body, one data set in the DICOM JSON Model (PS3.18 F), asks for.

    uid : of the work item, as the query names it; None: the data set may

    Raises Problem(400) for whatever is amiss.
    """
    data = _data_set(body)
    if _text(data, "ProcedureStepState") != "SCHEDULED":
        raise _bad("ProcedureStepState must be SCHEDULED (PS3.4 CC.2.5)")
    if _text(data, "TransactionUID"):
        raise _bad("TransactionUID must be empty: nobody has taken the work item yet")
    inputs = _items(data, "InputInformationSequence")
    if not inputs:
        raise _bad("InputInformationSequence must have an item: it names the study to analyse")
    studies = {_input_study(each) for each in inputs}
    if len(studies) > 1:
        raise _bad("InputInformationSequence names several studies; create a work item for each")
    retrievals = map(_retrieval, inputs)
    return NewWorkItem(
        uid=_uid_of(data, uid),
        study=StudyInstanceUID(studies.pop()),
        retrievals=tuple(each for each in retrievals if each.urls or each.titles),
        patient_id=_text(data, "PatientID"),
    )


def _uid_of(data: _Item, asked: str | None) -> SOPInstanceUID | None:
    said = {asked or "", _text(data, "SOPInstanceUID"), _text(data, "AffectedSOPInstanceUID")}
    said -= {""}
    if len(said) > 1:
        raise _bad("query and data set give the work item different UIDs")
    for uid in said:
        if not is_uid(uid):
            raise _bad("the UID of the work item is none")
        if uid.startswith(_OF_THE_STANDARD):
            raise _bad("the UID of the work item is one of the Standard's own")
        return SOPInstanceUID(uid)
    return None


def _input_study(item: _Item) -> str:
    if _text(item, "TypeOfInstances") not in ("DICOM", ""):
        raise _bad("TypeOfInstances of an input must be DICOM")
    study = _text(item, "StudyInstanceUID")
    if not is_uid(study):
        raise _bad("StudyInstanceUID of an input is missing, or is no UID")
    return study


def _retrieval(item: _Item) -> Retrieval:
    return Retrieval(
        urls=_each(item, "WADORSRetrievalSequence", "RetrieveURL"),
        titles=_each(item, "DICOMRetrievalSequence", "RetrieveAETitle"),
    )


def _each(item: _Item, sequence: str, keyword: str) -> tuple[str, ...]:
    return tuple(text for way in _items(item, sequence) for text in _texts(way, keyword) if text)


# -- the DICOM JSON Model ----------------------------------------------------------------------


def _data_set(body: bytes) -> _Item:
    """The only data set; in a list, as the Standard has it, or alone."""
    try:
        read = json.loads(
            body.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_number
        )
    except RecursionError as error:
        raise _bad("the body is nested too deeply") from error
    except ValueError as error:
        raise _bad("the body is no JSON in UTF-8 whose names stand once each") from error
    sets = read if isinstance(read, list) else [read]
    if len(sets) != 1:
        raise _bad("the body must be a list of one data set")
    return _require_data_set(sets[0])


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _no_number(_said: str) -> float:
    raise ValueError


def _require_data_set(read: object) -> _Item:
    if not isinstance(read, dict) or not all(map(_TAG.fullmatch, read)):
        raise _bad("a data set must be an object, its names tags of eight hexadecimal digits")
    return read


def _values(data: _Item, keyword: str) -> Sequence[object]:
    """The values of an attribute; none if it is not there."""
    tag = tag_for_keyword(keyword)
    vr = dictionary_VR(keyword)
    element = data.get(f"{tag:08X}", {"vr": vr})
    values = element.get("Value", []) if isinstance(element, dict) else None
    if not isinstance(values, list) or element.get("vr") != vr:
        raise _bad(f"{keyword} must have the vr {vr}, and its values in a list")
    return values


def _items(data: _Item, keyword: str) -> list[_Item]:
    return [_require_data_set(each) for each in _values(data, keyword)]


def _texts(data: _Item, keyword: str) -> list[str]:
    found = ["" if each is None else each for each in _values(data, keyword)]
    if not all(isinstance(each, str) and len(each) <= _LONGEST_TEXT for each in found):
        raise _bad(f"a value of {keyword} is no text, or too long")
    return [str(each).strip(" ") for each in found]


def _text(data: _Item, keyword: str) -> str:
    found = _texts(data, keyword)
    if len(found) > 1:
        raise _bad(f"{keyword} must have one value")
    return found[0] if found else ""


def _bad(says: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, says)
