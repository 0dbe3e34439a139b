"""A route is only for those who have a role."""

import functools
import inspect
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar, cast
from urllib.parse import quote

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from node.core.people import Role
from node.web.access.person import Person, person_of
from node.web.page.bare import root_of
from node.web.problems import Form, Problem, form_of_answer

E = TypeVar("E", bound=Callable[..., Any])

LOGIN = "/login"
ENDED = "ended"
"""In the address of the log-in: something was to be done, and nobody was in any more to do it."""


def required(role: Role) -> Callable[[E], E]:
    """The endpoint is reached by those alone who may do what needs the role; see `require`."""

    def around(endpoint: E) -> E:
        if inspect.iscoroutinefunction(endpoint):

            @functools.wraps(endpoint)
            async def later(request: Request, *others: Any) -> Response:
                require(request, role)
                return cast(Response, await endpoint(request, *others))

            return cast(E, later)

        @functools.wraps(endpoint)
        def now(request: Request, *others: Any) -> Response:
            require(request, role)
            return cast(Response, endpoint(request, *others))

        return cast(E, now)

    return around


def require(request: HTTPConnection, role: Role) -> Person:
    """Who asks, if the role is theirs.

    Raises Problem(403) for somebody of another role; for nobody (303) to the log-in, from which the
    way leads back, or (401) where a program asks.  Whoever gives a problem the look of a page keeps
    its headers.
    """
    person = person_of(request)
    if person is None:
        raise _stranger(request)
    if not person.may(role):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"this needs the role {role}, and yours is {person.role}; ask whoever runs this node",
        )
    return person


def _stranger(request: HTTPConnection) -> Problem:
    shows_token = request.headers.get("authorization", "").lower().startswith("bearer ")
    if form_of_answer(request) is Form.PAGE and not shows_token:
        method, query = request.scope["method"], request.url.query
        back = request.url.path + (f"?{query}" if query else "")
        next_ = f"?next={quote(back, safe='/')}"
        if method not in ("GET", "HEAD"):
            next_ += f"&{ENDED}=1"  # where something is done it is asked first, at the same address
        return Problem(
            HTTPStatus.SEE_OTHER,
            "log in first",
            headers={"Location": f"{root_of(request)}{LOGIN}{next_}"},
        )
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "log in, or send the token of a machine, one that has not ended, as Authorization: Bearer",
        headers={"WWW-Authenticate": 'Bearer realm="m3node"'},
    )
