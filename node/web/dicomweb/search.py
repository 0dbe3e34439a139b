"""QIDO-RS (PS3.18 10.6): what is here is found."""

from functools import partial

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.dicom.searchable import RESOURCES, Level
from node.web.dicomweb.found import data_sets
from node.web.dicomweb.listing import listing, wants_json
from node.web.dicomweb.paths import base_of, uid_of
from node.web.dicomweb.query import read_query
from node.web.services import Services

AT_ONCE = 4
"""Searches that are answered at the same time: each answer is made in memory as a whole."""
_MORE = "there are more results than this node returns at once; ask for them with offset"


def routes(services: Services) -> list[BaseRoute]:
    """Its routes, relative to the base of the service."""
    working = anyio.CapacityLimiter(AT_ONCE)

    def route(path: str, level: Level) -> Route:
        async def endpoint(request: Request) -> Response:
            answer = partial(_answer, services, request, level)
            return await anyio.to_thread.run_sync(answer, limiter=working)

        return Route(path, endpoint, methods=["GET"])

    return [route(path, level) for path, level in RESOURCES]


def _answer(services: Services, request: Request, level: Level) -> Response:
    """Raises Problem(400) for what cannot be read, (406) for another form than JSON or XML."""
    named = {name: uid_of(request, name) for name in request.path_params}
    json = wants_json(request)
    query = read_query(
        request.query_params.multi_items(),
        level,
        study=StudyInstanceUID(named["study"]) if "study" in named else None,
        series=SeriesInstanceUID(named["series"]) if "series" in named else None,
    )
    found = services.store.search(query.search)
    warnings = [*query.warnings, *([_MORE] if found.more and query.cut else [])]
    answered = data_sets(found.rows, query, base=base_of(services, request))
    return listing(answered, json=json, warnings=warnings)
