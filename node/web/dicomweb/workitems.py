"""UPS-RS (PS3.18 11): every analysis is a work item that is watched, or asked to be cancelled.

The node makes its work itself, of what comes and of what clients ask for (`workitem_new`).
Nothing is pushed: a client that wants to know asks again.
"""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from node.core.errors import NotAllowed
from node.core.states import State
from node.dicom.header_text import is_uid
from node.dicom.work_items import KEYS, MOST_WORK_ITEMS, STATES
from node.persistence.work_items import WorkItem, WorkItemsAsked
from node.web.dicomweb.listing import listing, wants_json
from node.web.dicomweb.paths import base_of, uid_of
from node.web.dicomweb.query import not_matched, path_of, read_parameters
from node.web.dicomweb.workitem_new import create, peer_of
from node.web.dicomweb.workitem_said import data_set
from node.web.problems import Problem
from node.web.services import Services

_MORE = "there are more work items than this node returns at once; ask for them with offset"


def routes(services: Services) -> list[BaseRoute]:
    """Search, create, retrieve, and the request to cancel; relative to the base of the service."""

    async def created(request: Request) -> Response:
        return await create(services, request)

    return [
        Route("/workitems", created, methods=["POST"]),
        Route("/workitems", lambda request: _search(services, request), methods=["GET"]),
        Route("/workitems/{workitem}", lambda request: _one(services, request), methods=["GET"]),
        Route(
            "/workitems/{workitem}/cancelrequest",
            lambda request: _cancel(services, request),
            methods=["POST"],
        ),
    ]


def _search(services: Services, request: Request) -> Response:
    """Raises Problem(400), (406)."""
    json = wants_json(request)
    said = read_parameters(request.query_params.multi_items())
    asked: dict[str, list[str]] = {}
    ignored = []
    for name, value in said.asked:
        key = KEYS.get(path_of(name))
        if key is None:
            ignored.append(name)
        elif value.strip("*"):
            asked.setdefault(key, []).append(value)
    limit = MOST_WORK_ITEMS if said.limit is None else min(said.limit, MOST_WORK_ITEMS)
    found = services.store.work_items(_asked(asked, limit=limit, offset=said.offset))
    more = len(found) > limit and limit != said.limit
    warnings = [*said.warnings, *not_matched(ignored), *([_MORE] if more else [])]
    base = base_of(services, request)
    return listing(
        [data_set(each, base=base) for each in found[:limit]], json=json, warnings=warnings
    )


def _asked(asked: Mapping[str, list[str]], *, limit: int, offset: int) -> WorkItemsAsked:
    lists = {key: [one for value in asked.get(key, ()) for one in _split(value)] for key in asked}
    for key in ("uids", "studies"):
        if not all(map(is_uid, lists.get(key, ()))):
            raise Problem(HTTPStatus.BAD_REQUEST, "a UID that is asked for is none")
    if any(card in value for values in asked.values() for value in values for card in "*?"):
        raise Problem(HTTPStatus.BAD_REQUEST, "of work items no wild cards are matched")
    states = lists.get("states", [])
    if not {*states} <= {*STATES.values()}:
        words = ", ".join(dict.fromkeys(STATES.values()))
        raise Problem(HTTPStatus.BAD_REQUEST, f"ProcedureStepState is one of {words}")
    return WorkItemsAsked(
        states=tuple(state for state, name in STATES.items() if name in states),
        uids=tuple(lists["uids"]) if "uids" in lists else None,
        studies=tuple(lists.get("studies", ())),
        accession_number=asked.get("accession_number", [None])[-1],
        patient_id=asked.get("patient_id", [None])[-1],
        limit=limit,
        offset=offset,
    )


def _split(value: str) -> list[str]:
    return [each.strip() for each in value.replace("\\", ",").split(",") if each.strip()]


def _one(services: Services, request: Request) -> Response:
    json = wants_json(request)
    item = _named(services, request)
    return listing([data_set(item, base=base_of(services, request))], json=json)


def _named(services: Services, request: Request) -> WorkItem:
    """Raises Problem(400) if it is no UID, (404) if no work item has it."""
    uid = uid_of(request, "workitem")
    found = services.store.work_items(WorkItemsAsked(uids=(uid,), limit=1))
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, "no work item has this UID")
    return found[0]


def _cancel(services: Services, request: Request) -> Response:
    """202: it will not be analysed; 409: it is being analysed, or has been (PS3.18 11.8)."""
    peer = peer_of(services, request)
    item = _named(services, request)
    if item.state is not State.QUEUED:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"it is {STATES[item.state]}; only what is SCHEDULED can be cancelled",
        )
    try:
        if item.job_id is None:
            services.store.cancel_item(item.uid, client=peer, now=services.clock())
        else:
            services.store.cancel_job(item.job_id, now=services.clock(), client=peer)
    except NotAllowed as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error
    return Response(status_code=HTTPStatus.ACCEPTED)
