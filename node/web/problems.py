"""What an error answer looks like: one sentence, on a page for a person and in JSON for a program.

Nothing of the request stands in it.

What a client sent may name a patient, or be made to be shown to somebody: so it is never echoed.
Whoever answers a request raises `Problem`; everything else that is raised is logged, and answered
with 500 and without a trace.
"""

import logging
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus

from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.core.errors import NodeError
from node.logs import event
from node.web.media_ranges import preferred
from node.web.page.bare import bare_page

_SAID: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address",
    HTTPStatus.METHOD_NOT_ALLOWED: "this method is not for this address",
}
_OF_PROGRAMS = ("/api/", "/dicom-web/", "/metrics/", "/healthz/", "/readyz/")


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


class Form(Enum):
    """What an answer looks like to whoever asks."""

    PAGE = "text/html"
    TEXT = "text/plain"
    JSON = "application/json"


def form_of_answer(request: HTTPConnection) -> Form:
    """As Accept says; where it says nothing of that, as the address does: most are of pages.

    Browsers ask for text/html by name when a person goes to an address.
    """
    of_programs = f"{request.scope['path']}/".startswith(_OF_PROGRAMS)
    forms = (Form.JSON, Form.TEXT, Form.PAGE) if of_programs else (Form.PAGE, Form.TEXT, Form.JSON)
    accepted = ",".join(request.headers.getlist("accept"))
    # Something is said in any case: rather what was not named than what is refused.
    wanted = preferred(f"{accepted}, */*;q=0.001", [form.value for form in forms])
    return forms[0] if wanted is None else Form(wanted)


def answer_to(request: Request, problem: Problem) -> Response:
    """The answer: a page, the sentence, or `{"status": ..., "error": ...}`."""
    status, says = problem.status, problem.says
    answer: Response
    match form_of_answer(request):
        case Form.PAGE:
            said = {"title": status.phrase, "says": says}
            answer = bare_page(request, "problem.html", status=status, **said)
        case Form.TEXT:
            answer = PlainTextResponse(f"{says}\n", status)
        case Form.JSON:
            answer = JSONResponse({"status": int(status), "error": says}, status)
    answer.headers["Cache-Control"] = "no-store"  # it tells of the present
    answer.headers.update(problem.headers)
    return answer


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
