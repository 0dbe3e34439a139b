"""The addresses of the page: who may see each, and what an error on the way looks like there."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from node.core.errors import Ambiguous, UnknownEntry
from node.core.people import Role
from node.logs import event
from node.web.access.person import Person
from node.web.access.required import require, required
from node.web.actions import ACTIONS, Action, perform
from node.web.page.acting import after, confirmation, said_done
from node.web.page.destinations import destinations
from node.web.page.frame import page
from node.web.page.live import Changes, stream
from node.web.page.model import model
from node.web.page.queue import queue
from node.web.page.studies import studies
from node.web.page.study import study
from node.web.page.system import system
from node.web.page.wrong import UNREADABLE
from node.web.problems import Form, Problem, form_of_answer
from node.web.services import Services

Gather = Callable[[Request, Person], Mapping[str, Any]]
Endpoint = Callable[[Request], Response]


def routes(services: Services) -> list[BaseRoute]:
    """Every page, what is done on it, and the files that it needs."""
    changes = Changes(services)

    @required(Role.VIEWER)
    async def events(request: Request) -> Response:
        return await stream(services, changes, request)

    def shows(path: str, template: str, gather: Gather, role: Role = Role.VIEWER) -> Route:
        def endpoint(request: Request) -> Response:
            person = require(request, role)
            return page(services, request, template, lambda: gather(request, person))

        return Route(path, _as_page(services, endpoint))

    def act(request: Request) -> Response:
        person, action = require(request, Role.OPERATOR), _action(request)
        done = perform(action, services, request.path_params["target"], person.signature)
        return RedirectResponse(after(_root(services), action, done), HTTPStatus.SEE_OTHER)

    return [
        Route("/events", events),
        shows(
            "/",
            "studies.html",
            lambda asked, _: {
                **studies(services, asked.query_params),
                "done": said_done(asked.query_params),
            },
        ),
        shows(
            "/study/{study}",
            "study.html",
            lambda asked, person: _of_study(services, asked, person),
        ),
        shows(
            "/queue",
            "queue.html",
            lambda asked, person: queue(services, asked.query_params, person),
        ),
        shows(
            "/destinations",
            "destinations.html",
            lambda asked, person: {
                **destinations(services, person),
                "done": said_done(asked.query_params),
            },
        ),
        shows("/model", "model.html", lambda *_: model(services)),
        shows("/system", "system.html", lambda *_: system(services)),
        shows(
            "/act/{action}/{target}",
            "confirm.html",
            lambda asked, _: confirmation(services, _action(asked), asked.path_params["target"]),
            Role.OPERATOR,
        ),
        Route("/act/{action}/{target}", _as_page(services, act), methods=["POST"]),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


def _of_study(services: Services, request: Request, person: Person) -> Mapping[str, Any]:
    try:
        row = services.store.find_study(request.path_params["study"])
    except (UnknownEntry, Ambiguous) as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
    return {**study(services, row, person), "done": said_done(request.query_params)}


def _action(request: Request) -> Action:
    """Raises Problem(404)."""
    action = ACTIONS.get(request.path_params["action"])
    if action is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no such action")
    return action


def _root(services: Services) -> str:
    return services.config.web.root


def _as_page(services: Services, endpoint: Endpoint) -> Endpoint:
    """The endpoint's errors look like pages, to people; a database that is away is said in red."""

    def looking_like_one(request: Request) -> Response:
        if form_of_answer(request) is not Form.PAGE:
            return endpoint(request)
        try:
            return endpoint(request)
        except Problem as problem:
            return _problem(services, request, problem)
        except SQLAlchemyError as error:
            event("page.database_away", level=logging.WARNING, error=error)
            says = f"{UNREADABLE}."
            return _problem(services, request, Problem(HTTPStatus.SERVICE_UNAVAILABLE, says))

    return looking_like_one


def _problem(services: Services, request: Request, problem: Problem) -> Response:
    said = {"title": problem.status.phrase, "says": problem.says}
    answer = page(services, request, "problem.html", lambda: said, status=problem.status)
    answer.headers.update(problem.headers)
    return answer
