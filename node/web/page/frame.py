"""What stands about every page, and the HTML that comes of it all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from jinja2 import Environment
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import HTMLResponse

from node import __version__
from node.web.access.person import person_of
from node.web.page.live import word_of
from node.web.page.look import environment
from node.web.page.wrong import Wrong, wrong_now
from node.web.services import Services
from sr_templates.envelope import RESEARCH_USE

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""A page names patients, and tells of the present."""
_PAGES = {
    "/": "Studies",
    "/queue": "Queue",
    "/destinations": "Destinations",
    "/model": "Model",
    "/system": "System",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One page that the head leads to."""

    path: str
    title: str
    current: bool


def page(
    services: Services,
    request: Request,
    template: str,
    gather: Callable[[], Mapping[str, Any]],
    *,
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """The template, filled with what is gathered, within what stands about every page.

    How far things are is looked up first: what changes while the page is gathered is told to it.
    """
    frame = _frame(services, request)
    return HTMLResponse(
        _templates().get_template(template).render({**frame, **gather()}),
        status_code=status,
        headers=_HEADERS,
    )


def _frame(services: Services, request: Request) -> Mapping[str, Any]:
    now = services.clock().astimezone()
    wrong, word = _now(services)
    return {
        "is_bare": False,
        "root": services.config.web.root,
        "person": person_of(request),
        "nav": [
            Step(path=path, title=title, current=request.url.path == path)
            for path, title in _PAGES.items()
        ],
        "wrong": wrong,
        "word": word,
        "research_use": RESEARCH_USE,
        "node_title": services.config.receiver.ae_title,
        "version": __version__,
        "zone": f"{now.tzname()} (UTC{now:%z})",
    }


def _now(services: Services) -> tuple[Wrong, str]:
    """What is wrong, and the word for how far things are."""
    wrong = wrong_now(services)
    try:
        return wrong, word_of(services.store.last_event(), wrong)
    except SQLAlchemyError:
        return wrong, ""


@cache
def _templates() -> Environment:
    return environment()
