"""Data sets as the answer to a search: JSON in one list, or XML in parts (PS3.18 8.7.3)."""

from collections.abc import Sequence
from http import HTTPStatus
from secrets import token_hex

from starlette.requests import Request
from starlette.responses import Response

from node.web.dicomweb.accept import not_acceptable, wishes
from node.web.dicomweb.metadata import JSON, XML
from node.web.dicomweb.metadata_json import as_json
from node.web.dicomweb.metadata_model import Attribute
from node.web.dicomweb.metadata_xml import as_xml
from node.web.dicomweb.multipart_out import content_type


def wants_json(request: Request) -> bool:
    """Whether it is answered in JSON; else in XML.  Raises Problem(406) for any other form."""
    parameter = request.query_params.get("accept")
    for wish in wishes(", ".join(request.headers.getlist("accept")), parameter):
        if wish.takes_alone(JSON, "application/json"):
            return True
        if wish.takes(XML, multipart=True):
            return False
    raise not_acceptable(f'{JSON}, and multipart/related; type="{XML}"')


def listing(
    found: Sequence[Sequence[Attribute]], *, json: bool, warnings: Sequence[str] = ()
) -> Response:
    """The answer; what warnings say stands in its header.

    Of nothing there is an empty list in JSON: Orthanc's plugin takes 204 for a failure.
    """
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if warnings:
        headers["Warning"] = ", ".join(f'299 m3node "{words}"' for words in warnings)
    if json:
        body = b"[" + b",".join(map(as_json, found)) + b"]"
        return Response(body, headers={**headers, "Content-Type": JSON})
    if not found:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    boundary = token_hex(16)
    head = f"--{boundary}\r\nContent-Type: {XML}\r\n\r\n".encode("ascii")
    parts = b"".join(head + as_xml(each) + b"\r\n" for each in found)
    body = parts + f"--{boundary}--\r\n".encode("ascii")
    return Response(body, headers={**headers, "Content-Type": content_type(XML, boundary)})
