"""The log-in form, which whoever is a stranger sees: it tells nothing of the node."""

from http import HTTPStatus

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from node.web.access.required import ROOT_KEY

_TEMPLATES = Environment(
    loader=PackageLoader("node.web.access"), autoescape=True, undefined=StrictUndefined
)


def show_form(
    request: Request, *, status: HTTPStatus, csrf_token: str, next: str, says: str
) -> Response:
    """The page; `says` is what went wrong, or empty; `next` is where the way leads back to."""
    text = _TEMPLATES.get_template("login.html").render(
        root=request.scope[ROOT_KEY], csrf_token=csrf_token, next=next, says=says
    )
    return HTMLResponse(text, status)
