"""Every request passes here before it reaches a route: who asks, and is it let in?"""

import logging
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.core.people import Role
from node.credentials import drawn_token
from node.logs import event
from node.web.access import cross_site
from node.web.access.cookies import (
    cookie_of_visit,
    csrf_of_visit,
    session_cookie,
    visit_cookie,
)
from node.web.access.forms import FORM_TYPE, content_type_of, field_of, read_body
from node.web.access.headers import OF_OBJECTS, OF_PAGES, Policy
from node.web.access.hosts import NOT_KNOWN, is_known
from node.web.access.identified import Identified, bearer_of, is_from
from node.web.access.person import SCOPE_KEY, VISIT_CSRF_KEY, Means
from node.web.access.required import LOGIN, require
from node.web.page.bare import set_root
from node.web.problems import Problem, answer_to
from node.web.services import Services

DICOMWEB = "/dicom-web"
HEALTH = frozenset({"/healthz", "/readyz"})
METRICS = "/metrics"
LOGOUT = "/logout"
_STATIC = "/static/"


class Access:
    """Whoever may not is answered here; for whoever may, the scope tells who it is."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._config = services.config.web
        self._identified = Identified(services)
        self._of_pages = Policy(self._enter, OF_PAGES)
        self._of_objects = Policy(self._enter, OF_OBJECTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or turn it away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif is_below(scope["path"], DICOMWEB):
            await self._of_objects(scope, receive, send)
        else:
            await self._of_pages(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        set_root(request, self._config.root)
        path = scope["path"]
        try:
            if path in HEALTH or path.startswith(_STATIC):
                pass
            elif path == METRICS or is_below(path, DICOMWEB):
                await self._by_address_or_person(request)
            else:
                visit = visit_cookie(request, self._config)
                if visit is None:
                    visit = drawn_token()
                    send = _giving(cookie_of_visit(visit, self._config), send)
                receive = await self._by_person(request, csrf_of_visit(visit))
        except Problem as problem:
            if problem.status >= HTTPStatus.BAD_REQUEST:
                _log(request, problem)
            await answer_to(request, problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    # -- DICOMweb and metrics --------------------------------------------------------------------

    async def _by_address_or_person(self, request: Request) -> None:
        """Whoever is in web.allowed_peers, or has a role: senders may store, viewers only read.

        Raises Problem.
        """
        listed = self._config.allowed_peers is not None and is_from(
            request, self._config.allowed_peers
        )
        if cross_site.browser_sent(request):
            self._require_known_host(request)
        person = None
        if not listed or self._says_who(request):
            person = await run_in_threadpool(self._identified.person, request, visit_csrf="")
        request.scope[SCOPE_KEY] = person
        reads = request.method in cross_site.SAFE
        if not listed and not await run_in_threadpool(self._identified.is_everybody_let_in):
            if self._config.allowed_peers is not None and person is None:
                raise Problem(
                    HTTPStatus.FORBIDDEN,
                    "this address is not in web.allowed_peers",
                )
            require(request, Role.VIEWER if reads else Role.SENDER)
        if reads or (person is not None and person.means is Means.TOKEN):
            return
        self._require_own_site(request, origins=self._config.allowed_origins)
        if person is not None and person.means is not Means.LOCAL:
            _require_token(request, [person.csrf_token])

    def _says_who(self, request: Request) -> bool:
        header = self._config.proxy_user_header
        return (
            bearer_of(request) is not None
            or session_cookie(request, self._config) is not None
            or (header is not None and header in request.headers)
        )

    # -- everything else -------------------------------------------------------------------------

    async def _by_person(self, request: Request, visit_csrf: str) -> Receive:
        """Whoever is known, and may see; returns what gives the body.  Raises Problem."""
        self._require_known_host(request)
        path = request.scope["path"]
        person = await run_in_threadpool(self._identified.person, request, visit_csrf=visit_csrf)
        request.scope[SCOPE_KEY] = person
        request.scope[VISIT_CSRF_KEY] = visit_csrf
        if path != LOGIN and (person is None or path != LOGOUT):
            # A route that forgets to say whom it is for shows no patient to strangers.
            require(request, Role.VIEWER)
        if request.method in cross_site.SAFE:
            return request.receive
        receive = await read_body(request)
        if person is None or person.means is not Means.TOKEN:
            self._require_own_site(request, token_follows=True)
            if person is None or person.means is not Means.LOCAL or not _is_of_a_program(request):
                logs_in = [visit_csrf] if path == LOGIN else []
                _require_token(
                    request, logs_in if person is None else [person.csrf_token, *logs_in]
                )
        return receive

    def _require_known_host(self, request: Request) -> None:
        if not is_known(request, self._config):
            raise Problem(HTTPStatus.MISDIRECTED_REQUEST, NOT_KNOWN)

    def _require_own_site(
        self, request: Request, *, origins: tuple[str, ...] = (), token_follows: bool = False
    ) -> None:
        if cross_site.is_foreign(
            request, self._config, origins=origins, token_follows=token_follows
        ):
            raise Problem(HTTPStatus.FORBIDDEN, cross_site.FOREIGN)


def _is_of_a_program(request: Request) -> bool:
    """Whether it is nothing that a browser sends, to a node that asks nobody who it is."""
    return not cross_site.browser_sent(request) and content_type_of(request) != FORM_TYPE


def _require_token(request: Request, expected: list[str]) -> None:
    shown = request.headers.get(cross_site.HEADER) or field_of(request, cross_site.FIELD)
    if not cross_site.shows_token(shown, expected):
        raise Problem(HTTPStatus.FORBIDDEN, cross_site.NO_TOKEN)


def _log(request: Request, problem: Problem) -> None:
    event(
        "web.rejected",
        level=logging.WARNING,
        because=problem.says,
        peer=request.client.host if request.client else "",
    )


def _giving(cookie: str, send: Send) -> Send:
    """The answer sets the cookie too."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("Set-Cookie", cookie)
        await send(message)

    return sending


def is_below(path: str, mount: str) -> bool:
    """Whether the path is the mount's, or one within it."""
    return path == mount or path.startswith(f"{mount}/")
