"""The Store Instances Response Module (PS3.18 I.2), in JSON or XML as the client takes it."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from starlette.responses import Response

from node.inbound.identifiers import Identifiers
from node.web.dicomweb.accept import Wish
from node.web.dicomweb.metadata import JSON, XML
from node.web.dicomweb.metadata_json import as_json
from node.web.dicomweb.metadata_model import Attribute
from node.web.dicomweb.metadata_xml import as_xml
from node.web.dicomweb.outcome import Failed, Outcome

_SOP_CLASS, _SOP_INSTANCE = 0x00081150, 0x00081155
_RETRIEVE_URL, _FAILURE_REASON = 0x00081190, 0x00081197
_FAILED, _REFERENCED, _OTHER_FAILURES = 0x00081198, 0x00081199, 0x0008119A


def answer(
    outcome: Outcome, status: HTTPStatus | None, *, base: str, wishes: Sequence[Wish]
) -> Response:
    """The answer to a request to store.

    status : where the body was not read to its end: why; else the outcome says it
    base   : URI of the service
    wishes : what is wanted most first; JSON where neither form is among them, since it is done
    """
    headers = {}
    if reasons := outcome.reasons():
        headers["Warning"] = f'299 m3node "{"; ".join(reasons)}"'
    status = status or outcome.status
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    media_type, write = _form(wishes)
    return Response(write(_module(outcome, base)), status, headers=headers, media_type=media_type)


def _form(wishes: Sequence[Wish]) -> tuple[str, Callable[[Sequence[Attribute]], bytes]]:
    for wish in wishes:
        if wish.takes_alone(JSON, "application/json"):
            break
        if wish.takes_alone(XML, "application/xml", "text/xml"):
            return XML, as_xml
    return JSON, as_json


def _module(outcome: Outcome, base: str) -> list[Attribute]:
    """In the order of tags, none of the sequences empty."""
    sequences = {
        _FAILED: [_failed(each) for each in outcome.failed if each.ids],
        _REFERENCED: [_stored(each, base) for each in outcome.stored],
        _OTHER_FAILURES: [[_reason(each)] for each in outcome.failed if not each.ids],
    }
    said = [_study_url(outcome, base)] if outcome.stored else []
    said += [Attribute(tag=tag, vr="SQ", items=items) for tag, items in sequences.items() if items]
    return said


def _study_url(outcome: Outcome, base: str) -> Attribute:
    """Without a value where objects of several studies were stored."""
    studies = {ids.study_instance_uid for ids in outcome.stored}
    said = Attribute(tag=_RETRIEVE_URL, vr="UR")
    if len(studies) == 1:
        said.values = [f"{base}/studies/{studies.pop()}"]
    return said


def _stored(ids: Identifiers, base: str) -> list[Attribute]:
    url = (
        f"{base}/studies/{ids.study_instance_uid}/series/{ids.series_instance_uid}"
        f"/instances/{ids.sop_instance_uid}"
    )
    return [*_reference(ids), Attribute(tag=_RETRIEVE_URL, vr="UR", values=[url])]


def _failed(failed: Failed) -> list[Attribute]:
    return [*(_reference(failed.ids) if failed.ids else ()), _reason(failed)]


def _reference(ids: Identifiers) -> list[Attribute]:
    return [
        Attribute(tag=_SOP_CLASS, vr="UI", values=[str(ids.sop_class_uid)]),
        Attribute(tag=_SOP_INSTANCE, vr="UI", values=[str(ids.sop_instance_uid)]),
    ]


def _reason(failed: Failed) -> Attribute:
    return Attribute(tag=_FAILURE_REASON, vr="US", values=[failed.refused.status])
