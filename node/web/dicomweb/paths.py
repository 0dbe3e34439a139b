"""Addresses: UIDs in them, of which nothing else reaches the disk or the database; and our own."""

import re
from http import HTTPStatus

from starlette.requests import Request

from node.dicom.header_text import is_uid
from node.web.problems import Problem
from node.web.services import Services

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LOOPBACK = ("127.0.0.1", "::1")


def uid_of(request: Request, name: str) -> str:
    """The path's part of that name.  Raises Problem(400) if it is no UID."""
    text = str(request.path_params[name])
    if not is_uid(text):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the {name} in the path is no UID")
    return text


def base_of(services: Services, request: Request) -> str:
    """URI of the service: the one that is configured, or by the name that the client knows it by.

    A Host that is the very address connected to, without a port, lacks the port: some clients leave
    it out.
    """
    if services.config.web.public_url is not None:
        return services.config.web.public_url
    host = request.headers.get("host", "")
    address, port = request.scope.get("server") or ("", None)
    if not _HOST.fullmatch(host):
        host = f"{_in_uri(services.config.web.host)}:{services.config.web.port}"
    elif port and (host == _in_uri(address) or (host == "localhost" and address in _LOOPBACK)):
        host = f"{host}:{port}"
    return f"{request.url.scheme}://{host}{request.scope.get('root_path', '')}"


def _in_uri(host: str) -> str:
    return f"[{host}]" if ":" in host else host
