"""The Store Instances Response Module (PS3.18 I.2), in JSON or XML as the client takes it."""

import json
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from node.inbound.identifiers import Identifiers
from node.web.dicomweb.outcome import Failed, Outcome

JSON, XML = "application/dicom+json", "application/dicom+xml"
_RETRIEVE_URL, _FAILURE_REASON = "00081190", "00081197"
_SOP_CLASS, _SOP_INSTANCE = "00081150", "00081155"
_FAILED, _REFERENCED, _OTHER_FAILURES = "00081198", "00081199", "0008119A"


def answer(outcome: Outcome, status: HTTPStatus | None) -> Response:
    """The answer to a request to store.

    status : where the body was not read to its end: why; else the outcome says it
    """
    headers = {}
    if reasons := outcome.reasons():
        headers["Warning"] = f'299 m3node "{"; ".join(reasons)}"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    said = _module(outcome)
    return Response(json.dumps(said), status or outcome.status, headers=headers, media_type=JSON)


def _module(outcome: Outcome) -> dict[str, Any]:
    """In the order of tags."""
    said: dict[str, Any] = {}
    failed = [_failed(each) for each in outcome.failed if each.ids]
    if failed:
        said[_FAILED] = {"vr": "SQ", "Value": failed}
    if outcome.stored:
        said[_REFERENCED] = {"vr": "SQ", "Value": [_reference(ids) for ids in outcome.stored]}
    others = [_reason(each) for each in outcome.failed if not each.ids]
    if others:
        said[_OTHER_FAILURES] = {"vr": "SQ", "Value": others}
    return said


def _reference(ids: Identifiers) -> dict[str, Any]:
    return {
        _SOP_CLASS: {"vr": "UI", "Value": [str(ids.sop_class_uid)]},
        _SOP_INSTANCE: {"vr": "UI", "Value": [str(ids.sop_instance_uid)]},
    }


def _reason(failed: Failed) -> dict[str, Any]:
    return {_FAILURE_REASON: {"vr": "US", "Value": [failed.refused.status]}}


def _failed(failed: Failed) -> dict[str, Any]:
    return (_reference(failed.ids) if failed.ids else {}) | _reason(failed)
