"""What an error answer looks like: one sentence, as JSON or as text, and nothing of the request.

What a client sent may name a patient, or be made to be shown to somebody: so it is never echoed.
Whoever answers a request raises `Problem`; everything else that is raised is logged, and answered
with 500 and without a trace.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.core.errors import NodeError
from node.logs import event

_SAID: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address",
    HTTPStatus.METHOD_NOT_ALLOWED: "this method is not for this address",
}


class Problem(NodeError):
    """A request is answered with an error.

    status  : of the answer
    says    : what was found, what was expected, what to do; nothing that the client sent
    headers : further headers of the answer
    """

    def __init__(
        self, status: HTTPStatus, says: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(says)
        self.status = status
        self.says = says
        self.headers = headers or {}


def answer_to(request: Request, problem: Problem) -> Response:
    """The answer: `{"status": ..., "error": ...}`, or the sentence where text is asked for."""
    asked = request.headers.get("accept", "")
    if "text/plain" in asked and "json" not in asked:
        return PlainTextResponse(
            f"{problem.says}\n", status_code=problem.status, headers=problem.headers
        )
    return JSONResponse(
        {"status": int(problem.status), "error": problem.says},
        status_code=problem.status,
        headers=problem.headers,
    )


async def answer_problem(request: Request, error: Exception) -> Response:
    """The answer to a `Problem`, and to what Starlette itself refuses."""
    match error:
        case Problem():
            return answer_to(request, error)
        case HTTPException():
            status = HTTPStatus(error.status_code)
            says = _SAID.get(status, status.phrase.lower())
            return answer_to(request, Problem(status, says, headers=error.headers))
    raise error


class Guarded:
    """The outermost layer: whatever else is raised is logged, and answered without a trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request to its end."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if started:
                event("web.answer_cut_off", level=logging.ERROR, error=error)
                raise
            await answer_to(Request(scope), _problem_of(error))(scope, receive, send)


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, OperationalError):
        event("web.database_away", level=logging.WARNING, error=error)
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the database does not answer now; try again",
            headers={"Retry-After": "5"},
        )
    event("web.failed", level=logging.ERROR, error=error)
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected error in this node; its log says where"
    )
