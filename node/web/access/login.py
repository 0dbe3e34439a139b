"""The way in and out: log-in with a name and a password, and log-out.

A session's token is drawn anew at each log-in, whatever the browser showed before, so none can be
foisted on anybody.  Whatever is wrong with name or password, the answer is one, and takes as long.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from node.core.errors import NotAllowed
from node.core.people import LONGEST_NAME, name_key
from node.credentials import SESSION_PURPOSE, digest_of, drawn_token, is_password
from node.logs import event
from node.persistence.people import AccountRow
from node.web.access.attempts import Attempts
from node.web.access.cookies import forget_session, session_cookie, set_session
from node.web.access.entry import LOGOUT
from node.web.access.forms import field_of
from node.web.access.identified import address_of
from node.web.access.person import VISIT_CSRF_KEY, Means, person_of
from node.web.access.required import ENDED, LOGIN
from node.web.page.bare import bare_page
from node.web.problems import Form, Problem, answer_to, form_of_answer
from node.web.services import Services

WRONG = "This name and this password do not belong together."
NO_USERS = (
    "There is no user yet. Whoever runs this node makes the first: "
    "m3node user add NAME --role operator"
)
NOTHING_DONE = (
    "Your log-in has ended, so nothing was done. Log in, and you are asked once more whether to do "
    "it."
)
BUSY = "Too many are logging in just now; try again in a moment."
_MOST_AT_ONCE = 2
"""A hash takes 64 MiB and a tenth of a second."""
_MOST_WAITING = 8
"""So that those who log in leave threads to everybody else."""


def routes(
    services: Services, *, monotonic: Callable[[], float] = time.monotonic
) -> list[BaseRoute]:
    """`/login` and `/logout`."""
    login = _Login(services, monotonic)
    return [
        Route(LOGIN, login.form, methods=["GET"]),
        Route(LOGIN, login.log_in, methods=["POST"]),
        Route(LOGOUT, login.log_out, methods=["POST"]),
    ]


class _Login:
    def __init__(self, services: Services, monotonic: Callable[[], float]) -> None:
        self._services = services
        self._config = services.config.web
        self._store = services.store
        self._monotonic = monotonic
        self._attempts = Attempts()
        self._waiting = threading.BoundedSemaphore(_MOST_AT_ONCE + _MOST_WAITING)
        self._hashing = threading.BoundedSemaphore(_MOST_AT_ONCE)
        is_password("", None)  # the first takes longer

    def form(self, request: Request) -> Response:
        """The form, or the way back for whoever is in already."""
        next_ = _local(request.query_params.get("next", ""))
        person = person_of(request)
        if person is not None and person.means is not Means.TOKEN:
            return self._to(next_)
        says = NOTHING_DONE if ENDED in request.query_params else ""
        return self._again(request, HTTPStatus.OK, says if self._store.has_users() else NO_USERS)

    def log_in(self, request: Request) -> Response:
        """Another session, or the form again."""
        name = field_of(request, "name").strip()[: LONGEST_NAME + 1]
        password = field_of(request, "password")
        key, address = name_key(name), address_of(request, self._config)
        known = self._store.has_come_from(name, address)
        wait_s = self._attempts.take(
            name=key, address=address, is_known_place=known, now_s=self._monotonic()
        )
        if wait_s > 0:
            event("web.too_many_tries", level=logging.WARNING, peer=address)
            says = f"Too many tries: wait {wait_s + 1:.0f} s, and try again."
            answer = self._again(request, HTTPStatus.TOO_MANY_REQUESTS, says)
            answer.headers["Retry-After"] = f"{wait_s + 1:.0f}"
            return answer
        if not self._waiting.acquire(blocking=False):
            return self._again(request, HTTPStatus.SERVICE_UNAVAILABLE, BUSY)
        try:
            user = self._store.user_of_name(name)
            with self._hashing:
                right = is_password(password, None if user is None else user.secret)
        finally:
            self._waiting.release()
        if user is None or not right:
            # What was typed for a name may be a password: only a user's own is written.
            event(
                "web.wrong_password",
                level=logging.WARNING,
                peer=address,
                user="-" if user is None else user.name,
            )
            return self._again(request, HTTPStatus.UNPROCESSABLE_ENTITY, WRONG)
        self._attempts.give_back(
            name=key, address=address, is_known_place=known, now_s=self._monotonic()
        )
        return self._logged_in(request, user, address)

    def _logged_in(self, request: Request, user: AccountRow, address: str) -> Response:
        token, now = drawn_token(), self._services.clock()
        try:
            self._store.open_session(
                user,
                digest_of(token, purpose=SESSION_PURPOSE),
                address=address,
                now=now,
                ends_at=now + timedelta(seconds=self._config.session_s),
            )
        except NotAllowed:  # the password was changed in this very moment
            return self._again(request, HTTPStatus.UNPROCESSABLE_ENTITY, WRONG)
        self._end(request)
        event("web.logged_in", user=user.name, role=user.role, peer=address)
        answer = self._to(_local(field_of(request, "next")))
        set_session(answer, token, self._config)
        return answer

    def log_out(self, request: Request) -> Response:
        """The session is over, here and for whoever else may have its cookie."""
        self._end(request)
        person = person_of(request)
        event("web.logged_out", user="-" if person is None else person.name)
        answer = self._to(LOGIN)
        forget_session(answer, self._config)
        return answer

    def _end(self, request: Request) -> None:
        """Of the session that the browser shows."""
        if (token := session_cookie(request, self._config)) is not None:
            digest = digest_of(token, purpose=SESSION_PURPOSE)
            self._store.end_session(digest, now=self._services.clock())

    def _again(self, request: Request, status: HTTPStatus, says: str) -> Response:
        if status >= HTTPStatus.BAD_REQUEST and form_of_answer(request) is not Form.PAGE:
            return answer_to(request, Problem(status, says))
        next_ = field_of(request, "next") or request.query_params.get("next", "")
        return bare_page(
            request,
            "login.html",
            status=status,
            csrf_token=request.scope[VISIT_CSRF_KEY],
            next=_local(next_),
            says=says,
        )

    def _to(self, path: str) -> Response:
        return RedirectResponse(f"{self._config.root}{path}", HTTPStatus.SEE_OTHER)


def _local(path: str) -> str:
    """The path if it is one of this server; else the first page.

    Browsers read a backslash as a slash, and two slashes as the beginning of another host; they
    drop tabs and line ends.
    """
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours and "\\" not in path and len(path) < 2000 else "/"
