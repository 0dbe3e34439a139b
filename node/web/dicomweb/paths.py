"""UIDs in paths: nothing else of a path reaches the disk or the database."""

from http import HTTPStatus

from starlette.requests import Request

from node.dicom.header_text import is_uid
from node.web.problems import Problem


def uid_of(request: Request, name: str) -> str:
    """The path's part of that name.  Raises Problem(400) if it is no UID."""
    text = str(request.path_params[name])
    if not is_uid(text):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the {name} in the path is no UID")
    return text
