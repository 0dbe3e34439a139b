"""QIDO-RS (PS3.18 10.6): what is here is found."""

from collections.abc import Callable
from http import HTTPStatus
from secrets import token_hex

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.dicom.searchable import RESOURCES, Level
from node.web.dicomweb.accept import not_acceptable, wishes
from node.web.dicomweb.found import data_sets
from node.web.dicomweb.metadata import JSON, XML
from node.web.dicomweb.metadata_json import as_json
from node.web.dicomweb.metadata_model import Attribute
from node.web.dicomweb.metadata_xml import as_xml
from node.web.dicomweb.multipart_out import content_type
from node.web.dicomweb.paths import base_of, uid_of
from node.web.dicomweb.query import read_query
from node.web.services import Services

_MORE = "there are more results than this node returns at once; ask for them with offset"


def routes(services: Services) -> list[BaseRoute]:
    """Its routes, relative to the base of the service."""

    def route(path: str, level: Level) -> Route:
        return Route(path, lambda request: _answer(services, request, level), methods=["GET"])

    return [route(path, level) for path, level in RESOURCES]


def _answer(services: Services, request: Request, level: Level) -> Response:
    """Raises Problem(400) for what cannot be read, (406) for another form than JSON or XML."""
    named = {name: uid_of(request, name) for name in request.path_params}
    parameters = request.query_params.multi_items()
    accept = next((value for name, value in parameters if name == "accept"), None)
    write = _form(", ".join(request.headers.getlist("accept")), accept)
    query = read_query(
        parameters,
        level,
        study=StudyInstanceUID(named["study"]) if "study" in named else None,
        series=SeriesInstanceUID(named["series"]) if "series" in named else None,
    )
    found = services.store.search(query.search)
    warnings = [*query.warnings, *([_MORE] if found.more and query.cut else [])]
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if warnings:
        headers["Warning"] = ", ".join(f'299 m3node "{words}"' for words in warnings)
    # In JSON nothing is an empty list: Orthanc's plugin takes 204 for a failure.
    if not found.rows and write is _xml:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    body, said_type = write(data_sets(found.rows, query, base=base_of(services, request)))
    return Response(body, headers={**headers, "Content-Type": said_type})


_Write = Callable[[list[list[Attribute]]], tuple[bytes, str]]


def _form(accept: str, parameter: str | None) -> _Write:
    """How what is found is written, and what that is called."""
    for wish in wishes(accept, parameter):
        if any(wish.takes(each, multipart=False) for each in (JSON, "application/json")):
            return _json
        if wish.takes(XML, multipart=True):
            return _xml
    raise not_acceptable(f'{JSON}, and multipart/related; type="{XML}"')


def _json(found: list[list[Attribute]]) -> tuple[bytes, str]:
    return b"[" + b",".join(map(as_json, found)) + b"]", JSON


def _xml(found: list[list[Attribute]]) -> tuple[bytes, str]:
    boundary = token_hex(16)
    head = f"--{boundary}\r\nContent-Type: {XML}\r\n\r\n".encode("ascii")
    parts = b"".join(head + as_xml(each) + b"\r\n" for each in found)
    return parts + f"--{boundary}--\r\n".encode("ascii"), content_type(XML, boundary)
