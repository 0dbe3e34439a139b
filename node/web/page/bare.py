"""A page for whoever may be a stranger: it tells nothing of the node, and asks nobody for anything.

So it can be made of whatever goes wrong, with the database away too.
"""

from functools import cache
from http import HTTPStatus
from typing import cast

from jinja2 import Environment
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from node.web.access.headers import OF_PAGES
from node.web.page.look import environment
from sr_templates.envelope import RESEARCH_USE

_ROOT_KEY = "m3node.root"


def set_root(request: HTTPConnection, root: str) -> None:
    """A proxy's path, which stands before every address, is known from now on."""
    request.scope[_ROOT_KEY] = root


def root_of(request: HTTPConnection) -> str:
    """A proxy's path, which stands before every address."""
    return cast(str, request.scope.get(_ROOT_KEY, ""))


def bare_page(
    request: HTTPConnection, template: str, *, status: HTTPStatus, **said: object
) -> HTMLResponse:
    """The template, filled with what is said."""
    frame = {"root": root_of(request), "person": None, "nav": (), "word": "", "is_bare": True}
    text = _templates().get_template(template).render(**frame, research_use=RESEARCH_USE, **said)
    return HTMLResponse(text, status, headers=OF_PAGES)


@cache
def _templates() -> Environment:
    return environment()
