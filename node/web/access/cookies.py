"""The two cookies: of who is logged in, and of a browser that is not yet."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from node.config import WebConfig
from node.credentials import digest_of

_SESSION = "m3node_session"
_VISIT = "m3node_visit"
_LONGEST = 64


def session_cookie(request: HTTPConnection, config: WebConfig) -> str | None:
    """The token of the session that the browser shows."""
    return _of(request, _SESSION, config)


def visit_cookie(request: HTTPConnection, config: WebConfig) -> str | None:
    """What the browser was given when it first came; it lets nobody in."""
    return _of(request, _VISIT, config)


def csrf_of_session(token: str) -> str:
    """What forms of the session carry; it tells nothing of the token."""
    return digest_of(token, purpose="csrf of a session")


def csrf_of_visit(token: str) -> str:
    """What forms carry that are sent without a session."""
    return digest_of(token, purpose="csrf of a visit")


def set_session(answer: Response, token: str, config: WebConfig) -> None:
    """The browser shows it from now on, until it is closed or the session ends."""
    _set(answer, _SESSION, token, config, max_age_s=None)


def forget_session(answer: Response, config: WebConfig) -> None:
    """The browser forgets it."""
    _set(answer, _SESSION, "", config, max_age_s=0)


def cookie_of_visit(token: str, config: WebConfig) -> str:
    """A Set-Cookie, by which the browser shows it until it is closed."""
    answer = Response()
    _set(answer, _VISIT, token, config, max_age_s=None)
    return answer.headers["set-cookie"]


def _set(
    answer: Response, name: str, value: str, config: WebConfig, *, max_age_s: int | None
) -> None:
    answer.set_cookie(
        _name(name, config),
        value,
        max_age=max_age_s,
        path="/",
        secure=config.is_secured,
        httponly=True,
        samesite="lax",
    )


def _of(request: HTTPConnection, name: str, config: WebConfig) -> str | None:
    said = request.cookies.get(_name(name, config), "")
    return said if 0 < len(said) <= _LONGEST and said.isascii() else None


def _name(name: str, config: WebConfig) -> str:
    """Under TLS with the prefix that no other host and no page without TLS can set."""
    return f"__Host-{name}" if config.is_secured else name
