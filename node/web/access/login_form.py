"""The log-in form, which strangers see: it tells nothing of the node."""

from functools import cache
from http import HTTPStatus

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from node.web.access.required import ROOT_KEY
from node.web.page.look import environment
from sr_templates.envelope import RESEARCH_USE


def show_form(
    request: Request, *, status: HTTPStatus, csrf_token: str, next: str, says: str
) -> Response:
    """The page; `says` is what went wrong, or empty; `next` is where the way leads back to."""
    text = (
        _templates()
        .get_template("login.html")
        .render(
            root=request.scope[ROOT_KEY],
            person=None,
            nav=(),
            word="",
            research_use=RESEARCH_USE,
            csrf_token=csrf_token,
            next=next,
            says=says,
        )
    )
    return HTMLResponse(text, status)


@cache
def _templates() -> Environment:
    return environment()
