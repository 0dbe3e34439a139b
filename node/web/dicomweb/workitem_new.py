"""A client creates a work item (PS3.18 11.4): it names a study that is to be analysed."""

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from node.core.errors import NotAllowed
from node.core.people import Role
from node.dicom.content_type import content_type
from node.dicom.work_items import MOST_BYTES
from node.inbound.peers import is_allowed
from node.persistence.requested_items import ItemAsked
from node.web.access.person import is_let_in_as
from node.web.dicomweb.metadata import JSON
from node.web.dicomweb.paths import base_of
from node.web.dicomweb.workitem_asked import read_new_work_item
from node.web.dicomweb.workitem_source import Holder, chosen, holder
from node.web.problems import Problem
from node.web.services import Services

_TYPES = (JSON, "application/json")
_UID_NAMES = frozenset({"workitem", "affectedsopinstanceuid", "sopinstanceuid"})
_MODIFIED = (
    '299 m3node "The Workitem was created with modifications: kept is which study is analysed; '
    "label, priority and times are this node's\""
)


async def create(services: Services, request: Request) -> Response:
    """201: it is there, and where.

    Raises Problem: 400 for what is amiss with the body, 403 for who may not send, 409 if the UID is
    taken or the study cannot be had, 413, 415.
    """
    peer = peer_of(services, request)
    _require_json(request)
    body = await _body(request)
    uid = await run_in_threadpool(_created, services, request, body, peer)
    address = f"{base_of(services, request)}/workitems/{uid}"
    return Response(
        status_code=HTTPStatus.CREATED,
        headers={
            "Location": address,
            "Content-Location": address,
            "Warning": _MODIFIED,
            "Cache-Control": "no-store",
        },
    )


def peer_of(services: Services, request: Request) -> str:
    """The client's address.  Raises Problem(403) if it is of somebody who may not send."""
    peer = request.client.host if request.client else ""
    allowed = is_allowed(peer, services.config.receiver.allowed_peers)
    if not allowed and not is_let_in_as(request, Role.SENDER):
        raise Problem(HTTPStatus.FORBIDDEN, "this address is not in allowed_peers")
    return peer


def _created(services: Services, request: Request, body: bytes, peer: str) -> str:
    config = services.config
    asked = read_new_work_item(body, _uid_in_query(request))
    here = Holder(source=None, url=base_of(services, request), title=config.receiver.ae_title)
    source = None
    if asked.retrievals:
        holders = [here, *map(holder, config.sources)]
        source = chosen(asked.retrievals, holders, study=asked.study)
    wanted = ItemAsked(
        uid=asked.uid,
        study_instance_uid=asked.study,
        source=source,
        otherwise=config.sources[0].name if config.sources else None,
        patient_id=asked.patient_id,
    )
    try:
        return services.store.request_item(
            wanted, client=peer, max_attempts=config.pull.max_attempts, now=services.clock()
        )
    except NotAllowed as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error


def _uid_in_query(request: Request) -> str | None:
    """The UID that stands there, bare as the Standard has it or with a name; None if none does.

    Raises Problem(400).
    """
    named = request.query_params.multi_items()
    said = {value or name for name, value in named if not value or name.lower() in _UID_NAMES}
    said = {each for each in said if each.lower() not in _UID_NAMES}
    if len(said) > 1:
        raise Problem(HTTPStatus.BAD_REQUEST, "the query names several UIDs")
    return said.pop() if said else None


def _require_json(request: Request) -> None:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body is compressed; send it without Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )
    said = content_type(request.headers.get("content-type", ""))
    if said is None or said.type not in _TYPES:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"work items are read from {JSON}; send that"
        )


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise Problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"a work item has at most {MOST_BYTES} bytes; name series, not each instance",
                )
    except ClientDisconnect as gone:
        raise Problem(HTTPStatus.BAD_REQUEST, "the client has gone") from gone
    return bytes(body)
